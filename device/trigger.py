"""Which frame serves which mark. Pure: odometer readings in, a choice out.

A mark is a point of the odometer where a photo is wanted: one spacing after the frame just kept, so that errors never add up.
A frame serves it if it is the nearest one and within half a spacing; otherwise the mark is missed and the next one lies a
spacing on. The choice is made afterwards, once the road on both sides of the mark is known.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

FIRST_MARK_M = 1.0
"""The first mark: the first metre driven."""


@dataclass(frozen=True, slots=True)
class Serve:
    """The frame with this index serves the mark, if it can be read."""

    index: int


@dataclass(frozen=True, slots=True)
class Miss:
    """No frame serves the mark."""


class Trigger:
    """Holds the next mark."""

    def __init__(self, spacing_m: float) -> None:
        self.spacing_m = spacing_m
        self.mark_m = FIRST_MARK_M

    def decide(self, odometers_m: Sequence[float], settled_m: float) -> Serve | Miss | None:
        """Whether a frame serves the present mark; None while the nearest one may still come.

        Args:
            odometers_m: readings of the frames at hand, ascending, all on known road.
            settled_m: no further frame will come with a reading at or below this.
        """
        at = bisect_left(odometers_m, self.mark_m)
        if at == len(odometers_m) and settled_m < self.mark_m + self.spacing_m / 2.0:
            return None
        near = [index for index in (at - 1, at) if 0 <= index < len(odometers_m)]
        best = min(near, key=lambda index: abs(odometers_m[index] - self.mark_m), default=None)
        if best is None or abs(odometers_m[best] - self.mark_m) > self.spacing_m / 2.0:
            return Miss()
        return Serve(best)

    def served(self, odometer_m: float) -> None:
        """A frame at this reading is kept: the next mark lies one spacing after it."""
        self.mark_m = odometer_m + self.spacing_m

    def go_on(self) -> None:
        """The next mark lies one spacing after this one: it is missed, or served by one of few frames, whose errors even out."""
        self.mark_m += self.spacing_m
