"""What day it is, for the retention of photos: confirmed time, which no jump of a clock moves.

Only the satellites' time is asked, never the wall clock. A step of more than `NEAR_S`, ahead or back, counts only when a
later boot has seen it too: one receiver that loses its week, or one start with a wrong date, ages no photo.
"""

from dataclasses import dataclass, replace
from typing import Final

DAY_S: Final = 86400.0

NEAR_S = 7 * DAY_S
"""Time may step ahead so far at once: a car that stood for a week."""

AGREE_S = 31 * DAY_S
"""Two boots agree on a far date where the later one says the same or up to so much more."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """`now_s`: confirmed time in seconds since 1970, None before there was any.

    `far_s` is a date far from it that the boot `far_boot` has seen, and no later one yet.
    """

    now_s: float | None = None
    far_s: float | None = None
    far_boot: str | None = None


@dataclass(frozen=True, slots=True)
class Turned:
    """A calendar after a reading. `shift_s`: add this to what was dated by it, where it had been ahead and was set right."""

    calendar: Calendar
    shift_s: float = 0.0


def turn(calendar: Calendar, seen_s: float, boot: str) -> Turned:
    """The calendar after the satellites have said `seen_s` in the boot `boot`."""
    now_s = calendar.now_s
    if now_s is None:
        return Turned(Calendar(seen_s))
    if abs(seen_s - now_s) <= NEAR_S:
        return Turned(Calendar(max(now_s, seen_s)))
    far_s, far_boot = calendar.far_s, calendar.far_boot
    agreed = far_s is not None and far_boot != boot and 0 <= seen_s - far_s <= AGREE_S
    if agreed:
        return Turned(Calendar(seen_s), min(0.0, seen_s - now_s))
    if far_boot == boot:
        return Turned(calendar)
    return Turned(replace(calendar, far_s=seen_s, far_boot=boot))
