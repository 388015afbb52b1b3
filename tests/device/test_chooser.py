"""Four metres of road between photos, from fixes that come once a second."""

import math
import random
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.choice import Ahead, Chosen, Missed, Placed, Surplus
from device.chooser import Chooser
from device.earth import offset
from device.fix import Fix
from device.frame import Exposure
from device.ring import Ring

START = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)
PIXELS = np.zeros((2, 2, 3), np.uint8)


def fix_at(boot_s, odometer_m, speed_mps, *, accuracy_m=3.0, course_deg=0.0):
    """A fix on a straight road to the north."""
    latitude_deg, longitude_deg = offset(43.55, 7.01, 0.0, odometer_m)
    return Fix(latitude_deg, longitude_deg, accuracy_m, speed_mps, course_deg, START + timedelta(seconds=boot_s), boot_s)


class Street:
    """A car whose speed is known at every moment: true odometer by fine summation."""

    def __init__(self, speed_mps, seconds, step_s=0.005):
        self.step_s = step_s
        times = np.arange(0.0, seconds + step_s, step_s)
        self.speeds = np.array([speed_mps(t) for t in times])
        self.odometers = np.concatenate([[0.0], np.cumsum((self.speeds[1:] + self.speeds[:-1]) / 2 * step_s)])
        self.seconds = seconds

    def odometer_m(self, boot_s):
        return float(np.interp(boot_s, np.arange(len(self.odometers)) * self.step_s, self.odometers))

    def speed_mps(self, boot_s):
        return float(np.interp(boot_s, np.arange(len(self.speeds)) * self.step_s, self.speeds))


def drive(street, *, fps=30, hz=1.0, noise_mps=0.0, latency_s=0.2, spacing_m=4.0, lost=(), seed=1):
    """Feed a street through a chooser in order of arrival; what it chose."""
    rng = random.Random(seed)
    fixes = [k / hz for k in range(int(street.seconds * hz) + 1) if not any(a < k / hz < b for a, b in lost)]
    arrivals = [(t + latency_s, 1, t) for t in fixes] + [
        (k / fps + 0.003, 0, k / fps + 0.003) for k in range(int(street.seconds * fps))
    ]
    chooser, chosen, tried_m = Chooser(spacing_m, Ring()), [], [None]

    def take_choices():
        while (choice := chooser.choose()) is not None:
            if isinstance(choice, Ahead):
                before_m, tried_m[0] = tried_m[0], street.odometer_m(choice.exposure.shutter_boot_s)
                moved = choice.moving if before_m is None else tried_m[0] - before_m > 0.05
                if not moved:
                    chooser.was_still(choice.number)
                    continue
            chosen.append(choice)

    for _, kind, t in sorted(arrivals):
        if kind:
            speed = max(0.0, street.speed_mps(t) + rng.gauss(0.0, noise_mps))
            chooser.take_fix(fix_at(t, street.odometer_m(t), speed))
            tried_m[0] = None
        else:
            chooser.ring.push(Exposure(t, lambda: PIXELS))
        take_choices()
    chooser.end()
    take_choices()
    return chooser, chosen


def town(t):
    """Up to 50 km/h, with a stop of ten seconds in each minute; it brakes and pulls away at 2 m/s2."""
    phase = t % 60.0
    return max(0.0, min(13.9, 2.0 * max(0.0, phase - 10.0), 2.0 * (60.0 - phase)))


def true_distances(street, chosen):
    kept = [street.odometer_m(c.exposure.shutter_boot_s) for c in chosen if isinstance(c, Chosen)]
    return [b - a for a, b in pairwise(kept)]


def test_a_town_drive_at_1_hz_is_photographed_every_four_metres():
    street = Street(town, 180.0)
    _, chosen = drive(street, noise_mps=0.08)
    distances = true_distances(street, chosen)
    assert not [c for c in chosen if isinstance(c, Missed)]
    assert sum(distances) == pytest.approx(street.odometer_m(180.0), abs=5.0)
    assert sum(abs(d - 4.0) <= 0.5 for d in distances) / len(distances) >= 0.99


def test_90_km_h_at_1_hz_is_photographed_every_four_metres():
    street = Street(lambda t: 25.0 + 3.0 * math.sin(t / 7.0), 120.0)
    _, chosen = drive(street, noise_mps=0.08)
    distances = true_distances(street, chosen)
    assert sum(abs(d - 4.0) <= 0.5 for d in distances) / len(distances) >= 0.99


def test_the_first_mark_is_the_first_metre_driven():
    street = Street(lambda t: 10.0, 5.0)
    _, chosen = drive(street)
    assert chosen[0].place.odometer_m == pytest.approx(1.0, abs=0.2)


def test_a_standing_car_is_not_photographed_however_its_position_jitters():
    rng = random.Random(3)
    chooser = Chooser(4.0, Ring())
    for k in range(600):
        for n in range(5):
            chooser.ring.push(Exposure(k + n / 5, lambda: PIXELS))
        chooser.take_fix(fix_at(float(k), rng.uniform(-5.0, 5.0), rng.uniform(0.0, 0.6)))
        assert chooser.choose() is None
    assert chooser.odometer_m == 0.0
    assert chooser.standing_s == pytest.approx(599.0)


