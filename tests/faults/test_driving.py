"""Ways to drive, from gpsd's report to the photo that is kept: docs/faults.md, 2 and 29 to 31, car parks, tunnels, ferries."""

import math
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.choice import Ahead, Chosen, Missed, Placed, Surplus
from device.chooser import Chooser
from device.earth import distance_m, offset, turn_deg
from device.frame import Exposure
from device.gate import FixGate
from device.ring import Ring
from device.tpv import report_of

AT = datetime(2026, 5, 4, 10, tzinfo=timezone.utc)
HOME = (43.55, 7.01)
SPACING_M = 4.0
FPS = 30
STEP_S = 0.05
LATENCY_S = 0.2
BOOT_S = 100.0
PIXELS = np.zeros((2, 2, 3), np.uint8)


class Car:
    """A car along legs of (seconds, speed at their end, turn in degrees over the leg); a negative speed is the reverse gear."""

    def __init__(self, *legs, speed_mps=0.0, heading_deg=0.0):
        speeds, headings = [speed_mps], [heading_deg]
        for seconds, end_mps, turn in legs:
            steps = max(1, round(seconds / STEP_S))
            speeds += [speeds[-1] + (end_mps - speeds[-1]) * n / steps for n in range(1, steps + 1)]
            headings += [headings[-1] + turn / steps * n for n in range(1, steps + 1)]
        self.speeds_mps, self.headings_deg = np.array(speeds), np.array(headings)
        means = (self.speeds_mps[1:] + self.speeds_mps[:-1]) / 2.0 * STEP_S
        angles = np.radians((self.headings_deg[1:] + self.headings_deg[:-1]) / 2.0)
        self.driven_m = np.concatenate([[0.0], np.cumsum(np.abs(means))])
        self.easts_m = np.concatenate([[0.0], np.cumsum(means * np.sin(angles))])
        self.norths_m = np.concatenate([[0.0], np.cumsum(means * np.cos(angles))])
        self.seconds = (len(speeds) - 1) * STEP_S

    def at(self, values, second):
        return float(np.interp(second, np.arange(len(values)) * STEP_S, values))

    def place(self, second):
        return offset(*HOME, self.at(self.easts_m, second), self.at(self.norths_m, second))

    def stands(self, second):
        near = [abs(self.at(self.speeds_mps, second + off_s)) for off_s in (-1.0, 0.0, 1.0)]
        return max(near) < 0.01


