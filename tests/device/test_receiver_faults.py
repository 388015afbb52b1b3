"""What a lying receiver does to the photos: docs/faults.md, 3 to 6, 8 and 9, from gpsd's report to the frame that is kept."""

import math
import random
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.choice import Ahead, Chosen, Placed, Surplus
from device.chooser import Chooser
from device.earth import distance_m, offset
from device.frame import Exposure
from device.gate import FixGate
from device.ring import Ring
from device.tpv import report_of

STARTED_AT = datetime(2026, 5, 4, 10, tzinfo=timezone.utc)
HOME = (43.55, 7.01)
SPEED_MPS = 10.0
LATENCY_S = 0.2
FPS = 20
SECONDS = 40
PIXELS = np.zeros((2, 2, 3), np.uint8)


def tpv(second, **changes):
    """What gpsd says at this second of a car that drives north at 36 km/h; a change to ... takes the field away."""
    latitude_deg, longitude_deg = offset(*HOME, 0.0, SPEED_MPS * second)
    message = {
        "class": "TPV",
        "device": "/dev/ttyACM0",
        "mode": 3,
        "time": time_of(second),
        "lat": latitude_deg,
        "lon": longitude_deg,
        "speed": SPEED_MPS,
        "track": 0.0,
        "epx": 4.0,
        "epy": 5.0,
        "eph": 6.0,
    }
    return {key: value for key, value in {**message, **changes}.items() if value is not ...}


