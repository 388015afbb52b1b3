"""Whether the camera still looks where it was calibrated to look: the road's lines tell its pitch and yaw on the way. Pure.

A holder that slips, or a windscreen that was changed, moves every finding by metres and shows in no single photo.
"""

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np

from device.earth import turn_deg
from device.frame import Pixels, Place
from inference.lens import Lens
from inference.vanishing import Floats, lines_of, vanishing_point

MOVED_DEG = 1.5
"""From here on it has moved: at 10 m that is 2 m along the road by pitch, 0.3 m across it by yaw."""
STRAIGHT_DEG, SLOW_MPS = 1.0, 5.0
"""A street is straight where the heading of neighbouring frames differs by less; a slow car may be on its way into a bend."""
EVERY = 16
"""Of the frames on straight streets, one in so many is looked at: its lines cost as much as half a look."""
FRAMES = 20
"""So many of them tell the drift, a kilometre or two of straight street; older ones are forgotten."""
AGREE_SHARE = 0.6
"""It has moved if each half of the frames says so by itself, to the same side and by this share of `MOVED_DEG`."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How much farther down and right the camera looks than it was calibrated to, by so many frames.

    `halves` are pitch and yaw by each half of the frames, where those tell any.
    """

    pitch_deg: float
    yaw_deg: float
    frames: int
    halves: tuple[tuple[float, float], ...] = ()

    @property
    def moved(self) -> bool:
        """Whether it is more than the measure is unsure of and than findings bear."""
        return self._moved(self.pitch_deg, 0) or self._moved(self.yaw_deg, 1)

    def _moved(self, drift_deg: float, axis: int) -> bool:
        side = math.copysign(1.0, drift_deg)
        agreed = len(self.halves) == 2 and all(half[axis] * side > AGREE_SHARE * MOVED_DEG for half in self.halves)
        return abs(drift_deg) > MOVED_DEG and agreed


@dataclass
class Mount:
    """Watches frames of one lens; `take` them in the order of the road, hidden or not: only lines are kept."""

    lens: Lens
    _lines: deque[Floats] = field(default_factory=lambda: deque(maxlen=FRAMES))
    _heading_deg: float | None = None
    _straight: int = 0

    def take(self, pixels: Pixels, place: Place) -> "Drift | None":
        """The next frame; the drift, each time that enough frames have been looked at anew, else None."""
        before, self._heading_deg = self._heading_deg, place.heading_deg
        if before is None or place.heading_deg is None or place.speed_mps < SLOW_MPS:
            return None
        if abs(turn_deg(place.heading_deg - before)) > STRAIGHT_DEG:
            return None
        self._straight += 1
        if self._straight % EVERY:
            return None
        self._lines.append(lines_of(pixels, self.lens))
        return drift_of(list(self._lines), self.lens) if self._straight % (EVERY * FRAMES) == 0 else None


def drift_of(lines: list[Floats], lens: Lens) -> Drift | None:
    """The drift that the lines of several frames tell (`vanishing.lines_of`); None where no street is seen in them."""
    whole = _drift(lines, lens)
    if whole is None:
        return None
    halves = [_drift(half, lens) for half in (lines[::2], lines[1::2]) if half]
    return Drift(*whole, len(lines), tuple(half for half in halves if half is not None))


def _drift(lines: list[Floats], lens: Lens) -> tuple[float, float] | None:
    found = vanishing_point(np.concatenate(lines), np.random.default_rng(0))
    return None if found is None else (found.pitch_deg - lens.pitch_deg, found.yaw_deg - lens.yaw_deg)
