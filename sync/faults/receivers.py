"""gpsd's lines, mutated: bits flipped, cut, doubled, values that no receiver should say; from the bytes to the frame's place."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import numpy as np

from device.choice import Ahead, Chosen, Placed, Surplus
from device.chooser import Chooser
from device.earth import distance_m, offset
from device.frame import Exposure, Pixels, Place
from device.gate import FixGate
from device.lines import LineSplitter
from device.ring import Ring
from device.tpv import LineUnreadable, parse_line, report_of
from sync.faults.row import Plan, Rng, Row, Tally

STARTED_AT: Final = datetime(2026, 5, 4, 10, tzinfo=timezone.utc)
HOME: Final = (43.55, 7.01)
SPEED_MPS = 10.0
LATENCY_S = 0.2
FPS = 10
BY_BYTES = 0.5
"""Share of the mutations that hurt the bytes of a line; the others are whole lines that say what is not so."""
ASTRAY_M = 150.0
"""How far from the truth a frame may be placed. A mutation can move a place by less than a car may have driven meanwhile, which
nobody can tell; what a car cannot have done is refused."""

ABSENT: Final = object()
STRANGE: Final[tuple[Any, ...]] = (
    None,
    True,
    float("nan"),
    float("inf"),
    "3",
    "",
    [],
    {},
    -1,
    0,
    4,
    95.0,
    -95.0,
    300.0,
    1e9,
    1e308,
    -1e308,
    10**400,
    "NaN",
    "2026-02-30T25:61:61Z",
)
KEYS: Final = ("mode", "lat", "lon", "time", "speed", "track", "eph", "epx", "epy", "device", "class")

BY_HAND: Final[tuple[Mapping[str, Any], ...]] = (
    *({key: ABSENT} for key in KEYS),
    *({key: None} for key in KEYS),
    {"lat": 0.0, "lon": 0.0},
    {"lat": 1e-9, "lon": -1e-9},
    {"lat": 90.0, "lon": 0.0},
    {"lat": 95.0},
    {"lon": 300.0},
    {"lat": -91.0, "lon": 181.0},
    {"lat": "43.55"},
    {"lat": [43.55]},
    {"lat": True},
    {"lat": 1e308, "lon": 1e308},
    {"lat": 10**400},
    {"lat": -43.55},
    {"lat": 7.01, "lon": 43.55},
    {"mode": 0},
    {"mode": 1},
    {"mode": 4},
    {"mode": 3.5},
    {"mode": -3},
    {"mode": "3D"},
    {"mode": 10**30},
    {"time": ""},
    {"time": "not a time"},
    {"time": "2026-02-30T10:00:00.000Z"},
    {"time": "2016-12-31T23:59:60.000Z"},
    {"time": "0000-00-00T00:00:00Z"},
    {"time": "1999-08-22T00:00:00.000Z"},
    {"time": "2006-09-18T10:00:00.000Z"},
    {"time": "1987-02-01T10:00:00.000Z"},
    {"time": "9999-12-31T23:59:59.999Z"},
    {"time": 1777888800},
    {"time": "2026-05-04T10:00:00"},
    {"time": "2026-05-04T10:00:00.000000000000000000000Z"},
    {"speed": -5.0},
    {"speed": 9999.0},
    {"speed": 1e308},
    {"speed": "fast"},
    {"track": 720.0},
    {"track": -90.0},
    {"track": 1e308},
    {"eph": 0.0},
    {"eph": -3.0},
    {"eph": 1899.0},
    {"eph": 1e308},
    {"epx": 0.0, "epy": 0.0, "eph": ABSENT},
    {"device": 7},
    {"class": "tpv"},
)
"""By hand: what was seen in the field (docs/faults.md, 3 to 6 and 9), and what is just over a limit."""


def run(plan: Plan, tally: Tally) -> None:
    """A long straight drive in which every third report is another than the receiver's."""
    drive = _Drive()
    for second in range(3 * (plan.load + len(BY_HAND))):
        line = json.dumps(_report(second)).encode()
        if second % 3 == 1 and second // 3 < len(BY_HAND):
            line = json.dumps(_changed(_report(second), BY_HAND[second // 3])).encode()
            tally.injected += 1
        elif second % 3 == 1:
            line = _mutated(line, second, plan.rng)
            tally.injected += 1
        drive.second(second, line)
    tally.check(drive.kept > 2 * plan.load, f"{drive.kept} frames of a drive of {SPEED_MPS * 3 * plan.load:.0f} m")
    for place, astray_m in drive.wrong[:3]:
        tally.wrong.append(f"a frame {astray_m:.0f} m from the road, at {place.odometer_m:.0f} m")
    tally.measured |= {"by hand": len(BY_HAND), "frames": drive.kept, "farthest from the truth m": round(drive.farthest_m, 1)}
    tally.measured |= {"refused": sum(drive.gate.rejected.values()), "no JSON": drive.unreadable}


def _report(second: float) -> dict[str, Any]:
    """What gpsd says at this second of a car that drives north at 36 km/h."""
    latitude_deg, longitude_deg = offset(*HOME, 0.0, SPEED_MPS * second)
    return {
        "class": "TPV",
        "device": "/dev/ttyACM0",
        "mode": 3,
        "time": (STARTED_AT + timedelta(seconds=second)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "lat": latitude_deg,
        "lon": longitude_deg,
        "speed": SPEED_MPS,
        "track": 0.0,
        "epx": 4.0,
        "epy": 5.0,
        "eph": 6.0,
    }


def _changed(report: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in {**report, **changes}.items() if value is not ABSENT}


def _mutated(line: bytes, second: int, rng: Rng) -> bytes:
    """One of nine ways to be wrong."""
    at, length = int(rng.integers(len(line))), int(rng.integers(1, 30))
    if rng.random() < BY_BYTES:
        way = int(rng.integers(5))
        if way == 0:
            return line[:at] + bytes([line[at] ^ (1 << int(rng.integers(8)))]) + line[at + 1 :]
        middle = (b"", line[at:], line[at + length :], line[max(0, at - length) :])[way - 1]
        return line[:at] + (rng.bytes(length) if way == 4 else b"") + middle
    return _dumped(_senseless(second, rng))


def _senseless(second: int, rng: Rng) -> dict[str, Any]:
    """A whole report that says what is not so."""
    key = str(rng.choice(KEYS))
    changes: tuple[Mapping[str, Any], ...] = (
        {key: STRANGE[int(rng.integers(len(STRANGE)))]},
        {key: ABSENT},
        {"time": _report(second + float(rng.uniform(-4000, 4000)))["time"]},
        {"lat": float(rng.uniform(-100, 100)), "lon": float(rng.uniform(-200, 200))},
        {"lat": _report(second)["lat"] + float(rng.choice([-1, 1])) * 10.0 ** -int(rng.integers(0, 6))},
    )
    return _changed(_report(second), changes[int(rng.integers(len(changes)))])


def _dumped(report: Mapping[str, Any]) -> bytes:
    return json.dumps(report).encode()


class _Drive:
    """From bytes to frames with a place: the splitter, the gate, the odometer and the choice, as in the car."""

    def __init__(self) -> None:
        self.gate, self._chooser, self._lines = FixGate(), Chooser(4.0, Ring()), LineSplitter()
        self._ahead: dict[int, float] = {}
        self._pixels: Pixels = np.zeros((2, 2, 3), np.uint8)
        self.kept = self.unreadable = 0
        self.farthest_m = 0.0
        self.wrong: list[tuple[Place, float]] = []

    def second(self, second: int, line: bytes) -> None:
        """A second of exposures, and the line that comes a moment after it began."""
        for n in range(FPS):
            self._chooser.ring.push(Exposure(second + n / FPS, lambda: self._pixels))
        for whole in self._lines.feed(line + b"\n"):
            try:
                report = report_of(parse_line(whole))
            except LineUnreadable:
                self.unreadable += 1
                continue
            for fix in () if report is None else self.gate.accept(report, second + LATENCY_S):
                self._chooser.take_fix(fix)
                self._choose()
        self._choose()

    def _choose(self) -> None:
        while (choice := self._chooser.choose()) is not None:
            match choice:
                case Ahead():
                    self._ahead[choice.number] = choice.exposure.shutter_boot_s
                case Surplus():
                    del self._ahead[choice.number]
                case Placed():
                    self._judge(self._ahead.pop(choice.number), choice.place)
                case Chosen():
                    self._judge(choice.exposure.shutter_boot_s, choice.place)

    def _judge(self, shutter_s: float, place: Place) -> None:
        truth = offset(*HOME, 0.0, SPEED_MPS * (shutter_s - LATENCY_S))
        astray_m = distance_m(*truth, place.latitude_deg, place.longitude_deg)
        self.kept += 1
        self.farthest_m = max(self.farthest_m, astray_m)
        if not astray_m <= ASTRAY_M:
            self.wrong.append((place, astray_m))


ROW = Row("receivers", "gpsd's lines, mutated, and 70 by hand", short=600, full=10_000, needs=(), run=run)
