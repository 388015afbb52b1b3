"""Speed and course from positions."""

import math
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.earth import offset
from device.positions import NEIGHBOUR_S, SPEED_LIMIT_MPS, Position, with_speeds

STARTED_AT = datetime(2026, 5, 4, 10, 0, 0, tzinfo=timezone.utc)


def at(second, east_m, north_m=0.0):
    latitude_deg, longitude_deg = offset(43.55, 7.01, east_m, north_m)
    return Position(latitude_deg, longitude_deg, 5.0, None, None, STARTED_AT + timedelta(seconds=second), float(second))


def speeds(positions):
    return [fix.speed_mps for fix, _ in with_speeds(positions)]


def test_an_even_drive_has_its_speed_everywhere_and_its_course():
    fixes = with_speeds([at(n, 12.0 * n) for n in range(10)])
    assert [fix.speed_mps for fix, _ in fixes] == [pytest.approx(12.0, abs=0.01)] * 10
    assert [fix.course_deg for fix, _ in fixes] == [pytest.approx(90.0, abs=0.1)] * 10


def test_between_two_neighbours_it_is_the_central_difference():
    # x = t^2: at second 3 the speed is 6.
    assert speeds([at(n, float(n * n)) for n in range(7)])[3] == pytest.approx(6.0, abs=0.01)


def test_a_fix_arrives_with_the_position_that_it_needs_and_there_is_no_look_ahead():
    positions = [at(n, 10.0 * n) for n in (0, 1, 2, 3)]
    assert [arrival for _, arrival in with_speeds(positions)] == [1, 2, 3, 3 + NEIGHBOUR_S]


def test_a_fix_that_has_arrived_does_not_change_when_more_positions_come():
    positions = [at(n, n * n * 0.7, 3.0 * n) for n in (0, 1, 2.2, 3, 3.4, 4, 9, 10, 11, 15.5)]
    whole = with_speeds(positions)
    for known in range(1, len(positions)):
        now_s = positions[known].boot_s
        by_then = [pair for pair in with_speeds(positions[: known + 1]) if pair[1] <= now_s]
        assert by_then == [pair for pair in whole if pair[1] <= now_s]


def test_neighbours_too_far_off_in_time_are_not_used():
    # Ten metres a second, 40 s of silence, two metres a second.
    fixes = with_speeds([at(0, 0), at(1, 10), at(41, 500), at(42, 502)])
    assert [round(fix.speed_mps, 2) for fix, _ in fixes] == [10, 10, 2, 2]
    assert [arrival for _, arrival in fixes] == [1, 1 + NEIGHBOUR_S, 42, 42 + NEIGHBOUR_S]


def test_positions_all_far_apart_have_the_speed_since_the_one_before():
    fixes = with_speeds([at(0, 0), at(5, 50), at(10, 60)])
    assert [(fix.taken_at.second, round(fix.speed_mps, 2)) for fix, _ in fixes] == [(5, 10), (10, 2)]


def test_at_ten_a_second_the_noise_is_divided_by_more_than_a_tenth():
    noise = [0.5 * math.sin(17.0 * n) for n in range(60)]
    values = speeds([at(n / 10, 10.0 * n / 10 + noise[n]) for n in range(60)])
    assert max(abs(value - 10.0) for value in values[10:-10]) <= 1.01


def test_a_standing_car_holds_its_course():
    positions = [at(n, 10.0 * n) for n in range(5)] + [at(n, 40.0, 0.1 * (n % 2)) for n in range(5, 12)]
    fixes = with_speeds(positions)
    assert all(fix.course_deg == pytest.approx(90.0, abs=1) for fix, _ in fixes)
    assert with_speeds([at(0, 0), at(1, 0.1), at(2, 0)])[0][0].course_deg is None


def test_one_position_or_none_has_no_speed():
    assert with_speeds([]) == []
    assert with_speeds([at(0, 0)]) == []


@given(st.lists(st.tuples(st.floats(0.01, 60), st.floats(-100, 100), st.floats(-100, 100)), max_size=30))
def test_whatever_the_rhythm_arrivals_are_in_order_and_at_most_a_neighbour_away(steps):
    positions, now_s, east_m, north_m = [], 0.0, 0.0, 0.0
    for step_s, d_east_m, d_north_m in steps:
        now_s, east_m, north_m = now_s + step_s, east_m + d_east_m, north_m + d_north_m
        positions.append(at(now_s, east_m, north_m))
    fixes = with_speeds(positions)
    for fix, arrival_boot_s in fixes:
        assert fix.boot_s <= arrival_boot_s <= fix.boot_s + NEIGHBOUR_S
        assert 0 <= fix.speed_mps <= SPEED_LIMIT_MPS
    assert all(later >= earlier for (_, earlier), (_, later) in pairwise(fixes))
    assert len(positions) - len(fixes) in (0, 1)
