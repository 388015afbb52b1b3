"""From pixels and boxes to places: derivatives against differences, footprints against what was projected, errors that grow."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.ellipse import Ellipse, circle
from inference.lens import Lens
from inference.locate import FARTHEST_M, footprint_of, locate, road_of, spot_of

LENS = Lens(640, 480, 1.35, 6.0, 0.0, 63.0)


def box_around(lens, points):
    seen = np.array([lens.project(*point) for point in points])
    return (*seen.min(axis=0), *seen.max(axis=0))


def ring(right_m, ahead_m, radius_m):
    return [(right_m + radius_m * math.cos(a), ahead_m + radius_m * math.sin(a)) for a in np.linspace(0, 2 * math.pi, 60)]


def rectangle(right_m, ahead_m, width_m, length_m):
    return [(right_m + x * width_m / 2, ahead_m + y * length_m / 2) for x in (-1, 1) for y in (-1, 1)]


@given(
    column=st.floats(5, 635),
    row=st.floats(300, 475),
    k1=st.sampled_from((0.0, -0.2, 0.15)),
    pitch_deg=st.floats(2, 12),
    yaw_deg=st.floats(-15, 15),
)
def test_the_derivatives_are_those_of_differences(column, row, k1, pitch_deg, yaw_deg):
    def lens(more_pitch=0.0, more_yaw=0.0):
        return Lens(640, 480, 1.35, pitch_deg + math.degrees(more_pitch), yaw_deg + math.degrees(more_yaw), 70.0, k1)

    def place(pixel=(column, row), **more):
        return np.array(road_of(lens(**more), *pixel))

    spot = spot_of(lens(), column, row)
    if spot is None or spot.ahead_m > 30.0:
        return
    step = 1e-4
    numeric = {
        "by_column": (place((column + step, row)) - place((column - step, row))) / (2 * step),
        "by_row": (place((column, row + step)) - place((column, row - step))) / (2 * step),
        "by_pitch": (place(more_pitch=1e-6) - place(more_pitch=-1e-6)) / 2e-6,
        "by_yaw": (place(more_yaw=1e-6) - place(more_yaw=-1e-6)) / 2e-6,
    }
    for name, expected in numeric.items():
        assert getattr(spot, name) == pytest.approx(expected, rel=1e-3, abs=1e-4), name


def test_at_the_horizon_above_it_and_too_far_there_is_no_place():
    horizon = LENS.height / 2 - LENS.focal_px * math.tan(math.radians(6.0))
    assert spot_of(LENS, 320.0, horizon) is None
    assert spot_of(LENS, 320.0, horizon - 50.0) is None
    assert spot_of(LENS, 320.0, LENS.project(0.0, FARTHEST_M + 1.0)[1]) is None
    assert spot_of(LENS, 320.0, LENS.project(0.0, FARTHEST_M - 1.0)[1]) is not None
    assert locate(LENS, (300.0, 40.0, 340.0, horizon - 1.0), round_=True, speed_mps=10.0) is None


@pytest.mark.parametrize(("right_m", "ahead_m"), [(0.0, 5.0), (-2.0, 8.0), (3.0, 14.0)])
def test_a_round_thing_has_its_middle_and_its_size(right_m, ahead_m):
    found = locate(LENS, box_around(LENS, ring(right_m, ahead_m, 0.35)), round_=True, speed_mps=10.0)
    assert (found.right_m, found.ahead_m) == pytest.approx((right_m, ahead_m), abs=0.05)
    assert found.footprint.right_m - found.footprint.left_m == pytest.approx(0.7, abs=0.05)
    assert found.footprint.far_m - found.footprint.near_m == pytest.approx(0.7, abs=0.02)
    assert found.footprint.whole


@pytest.mark.parametrize(("right_m", "ahead_m"), [(0.1, 7.0), (-2.5, 9.0), (3.0, 14.0)])
def test_a_rectangle_has_its_middle_and_its_size(right_m, ahead_m):
    found = locate(LENS, box_around(LENS, rectangle(right_m, ahead_m, 0.6, 3.0)), round_=False, speed_mps=10.0)
    assert (found.right_m, found.ahead_m) == pytest.approx((right_m, ahead_m), abs=0.05)
    assert found.footprint.far_m - found.footprint.near_m == pytest.approx(3.0, abs=0.02)
    assert found.footprint.right_m - found.footprint.left_m == pytest.approx(0.6, abs=0.05)


def test_a_box_at_the_edge_is_cut_there():
    assert footprint_of(LENS, (100.0, 400.0, 200.0, 479.0), round_=False).cut_near
    beside = footprint_of(LENS, (0.0, 380.0, 90.0, 430.0), round_=False)
    assert (beside.cut_left, beside.cut_near, beside.cut_right) == (True, True, False)
    assert footprint_of(LENS, (300.0, 100.0, 340.0, 430.0), round_=False).cut_far


def test_the_error_grows_with_distance_and_is_larger_for_a_slow_car():
    sigmas = []
    for ahead_m in (4.0, 8.0, 12.0, 18.0):
        found = locate(LENS, box_around(LENS, ring(0.0, ahead_m, 0.35)), round_=True, speed_mps=10.0)
        sigmas.append(math.sqrt(found.each.yy))
    assert sigmas == sorted(sigmas)
    assert sigmas[0] < 0.2
    assert 1.0 < sigmas[-1] < 3.0
    slow, fast = (locate(LENS, box_around(LENS, ring(0.0, 8.0, 0.3)), round_=True, speed_mps=each) for each in (1.5, 12.0))
    assert slow.each.xx > 2.0 * fast.each.xx


@pytest.mark.parametrize("shape", [(1.0, 1.0, 0.0), (3.0, 1.0, 30.0), (2.0, 0.2, 75.0)])
def test_the_radius_holds_95_of_100(shape):
    long_m, short_m, heading_deg = shape
    ellipse = Ellipse(short_m**2, 0.0, long_m**2).turned(heading_deg)
    errors = np.random.default_rng(0).multivariate_normal([0, 0], [[ellipse.xx, ellipse.xy], [ellipse.xy, ellipse.yy]], 200_000)
    assert np.mean(np.hypot(*errors.T) <= ellipse.radius_95_m()) == pytest.approx(0.95, abs=0.003)
    assert circle(2.0).radius_95_m() == pytest.approx(2.0 * 2.4477, abs=1e-3)


def test_what_is_turned_points_where_the_car_heads():
    ahead = Ellipse(0.01, 0.0, 4.0).turned(90.0)
    assert (ahead.xx, ahead.yy) == pytest.approx((4.0, 0.01))
