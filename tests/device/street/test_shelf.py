from hypothesis import given
from hypothesis import strategies as st

from device.street.shelf import Shelf


@given(st.lists(st.integers(0, 12), max_size=60), st.integers(1, 40))
def test_it_gives_what_was_made_and_keeps_within_its_bytes(names, most):
    shelf, made = Shelf(most, len), []

    def make(name):
        made.append(name)
        return "x" * (name + 1)

    for name in names:
        assert shelf.get(name, lambda name=name: make(name)) == "x" * (name + 1)
        assert shelf.bytes <= max(most, name + 1)
    assert len(made) <= len(names)


def test_what_was_not_asked_for_longest_goes_first():
    shelf, made = Shelf(3, len), []

    def make(name):
        made.append(name)
        return name

    for name in ("a", "b", "c", "a", "d", "a", "b"):
        shelf.get(name, lambda name=name: make(name))
    assert made == ["a", "b", "c", "d", "b"]
