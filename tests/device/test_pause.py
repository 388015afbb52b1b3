"""A stop that the picture shows is no road, wherever in the loss it lies."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.earth import offset
from device.fix import Fix
from device.odometer import Odometer
from device.pause import LEAST_MOVING_S, PULLS_MPS2, Leg, Paused, paused

AT = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)
SPEED_MPS = 10.0


def loss(driving_s, stood_s):
    """A stretch of a loss in which the car drove at an even speed but for a stop."""
    odometer = Odometer()
    for boot_s, north_m in ((100.0, 0.0), (100.0 + driving_s + stood_s, SPEED_MPS * driving_s)):
        place = offset(43.55, 7.01, 0.0, north_m)
        stretch = odometer.advance(Fix(*place, 3.0, SPEED_MPS, 0.0, AT + timedelta(seconds=boot_s), boot_s))
    assert stretch.lost
    return stretch


@given(
    driving_s=st.floats(5.0, 60.0),
    stops=st.lists(st.tuples(st.floats(0.0, 1.0), st.floats(1.0, 100.0)), min_size=1, max_size=4),
)
def test_the_road_is_driven_between_the_stops_and_nowhere_else(driving_s, stops):
    stills, at_s, before = [], 100.0, 0.0
    for share, stood_s in sorted(stops):
        at_s += (share - before) * driving_s
        before = share
        stills.append((at_s, at_s + stood_s))
        at_s += stood_s
    whole = loss(driving_s, sum(stood_s for _, stood_s in stops))
    stretch = paused(whole, stills)
    assert isinstance(stretch, Paused)
    moments_s = [100.0 + number / 50.0 * stretch.seconds for number in range(51)]
    readings_m = [stretch.odometer_at(boot_s) for boot_s in moments_s]
    assert (readings_m[0], readings_m[-1]) == pytest.approx((whole.start.odometer_m, whole.end.odometer_m), abs=1e-6)
    assert all(later >= earlier - 1e-9 for earlier, later in pairwise(readings_m))
    for from_s, to_s in stills:
        assert stretch.odometer_at(from_s + 1e-6) == pytest.approx(stretch.odometer_at(to_s - 1e-6), abs=1e-3)
    places = [stretch.place_at(boot_s) for boot_s in moments_s]
    assert {place.position_source for place in places} == {"filled"}
    assert [place.taken_at for place in places] == [AT + timedelta(seconds=boot_s) for boot_s in moments_s]


def test_a_leg_rises_and_falls_evenly():
    leg = Leg(seconds=20.0, from_mps=0.0, to_mps=0.0, cruise_mps=8.5)
    rising_s = 8.5 / PULLS_MPS2
    assert leg.driven_m(rising_s) == pytest.approx(8.5 * rising_s / 2.0)
    assert leg.driven_m(20.0) == pytest.approx(8.5 * (20.0 - rising_s))
    short = Leg(seconds=4.0, from_mps=0.0, to_mps=0.0, cruise_mps=8.5)
    assert short.driven_m(4.0) == pytest.approx(PULLS_MPS2 * 4.0)
    assert Leg(3.0, 8.5, 8.5, 8.5).driven_m(2.0) == pytest.approx(17.0)
    assert Leg(0.0, 0.0, 0.0, 8.5).driven_m(0.0) == 0.0


def test_a_car_that_brakes_as_cars_do_is_placed_where_it_stopped():
    before_m, after_m = (SPEED_MPS * 12.0 - SPEED_MPS**2 / (2 * PULLS_MPS2) for _ in range(2))
    whole = loss((before_m + after_m) / SPEED_MPS, 24.0 + 30.0 - (before_m + after_m) / SPEED_MPS)
    stretch = paused(whole, ((112.0, 142.0),))
    assert stretch.odometer_at(120.0) - stretch.start.odometer_m == pytest.approx(before_m, abs=0.1)


def test_a_stop_that_was_seen_leaves_less_in_doubt_than_one_that_was_not():
    whole = loss(20.0, 30.0)
    seen = paused(whole, ((110.0, 140.0),))
    assert seen.place_at(110.0).accuracy_m < 0.5 * whole.place_at(110.0).accuracy_m


def test_stills_elsewhere_and_stills_that_leave_no_time_to_drive_change_nothing():
    stretch = loss(20.0, 0.0)
    for stills in ((), ((10.0, 90.0),), ((130.0, 140.0),), ((90.0, 130.0 - LEAST_MOVING_S),)):
        assert paused(stretch, stills) is stretch
    clipped = paused(stretch, ((90.0, 105.0),))
    assert isinstance(clipped, Paused)
    assert clipped.begins_s == (100.0, 105.0)
