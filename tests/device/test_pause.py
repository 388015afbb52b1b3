"""A stop that the picture shows is no road, wherever in the loss it lies."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.earth import offset
from device.fix import Fix
from device.odometer import Odometer
from device.pause import LEAST_MOVING_S, Paused, paused

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


@given(driving_s=st.floats(5.0, 60.0), stood_s=st.floats(1.0, 200.0), share=st.floats(0.0, 1.0))
def test_a_stop_leaves_the_places_where_they_were(driving_s, stood_s, share):
    stop_s = 100.0 + share * driving_s
    stretch = paused(loss(driving_s, stood_s), ((stop_s, stop_s + stood_s),))
    moments_s = [100.0 + number / 20.0 * stretch.seconds for number in range(21)]
    readings_m = [stretch.odometer_at(boot_s) for boot_s in moments_s]
    for boot_s, reading_m in zip(moments_s, readings_m, strict=True):
        driven_s = boot_s - 100.0 - min(stood_s, max(0.0, boot_s - stop_s))
        assert reading_m == pytest.approx(SPEED_MPS * driven_s, abs=0.01 + 0.002 * SPEED_MPS * driving_s)
    assert all(later >= earlier for earlier, later in pairwise(readings_m))
    places = [stretch.place_at(boot_s) for boot_s in moments_s]
    assert {place.position_source for place in places} == {"filled"}
    assert [place.taken_at for place in places] == [AT + timedelta(seconds=boot_s) for boot_s in moments_s]


def test_a_frame_taken_in_the_stop_stood():
    stretch = paused(loss(20.0, 30.0), ((110.0, 140.0),))
    assert [stretch.place_at(boot_s).speed_mps for boot_s in (110.5, 139.5)] == [0.0, 0.0]
    assert stretch.place_at(145.0).speed_mps == pytest.approx(SPEED_MPS)


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
    assert clipped.stills == ((100.0, 105.0),)
