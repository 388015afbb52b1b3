"""The car's way from odometer and heading: arcs, the reverse gear, and no step while it stands."""

import math
from datetime import datetime, timezone

import pytest

from device.earth import offset
from device.frame import Place
from inference.reckoning import reckon

AT = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)


def place(odometer_m, heading_deg, east_m=0.0, north_m=0.0):
    return Place(*offset(43.55, 7.01, east_m, north_m), 4.9, heading_deg, 8.0, odometer_m, "between_fixes", AT, "gnss")


def test_a_quarter_of_a_circle_ends_where_it_should():
    radius_m, steps = 12.0, 9
    last = place(0.0, 0.0)
    at = reckon(None, last, None)
    for step in range(1, steps + 1):
        angle = math.pi / 2 * step / steps
        now = place(radius_m * angle, math.degrees(angle), radius_m * (1 - math.cos(angle)), radius_m * math.sin(angle))
        at = reckon(at, now, last)
        last = now
    assert (at.east_m, at.north_m) == pytest.approx((radius_m, radius_m), abs=1e-6)
    assert at.turn_deg == pytest.approx(10.0)


def test_a_position_that_creeps_at_a_red_light_moves_nothing():
    first = place(100.0, 90.0)
    at = reckon(None, first, None)
    later = reckon(at, place(100.0, 90.0, 1.8, -1.1), first)
    assert (later.east_m, later.north_m) == (at.east_m, at.north_m)


def test_the_reverse_gear_goes_backwards():
    first = place(0.0, 0.0)
    at = reckon(reckon(None, first, None), place(5.0, 0.0, 0.0, -5.0), first)
    assert at.north_m == pytest.approx(-5.0)


def test_without_a_heading_there_is_no_way():
    assert reckon(None, place(0.0, None), None) is None


def test_a_place_in_the_car_is_one_in_the_world_and_back():
    at = reckon(reckon(None, place(0.0, 30.0), None), place(7.0, 50.0, 3.0, 5.0), place(0.0, 30.0))
    assert at.car(*at.world(-2.0, 9.0)) == pytest.approx((-2.0, 9.0))
