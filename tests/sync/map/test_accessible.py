"""The page by the rules of axe-core (WCAG 2.2 AA, contrast among them): each of its states, light and dark."""

import pytest

expect = pytest.importorskip("playwright.sync_api").expect


def test_what_stands_in_the_way_is_seen(serve, look, barriers):
    """The measure itself: a text of little contrast and a picture without a word are found."""
    with look(serve().address, wait=False) as page:
        page.set_content(
            "<main><h1>A</h1><p style='color:#aaa;background:#fff'>Grey</p><img src='data:,' width=9 height=9></main>"
        )
        found = barriers(page)
    assert [each.partition(":")[0] for each in found] == ["color-contrast", "image-alt"]
    assert "2.32" in found[0]
