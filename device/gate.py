"""Which of the receiver's reports are fixes. Pure: no clock inside; the moment of arrival is passed in.

A receiver lies in many ways: the position of before while it sees nothing, 0, 0, a date of 1024 weeks ago, a jump of 20 km and
back, everything twice (docs/faults.md, 3 to 9). What is refused is counted under its reason. A doubt about time or place is not
for ever: a few reports that agree with one another are believed (`Streak`).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from typing import Literal

from device.earth import distance_m
from device.fix import Fix, SpeedSource
from device.positions import NEIGHBOUR_S, SPEED_LIMIT_MPS, CourseHold, Position, way
from device.satclock import SatelliteClock
from device.streak import JUMP_SLACK_M, Streak
from device.tpv import FIX_2D, Report
from device.utc import unix_s

Reason = Literal[
    "no_mode",
    "no_position",
    "out_of_range",
    "no_time",
    "time_before_build",
    "eph_over_limit",
    "second_device",
    "time_not_newer",
    "late",
    "time_jumped",
    "too_fast",
    "position_frozen",
    "no_speed",
]

BUILT_AT = datetime(2025, 1, 1, tzinfo=timezone.utc)
"""No round of this software is older; receivers that lost count of the weeks say 1024 or 2048 weeks too early. A recording may be
older, so the gate takes the date."""

ACCURACY_LIMIT_M = 60.0
"""gpsd 3.22 says eph = 19 m x HDOP for a plain NMEA receiver: 20 to 45 m in ordinary streets, where the true error is a third.
A limit of 30 m would refuse most of a town; beyond 60 m, HDOP is over 3."""

NO_PLACE_DEG = 1e-4
"""Nearer than this to 0, 0 there is no road but many a receiver without a position."""

LATE_LIMIT_S = 2.0
AHEAD_LIMIT_S = 2.0
"""A report that comes so much later or earlier than its time says is old, or its time is wrong."""

FROZEN_SPEED_MPS = 5.0
FROZEN_M = 0.1
FROZEN_STEPS = 4.0
"""A receiver that says such a speed and yet the place of its last fix, to `FROZEN_M`, repeats that place. So much road must lie
between by its speed that neither a place rounded to 0.2 m nor two reports within a twentieth of a second look like it."""

DEVICE_SILENT_S = 5.0
"""Another device is listened to when the one in use has given no fix for so long."""


class FixGate:
    """Decides, report by report, and puts each accepted one on the boot clock. A time before `built_at` is wrong."""

    def __init__(self, built_at: datetime = BUILT_AT) -> None:
        self._built_at = built_at
        self._rejected: Counter[str] = Counter()
        self._clock = SatelliteClock()
        self._streak = Streak()
        self._hold = CourseHold()
        self._device: str | None = None
        self._last: Position | None = None
        self._last_arrival_s = 0.0
        self._base: Position | None = None
        self._speed_seen_s: float | None = None
        self._speed_source: SpeedSource = "doppler"

    @property
    def rejected(self) -> Mapping[str, int]:
        """How many reports were refused, by reason: a copy, which any thread may take."""
        return dict(self._rejected)

    @property
    def speed_source(self) -> SpeedSource:
        """Where the speed of the last fix came from."""
        return self._speed_source

    def accept(self, report: Report, arrival_boot_s: float) -> Fix | Reason:
        """The fix of a report, or why it is none.

        A receiver that gives no speed at all gets it from the position before. One that does give speed sends reports without
        it at the start of a cycle: those are refused (`no_speed`), since the full one with the same time follows.
        """
        outcome = self._judge(report, arrival_boot_s)
        if not isinstance(outcome, Position):
            return self._refuse(outcome)
        motion = self._motion(outcome, arrival_boot_s)
        if motion is None:
            self._base = outcome
            return self._refuse("no_speed")
        self._commit(outcome, arrival_boot_s)
        self._speed_source = "positions" if outcome.speed_mps is None else "doppler"
        return self._hold.fix(outcome, *motion)

    def admit(self, report: Report, arrival_boot_s: float) -> Position | Reason:
        """The same for a recording that has no speed: its position, or why it is none."""
        outcome = self._judge(report, arrival_boot_s)
        if not isinstance(outcome, Position):
            return self._refuse(outcome)
        self._commit(outcome, arrival_boot_s)
        return outcome

    def _judge(self, report: Report, arrival_boot_s: float) -> Position | Reason:
        position = sound(report, arrival_boot_s, self._built_at)
        if not isinstance(position, Position):
            return position
        if report.device and self._device and report.device != self._device:
            if arrival_boot_s - self._last_arrival_s < DEVICE_SILENT_S:
                return "second_device"
            self._clock.reset()
        self._device = report.device or self._device
        return self._placed(position, arrival_boot_s)

    def _placed(self, position: Position, arrival_boot_s: float) -> Position | Reason:
        """The position with its moment on the boot clock, unless its time or its place are in doubt."""
        taken_s = unix_s(position.taken_at)
        placed = replace(position, boot_s=self._clock.boot_s(taken_s, arrival_boot_s))
        doubt = self._doubt(placed, taken_s, arrival_boot_s)
        if doubt is None:
            return placed
        if doubt == "position_frozen" or not self._streak.add(placed, arrival_boot_s):
            return doubt
        if doubt != "too_fast":
            self._clock.reset()
            placed = replace(placed, boot_s=self._clock.boot_s(taken_s, arrival_boot_s))
        if self._last is not None and placed.boot_s <= self._last.boot_s:
            return "time_not_newer"
        return placed

    def _doubt(self, placed: Position, taken_s: float, arrival_boot_s: float) -> Reason | None:
        last = self._last
        if last is None:
            return None
        late_s = self._clock.late_s(taken_s, arrival_boot_s)
        driven_s = (placed.taken_at - last.taken_at).total_seconds()
        if driven_s <= 0.0:
            return "time_not_newer"
        if late_s > LATE_LIMIT_S:
            return "late"
        if late_s < -AHEAD_LIMIT_S:
            return "time_jumped"
        if placed.boot_s <= last.boot_s:
            return "time_not_newer"
        return _doubt_of_place(last, placed, driven_s)

    def _motion(self, placed: Position, arrival_boot_s: float) -> tuple[float, float | None] | None:
        """Speed and course: the receiver's, or from the position before where it never gives a speed; None where unknown."""
        if placed.speed_mps is not None:
            self._speed_seen_s = arrival_boot_s
            return placed.speed_mps, placed.course_deg
        if self._speed_seen_s is not None and arrival_boot_s - self._speed_seen_s < DEVICE_SILENT_S:
            return None
        before = self._base or self._last
        if before is None or not 0.0 < placed.boot_s - before.boot_s <= NEIGHBOUR_S:
            return None
        motion = way(before, placed)
        # Within a tenth of a second, the noise of two positions is any speed.
        return motion if motion[0] <= SPEED_LIMIT_MPS else None

    def _commit(self, placed: Position, arrival_boot_s: float) -> None:
        self._clock.observe(unix_s(placed.taken_at), arrival_boot_s)
        self._streak.clear()
        self._last, self._base = placed, None
        self._last_arrival_s = arrival_boot_s

    def _refuse(self, reason: Reason) -> Reason:
        self._rejected[reason] += 1
        return reason


