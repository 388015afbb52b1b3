"""The way between two fixes: leaves and arrives on the courses, and says how much of them it cannot explain."""

import math
from datetime import datetime, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.earth import offset
from device.fix import Fix
from device.path import CHORD_LIMIT_DEG, curve_between

AT = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)


def fix(east_m=0.0, north_m=0.0):
    return Fix(*offset(43.55, 7.01, east_m, north_m), 3.0, 10.0, None, AT, 0.0)


def arc(radius_m, turn_deg):
    """A curve over an arc that begins northwards and turns right."""
    angle = math.radians(turn_deg)
    end = fix(radius_m * (1.0 - math.cos(angle)), radius_m * math.sin(angle))
    return curve_between(fix(), end, 0.0, turn_deg), angle


@pytest.mark.parametrize("turn_deg", [1.0, 10.0, 45.0, 70.0, 90.0])
def test_an_arc_is_followed_and_its_length_is_that_of_the_arc(turn_deg):
    curve, angle = arc(100.0, turn_deg)
    assert curve.length_m == pytest.approx(100.0 * angle, rel=0.011)
    assert curve.unexplained_deg == pytest.approx(0.0, abs=0.2)
    for share in (0.1, 0.3, 0.5, 0.8):
        east_m, north_m = curve.at(share)
        assert math.dist((east_m, north_m), (100.0, 0.0)) == pytest.approx(100.0, abs=1.6)
        # As far along it as the share says.
        assert math.atan2(north_m, 100.0 - east_m) == pytest.approx(share * angle, abs=0.02 * angle)


def test_without_courses_it_is_the_straight_line():
    curve = curve_between(fix(), fix(30.0, 40.0), None, None)
    assert (curve.straight_m, curve.length_m, curve.unexplained_deg) == (pytest.approx(50.0), pytest.approx(50.0), 0.0)
    assert curve.at(0.5) == (pytest.approx(15.0), pytest.approx(20.0))


def test_what_no_arc_explains_is_said():
    # Off the way by 20 degrees to the same side at both ends: a street that runs beside.
    assert curve_between(fix(), fix(0.0, 100.0), 20.0, 20.0).unexplained_deg == pytest.approx(20.0)
    assert curve_between(fix(), fix(0.0, 100.0), 20.0, 0.0).unexplained_deg == pytest.approx(10.0)
    # It left backwards and came back: as unexplained as can be, although both are off alike.
    assert curve_between(fix(), fix(0.0, 100.0), 170.0, 190.0).unexplained_deg == pytest.approx(110.0)


@given(
    leaves=st.floats(0.0, 359.0), arrives=st.floats(0.0, 359.0), east_m=st.floats(-500.0, 500.0), north_m=st.floats(1.0, 500.0)
)
def test_whatever_the_courses_it_goes_from_fix_to_fix_without_a_loop(leaves, arrives, east_m, north_m):
    curve = curve_between(fix(), fix(east_m, north_m), leaves, arrives)
    assert curve.at(0.0) == (0.0, 0.0)
    assert curve.at(1.0) == (pytest.approx(east_m, abs=0.5), pytest.approx(north_m, abs=0.5))
    assert curve.straight_m * 0.999 <= curve.length_m <= 1.3 * curve.straight_m
    along = [(e * curve.chord_m[0] + n * curve.chord_m[1]) / curve.straight_m for e, n in (curve.at(k / 40) for k in range(41))]
    assert all(later > earlier - 1e-6 for earlier, later in pairwise(along)), "it never goes back"
    assert 0.0 <= curve.unexplained_deg <= 180.0 + 180.0 - CHORD_LIMIT_DEG