def test_a_stop_in_mid_street_takes_no_photo_and_loses_none():
    street = Street(lambda t: max(0.0, min(10.0, abs(t - 30.0) - 15.0)), 60.0)
    _, chosen = drive(street)
    stopped = [c for c in chosen if isinstance(c, Chosen) and 16.5 < c.exposure.shutter_boot_s < 43.5]
    assert len(stopped) <= 1
    assert all(abs(d - 4.0) <= 0.5 for d in true_distances(street, chosen))


def test_frames_farther_apart_than_the_spacing_serve_one_mark_each_and_the_others_are_missed():
    street = Street(lambda t: 8.0, 20.0)
    _, chosen = drive(street, fps=1)
    kept = [c for c in chosen if isinstance(c, Chosen)]
    missed = [c for c in chosen if isinstance(c, Missed)]
    assert 18 <= len(kept) <= 20
    assert {c.reason for c in missed} == {"no_frame"}
    assert len(missed) == pytest.approx(len(kept), abs=2)


def test_in_a_short_loss_the_ring_fills_the_marks_and_nothing_is_called_good():
    street = Street(lambda t: 12.0, 30.0)
    _, chosen = drive(street, lost=[(10.0, 13.0)])
    assert all(isinstance(c, Chosen) for c in chosen)
    inside = [c for c in chosen if 10.0 < c.exposure.shutter_boot_s < 13.0]
    assert {c.place.position_source for c in inside} == {"filled"}
    assert all(abs(d - 4.0) <= 0.5 for d in true_distances(street, chosen))


def kept_in_the_end(chosen):
    """(shutter_boot_s, place) of all that stays: chosen, or kept ahead and then placed."""
    ahead = {c.number: c.exposure.shutter_boot_s for c in chosen if isinstance(c, Ahead)}
    kept = [(c.exposure.shutter_boot_s, c.place) for c in chosen if isinstance(c, Chosen)]
    return sorted(kept + [(ahead[c.number], c.place) for c in chosen if isinstance(c, Placed)], key=lambda each: each[0])


def test_in_a_tunnel_exposures_are_kept_ahead_and_every_mark_is_there_afterwards():
    street = Street(lambda t: 12.0 + math.sin(t / 5.0), 90.0)
    _, chosen = drive(street, lost=[(20.0, 45.0)])
    assert not [c for c in chosen if isinstance(c, Missed)]
    assert all(c.place.position_source == "ahead_of_fix" for c in chosen if isinstance(c, Ahead))
    kept = kept_in_the_end(chosen)
    inside = [(t, place) for t, place in kept if 20.0 < t < 45.0]
    length_m = street.odometer_m(45.0) - street.odometer_m(20.0)
    assert len(inside) == pytest.approx(length_m / 4.0, rel=0.2)
    for boot_s, place in inside:
        assert place.position_source == "filled"
        assert abs(place.odometer_m - street.odometer_m(boot_s)) <= 0.05 * length_m
    readings = [place.odometer_m for _, place in kept]
    assert all(2.0 - 1e-9 <= b - a <= 6.0 for a, b in pairwise(readings))
    assert {place.position_source for t, place in kept if t > 46.0} == {"between_fixes"}


def test_each_exposure_kept_ahead_is_placed_or_removed_once_the_fix_is_back():
    street = Street(lambda t: 10.0 if t < 25.0 else 5.0, 80.0)
    _, chosen = drive(street, lost=[(20.0, 50.0)])
    ahead = [c.number for c in chosen if isinstance(c, Ahead)]
    settled = [c.number for c in chosen if isinstance(c, Placed | Surplus)]
    assert sorted(settled) == ahead
    assert any(isinstance(c, Surplus) for c in chosen)


def test_where_the_fix_never_returns_what_was_kept_ahead_says_how_unsure_it_is():
    street = Street(lambda t: 12.0, 60.0)
    _, chosen = drive(street, lost=[(20.0, 1e9)])
    ahead = [c for c in chosen if isinstance(c, Ahead)]
    assert len(ahead) > 50
    assert not [c for c in chosen if isinstance(c, Placed | Surplus)]
    accuracies = [c.place.accuracy_m for c in ahead]
    assert accuracies == sorted(accuracies)
    assert accuracies[-1] > 100.0


def test_a_car_that_stands_when_the_fix_is_lost_keeps_only_what_moves():
    street = Street(lambda t: 10.0 if t < 10.0 or t > 50.0 else 0.0, 60.0)
    _, chosen = drive(street, lost=[(20.0, 1e9)])
    ahead_s = [c.exposure.shutter_boot_s for c in chosen if isinstance(c, Ahead)]
    assert 50.0 <= ahead_s[0] < 50.5
    assert all(0.25 <= later - earlier < 0.3 for earlier, later in pairwise(ahead_s))


