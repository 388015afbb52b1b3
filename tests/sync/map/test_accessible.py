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


def live(page):
    expect(page.locator("#status")).to_have_attribute("data-state", "live")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out_of_the_map(joined_town, look, barriers, scheme):
    with look(joined_town.address, color_scheme=scheme) as page:
        live(page)
        page.locator(".chip").first.click()
        assert barriers(page) == []
        page.locator("#list button.row").first.click()
        expect(page.locator("ol.history")).to_be_visible()
        assert barriers(page) == []
        page.locator(".judging button").first.click()
        assert barriers(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out_of_the_units(town, look, barriers, scheme):
    with look(town.address, color_scheme=scheme, language="fr-FR", width=360, height=640) as page:
        live(page)
        assert barriers(page) == []
        page.locator("#tab-units").click()
        expect(page.locator("#fleet li.unit")).to_have_count(2)
        assert barriers(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_kept_out_where_there_is_nothing_to_see(serve, look, barriers, scheme):
    town = serve()
    with look(town.address, color_scheme=scheme, deaf=True) as page:
        live(page)
        expect(page.locator("#veil h2")).to_be_visible()
        assert barriers(page) == []
        page.route("**/api/**", lambda route: route.abort())
        page.reload()
        expect(page.locator("#status")).to_have_attribute("data-state", "broken")
        assert barriers(page) == []
