"""Before the first fix: what moved is kept, and placed backwards with an honest radius."""

from datetime import datetime, timedelta, timezone
from itertools import pairwise

import numpy as np
import pytest

from device.departure import LONGEST_S, MOST, STEP_S, UNSURE_SHARE, Watch, departure
from device.earth import distance_m
from device.fix import Fix
from device.frame import Exposure
from device.ring import Ring
from device.simulated import Truth, town
from device.simulated_round import drive_round
from device.simulated_senses import Camera, Receiver
from sync.spacing_measures import place_error_m

AT = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)


def first_fix(speed_mps, course_deg=90.0, boot_s=100.0):
    return Fix(43.55, 7.01, 5.0, speed_mps, course_deg, AT, boot_s)


def tried(ring, seconds, fps=30):
    watch, chosen = Watch(), []
    for number in range(int(seconds * fps)):
        ring.push(Exposure(number / fps, lambda: np.zeros((1, 1, 3), np.uint8)))
        while (exposure := watch.choose(ring)) is not None:
            ring.drop_until(exposure.shutter_boot_s)
            chosen.append(exposure.shutter_boot_s)
    return watch, chosen


def test_four_a_second_are_tried_and_none_while_the_ring_still_holds_them():
    assert tried(Ring(longest_s=4.0), 3.0)[1] == []
    _, moments_s = tried(Ring(longest_s=4.0), 13.0)
    assert len(moments_s) == pytest.approx((13.0 - 3.4) * 4, abs=4)
    assert all(STEP_S <= later - earlier < STEP_S + 0.04 for earlier, later in pairwise(moments_s))


def test_no_more_than_two_minutes_of_driving_are_kept_and_standing_does_not_count():
    watch, moments_s = tried(Ring(longest_s=4.0), LONGEST_S + 30.0)
    assert len(moments_s) == MOST
    watch.was_still()
    ring = Ring(longest_s=4.0)
    for number in range(200):
        ring.push(Exposure(1000.0 + number / 30, lambda: np.zeros((1, 1, 3), np.uint8)))
    assert watch.choose(ring) is not None
    assert watch.choose(ring) is None


def test_the_road_leads_straight_back_and_grows_unsure():
    kept_s = [100.0 - STEP_S * number for number in range(40, 0, -1)]
    road = departure(first_fix(10.0), kept_s, kept_s[-1])
    places = [road.place_at(boot_s) for boot_s in kept_s]
    assert {place.position_source for place in places} == {"filled"}
    assert [place.odometer_m for place in places] == pytest.approx([2.5 * number for number in range(1, 41)])
    assert places[0].longitude_deg < places[-1].longitude_deg < 7.01
    back_m = distance_m(places[0].latitude_deg, places[0].longitude_deg, 43.55, 7.01)
    assert back_m == pytest.approx(road.length_m - 2.5, rel=0.01)
    assert places[0].accuracy_m == pytest.approx(np.hypot(5.0, UNSURE_SHARE * back_m), rel=0.01)
    assert all(earlier.accuracy_m > later.accuracy_m for earlier, later in pairwise(places))
    assert places[0].taken_at == AT - timedelta(seconds=10.0)


def test_a_stop_before_the_first_fix_is_no_road():
    kept_s = [10.0, 10.25, 10.5, 80.0, 80.25]
    road = departure(first_fix(0.0), kept_s, 99.0)
    assert road.odometer_at(10.5) == road.odometer_at(79.75)
    assert road.odometer_at(10.5) < road.odometer_at(80.0) == road.length_m - 2.0


def test_a_parked_car_has_driven_nothing():
    assert departure(first_fix(0.0, None), [], 97.0) is None


def test_a_car_that_drives_when_the_first_fix_comes_drove_since_the_last_exposure_that_was_tried():
    road = departure(first_fix(12.0), [], 98.0)
    assert road.length_m == pytest.approx(24.0)
    assert departure(first_fix(0.0), [96.0], 98.0).length_m == pytest.approx(2.0)


def test_simulated_towns_are_photographed_before_the_first_fix_and_the_radius_holds():
    held, shares = [], []
    for seed in range(1, 9):
        rng = np.random.default_rng(seed)
        hidden_m = rng.uniform(100.0, 400.0)
        truth = Truth(town(180.0, rng).speeds_mps, ((-1.0, hidden_m),))
        driven = drive_round(truth, Receiver(), Camera(), rng)
        before = [photo for photo in driven.photos if truth.in_tunnel(photo.at_s)]
        assert {photo.place.position_source for photo in before[:-3]} == {"filled"}
        assert all(a.at_s < b.at_s and a.place.odometer_m < b.place.odometer_m for a, b in pairwise(driven.photos))
        held += [place_error_m(truth, photo) <= photo.place.accuracy_m for photo in before]
        shares.append(len(before) * 4.0 / hidden_m)
    assert np.mean(held) > 0.95
    assert min(shares) > 0.75  # 8 m/s are taken for its speed, and it drove up to 14
