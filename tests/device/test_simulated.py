"""The simulated truth is true, and what is said of it is wrong by as much as it claims."""

import math
from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from device.earth import distance_m, east_north_m
from device.frame import Exposure
from device.gate import FixGate
from device.simulated import PROFILES, TUNNEL_M, Truth, town, tunnels, tunnels_with_stops
from device.simulated_round import drive_round, judged
from device.simulated_senses import BOOT_S, STARTED_AT, Camera, Receiver, senses
from device.utc import parse_utc


def reports_of(truth, receiver, seed=1):
    """TPVs with their arrival, in seconds since the drive's start."""
    arrivals = senses(truth, receiver, Camera(fps=1.0), np.random.default_rng(seed))
    return [(at_s - BOOT_S, each) for at_s, each in arrivals if not isinstance(each, Exposure)]


def taken_s(report):
    return (parse_utc(report["time"]) - STARTED_AT) / timedelta(seconds=1)


def test_the_odometer_is_the_integral_of_the_speed_and_the_place_follows_the_road():
    truth = Truth(np.linspace(0.0, 20.0, 1001))
    assert truth.seconds == pytest.approx(10.0)
    assert truth.odometer_m(10.0) == pytest.approx(100.0)
    assert truth.odometer_m(5.0) == pytest.approx(25.0)
    assert truth.speed_mps(5.005) == pytest.approx(10.01)
    steps_m = [distance_m(*truth.place_deg(t / 10), *truth.place_deg((t + 1) / 10)) for t in range(100)]
    assert sum(steps_m) == pytest.approx(100.0, abs=0.02)


def test_a_place_may_be_off_to_the_side():
    truth = Truth(np.full(1001, 10.0))
    assert east_north_m(*truth.place_deg(5.0), *truth.place_deg(5.0, 3.0, -4.0)) == pytest.approx((3.0, -4.0), abs=1e-3)


