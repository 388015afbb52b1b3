"""Serving marks: the nearest frame within half a spacing, or a miss; never two answers, never a wait that cannot end."""

import math

from hypothesis import given
from hypothesis import strategies as st

from device.trigger import Miss, Serve, Trigger

ROAD = st.lists(st.floats(0.0, 60.0), max_size=40).map(sorted)


def trigger_at(mark_m, spacing_m=4.0):
    trigger = Trigger(spacing_m)
    trigger.mark_m = mark_m
    return trigger


def test_waits_for_a_frame_beyond_the_mark_that_may_be_nearer():
    assert trigger_at(10.0).decide([9.0], 9.5) is None
    assert trigger_at(10.0).decide([9.0, 10.4], 10.4) == Serve(1)


def test_serves_the_nearer_of_both_sides():
    assert trigger_at(10.0).decide([9.8, 10.4], 10.4) == Serve(0)


def test_half_a_spacing_off_is_too_far():
    assert trigger_at(10.0).decide([7.9, 12.1], 12.1) == Miss()
    assert trigger_at(10.0).decide([8.0], 12.0) == Serve(0)


def test_the_next_mark_is_one_spacing_after_the_frame_kept_or_the_mark_missed():
    trigger = trigger_at(10.0)
    trigger.served(10.3)
    assert trigger.mark_m == 14.3
    trigger.go_on()
    assert trigger.mark_m == 18.3


@given(road=ROAD, mark_m=st.floats(0.0, 60.0), spacing_m=st.floats(2.0, 20.0))
def test_once_all_is_known_the_answer_is_the_nearest_frame_or_a_miss(road, mark_m, spacing_m):
    answer = trigger_at(mark_m, spacing_m).decide(road, math.inf)
    nearest = min((abs(reading - mark_m) for reading in road), default=math.inf)
    if nearest <= spacing_m / 2.0:
        assert abs(road[answer.index] - mark_m) == nearest
    else:
        assert answer == Miss()


@given(road=ROAD, mark_m=st.floats(0.0, 60.0), known=st.integers(0, 40))
def test_an_early_answer_is_the_one_that_full_knowledge_gives(road, mark_m, known):
    """Whatever prefix of the road has arrived: an answer given then is never taken back by what comes later."""
    part = road[:known]
    early = trigger_at(mark_m).decide(part, part[-1] if part else 0.0)
    late = trigger_at(mark_m).decide(road, math.inf)
    if isinstance(early, Serve):
        assert abs(road[early.index] - mark_m) == abs(road[late.index] - mark_m)
    elif early is not None:
        assert isinstance(late, Miss)
