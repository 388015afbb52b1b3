"""Which of the receiver's reports are fixes. Pure: no clock inside; the moment of arrival is passed in.

A receiver lies in many ways: the position of before while it sees nothing, 0, 0, a date of 1024 weeks ago, a jump of 20 km and
back, everything twice (docs/faults.md, 3 to 9). What is refused is counted under its reason. The first fixes of a start are two
that agree (`FirstTwo`). A doubt about time or place is not for ever: a few reports that agree with one another are believed
(`Streak`).
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from device.doubt import FirstTwo, Heard, Streak, frozen, jumped, seconds_between
from device.fix import Fix, SpeedSource
from device.positions import NEIGHBOUR_S, SPEED_LIMIT_MPS, CourseHold, Position, way
from device.refusal import Reason, Refusals
from device.satclock import SatelliteClock
from device.sound import BUILT_AT, sound
from device.tpv import Report
from device.utc import unix_s

LATE_LIMIT_S = 2.0
AHEAD_LIMIT_S = 2.0
"""A report that comes so much later or earlier than its time says is old, or its time is wrong."""

DEVICE_SILENT_S = 5.0
"""Another device is listened to when the one in use has given no fix for so long."""


class FixGate:
    """Decides, report by report, and puts each accepted one on the boot clock. A time before `oldest` is wrong."""

    def __init__(self, oldest: datetime = BUILT_AT) -> None:
        self._oldest = oldest
        self._refusals = Refusals()
        self._clock = SatelliteClock()
        self._first_two = FirstTwo()
        self._streak = Streak()
        self._hold = CourseHold()
        self._device: str | None = None
        self._device_s = 0.0
        self._last: Position | None = None
        self._base: Position | None = None
        self._speed_seen_s: float | None = None
        self._speed_source: SpeedSource = "doppler"

    @property
    def rejected(self) -> Mapping[str, int]:
        """How many reports were refused, by reason: a copy."""
        return self._refusals.counts

    @property
    def speed_source(self) -> SpeedSource:
        """Where the speed of the last fix came from."""
        return self._speed_source

    def troubles(self, now_boot_s: float) -> tuple[Reason, ...]:
        """What keeps the receiver's reports from being fixes now, the commonest first (device/refusal.py)."""
        return self._refusals.troubles(now_boot_s)

    def accept(self, report: Report, arrival_boot_s: float) -> tuple[Fix, ...]:
        """The fixes that are certain with this report: itself, none where it is refused or held back, the first two of a start.

        A receiver that gives no speed at all gets it from the position before. One that does give speed sends reports without
        it at the start of a cycle: those are refused (`no_speed`), since the full one with the same time follows.
        """
        fixes = [self._fix(heard) for heard in self._believed(report, arrival_boot_s)]
        return tuple(fix for fix in fixes if fix is not None)

    def admit(self, report: Report, arrival_boot_s: float) -> tuple[Position, ...]:
        """The same for a recording that has no speed: positions."""
        believed = self._believed(report, arrival_boot_s)
        for heard in believed:
            self._commit(heard)
        return tuple(heard.position for heard in believed)

    def _believed(self, report: Report, arrival_boot_s: float) -> tuple[Heard, ...]:
        """What can be believed now, on the boot clock."""
        position = sound(report, arrival_boot_s, self._oldest)
        if not isinstance(position, Position):
            return self._refuse(position, arrival_boot_s)
        if not self._listens_to(report.device, arrival_boot_s):
            return self._refuse("second_device", arrival_boot_s)
        heard = Heard(position, arrival_boot_s)
        return self._begin(heard) if self._last is None else self._go_on(heard, self._last)

    def _listens_to(self, device: str | None, arrival_boot_s: float) -> bool:
        """Whether this device is the one in use, or is now, since that one has given no fix for long."""
        if device is None or device == self._device:
            return True
        if self._device is not None and arrival_boot_s - self._device_s < DEVICE_SILENT_S:
            return False
        if self._device is not None and self._first_two.forget():
            self._refuse("unconfirmed", arrival_boot_s)
        self._device, self._device_s = device, arrival_boot_s
        return True

    def _begin(self, heard: Heard) -> tuple[Heard, ...]:
        """The first two, once they agree."""
        pair = self._first_two.add(heard)
        if pair is None:
            return ()
        if isinstance(pair, str):
            return self._refuse(pair, heard.arrival_boot_s)
        for each in pair:
            self._observe(each)
        return tuple(self._placed(each) for each in pair)

    def _go_on(self, heard: Heard, last: Position) -> tuple[Heard, ...]:
        """A report after others, unless its time or its place are in doubt."""
        placed = self._placed(heard)
        doubt = self._doubt(placed, last)
        if doubt is not None:
            if doubt == "position_frozen" or not self._streak.add(placed):
                return self._refuse(doubt, heard.arrival_boot_s)
            if doubt != "too_fast":
                self._clock.reset()
                placed = self._placed(heard)
            if placed.position.boot_s <= last.boot_s:
                return self._refuse("time_not_newer", heard.arrival_boot_s)
        self._observe(heard)
        return (placed,)

    def _doubt(self, placed: Heard, last: Position) -> Reason | None:
        position = placed.position
        late_s = self._clock.late_s(unix_s(position.taken_at), placed.arrival_boot_s)
        newer_s = seconds_between(last, position)
        if newer_s <= 0.0:
            return "time_not_newer" if newer_s == 0.0 else "time_backwards"
        if late_s > LATE_LIMIT_S:
            return "late"
        if late_s < -AHEAD_LIMIT_S:
            return "time_jumped"
        if position.boot_s <= last.boot_s:
            return "time_not_newer"
        if jumped(last, position):
            return "too_fast"
        return "position_frozen" if frozen(last, position) else None

    def _placed(self, heard: Heard) -> Heard:
        """The same with its moment on the boot clock."""
        boot_s = self._clock.boot_s(unix_s(heard.position.taken_at), heard.arrival_boot_s)
        return heard._replace(position=replace(heard.position, boot_s=boot_s))

    def _observe(self, heard: Heard) -> None:
        self._clock.observe(unix_s(heard.position.taken_at), heard.arrival_boot_s)

    def _fix(self, heard: Heard) -> Fix | None:
        """The fix of what is believed; None where its speed is unknown."""
        position, arrival_boot_s = heard
        motion = self._motion(position, arrival_boot_s)
        if motion is None:
            self._base = position
            self._refuse("no_speed", arrival_boot_s)
            return None
        self._commit(heard)
        self._speed_source = "positions" if position.speed_mps is None else "doppler"
        return self._hold.fix(position, *motion)

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

    def _commit(self, heard: Heard) -> None:
        self._streak.clear()
        self._last, self._base = heard.position, None
        self._device_s = heard.arrival_boot_s
        self._refusals.accepted(heard.arrival_boot_s)

    def _refuse(self, reason: Reason, arrival_boot_s: float) -> tuple[Heard, ...]:
        self._refusals.refused(reason, arrival_boot_s)
        return ()
