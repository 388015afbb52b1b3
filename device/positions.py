"""Speed and course from positions, where a receiver or a recording gives none. Pure.

Worse than Doppler: a metre of position noise at 1 Hz is half a metre per second of speed. Whoever uses it says so
(`speed_source` is `positions`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from device.earth import bearing_deg, distance_m
from device.fix import Fix

NEIGHBOUR_S = 2.5
"""Positions farther apart than this say nothing about the speed at either of them."""

BASE_S = 0.5
"""A neighbour nearer than this is passed over where there is one farther off: noise is divided by the time between."""

SPEED_LIMIT_MPS = 60.0
"""216 km/h: no car of a town is faster."""

COURSE_HOLDS_BELOW_MPS = 1.0
"""Slower than this a course is noise, and the last one is held."""


@dataclass(frozen=True, slots=True)
class Position:
    """A fix whose speed and course may be unknown (None). The rest as in `Fix`."""

    latitude_deg: float
    longitude_deg: float
    accuracy_m: float
    speed_mps: float | None
    course_deg: float | None
    taken_at: datetime
    boot_s: float


class CourseHold:
    """Holds the last course of a moving car while it stands."""

    def __init__(self) -> None:
        self._held_deg: float | None = None

    def fix(self, position: Position, speed_mps: float, course_deg: float | None) -> Fix:
        """The fix of a position with its speed. Below `COURSE_HOLDS_BELOW_MPS` its course is the last one, None before any."""
        if speed_mps < COURSE_HOLDS_BELOW_MPS:
            course_deg = self._held_deg
        elif course_deg is not None:
            self._held_deg = course_deg
        return Fix(
            position.latitude_deg,
            position.longitude_deg,
            position.accuracy_m,
            speed_mps,
            course_deg,
            position.taken_at,
            position.boot_s,
        )


def way(earlier: Position, later: Position) -> tuple[float, float]:
    """Mean speed in m/s and bearing in degrees from one position to a later one."""
    ends = (earlier.latitude_deg, earlier.longitude_deg, later.latitude_deg, later.longitude_deg)
    return distance_m(*ends) / (later.boot_s - earlier.boot_s), bearing_deg(*ends)


def with_speeds(positions: Sequence[Position]) -> list[tuple[Fix, float]]:
    """Each position (in order of `boot_s`) as a fix, with the moment on the boot clock at which its speed can be known.

    Central differences: from the neighbour before to the neighbour after, each within `NEIGHBOUR_S`; one-sided where one is
    missing. There is no look-ahead: a fix that needs the next position arrives with that position, and one that has no next
    position arrives `NEIGHBOUR_S` after itself, when it is certain that none comes. A position with no neighbour on either side
    takes the mean speed since the position before it; the first of all is left out then.
    """
    hold = CourseHold()
    fixes: list[tuple[Fix, float]] = []
    for index, position in enumerate(positions):
        before = _neighbour(positions, index, -1)
        after = _neighbour(positions, index, +1)
        # A neighbour nearer than BASE_S is taken only once it is certain that no better one comes.
        settled = after is not None and after.boot_s - position.boot_s >= BASE_S
        arrival_boot_s = after.boot_s if after is not None and settled else position.boot_s + NEIGHBOUR_S
        if before is None and after is None:
            if index == 0:
                continue
            before = positions[index - 1]
        speed_mps, course_deg = way(before or position, after or position)
        fixes.append((hold.fix(position, min(speed_mps, SPEED_LIMIT_MPS), course_deg), arrival_boot_s))
    return fixes


def _neighbour(positions: Sequence[Position], index: int, step: int) -> Position | None:
    """The nearest position on one side at least `BASE_S` away, else the farthest nearer one; None beyond `NEIGHBOUR_S`."""
    here, found = positions[index], None
    other = index + step
    while 0 <= other < len(positions):
        apart_s = abs(positions[other].boot_s - here.boot_s)
        if apart_s > NEIGHBOUR_S:
            break
        found = positions[other]
        if apart_s >= BASE_S:
            break
        other += step
    return found
