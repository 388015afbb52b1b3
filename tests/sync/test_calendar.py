from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from sync.calendar import DAY_S, NEAR_S, Calendar, turn

NOW_S = datetime(2026, 11, 25, tzinfo=timezone.utc).timestamp()
WEEKS_1024_S = 1024 * 7 * DAY_S


def test_the_first_date_is_taken_and_time_goes_on():
    calendar = turn(Calendar(), NOW_S, "a").calendar
    assert calendar == Calendar(NOW_S)
    assert turn(calendar, NOW_S + 3600, "a").calendar == Calendar(NOW_S + 3600)
    assert turn(calendar, NOW_S - 3600, "b").calendar == Calendar(NOW_S)
    assert turn(calendar, NOW_S + NEAR_S, "b").calendar == Calendar(NOW_S + NEAR_S)


def test_a_jump_of_one_boot_counts_nothing():
    for jump_s in (20 * 365 * DAY_S, WEEKS_1024_S, -WEEKS_1024_S, 8 * DAY_S, -8 * DAY_S):
        calendar = Calendar(NOW_S)
        for minute in range(600):
            turned = turn(calendar, NOW_S + jump_s + 60 * minute, "a")
            calendar = turned.calendar
            assert (calendar.now_s, turned.shift_s) == (NOW_S, 0)
        assert turn(calendar, NOW_S + 60, "b").calendar == Calendar(NOW_S + 60)


def test_a_car_that_stood_for_a_month_is_believed_at_its_second_start():
    later_s = NOW_S + 30 * DAY_S
    first = turn(Calendar(NOW_S), later_s, "a").calendar
    second = turn(first, later_s + DAY_S, "b")
    assert second.calendar == Calendar(later_s + DAY_S)
    assert second.shift_s == 0


def test_a_date_that_was_wrong_from_the_beginning_is_set_right_and_what_it_dated_with_it():
    first = turn(Calendar(NOW_S + WEEKS_1024_S), NOW_S, "a").calendar
    second = turn(first, NOW_S + 100, "b")
    assert second.calendar == Calendar(NOW_S + 100)
    assert second.shift_s == 100 - WEEKS_1024_S


def test_two_wrong_boots_that_do_not_agree_count_nothing():
    calendar = Calendar(NOW_S)
    for boot, year in (("a", 2038), ("b", 2046), ("c", 1980), ("d", 2107)):
        calendar = turn(calendar, datetime(year, 1, 1, tzinfo=timezone.utc).timestamp(), boot).calendar
        assert calendar.now_s == NOW_S


@given(st.lists(st.tuples(st.floats(-1e9, 4e9), st.sampled_from("ab")), max_size=30))
def test_within_one_boot_time_never_goes_faster_than_a_week_a_reading(readings):
    calendar = Calendar(NOW_S)
    for seen_s, _ in readings:
        before_s = calendar.now_s
        calendar = turn(calendar, seen_s, "a").calendar
        assert 0 <= calendar.now_s - before_s <= NEAR_S
