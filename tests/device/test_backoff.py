"""How long to wait before trying again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.backoff import Backoff


def test_the_limit_doubles_up_to_the_longest_and_stays_there():
    backoff = Backoff(0.5, 120, random=lambda: 1.0)
    assert [backoff.next_s() for _ in range(11)] == [0.5, 1, 2, 4, 8, 16, 32, 64, 120, 120, 120]


def test_only_a_reset_makes_it_short_again():
    backoff = Backoff(0.5, 120, random=lambda: 1.0)
    for _ in range(20):
        backoff.next_s()
    backoff.reset()
    assert [backoff.next_s(), backoff.next_s()] == [0.5, 1]


@given(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=40))
def test_a_wait_is_spread_over_the_whole_of_its_limit(draws):
    source = iter(draws)
    backoff = Backoff(0.5, 120, random=lambda: next(source))
    for draw in draws:
        limit_s = backoff.limit_s
        assert backoff.next_s() == pytest.approx(draw * limit_s)


def test_it_never_grows_without_end():
    backoff = Backoff(random=lambda: 1.0)
    assert max(backoff.next_s() for _ in range(5000)) == 120


@pytest.mark.parametrize(("first_s", "longest_s"), [(0, 1), (-1, 1), (2, 1)])
def test_senseless_limits_are_refused(first_s, longest_s):
    with pytest.raises(ValueError, match="first_s"):
        Backoff(first_s, longest_s)
