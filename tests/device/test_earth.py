"""Metres and angles on the ground, against published values."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.earth import bearing_deg, distance_m, east_north_m, offset, turn_deg

STREETS = st.tuples(st.floats(-75, 75), st.floats(-180, 179.999))
METRES = st.floats(-2000, 2000)


@pytest.mark.parametrize(
    ("latitude_deg", "latitude_m", "longitude_m"),
    [(0, 110_574, 111_320), (15, 110_649, 107_550), (45, 111_132, 78_847), (60, 111_412, 55_800), (75, 111_618, 28_902)],
)
def test_a_degree_has_the_length_that_tables_of_wgs84_give(latitude_deg, latitude_m, longitude_m):
    north = distance_m(latitude_deg - 0.2, 7, latitude_deg + 0.2, 7) / 0.4
    east = distance_m(latitude_deg, 7, latitude_deg, 7.2) / 0.2
    assert north == pytest.approx(latitude_m, abs=1)
    assert east == pytest.approx(longitude_m, abs=1)


def test_far_apart_it_is_a_great_circle():
    quarter_m = math.pi / 2 * 6_371_008.8
    assert distance_m(0, 0, 90, 0) == pytest.approx(quarter_m)
    assert distance_m(0, 10, 0, 100) == pytest.approx(quarter_m)
    assert distance_m(0, 0, 0, 180) == pytest.approx(2 * quarter_m)
    # Paris to New York, on the ellipsoid 5 852 km
    assert distance_m(48.8566, 2.3522, 40.7128, -74.0060) == pytest.approx(5_852_000, rel=0.005)


def test_the_antimeridian_is_no_wall():
    assert distance_m(-17, 179.9995, -17, -179.9995) == pytest.approx(106.5, abs=0.2)
    assert bearing_deg(-17, 179.9995, -17, -179.9995) == pytest.approx(90, abs=0.01)


@pytest.mark.parametrize(("east_m", "north_m", "bearing"), [(0, 9, 0), (9, 9, 45), (9, 0, 90), (0, -9, 180), (-9, 0, 270)])
def test_a_bearing_turns_clockwise_from_north(east_m, north_m, bearing):
    there = offset(43.55, 7.01, east_m, north_m)
    assert bearing_deg(43.55, 7.01, *there) == pytest.approx(bearing, abs=1e-4)


@given(STREETS, METRES, METRES)
def test_an_offset_is_undone_by_measuring_it(street, east_m, north_m):
    there = offset(*street, east_m, north_m)
    assert east_north_m(*street, *there) == pytest.approx((east_m, north_m), abs=0.02)
    assert distance_m(*street, *there) == pytest.approx(math.hypot(east_m, north_m), abs=0.02)
    assert 0 <= bearing_deg(*street, *there) < 360


@given(st.floats(-1e6, 1e6))
def test_a_turn_is_the_same_angle_within_half_a_circle(angle_deg):
    turn = turn_deg(angle_deg)
    assert -180 <= turn < 180
    assert math.cos(math.radians(turn)) == pytest.approx(math.cos(math.radians(angle_deg)), abs=1e-6)
