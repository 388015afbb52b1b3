"""When doubted reports are believed after all: when several in a row agree with one another. Pure."""

from device.earth import distance_m
from device.positions import SPEED_LIMIT_MPS, Position

JUMP_SLACK_M = 5.0
"""What a position may jump besides, since noise of metres within a tenth of a second is no speed."""

REPORTS = 4
SPAN_S = 3.0
"""So many reports over so long a time are believed: a single wild point, or a burst of them, is not."""

RHYTHM_S = 1.0
"""By how much two neighbours' times may differ from their arrivals."""


class Streak:
    """Consecutive doubted reports that agree: in time with their arrivals, in place with a car's speed."""

    def __init__(self) -> None:
        self._first: tuple[Position, float] | None = None
        self._last: tuple[Position, float] | None = None
        self._count = 0

    def add(self, position: Position, arrival_boot_s: float) -> bool:
        """One more doubted report; True where the streak is long enough to believe this one.

        A report with the same time as the one before is a repetition and counts for nothing: a frozen time never recovers.
        """
        if self._last is not None and self._last[0].taken_at == position.taken_at:
            return False
        if self._first is None or self._last is None or not _agree(self._last, (position, arrival_boot_s)):
            self._first, self._count = (position, arrival_boot_s), 0
        self._last = (position, arrival_boot_s)
        self._count += 1
        return self._count >= REPORTS and _seconds(self._first[0], position) >= SPAN_S

    def clear(self) -> None:
        """A report was accepted."""
        self._first = self._last = None
        self._count = 0


def _agree(earlier: tuple[Position, float], later: tuple[Position, float]) -> bool:
    before, after = earlier[0], later[0]
    seconds = _seconds(before, after)
    if seconds <= 0.0 or abs(later[1] - earlier[1] - seconds) > RHYTHM_S:
        return False
    jump_m = distance_m(before.latitude_deg, before.longitude_deg, after.latitude_deg, after.longitude_deg)
    return jump_m <= SPEED_LIMIT_MPS * seconds + JUMP_SLACK_M


def _seconds(earlier: Position, later: Position) -> float:
    return (later.taken_at - earlier.taken_at).total_seconds()
