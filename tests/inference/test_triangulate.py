"""Rays to a sign meet where it stands; one that belongs to another sign does not move it."""

import math

import numpy as np
import pytest

from inference.triangulate import Ray, squared_distance, triangulate

SIGN = (3.0, 40.0, 1.2)
HEIGHT_M = 0.8


def ray(north_m, *, sign=SIGN, azimuth=0.0, slope=0.0, sigma=0.008):
    east, north, up = sign[0], sign[1] - north_m, sign[2]
    away = math.hypot(east, north)
    return Ray(0.0, north_m, north_m, math.atan2(east, north) + azimuth, up / away + slope, HEIGHT_M / away, sigma, sigma)


def test_exact_rays_meet_in_the_sign():
    fixed = triangulate([ray(each) for each in (0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 24.0)], "sign_stop")
    assert fixed.point[:3] == pytest.approx(SIGN, abs=0.15)
    assert math.exp(fixed.point[3]) == pytest.approx(HEIGHT_M, abs=0.03)
    assert fixed.used == (True,) * 7


def test_one_ray_alone_is_unsure_along_itself():
    fixed = triangulate([ray(0.0)], "sign_stop")
    along = math.atan2(SIGN[0], SIGN[1])
    sigma = [
        math.sqrt(fixed.ground.variance_along(*each))
        for each in ((math.sin(along), math.cos(along)), (math.cos(along), -math.sin(along)))
    ]
    assert sigma[0] > 8.0
    assert sigma[1] < 1.0


def test_a_ray_to_another_sign_is_left_out():
    rays = [ray(each) for each in (4.0, 8.0, 12.0, 16.0, 20.0, 24.0)]
    rays[3] = ray(16.0, sign=(8.0, 35.0, 1.2))
    fixed = triangulate(rays, "sign_stop")
    assert fixed.used == (True, True, True, False, True, True)
    assert fixed.point[:2] == pytest.approx(SIGN[:2], abs=0.3)


def test_the_stated_error_holds():
    rng = np.random.default_rng(1)
    inside = []
    for _ in range(200):
        noisy = [
            ray(each, azimuth=rng.normal(0, 0.008), slope=rng.normal(0, 0.008)) for each in (4.0, 8.0, 12.0, 16.0, 20.0, 24.0)
        ]
        fixed = triangulate(noisy, "sign_stop")
        inside.append(math.dist(fixed.point[:2], SIGN[:2]) <= fixed.ground.radius_95_m())
    assert 0.90 <= np.mean(inside) <= 1.0


def test_a_new_ray_is_near_where_it_fits_and_far_where_it_does_not():
    fixed = triangulate([ray(each) for each in (4.0, 8.0, 12.0, 16.0)], "sign_stop")
    assert squared_distance(fixed, ray(20.0), 20.0) < 3.0
    assert squared_distance(fixed, ray(20.0, sign=(-4.0, 40.0, 1.2)), 20.0) > 16.3
