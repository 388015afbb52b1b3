"""What a car cannot have done between two positions. Pure.

Where reports are doubted, several that agree with one another are believed after all (`Streak`); the first of a start needs a
second (`FirstTwo`).
"""

from typing import NamedTuple

from device.earth import distance_m
from device.positions import SPEED_LIMIT_MPS, Position
from device.refusal import Reason

JUMP_SLACK_M = 5.0
"""What a position may jump besides, since noise of metres within a tenth of a second is no speed."""

FROZEN_SPEED_MPS = 5.0
FROZEN_M = 0.1
FROZEN_STEPS = 4.0
"""A receiver that says such a speed and yet the place of its last fix, to `FROZEN_M`, repeats that place. So much road must lie
between by its speed that neither a place rounded to 0.2 m nor two reports within a twentieth of a second look like it."""

REPORTS = 4
SPAN_S = 3.0
"""So many reports over so long a time are believed: a single wild point, or a burst of them, is not."""

RHYTHM_S = 1.0
"""By how much two neighbours' times may differ from their arrivals."""


class Heard(NamedTuple):
    """A position and when its report arrived, on the boot clock."""

    position: Position
    arrival_boot_s: float


class Streak:
    """Consecutive doubted reports that agree: in time with their arrivals, in place with a car's speed."""

    def __init__(self) -> None:
        self._first: Heard | None = None
        self._last: Heard | None = None
        self._count = 0

    def add(self, heard: Heard) -> bool:
        """One more doubted report; True where the streak is long enough to believe this one.

        A report with the same time as the one before is a repetition and counts for nothing: a frozen time never recovers.
        """
        if self._last is not None and self._last.position.taken_at == heard.position.taken_at:
            return False
        if self._first is None or self._last is None or not agree(self._last, heard):
            self._first, self._count = heard, 0
        self._last = heard
        self._count += 1
        return self._count >= REPORTS and seconds_between(self._first.position, heard.position) >= SPAN_S

    def clear(self) -> None:
        """A report was accepted."""
        self._first = self._last = None
        self._count = 0


class FirstTwo:
    """Holds the first report of a start back until a second agrees with it: one alone may carry the time of yesterday.

    A receiver's time is right where it runs as fast as the boot clock does. So the time between two reports must be that between
    their arrivals, and a car must have been able to come from the one to the other.
    """

    def __init__(self) -> None:
        self._held: Heard | None = None

    def add(self, heard: Heard) -> tuple[Heard, Heard] | Reason | None:
        """Both, where they agree; None where this one is held; else why one of them is refused: the older where they disagree."""
        held = self._held
        if held is None:
            self._held = heard
            return None
        if held.position.taken_at == heard.position.taken_at:
            if held.position.speed_mps is not None or heard.position.speed_mps is None:
                return "time_not_newer"
            self._held = heard
            return "no_speed"
        if not agree(held, heard):
            self._held = heard
            return "unconfirmed"
        if frozen(held.position, heard.position):
            return "position_frozen"
        self._held = None
        return held, heard

    def forget(self) -> bool:
        """Another receiver is listened to. Whether a report was held."""
        held, self._held = self._held, None
        return held is not None


def agree(earlier: Heard, later: Heard) -> bool:
    """Whether two reports agree: in time with their arrivals, in place with a car's speed."""
    seconds = seconds_between(earlier.position, later.position)
    if seconds <= 0.0 or abs(later.arrival_boot_s - earlier.arrival_boot_s - seconds) > RHYTHM_S:
        return False
    return not jumped(earlier.position, later.position)


def jumped(earlier: Position, later: Position) -> bool:
    """Whether no car drives from the one to the other in the time between."""
    return moved_m(earlier, later) > SPEED_LIMIT_MPS * seconds_between(earlier, later) + JUMP_SLACK_M


def frozen(earlier: Position, later: Position) -> bool:
    """Whether the later one repeats the place of the earlier one while its own speed says that the car has left it."""
    speed_mps = later.speed_mps or 0.0
    road_m = speed_mps * seconds_between(earlier, later)
    return speed_mps >= FROZEN_SPEED_MPS and moved_m(earlier, later) < FROZEN_M < road_m / FROZEN_STEPS


def moved_m(earlier: Position, later: Position) -> float:
    """Metres between the two."""
    return distance_m(earlier.latitude_deg, earlier.longitude_deg, later.latitude_deg, later.longitude_deg)


def seconds_between(earlier: Position, later: Position) -> float:
    """By their own times."""
    return (later.taken_at - earlier.taken_at).total_seconds()
