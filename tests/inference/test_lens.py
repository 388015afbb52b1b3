"""The lens: the same as the street's pinhole, and its own inverse where it is distorted."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.street.geometry import Pinhole
from inference.lens import Lens, lens_of
from inference.locate import spot_of

CAMERAS = [(640, 480, 1.35, 6.0, 0.0, 63.0), (1456, 1088, 1.2, 2.0, 3.0, 63.0), (640, 360, 1.5, -4.0, -12.0, 110.0)]


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("right_m", [-6.0, -0.5, 0.0, 3.0])
@pytest.mark.parametrize("ahead_m", [3.0, 9.0, 25.0])
def test_without_distortion_it_is_the_pinhole_camera(camera, right_m, ahead_m):
    ours, theirs = Lens(*camera), Pinhole(*camera)
    column, row, _ = theirs.project(right_m, ahead_m)
    assert ours.project(right_m, ahead_m) == pytest.approx((float(column), float(row)), abs=1.0)
    spot = spot_of(ours, float(column), float(row))
    if spot is not None:
        assert (spot.right_m, spot.ahead_m) == pytest.approx((right_m, ahead_m), abs=0.02)


@given(
    k1=st.floats(-0.25, 0.4),
    right_m=st.floats(-8, 8),
    ahead_m=st.floats(2, 30),
    up_m=st.floats(0, 4),
    pitch_deg=st.floats(-10, 20),
    yaw_deg=st.floats(-20, 20),
)
def test_a_ray_goes_through_the_point_that_its_pixel_shows(k1, right_m, ahead_m, up_m, pitch_deg, yaw_deg):
    lens = Lens(640, 480, 1.35, pitch_deg, yaw_deg, 75.0, k1)
    seen = lens.project(right_m, ahead_m, up_m)
    if seen is None:
        return
    ray = lens.ray(*seen)
    if ray is None:
        return
    to = (right_m, ahead_m, up_m - 1.35)
    turned = [ray[1] * to[2] - ray[2] * to[1], ray[2] * to[0] - ray[0] * to[2], ray[0] * to[1] - ray[1] * to[0]]
    assert math.hypot(*turned) / math.hypot(*to) / math.hypot(*ray) < 1e-6


def test_the_field_of_view_is_that_of_the_distorted_picture():
    lens = Lens(640, 480, 1.35, 0.0, 0.0, 80.0, -0.1)
    ray = lens.ray(640.0, 240.0)
    assert math.degrees(math.atan2(ray[0], ray[1])) == pytest.approx(40.0)


def test_a_picture_that_would_fold_over_itself_is_refused():
    with pytest.raises(ValueError, match="folds the picture"):
        Lens(640, 480, 1.35, 6.0, 0.0, 120.0, -0.3)


def test_what_a_geometry_does_not_say_is_the_default():
    lens = lens_of({"height_m": 1.5, "kind": "v4l2", "pitch_deg": 3}, 640, 480)
    assert (lens.height_m, lens.pitch_deg, lens.yaw_deg, lens.hfov_deg, lens.k1) == (1.5, 3.0, 0.0, 63.0, 0.0)
