"""Where the car points, forwards and backwards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.earth import turn_deg
from device.heading import FLIP_M, REVERSE_LIMIT_MPS, Heading


def drive(*steps, lost=()):
    """Headings after steps of (course, speed, metres driven)."""
    heading, headings = Heading(), []
    for number, (course_deg, speed_mps, driven_m) in enumerate(steps):
        heading = heading.after(course_deg, speed_mps, driven_m, lost=number in lost)
        headings.append(heading)
    return headings


FORWARD = (90.0, 8.0, 8.0)
STOP = (90.0, 0.3, 1.0)
BACK = (270.0, 2.0, 1.0)


def test_a_car_that_backs_points_as_before_and_drives_the_other_way():
    *_, last = drive(FORWARD, FORWARD, STOP, STOP, BACK, BACK)
    assert (last.heading_deg, last.way_deg, last.reversing) == (90.0, 270.0, True)


def test_driving_on_it_points_forwards_again():
    *_, last = drive(FORWARD, STOP, BACK, BACK, (270.0, 0.1, 0.5), (91.0, 2.0, 1.0))
    assert (last.heading_deg, last.way_deg, last.reversing) == (91.0, 91.0, False)


def test_backing_round_a_corner_the_car_turns_too():
    courses = [270.0, 260.0, 245.0, 225.0, 205.0, 190.0, 180.0]
    *_, last = drive(FORWARD, STOP, *[(course, 2.0, 2.0) for course in courses])
    assert (last.heading_deg, last.reversing) == (0.0, True)


def test_a_turn_in_three_goes_the_short_way_round():
    """To the left forwards, on to the left backwards, and away: from east over north to west."""
    courses = [60.0, 30.0, 0.0, 150.0, 120.0, 270.0]
    headings = [each.heading_deg for each in drive(FORWARD, *[(course, 2.0, 2.0) for course in courses])]
    assert headings == [90.0, 60.0, 30.0, 0.0, 330.0, 300.0, 270.0]


def test_a_half_circle_is_no_reverse_gear():
    """The smallest that a car drives: 10 m across, at 3 m/s, one fix a second."""
    steps = [(90.0 + 180.0 * 3.0 * n / 15.7, 3.0, 3.0) for n in range(6)]
    last = drive(FORWARD, *steps)[-1]
    assert not last.reversing
    assert last.heading_deg == pytest.approx(steps[-1][0] % 360.0)


def test_across_a_loss_a_car_may_have_turned_round():
    last = drive(FORWARD, STOP, (270.0, 2.0, 0.0), lost=(2,))[-1]
    assert (last.heading_deg, last.reversing) == (270.0, False)


def test_a_car_faster_than_any_backs_drives_forwards_whatever_was_thought():
    *_, thought, last = drive(FORWARD, STOP, BACK, (270.0, REVERSE_LIMIT_MPS + 0.1, 4.0))
    assert thought.reversing
    assert (last.heading_deg, last.reversing) == (270.0, False)


def test_a_round_that_begins_by_backing_out_knows_better_when_it_drives_on():
    backs, drives = drive(BACK, BACK, (270.0, 0.2, 0.4), (88.0, 2.0, 1.0))[-2:]
    assert backs.heading_deg == 270.0
    assert (drives.heading_deg, drives.reversing) == (88.0, False)


def test_noise_of_a_standing_car_turns_nothing():
    assert drive(FORWARD, *[(course, 0.6, 0.0) for course in (200.0, 10.0, 300.0)])[-1].heading_deg == 90.0


COURSES = st.lists(st.tuples(st.floats(0.0, 359.9), st.floats(0.0, 15.0), st.floats(0.0, 15.0)), max_size=60)


@given(COURSES)
def test_whatever_is_said_the_way_is_the_last_course_and_the_car_points_along_it_or_against_it(steps):
    for (course_deg, speed_mps, _), heading in zip(steps, drive(*steps), strict=True):
        if speed_mps >= 1.0:
            assert heading.way_deg == pytest.approx(course_deg, abs=1e-9)
        if speed_mps > REVERSE_LIMIT_MPS:
            assert not heading.reversing
        if heading.reversing:
            assert abs(turn_deg(heading.heading_deg - heading.way_deg)) == pytest.approx(180.0)


@given(st.floats(FLIP_M + 0.1, 100.0))
def test_after_enough_road_any_course_is_forwards(metres):
    last = drive(FORWARD, (90.0, 0.9, metres), BACK)[-1]
    assert not last.reversing