def _doubt_of_place(last: Position, placed: Position, driven_s: float) -> Reason | None:
    """Whether a car can have come from the last fix to this one, and whether its own speed says that it has left it."""
    moved_m = distance_m(last.latitude_deg, last.longitude_deg, placed.latitude_deg, placed.longitude_deg)
    if moved_m > SPEED_LIMIT_MPS * driven_s + JUMP_SLACK_M:
        return "too_fast"
    speed_mps = placed.speed_mps or 0.0
    frozen = speed_mps >= FROZEN_SPEED_MPS and moved_m < FROZEN_M < speed_mps * driven_s / FROZEN_STEPS
    return "position_frozen" if frozen else None


def sound(report: Report, arrival_boot_s: float, built_at: datetime = BUILT_AT) -> Position | Reason:
    """The position of a report that makes sense by itself, or why it does not. Its `boot_s` is that of its arrival."""
    reason = _nonsense(report, built_at)
    if reason is not None:
        return reason
    assert report.latitude_deg is not None
    assert report.longitude_deg is not None
    assert report.taken_at is not None
    return Position(
        latitude_deg=report.latitude_deg,
        longitude_deg=report.longitude_deg,
        accuracy_m=report.accuracy_m,
        speed_mps=report.speed_mps,
        course_deg=report.course_deg,
        taken_at=report.taken_at,
        boot_s=arrival_boot_s,
    )


def _nonsense(report: Report, built_at: datetime) -> Reason | None:
    if report.mode < FIX_2D:
        return "no_mode"
    latitude_deg, longitude_deg = report.latitude_deg, report.longitude_deg
    if latitude_deg is None or longitude_deg is None:
        return "no_position"
    if abs(latitude_deg) > 90.0 or abs(longitude_deg) > 180.0:
        return "out_of_range"
    if max(abs(latitude_deg), abs(longitude_deg)) < NO_PLACE_DEG:
        return "no_position"
    return _useless(report, built_at)


def _useless(report: Report, built_at: datetime) -> Reason | None:
    if report.taken_at is None:
        return "no_time"
    if report.taken_at < built_at:
        return "time_before_build"
    if report.accuracy_m > ACCURACY_LIMIT_M:
        return "eph_over_limit"
    return "too_fast" if report.speed_mps is not None and report.speed_mps > SPEED_LIMIT_MPS else None
