import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.street.geometry import Pinhole, Pose, meet

CAMERAS = [
    Pinhole(640, 480, 1.35, 6.0, 0.0, 63.0),
    Pinhole(1456, 1088, 1.35, 6.0, 0.0, 63.0),
    Pinhole(1280, 720, 1.1, 10.0, -8.0, 78.0),
    Pinhole(1920, 1080, 2.2, 3.0, 12.5, 55.0),
]


def by_rotation(camera, right_m, ahead_m, up_m):
    """The same by turning the world: first by the yaw about the vertical, then by the pitch about the picture's horizontal."""
    yaw, pitch = math.radians(camera.yaw_deg), math.radians(camera.pitch_deg)
    x = right_m * math.cos(yaw) - ahead_m * math.sin(yaw)
    z = right_m * math.sin(yaw) + ahead_m * math.cos(yaw)
    y = camera.height_m - up_m
    y, z = y * math.cos(pitch) - z * math.sin(pitch), y * math.sin(pitch) + z * math.cos(pitch)
    focal = camera.width / 2 / math.tan(math.radians(camera.hfov_deg / 2))
    return camera.width / 2 + focal * x / z, camera.height / 2 + focal * y / z, z


@pytest.mark.parametrize("camera", CAMERAS)
@given(st.floats(-8, 8), st.floats(3, 60), st.floats(-0.5, 6))
def test_a_point_lands_where_turning_the_world_puts_it(camera, right_m, ahead_m, up_m):
    assert camera.project(right_m, ahead_m, up_m) == pytest.approx(by_rotation(camera, right_m, ahead_m, up_m), abs=1e-6)


@pytest.mark.parametrize("camera", CAMERAS)
@given(st.floats(-8, 8), st.floats(2, 80))
def test_the_road_seen_by_a_pixel_is_the_road_that_lands_there(camera, right_m, ahead_m):
    column, row, _ = camera.project(right_m, ahead_m)
    assert camera.on_road(column, row) == pytest.approx((right_m, ahead_m), abs=1e-6)


@pytest.mark.parametrize("camera", CAMERAS)
def test_no_road_is_seen_above_the_horizon_and_nothing_behind_the_lens(camera):
    assert math.isnan(camera.on_road(camera.width / 2, camera.horizon_px - 0.5)[1])
    assert camera.on_road(camera.width / 2, camera.horizon_px + 0.5)[1] > 100
    assert math.isnan(camera.project(0.0, -3.0)[0])


@given(st.floats(-500, 500), st.floats(-500, 500), st.floats(0, 360), st.floats(-50, 50), st.floats(-50, 50))
def test_car_and_map_are_each_others_inverse(east_m, north_m, heading_deg, right_m, ahead_m):
    pose = Pose(east_m, north_m, heading_deg)
    assert pose.to_car(*pose.to_world(right_m, ahead_m)) == pytest.approx((right_m, ahead_m), abs=1e-9)


def test_heading_is_clockwise_from_north():
    assert Pose(0, 0, 90).to_world(0.0, 10.0) == pytest.approx((10, 0), abs=1e-9)
    assert Pose(0, 0, 0).to_world(3.0, 0.0) == pytest.approx((3, 0), abs=1e-9)


@pytest.mark.parametrize("camera", CAMERAS)
def test_two_poses_find_a_place_again(camera):
    here, there = Pose(3.0, 5.0, 20.0), Pose(*Pose(3.0, 5.0, 20.0).to_world(0.0, 4.0), 23.0)
    place = np.array((*here.to_world(1.9, 14.0), 2.2 - camera.height_m))
    rays = []
    for pose in (here, there):
        column, row, _ = camera.project(*pose.to_car(place[0], place[1]), 2.2)
        rays.append(camera.ray(round(float(column), 2), round(float(row), 2)))
    assert np.abs(meet(here, rays[0], there, rays[1]) - place).max() < 0.02


def test_parallel_rays_meet_nowhere():
    with pytest.raises(ValueError, match="parallel"):
        meet(Pose(0, 0, 0), (0.1, 1.0, 0.0), Pose(2, 0, 0), (0.1, 1.0, 0.0))