class Sky:
    """What gpsd says of a car at each second; noise is in metres and metres a second, `lost` are seconds without a fix."""

    def __init__(self, car, *, seed=0, position_m=0.0, jitter_m=0.0, doppler_mps=0.0, lost=(), hertz=1):
        self.car, self.hertz = car, hertz
        self._rng = np.random.default_rng(seed)
        self._sizes = position_m, jitter_m, doppler_mps
        self._error_m = self._rng.normal(0.0, position_m, 2)
        self._lost = lost

    def reports(self):
        position_m, jitter_m, doppler_mps = self._sizes
        keeps = math.exp(-1.0 / (60.0 * self.hertz))
        for n in range(int(self.car.seconds * self.hertz) + 1):
            second = n / self.hertz
            self._error_m = keeps * self._error_m + self._rng.normal(0.0, position_m * math.sqrt(1 - keeps * keeps), 2)
            off_m = self._error_m + self._rng.normal(0.0, jitter_m, 2)
            speed, heading = self.car.at(self.car.speeds_mps, second), math.radians(self.car.at(self.car.headings_deg, second))
            east, north = np.array([math.sin(heading), math.cos(heading)]) * speed + self._rng.normal(0.0, doppler_mps, 2)
            place = offset(*self.car.place(second), *off_m)
            report = {"class": "TPV", "device": "/dev/ttyACM0", "mode": 3, "lat": place[0], "lon": place[1], "eph": 5.0}
            report |= {"time": (AT + timedelta(seconds=second)).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
            report |= {"speed": math.hypot(east, north), "track": math.degrees(math.atan2(east, north)) % 360.0}
            blind = any(begin <= second <= end for begin, end in self._lost)
            yield second, {**report, "mode": 1} if blind else report


class Round:
    """The round of a car: `kept` are (second of the shutter, place); a photo is in memory `delay_s(number)` after its shutter."""

    def __init__(self, car, reports, *, fps=FPS, delay_s=lambda _: 0.0):
        self.car, self.kept, self.missed, self.ahead = car, [], [], {}
        self.gate, self.chooser = FixGate(), Chooser(SPACING_M, Ring())
        self._tried_m = None
        arrivals = [(second + LATENCY_S, 0, report) for second, report in reports]
        came_s = 0.0
        for n in range(int(car.seconds * fps)):
            came_s = max(came_s, n / fps + delay_s(n))
            arrivals.append((came_s, 1, Exposure(BOOT_S + n / fps, lambda: PIXELS)))
        for at_s, kind, arrived in sorted(arrivals, key=lambda each: each[:2]):
            if kind == 0:
                for fix in self.gate.accept(report_of(arrived), BOOT_S + at_s):
                    self.chooser.take_fix(fix)
                    self._tried_m = None
            else:
                self.chooser.ring.push(arrived)
            self._choose()
        self.chooser.end()
        self._choose()

    def _choose(self):
        while (choice := self.chooser.choose()) is not None:
            match choice:
                case Ahead() if not self._moved(choice):
                    self.chooser.was_still(choice.number)
                case Ahead():
                    self.ahead[choice.number] = choice.exposure.shutter_boot_s
                case Surplus():
                    del self.ahead[choice.number]
                case Placed():
                    self.kept.append((self.ahead.pop(choice.number) - BOOT_S, choice.place))
                case Chosen():
                    self.kept.append((choice.exposure.shutter_boot_s - BOOT_S, choice.place))
                case Missed():
                    self.missed.append(choice)

    def _moved(self, ahead):
        """What the pictures would show."""
        here_m = self.car.at(self.car.driven_m, ahead.exposure.shutter_boot_s - BOOT_S)
        before_m, self._tried_m = self._tried_m, here_m
        return ahead.moving if before_m is None else here_m - before_m > 0.2

    @property
    def good(self):
        return [(second, place) for second, place in self.kept if place.position_source == "between_fixes"]

    def error_m(self, second, place):
        # On the boot clock a fix counts for the moment at which the fastest of them came.
        return distance_m(place.latitude_deg, place.longitude_deg, *self.car.place(second - LATENCY_S))


def steady(speed_mps, seconds, turn_deg=0.0):
    return Car((seconds, speed_mps, turn_deg), speed_mps=speed_mps)


def test_fault_2_a_photo_older_than_the_call_is_placed_by_its_own_time():
    """At 50 km/h 0.4 s are 5.6 m; each photo comes so late, or later."""
    car = steady(13.9, 40.0)
    prompt = Round(car, Sky(car).reports())
    late = Round(car, Sky(car).reports(), delay_s=lambda n: 0.4 + 0.3 * (n % 7 == 0))
    assert len(late.kept) > 130
    assert [second for second, _ in late.good] == [second for second, _ in prompt.good]
    assert max(late.error_m(*each) for each in late.good) < 0.05


@settings(deadline=None, max_examples=20)
@given(st.lists(st.floats(0.0, 1.9), min_size=5, max_size=40))
def test_fault_2_however_late_photos_come_each_is_where_it_was_taken(delays):
    car = steady(13.9, 25.0)
    round_ = Round(car, Sky(car).reports(), delay_s=lambda n: delays[n // 5 % len(delays)])
    assert len(round_.good) > 0.8 * 13.9 * 20 / SPACING_M
    assert max(round_.error_m(*each) for each in round_.good) < 0.05
    assert [second for second, _ in round_.kept] == sorted(second for second, _ in round_.kept)


LEGS = st.lists(
    st.tuples(st.floats(2.0, 15.0), st.sampled_from([0.0, 0.0, 3.0, 8.0, 14.0, 22.0]), st.floats(-60.0, 60.0)),
    min_size=2,
    max_size=8,
)
"""Each speed at most 5 m/s2 from the last: `town_car` makes it so."""


def town_car(legs):
    made, before = [(3.0, 0.0, 0.0)], 0.0
    for seconds, speed, turn in legs:
        made.append((max(seconds, abs(speed - before) / 3.0), speed, turn if max(speed, before) > 2.0 else 0.0))
        made.append((6.0, speed, 0.0))
        before = speed
    return Car(*made)


@settings(deadline=None, max_examples=15)
@given(LEGS, st.integers(0, 10**6), st.sampled_from([1, 5]))
def test_fault_29_photos_lie_a_spacing_apart_and_no_two_at_one_place(legs, seed, hertz):
    car = town_car(legs)
    round_ = Round(car, Sky(car, seed=seed, position_m=2.0, doppler_mps=0.08, hertz=hertz).reports())
    true_m = [car.at(car.driven_m, second - LATENCY_S) for second, _ in round_.good]
    gaps_m = np.diff(true_m)
    assert all(gap > SPACING_M / 2.0 for gap in gaps_m)
    places = [(place.latitude_deg, place.longitude_deg) for _, place in round_.good]
    assert all(distance_m(*a, *b) > 1.0 for a, b in pairwise(places))
    # Legs are harder on a car than streets are; how many gaps are within half a metre in town is `ronde bench spacing`'s.
    if len(gaps_m) >= 20:
        assert np.mean(np.abs(gaps_m - SPACING_M) <= 0.5 + car.speeds_mps.max() / FPS / 2.0) >= 0.85


@settings(deadline=None, max_examples=15)
@given(LEGS, st.integers(0, 10**6), st.sampled_from([1.0, 5.0]))
def test_fault_30_none_while_standing(legs, seed, jitter_m):
    car = town_car([*legs, (20.0, 0.0, 0.0)])
    round_ = Round(car, Sky(car, seed=seed, jitter_m=jitter_m, doppler_mps=0.15).reports())
    assert not [second for second, _ in round_.kept if car.stands(second - LATENCY_S)]


LOSSES = st.lists(st.tuples(st.floats(10.0, 100.0), st.floats(3.0, 40.0)), max_size=4)


@settings(deadline=None, max_examples=15)
@given(LOSSES, st.integers(0, 10**6))
def test_fault_31_it_goes_on_through_losses_and_one_round_stays_one(losses, seed):
    car = steady(11.0, 120.0, turn_deg=90.0)
    lost = [(begin, begin + seconds) for begin, seconds in losses]
    round_ = Round(car, Sky(car, seed=seed, position_m=2.0, doppler_mps=0.08, lost=lost).reports())
    odometers = [place.odometer_m for _, place in round_.kept]
    assert odometers == sorted(odometers), "one odometer, from beginning to end"
    assert [second for second, _ in round_.kept] == sorted(second for second, _ in round_.kept)
    fixed_s = [second for second, _ in Sky(car, lost=lost).reports() if not any(begin <= second <= end for begin, end in lost)]
    covered_m = 11.0 * (max(fixed_s) - min(fixed_s))
    assert round_.chooser.odometer_m == pytest.approx(covered_m, rel=0.05, abs=8.0)
    present = len(round_.kept) + len(round_.missed)
    assert present >= 0.95 * round_.chooser.odometer_m / SPACING_M - 2
    assert len(round_.kept) >= 0.9 * present
    for second, place in round_.kept:
        in_loss = any(begin + 0.5 < second - LATENCY_S < end - 1.5 and end - begin > 3.0 for begin, end in lost)
        assert not (in_loss and place.position_source == "between_fixes"), "nothing filled is called good"


def car_park(rng):
    """Slow loops between rows, stops, backing into a place and out again."""
    legs = [(5.0, 0.0, 0.0), (4.0, 3.0, 0.0)]
    for _ in range(8):
        speed = rng.uniform(1.2, 3.5)
        legs += [(rng.uniform(4.0, 10.0), speed, 0.0), (5.0, speed, rng.choice([-90.0, 90.0]))]
        if rng.random() < 0.5:
            legs += [(3.0, 0.0, 0.0), (rng.uniform(2.0, 20.0), 0.0, 0.0)]
            legs += [
                (2.0, -1.5, 0.0),
                (4.0, -1.5, rng.choice([-60.0, 60.0])),
                (2.0, 0.0, 0.0),
                (rng.uniform(2.0, 20.0), 0.0, 0.0),
            ]
    return Car(*legs)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.sampled_from([1, 5, 10]))
def test_a_car_park_gives_as_many_photos_as_road_and_no_star(seed, hertz):
    rng = np.random.default_rng(seed)
    car = car_park(rng)
    round_ = Round(car, Sky(car, seed=seed, position_m=2.0, jitter_m=0.7, doppler_mps=0.12, hertz=hertz).reports())
    driven_m = car.driven_m[-1]
    assert 0.75 * driven_m / SPACING_M - 2 <= len(round_.kept) <= 1.05 * driven_m / SPACING_M + 2
    assert not [second for second, _ in round_.kept if car.stands(second - LATENCY_S)]
    # A star is places farther from one another than the car was: from photo to photo, and all of them from where it was.
    for (a_s, a), (b_s, b) in pairwise(round_.kept):
        apart_m = distance_m(a.latitude_deg, a.longitude_deg, b.latitude_deg, b.longitude_deg)
        # Five standard deviations of what a receiver's error changes by in that time.
        wanders_m = 5.0 * math.sqrt(2.0 * (2.0**2 * (1.0 - math.exp((a_s - b_s) / 60.0)) + 0.7**2))
        assert apart_m <= car.at(car.driven_m, b_s - LATENCY_S) - car.at(car.driven_m, a_s - LATENCY_S) + wanders_m
    assert max((round_.error_m(*each) for each in round_.kept), default=0.0) <= 5.0 * math.hypot(2.0, 0.7)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([1, 5]))
def test_backing_into_a_street_counts_and_the_camera_looks_where_the_car_does(seed, hertz):
    """Past the place at 5 m/s, a stop, 25 m back round a corner, a stop, and on."""
    car = Car(
        *[(3.0, 6.0, 0.0), (8.0, 6.0, 0.0), (4.0, 0.0, 0.0), (3.0, 0.0, 0.0), (2.0, -2.5, 0.0), (9.0, -2.5, 80.0)],
        *[(2.0, 0.0, 0.0), (3.0, 0.0, 0.0), (4.0, 6.0, 0.0), (8.0, 6.0, 0.0)],
        speed_mps=5.0,
    )
    round_ = Round(car, Sky(car, seed=seed, position_m=2.0, doppler_mps=0.08, hertz=hertz).reports())
    assert round_.chooser.odometer_m == pytest.approx(car.driven_m[-1], abs=5.0)
    backwards = [each for each in round_.good if car.at(car.speeds_mps, each[0] - LATENCY_S) < -0.5]
    assert len(backwards) >= 4
    turned = [abs(turn_deg(place.heading_deg - car.at(car.headings_deg, second - LATENCY_S))) for second, place in round_.good]
    assert max(turned) < 40.0
    assert np.median(turned) < 5.0


def test_a_tunnel_in_which_the_receiver_repeats_its_place_is_filled():
    car = steady(12.0, 80.0)
    held = None
    reports = []
    for second, report in Sky(car, position_m=0.0).reports():
        if second == 30:
            held = {key: report[key] for key in ("lat", "lon")}
        reports.append((second, report | held if held and 30 < second < 55 else report))
    round_ = Round(car, reports)
    inside = [place for second, place in round_.kept if 31.0 < second < 54.0]
    assert len(inside) >= 0.95 * 12.0 * 23 / SPACING_M
    assert {place.position_source for place in inside} == {"filled"}
    assert round_.gate.rejected == {"position_frozen": 24}
    assert all(round_.error_m(*each) <= each[1].accuracy_m for each in round_.kept)


BENT = [(20.0, 12.0, 0.0), (20.0, 12.0, 50.0), (20.0, 12.0, 0.0)]
"""Straight, a tunnel that bends by 50 degrees, and straight again."""


def straight_on(car, begin_s, end_s, **said):
    """What a receiver says that goes straight on by itself between two moments: the last speed, the last course."""
    heading = math.radians(car.at(car.headings_deg, begin_s))
    for second, report in Sky(car).reports():
        if begin_s < second < end_s:
            metres = 12.0 * (second - begin_s)
            place = offset(*car.place(begin_s), metres * math.sin(heading), metres * math.cos(heading))
            report |= {"lat": place[0], "lon": place[1], "speed": 12.0, "track": math.degrees(heading) % 360.0, **said}
        yield second, report


def test_a_tunnel_in_which_the_receiver_says_that_it_goes_on_by_itself_is_filled_along_the_bend():
    car = Car(*BENT, speed_mps=12.0)
    round_ = Round(car, straight_on(car, 20, 40, status=5))
    inside = [(second, place) for second, place in round_.kept if 21.0 < second < 39.0]
    assert len(inside) >= 0.95 * 12.0 * 18 / SPACING_M
    assert {place.position_source for _, place in inside} == {"filled"}
    assert all(round_.error_m(*each) <= each[1].accuracy_m for each in inside)
    assert max(round_.error_m(*each) for each in inside) < 5.0, "straight on it would be 100 m off"


def test_a_receiver_that_goes_on_by_itself_and_does_not_say_so_adds_no_road_and_its_jump_is_no_place():
    car = Car((20.0, 12.0, 0.0), (10.0, 12.0, 30.0), (20.0, 12.0, 0.0), speed_mps=12.0)
    round_ = Round(car, straight_on(car, 20, 31))
    assert round_.chooser.odometer_m == pytest.approx(car.driven_m[-1], rel=0.02)
    on_the_jump = [place for second, place in round_.kept if 30.3 < second < 31.1]
    jump_m = round_.error_m(30.2, max((p for s, p in round_.kept if s < 30.3), key=lambda p: p.odometer_m))
    assert jump_m > 25.0
    assert on_the_jump
    assert all(place.accuracy_m > jump_m / 3.0 for place in on_the_jump)


def test_on_a_ferry_nothing_breaks_and_the_heading_is_the_ships():
    """The car drives on board and stands; the ship backs out with it, turns and crosses at 8 m/s. Nothing tells it from road."""
    board = [(5.0, 4.5, 0.0), (10.0, 4.5, 0.0), (5.0, 0.0, 0.0), (60.0, 0.0, 0.0)]
    cross = [(10.0, -2.0, 0.0), (30.0, -2.0, 20.0), (10.0, 0.0, 0.0), (30.0, 8.0, 160.0), (240.0, 8.0, 5.0), (30.0, 0.0, 0.0)]
    car = Car(*board, *cross, (20.0, 0.0, 0.0))
    round_ = Round(car, Sky(car, position_m=2.0, doppler_mps=0.08).reports())
    assert len(round_.kept) == pytest.approx(car.driven_m[-1] / SPACING_M, rel=0.05)
    assert not [second for second, _ in round_.kept if car.stands(second - LATENCY_S)]
    crossing = [(second, place) for second, place in round_.kept if 200.0 < second < 400.0]
    assert (
        max(abs(turn_deg(place.heading_deg - car.at(car.headings_deg, second - LATENCY_S))) for second, place in crossing) < 5.0
    )