def time_of(second, shift=timedelta()):
    return (STARTED_AT + shift + timedelta(seconds=second)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def far_away(second):
    latitude_deg, longitude_deg = offset(tpv(second)["lat"], tpv(second)["lon"], 20_000.0, 0.0)
    return {"lat": latitude_deg, "lon": longitude_deg}


class Round:
    """A round with these reports, each arriving `LATENCY_S` after its second, and a camera: what is kept.

    Every report is equally late, so that on the boot clock each counts for the moment of its arrival.
    """

    def __init__(self, messages, seconds=SECONDS):
        self.gate, self.chooser = FixGate(), Chooser(4.0, Ring())
        self.kept = []
        self.good_before_its_fix = 0
        self._ahead = {}
        reports = iter(sorted(messages, key=lambda each: each[0]))
        due = next(reports, None)
        for n in range(int(seconds * FPS)):
            now_s = n / FPS
            while due is not None and due[0] + LATENCY_S <= now_s:
                self._take(due[1], due[0] + LATENCY_S)
                due = next(reports, None)
            self.chooser.ring.push(Exposure(now_s, lambda: PIXELS))
            if n % 5 == 0:
                self._choose()
        self.chooser.end()
        self._choose()

    def _take(self, message, arrival_s):
        for fix in self.gate.accept(report_of(message), arrival_s):
            self.chooser.take_fix(fix)
            self._choose()

    def _choose(self):
        while (choice := self.chooser.choose()) is not None:
            match choice:
                case Ahead():
                    assert choice.place is None or choice.place.position_source == "ahead_of_fix"
                    self._ahead[choice.number] = choice.exposure.shutter_boot_s
                case Surplus():
                    del self._ahead[choice.number]
                case Placed():
                    self.kept.append((self._ahead.pop(choice.number), choice.place))
                case Chosen():
                    late_s = choice.exposure.shutter_boot_s - self.chooser.fix.boot_s
                    self.good_before_its_fix += choice.place.position_source == "between_fixes" and late_s > 0.0
                    self.kept.append((choice.exposure.shutter_boot_s, choice.place))

    def sources(self, from_s, until_s):
        """Where the places of the frames between two moments come from."""
        return {place.position_source for shutter, place in self.kept if from_s < shutter < until_s}

    def places_near(self, latitude_deg, longitude_deg, metres):
        return [p for _, p in self.kept if distance_m(latitude_deg, longitude_deg, p.latitude_deg, p.longitude_deg) < metres]


def straight(seconds=SECONDS):
    return [(second, tpv(second)) for second in range(seconds)]


@pytest.fixture(scope="module")
def plain():
    round_ = Round(straight())
    assert len(round_.kept) >= 95
    return round_


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("key", sorted(tpv(0)))
def test_fault_3_a_field_that_is_absent_puts_no_frame_at_0_0(key, every):
    told = [(second, tpv(second, **({key: ...} if second % every == 0 and key != "class" else {}))) for second in range(SECONDS)]
    told = [*told, *((second + 0.5, tpv(second + 0.5, lat=0.0, lon=0.0)) for second in range(SECONDS))]
    round_ = Round(told)
    assert not round_.places_near(0.0, 0.0, 100_000.0)
    assert all(abs(place.longitude_deg - HOME[1]) < 1e-4 for _, place in round_.kept)
    if key not in ("lat", "lon", "mode", "time") or every == 2:
        assert len(round_.kept) > 80


@pytest.mark.parametrize("how", ["time frozen", "place frozen", "silence", "no fix"])
def test_fault_4_nothing_is_good_while_the_fix_is_lost_however_it_is_lost(how):
    lost = {
        "time frozen": lambda second: tpv(9),
        "place frozen": lambda second: tpv(second, lat=tpv(9)["lat"], lon=tpv(9)["lon"]),
        "silence": None,
        "no fix": lambda second: tpv(second, mode=1),
    }[how]
    messages = straight(10) + ([(second, lost(second)) for second in range(10, 70)] if lost else [])
    round_ = Round([*messages, *((second, tpv(second)) for second in range(70, 80))], seconds=80)
    last_s, back_s = 9.0 + LATENCY_S, 70.0 + LATENCY_S
    assert round_.sources(0.0, last_s) == {"between_fixes"}
    assert round_.sources(last_s, back_s) == {"filled"}
    assert round_.sources(back_s, 79.0) == {"between_fixes"}
    assert round_.good_before_its_fix == 0
    assert round_.chooser.odometer_m == pytest.approx(SPEED_MPS * 79, abs=2.0)


@settings(deadline=None, max_examples=15)
@given(st.lists(st.tuples(st.integers(0, SECONDS - 1), st.integers(1, 3), st.booleans()), max_size=60))
def test_fault_5_repeated_and_interleaved_reports_change_neither_the_distance_nor_a_frame(plain, extras):
    messages = straight()
    for second, times, other in extras:
        if other:
            # Its own rhythm, and its place three metres off, as two receivers on one roof have it.
            beside = offset(tpv(second + 0.5)["lat"], HOME[1], 3.0, 0.0)
            messages.append((second + 0.5, tpv(second + 0.5, device="/dev/ttyUSB7", lat=beside[0], lon=beside[1])))
        else:
            messages += [(second + 0.1 * n, tpv(second)) for n in range(1, times + 1)]
    round_ = Round(messages)
    assert round_.chooser.odometer_m == plain.chooser.odometer_m
    assert [shutter for shutter, _ in round_.kept] == [shutter for shutter, _ in plain.kept]


@pytest.mark.parametrize("weeks", [-1024, -2048])
def test_fault_6_weeks_lost_in_mid_drive_keep_the_order_and_the_year(weeks):
    messages = [
        (second, tpv(second, time=time_of(second, timedelta(weeks=weeks if 15 <= second < 25 else 0))))
        for second in range(SECONDS)
    ]
    round_ = Round(messages)
    times = [place.taken_at for _, place in round_.kept]
    assert times == sorted(times)
    assert {moment.year for moment in times} == {2026}
    assert [shutter for shutter, _ in round_.kept] == sorted(shutter for shutter, _ in round_.kept)
    assert round_.chooser.odometer_m == pytest.approx(SPEED_MPS * (SECONDS - 1), abs=2.0)


@settings(deadline=None, max_examples=5)
@given(st.integers(0, 10**6), st.sampled_from([1.0, 5.0]), st.sampled_from([1, 5]))
def test_fault_8_ten_minutes_of_jitter_are_one_frame_at_most(seed, jitter_m, hertz):
    rng = random.Random(seed)
    messages = []
    for n in range(600 * hertz):
        latitude_deg, longitude_deg = offset(*HOME, rng.gauss(0.0, jitter_m), rng.gauss(0.0, jitter_m))
        changes = {"lat": latitude_deg, "lon": longitude_deg, "speed": rng.uniform(0.0, 0.6), "track": rng.uniform(0.0, 359.0)}
        messages.append((n / hertz, tpv(n / hertz, **changes)))
    round_ = Round(messages, seconds=600)
    assert len(round_.kept) <= 1
    assert round_.chooser.odometer_m < 1.0
    assert round_.chooser.standing_s > 500.0


WILD = st.sampled_from([far_away, lambda _: {"lat": 95.0}, lambda _: {"lon": 300.0}, lambda _: {"speed": 400.0}])


@settings(deadline=None, max_examples=15)
@given(st.dictionaries(st.integers(1, SECONDS // 3 - 1).map(lambda n: 3 * n), WILD, max_size=12))
def test_fault_9_single_wild_points_add_no_distance_and_no_frame(plain, wild):
    round_ = Round(
        [(second, tpv(second, **wild[second](second)) if second in wild else message) for second, message in straight()]
    )
    assert round_.gate.rejected.keys() <= {"too_fast", "out_of_range"}
    assert sum(round_.gate.rejected.values()) == len(wild)
    assert all(abs(place.longitude_deg - HOME[1]) < 1e-4 for _, place in round_.kept)
    last_s = max(second for second in range(SECONDS) if second not in wild)
    assert round_.chooser.odometer_m == pytest.approx(SPEED_MPS * last_s, abs=0.1)
    assert len(round_.kept) >= len(plain.kept) - 6


def test_fault_9_a_receiver_that_began_20_km_away_adds_no_distance_when_it_is_right():
    messages = [(second, tpv(second, **far_away(second)) if second < 10 else message) for second, message in straight()]
    round_ = Round(messages)
    assert round_.gate.rejected == {"too_fast": 3}
    assert round_.chooser.odometer_m == pytest.approx(SPEED_MPS * (SECONDS - 1), abs=SPEED_MPS * 5)
    assert len(round_.kept) <= math.ceil(SPEED_MPS * SECONDS / 4.0)