@pytest.mark.parametrize("name", PROFILES)
def test_the_same_seed_gives_the_same_drive_and_no_car_jerks(name):
    one, two = (PROFILES[name](120.0, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one.speeds_mps, two.speeds_mps)
    assert one.seconds == pytest.approx(120.0)
    assert one.speeds_mps.min() >= 0.0
    assert np.abs(np.diff(one.speeds_mps)).max() / 0.01 < 3.0


def test_a_town_drive_stops_and_keeps_to_50_km_h():
    truth = town(900.0, np.random.default_rng(2))
    assert truth.speeds_mps.max() <= 50.0 / 3.6 + 1e-9
    assert 0.1 * 900.0 < truth.standing_s < 0.6 * 900.0
    stops = np.count_nonzero(np.diff((truth.speeds_mps == 0.0).astype(int)) == 1)
    assert stops >= 8


@pytest.mark.parametrize("profile", [tunnels, tunnels_with_stops])
def test_no_report_in_a_tunnel_has_a_place(profile):
    truth = profile(300.0, np.random.default_rng(3))
    reports = reports_of(truth, Receiver(hz=10.0))
    assert len(truth.tunnels_m) >= 2
    assert all(to_m - from_m == TUNNEL_M for from_m, to_m in truth.tunnels_m)
    blind = [truth.in_tunnel(taken_s(report)) for _, report in reports]
    assert blind == [report["mode"] == 1 for _, report in reports]
    assert 0.1 < sum(blind) / len(blind) < 0.7


def test_with_stops_the_car_stands_once_in_each_tunnel_and_nowhere_else():
    truth = tunnels_with_stops(400.0, np.random.default_rng(4))
    standing_m = {round(m) for m, v in zip(truth.odometers_m, truth.speeds_mps, strict=True) if v == 0.0}
    assert len(standing_m) in {len(truth.tunnels_m), len(truth.tunnels_m) + 1}
    assert all(500 < m % 1000 < 800 for m in standing_m)


@pytest.mark.parametrize("hz", [1.0, 5.0, 10.0])
def test_reports_come_in_order_and_late_by_changing_amounts(hz):
    reports = reports_of(town(300.0, np.random.default_rng(1)), Receiver(hz=hz, missing=0.0))
    late_s = [at_s - taken_s(report) for at_s, report in reports]
    assert len(reports) == 299 * hz + 1
    assert all(a < b for (a, _), (b, _) in pairwise(reports))
    assert min(late_s) == pytest.approx(0.1, abs=0.01)
    assert max(late_s) <= 0.5 + 0.05
    assert np.mean(late_s) == pytest.approx(0.16, abs=0.04)


def test_reports_are_as_wrong_as_they_say():
    truth = PROFILES["50 km/h"](900.0, np.random.default_rng(1))
    speeds_mps, errors_m, inside = [], [], []
    for seed in range(4):
        # Errors that last for a minute would need hours of driving to show how large they are.
        for _, report in reports_of(truth, Receiver(correlation_s=0.5), seed):
            at_s = taken_s(report)
            speeds_mps.append(report["speed"] - truth.speed_mps(at_s))
            errors_m.append(east_north_m(*truth.place_deg(at_s), report["lat"], report["lon"]))
            inside.append(math.hypot(*errors_m[-1]) <= report["eph"])
    assert np.std(speeds_mps) == pytest.approx(0.08, rel=0.05)
    assert np.std(errors_m) == pytest.approx(2.0, rel=0.05)
    assert np.mean(inside) == pytest.approx(0.95, abs=0.015)


def test_a_position_keeps_its_error_for_a_minute():
    truth = PROFILES["50 km/h"](3600.0, np.random.default_rng(1))
    reports = [(taken_s(report), report) for _, report in reports_of(truth, Receiver(missing=0.0))]
    east_m = [east_north_m(*truth.place_deg(at_s), report["lat"], report["lon"])[0] for at_s, report in reports]
    assert np.corrcoef(east_m[:-1], east_m[1:])[0, 1] > 0.95
    assert np.corrcoef(east_m[:-60], east_m[60:])[0, 1] == pytest.approx(math.exp(-1.0), abs=0.25)


def test_some_reports_never_come_and_breaks_have_no_fix():
    truth = PROFILES["50 km/h"](900.0, np.random.default_rng(1))
    assert 899 * 0.97 < len(reports_of(truth, Receiver(missing=0.01))) < 900
    reports = reports_of(truth, Receiver(break_every_s=60.0))
    assert 30 < sum(report["mode"] == 1 for _, report in reports) < 200


def test_exposures_keep_their_order_and_the_clock_of_the_camera():
    arrivals = senses(town(60.0, np.random.default_rng(1)), Receiver(), Camera(fps=30.0), np.random.default_rng(1))
    exposures = [(at_s, each.shutter_boot_s) for at_s, each in arrivals if isinstance(each, Exposure)]
    assert len(exposures) == pytest.approx(1800, abs=2)
    assert all(a < b for (a, _), (b, _) in pairwise(exposures))
    assert all(late_s >= 0.03 for late_s in (at_s - shutter_s for at_s, shutter_s in exposures))
    assert np.diff([shutter_s for _, shutter_s in exposures]) == pytest.approx(1 / 30, rel=3e-5)


def test_the_gate_lets_an_honest_receiver_through():
    truth = PROFILES["90 km/h"](120.0, np.random.default_rng(1))
    gate = FixGate()
    fixes = [
        each
        for each in judged(senses(truth, Receiver(), Camera(), np.random.default_rng(1)), gate)
        if not isinstance(each, Exposure)
    ]
    assert gate.rejected == {}
    assert len(fixes) > 110


def test_a_round_has_photos_in_the_order_of_the_road_and_the_naive_ones_beside():
    truth = tunnels(120.0, np.random.default_rng(1))
    driven = drive_round(truth, Receiver(), Camera(), np.random.default_rng(1))
    assert all(a.at_s < b.at_s and a.place.odometer_m < b.place.odometer_m for a, b in pairwise(driven.photos))
    assert {photo.place.position_source for photo in driven.photos} == {"between_fixes", "filled"}
    assert driven.rejected["no_mode"] > 10
    naive_m = [truth.odometer_m(at_s) for at_s in driven.naive_s]
    assert np.median([b - a for a, b in pairwise(naive_m)]) == pytest.approx(50.0 / 3.6, abs=2.0)
