"""What gpsd says of a position, with None for what it does not say. Pure.

In a TPV only `class` and `mode` are certain (gpsd_json(5)); everything else comes and goes from report to report, and what is
absent must never turn into 0.0: there is a place at 0, 0 and a car does stand at 0 m/s. The names read here are the same in gpsd
3.22 and 3.25.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from device.utc import parse_utc

FIX_2D, FIX_3D = 2, 3

DEAD_RECKONED = 5
"""A TPV's `status` where no satellite is seen and the receiver goes on by itself (gpsd_json(5))."""

DEFAULT_ACCURACY_M = {FIX_2D: 30.0, FIX_3D: 15.0}
"""The radius that holds 95 % where a report has no figure of error, by its mode. In 3D, 1.5 times what receivers of this class
promise under a free sky, since a street is none; in 2D, twice that."""


class LineUnreadable(Exception):
    """A line of gpsd is no JSON object."""


@dataclass(frozen=True, slots=True)
class Report:
    """One TPV. None is what it did not say, or said as something that is no number, no time or no name.

    `mode` is 0 where unknown, 1 no fix, 2 2D, 3 3D. `accuracy_m` is the radius that holds 95 %. `dead_reckoned`: no satellite saw
    it. Nothing is checked for sense yet: a latitude may be 95 (device/sound.py).
    """

    mode: int
    latitude_deg: float | None
    longitude_deg: float | None
    accuracy_m: float
    speed_mps: float | None
    course_deg: float | None
    taken_at: datetime | None
    device: str | None
    dead_reckoned: bool = False


def parse_line(line: bytes) -> Mapping[str, Any]:
    """The object of one line of gpsd.

    Raises:
        LineUnreadable: it is none: cut, mutated, nested without end, or a bare value.
    """
    try:
        value = json.loads(line.decode("utf-8", errors="replace"))
    except (ValueError, RecursionError) as error:
        raise LineUnreadable(str(error)) from error
    if not isinstance(value, dict):
        raise LineUnreadable("it is no object")
    return value


def report_of(message: Mapping[str, Any]) -> Report | None:
    """The report in a message of gpsd, None where the message is of another class."""
    if message.get("class") != "TPV":
        return None
    mode = _mode(message.get("mode"))
    device = message.get("device")
    time = message.get("time")
    return Report(
        mode=mode,
        latitude_deg=number(message.get("lat")),
        longitude_deg=number(message.get("lon")),
        accuracy_m=_accuracy_m(message, mode),
        speed_mps=_not_negative(number(message.get("speed"))),
        course_deg=_course(number(message.get("track"))),
        taken_at=parse_utc(time) if isinstance(time, str) else None,
        device=device if isinstance(device, str) and device else None,
        dead_reckoned=number(message.get("status")) == DEAD_RECKONED,
    )


def number(value: object) -> float | None:
    """A finite number of a JSON document; None for anything else, NaN, infinity and whole numbers beyond a float included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        finite = float(value)
    except OverflowError:
        return None
    return finite if math.isfinite(finite) else None


def _mode(value: object) -> int:
    mode = number(value)
    return int(mode) if mode in (1, FIX_2D, FIX_3D) else 0


def _accuracy_m(message: Mapping[str, Any], mode: int) -> float:
    """The radius that holds 95 %.

    `eph` is that already. `epx` and `epy` are 95 % of one axis each; the root of the sum of their squares is never less than the
    radius: equal to it for an error along one axis, 1.13 times it for equal errors on both (1.960 sqrt 2 / 2.448).
    """
    eph = _positive(number(message.get("eph")))
    if eph is not None:
        return eph
    epx, epy = _positive(number(message.get("epx"))), _positive(number(message.get("epy")))
    if epx is not None and epy is not None:
        return math.hypot(epx, epy)
    return DEFAULT_ACCURACY_M.get(mode, DEFAULT_ACCURACY_M[FIX_2D])


def _positive(value: float | None) -> float | None:
    return value if value is not None and value > 0.0 else None


def _not_negative(value: float | None) -> float | None:
    return value if value is not None and value >= 0.0 else None


def _course(value: float | None) -> float | None:
    return value % 360.0 if value is not None and 0.0 <= value <= 360.0 else None
