"""Distance from speed between fixes: monotone, right at both ends, and nothing while standing."""

import itertools
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from device.earth import distance_m, offset
from device.fix import Fix
from device.odometer import LOST_S, Odometer, blend_deg, stands

START = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)


def fix(boot_s, speed_mps, *, east_m=0.0, north_m=0.0, course_deg=None):
    latitude_deg, longitude_deg = offset(43.55, 7.01, east_m, north_m)
    return Fix(latitude_deg, longitude_deg, 3.0, speed_mps, course_deg, START + timedelta(seconds=boot_s), boot_s)


def stretch(*fixes):
    odometer = Odometer()
    return [odometer.advance(each) for each in fixes][-1]


def test_even_speed_is_distance_by_time_whatever_the_positions_say():
    road = stretch(fix(0.0, 10.0), fix(1.0, 10.0, north_m=-3.0))
    assert road.length_m == 10.0
    assert road.odometer_at(0.25) == pytest.approx(2.5)


def test_braking_covers_the_mean_of_both_speeds():
    road = stretch(fix(0.0, 12.0), fix(1.0, 8.0))
    assert road.length_m == 10.0
    assert road.odometer_at(0.5) == pytest.approx(12.0 * 0.5 - 4.0 * 0.25 / 2)


@given(v0=st.floats(0.0, 60.0), v1=st.floats(0.0, 60.0), seconds=st.floats(0.04, LOST_S))
def test_the_odometer_never_runs_backwards(v0, v1, seconds):
    road = stretch(fix(0.0, v0), fix(seconds, v1))
    readings = [road.odometer_at(seconds * k / 50) for k in range(51)]
    assert readings[0] == pytest.approx(road.start.odometer_m)
    assert readings[-1] == pytest.approx(road.end.odometer_m)
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(readings))


@given(v0=st.floats(0.0, 60.0), v1=st.floats(0.0, 60.0), metres=st.floats(4.0, 3000.0), seconds=st.floats(LOST_S + 0.1, 400.0))
def test_nor_across_a_loss_however_the_speeds_and_the_distance_disagree(v0, v1, metres, seconds):
    assume(metres < 59.0 * seconds)
    road = stretch(fix(0.0, v0), fix(seconds, v1, north_m=metres))
    assert road.lost
    assert road.length_m == pytest.approx(metres, rel=1e-3)
    readings = [road.odometer_at(seconds * k / 50) for k in range(51)]
    assert all(a <= b + 1e-9 for a, b in itertools.pairwise(readings))


def test_a_loss_while_parked_drives_nothing():
    assert stretch(fix(0.0, 0.0), fix(30.0, 0.1, north_m=2.5)).length_m == 0.0


def test_one_missing_fix_of_a_1_hz_receiver_is_no_loss_and_two_are():
    assert not stretch(fix(0.0, 10.0), fix(2.0, 10.0)).lost
    assert stretch(fix(0.0, 10.0), fix(3.0, 10.0, north_m=30.0)).lost


def test_standing_begins_slow_and_ends_faster():
    assert stands(True, 0.6)
    assert not stands(False, 0.6)
    assert stands(False, 0.4)
    assert not stands(True, 0.8)


def test_a_jump_across_a_loss_is_no_road():
    assert stretch(fix(0.0, 10.0), fix(6.0, 10.0, north_m=471.0)).length_m == 0.0


def test_a_filled_place_is_least_sure_in_the_middle():
    road = stretch(fix(0.0, 10.0), fix(20.0, 10.0, north_m=200.0))
    accuracies = [road.place_at(t).accuracy_m for t in (0.0, 5.0, 10.0, 15.0, 20.0)]
    assert accuracies[0] == accuracies[-1] == 3.0
    assert accuracies[0] < accuracies[1] < accuracies[2] > accuracies[3] > accuracies[4]
    assert road.place_at(10.0).position_source == "filled"


def test_a_corner_is_driven_round_not_cut():
    """A quarter circle of 10 m radius in one second: the arc's middle is 2.9 m off the chord."""
    road = stretch(fix(0.0, 15.7, course_deg=0.0), fix(1.0, 15.7, east_m=10.0, north_m=10.0, course_deg=90.0))
    place = road.place_at(0.5)
    latitude_deg, longitude_deg = offset(43.55, 7.01, 10.0 - 7.07, 7.07)
    assert distance_m(place.latitude_deg, place.longitude_deg, latitude_deg, longitude_deg) < 1.0
    assert place.heading_deg == pytest.approx(45.0)


def test_the_first_heading_comes_from_the_road_where_the_receiver_gives_none():
    road = stretch(fix(0.0, 10.0), fix(1.0, 10.0, east_m=10.0))
    assert road.place_at(0.5).heading_deg == pytest.approx(90.0, abs=0.1)