def test_a_car_that_drives_off_without_a_fix_is_photographed_and_placed_when_it_is_back():
    street = Street(lambda t: 10.0 if t < 10.0 or t > 50.0 else 0.0, 90.0)
    _, chosen = drive(street, lost=[(20.0, 70.0)])
    placed = [c.place for c in chosen if isinstance(c, Placed | Chosen) and c.place.position_source == "filled"]
    assert len(placed) >= 0.9 * 200.0 / 4.0
    assert sum(isinstance(c, Placed) for c in chosen) > 35
    assert all(round(b.odometer_m - a.odometer_m, 3) > 0.0 for a, b in pairwise(placed))


def test_an_exposure_kept_ahead_that_could_not_be_hidden_is_forgotten():
    chooser = Chooser(4.0, Ring(longest_s=2.0))
    for k in range(4):
        chooser.take_fix(fix_at(float(k), 10.0 * k, 10.0))
    aheads = []
    for k in range(200):
        chooser.ring.push(Exposure(3.0 + k / 30, lambda: PIXELS))
        while (choice := chooser.choose()) is not None:
            if isinstance(choice, Ahead):
                aheads.append(choice)
                chooser.forget_ahead(choice.number)
    assert aheads
    chooser.take_fix(fix_at(10.0, 100.0, 10.0))
    rest = []
    while (choice := chooser.choose()) is not None:
        rest.append(choice)
    assert not [c for c in rest if isinstance(c, Placed | Surplus)]


def test_the_place_is_where_the_shutter_opened_not_where_the_fix_was():
    street = Street(lambda t: 13.9, 30.0)
    _, chosen = drive(street)
    for c in chosen:
        latitude_deg, _ = offset(43.55, 7.01, 0.0, street.odometer_m(c.exposure.shutter_boot_s))
        assert c.place.latitude_deg == pytest.approx(latitude_deg, abs=2e-6)
        assert c.place.taken_at == START + timedelta(seconds=c.exposure.shutter_boot_s)


def test_an_unreadable_exposure_is_put_back_and_the_next_nearest_serves_its_mark():
    street = Street(lambda t: 10.0, 10.0)
    _, first = drive(street)
    chooser = Chooser(4.0, Ring())
    for k in range(60):
        chooser.ring.push(Exposure(k / 30 + 0.003, lambda: PIXELS))
    for k in range(3):
        chooser.take_fix(fix_at(float(k), 10.0 * k, 10.0))
    bad = chooser.choose()
    assert bad.exposure.shutter_boot_s == first[0].exposure.shutter_boot_s
    chooser.put_back(bad)
    instead = chooser.choose()
    assert instead.exposure is not bad.exposure
    assert instead.place.odometer_m == pytest.approx(bad.place.odometer_m, abs=0.4)


def test_where_every_exposure_near_a_mark_is_unreadable_the_mark_is_missed_for_that_reason():
    chooser = Chooser(4.0, Ring())
    for k in range(3):
        chooser.ring.push(Exposure(0.1 + 0.05 * k, lambda: PIXELS))
    for k in range(5):
        chooser.take_fix(fix_at(float(k), 10.0 * k, 10.0))
    while isinstance(choice := chooser.choose(), Chosen):
        chooser.put_back(choice)
    assert choice.reason == "frame_unreadable"


@settings(max_examples=60, deadline=None)
@given(
    speeds=st.lists(st.floats(0.0, 36.0), min_size=4, max_size=30),
    fps=st.sampled_from([5, 15, 30]),
    spacing_m=st.floats(2.0, 20.0),
)
def test_whatever_the_car_does_photos_come_in_order_and_never_nearer_than_half_a_spacing(speeds, fps, spacing_m):
    street = Street(lambda t: float(np.interp(t, range(len(speeds)), speeds)), float(len(speeds) - 1), 0.02)
    chooser, chosen = drive(street, fps=fps, spacing_m=spacing_m)
    assert not [c for c in chosen if not isinstance(c, Chosen | Missed)]
    kept = [c for c in chosen if isinstance(c, Chosen)]
    assert all(a.exposure.shutter_boot_s < b.exposure.shutter_boot_s for a, b in pairwise(kept))
    assert all(b.place.odometer_m - a.place.odometer_m >= spacing_m / 2.0 - 1e-9 for a, b in pairwise(kept))
    marks = [c.mark_m if isinstance(c, Chosen) else c.odometer_m for c in chosen]
    assert all(a < b for a, b in pairwise(marks))
    last_m = marks[-1] + 1.5 * spacing_m if marks else 1.0
    assert chooser.odometer_m <= last_m + 1e-6


def test_what_waits_stays_bounded_over_a_long_stop():
    chooser = Chooser(4.0, Ring())
    for k in range(2000):
        chooser.ring.push(Exposure(k / 10, lambda: PIXELS))
        if k % 10 == 0:
            speed = 10.0 if k < 100 else 0.0
            chooser.take_fix(fix_at(k / 10, 0.0, speed))
        while chooser.choose() is not None:
            pass
    assert len(chooser._road) < 10
    assert len(chooser.ring.until(math.inf)) < 60