def test_the_heading_is_held_while_standing():
    odometer = Odometer()
    for each in (fix(0.0, 10.0, course_deg=30.0), fix(1.0, 0.2, course_deg=211.0), fix(2.0, 0.1, course_deg=77.0)):
        road = odometer.advance(each)
    assert road.place_at(1.5).heading_deg == 30.0


@pytest.mark.parametrize(
    ("start", "end", "half"), [(350.0, 10.0, 0.0), (10.0, 350.0, 0.0), (90.0, 180.0, 135.0), (None, 7.0, 7.0)]
)
def test_angles_blend_by_the_shorter_turn(start, end, half):
    assert blend_deg(start, end, 0.5) % 360.0 == pytest.approx(half)


def roads(*fixes):
    odometer = Odometer()
    return [road for each in fixes if (road := odometer.advance(each)) is not None]


def test_a_car_that_backs_drives_on_and_points_as_before():
    """Northwards at 6 m/s, a stop, and 2 m/s back: the odometer counts, no place and no heading turns round."""
    courses = [(6.0, 0.0)] * 4 + [(0.1, 211.0)] * 3 + [(2.0, 180.0)] * 5
    north_m = [0.0, 6.0, 12.0, 18.0, 21.0, 21.0, 21.0, 20.0, 18.0, 16.0, 14.0, 12.0]
    fixes = [fix(float(n), speed, north_m=north_m[n], course_deg=course) for n, (speed, course) in enumerate(courses)]
    road = roads(*fixes)
    assert road[-1].end.odometer_m == pytest.approx(18.0 + 3.0 + 1.0 + 8.0)
    places = [each.place_at(each.start.fix.boot_s + share) for each in road for share in (0.2, 0.5, 0.8)]
    assert all(abs((place.heading_deg + 180.0) % 360.0 - 180.0) < 1.0 for place in places)
    last = [place for each in road[-4:] for place in (each.place_at(each.start.fix.boot_s + 0.5),)]
    assert [place.latitude_deg for place in last] == sorted((place.latitude_deg for place in last), reverse=True)


def test_a_round_that_begins_backwards_points_forwards_from_its_turn_on():
    fixes = [fix(0.0, 2.0, course_deg=180.0), fix(1.0, 2.0, north_m=-2.0, course_deg=180.0)]
    fixes += [fix(2.0, 0.0, north_m=-3.0, course_deg=180.0), fix(3.0, 3.0, north_m=-1.5, course_deg=1.0)]
    road = roads(*fixes)[-1]
    assert {round(road.place_at(2.0 + share).heading_deg) for share in (0.1, 0.5, 0.9)} == {1}


def test_the_road_of_a_loss_is_as_long_as_the_curve_that_the_courses_tell_of():
    """A quarter circle of 100 m radius is 157 m of road, and 141 m as the crow flies."""
    road = stretch(fix(0.0, 10.0, course_deg=0.0), fix(15.7, 10.0, east_m=100.0, north_m=100.0, course_deg=90.0))
    assert road.lost
    assert road.length_m == pytest.approx(157.1, rel=0.012)
    middle = road.place_at(15.7 / 2)
    latitude_deg, longitude_deg = offset(43.55, 7.01, 100.0 - 70.7, 70.7)
    assert distance_m(middle.latitude_deg, middle.longitude_deg, latitude_deg, longitude_deg) < 2.0


def test_a_loss_with_corners_is_less_sure_than_a_straight_one_and_one_with_time_to_stop_too():
    def middle_m(*, course_deg, seconds):
        road = stretch(fix(0.0, 10.0, course_deg=course_deg), fix(seconds, 10.0, north_m=200.0, course_deg=course_deg))
        return road.place_at(seconds / 2).accuracy_m

    straight_m = middle_m(course_deg=0.0, seconds=20.0)
    assert straight_m == pytest.approx(4.24, abs=0.1)
    assert middle_m(course_deg=20.0, seconds=20.0) > 5.0 * straight_m
    assert middle_m(course_deg=0.0, seconds=50.0) > 10.0 * straight_m


@pytest.mark.parametrize("jump_m", [30.0, 55.0])
def test_fixes_that_lie_farther_apart_than_was_driven_say_how_wrong_they_are(jump_m):
    """A receiver that went straight on by itself in a tunnel, and sees the sky again: no distance, and not exact."""
    road = stretch(fix(0.0, 12.0, course_deg=0.0), fix(1.0, 12.0, north_m=12.0, east_m=jump_m, course_deg=0.0))
    assert road.length_m == 12.0
    assert road.place_at(0.5).accuracy_m > jump_m * 0.6
    even = stretch(fix(0.0, 12.0, course_deg=0.0), fix(1.0, 12.0, north_m=12.5, course_deg=0.0))
    assert even.place_at(0.5).accuracy_m < 3.1
