"""Where the car drove, in pieces of 500 m or 60 s: what the `track` event tells. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from device.earth import distance_m
from device.fix import Fix
from device.spacing import Gap, Spacing

PIECE_M = 500.0
PIECE_S = 60.0
STEP_M = 5.0
"""Points of the line are at least this far apart."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A finished piece of track. `points` are (latitude, longitude) in degrees, at least two; `n` counts pieces of the round."""

    n: int
    points: tuple[tuple[float, float], ...]
    started_at: datetime
    ended_at: datetime
    start_m: float
    end_m: float
    frames: int
    filled_m: float
    gaps: tuple[Gap, ...]
    spacing: Mapping[str, Any]


class Tracker:
    """Collects fixes, frames and gaps, and cuts them into pieces."""

    def __init__(self, spacing_m: float) -> None:
        self._n = 0
        self._spacing = Spacing(spacing_m)
        self._fixes: list[Fix] = []
        self._last: Fix | None = None
        self._start_m = 0.0
        self._filled_m = 0.0
        self._gaps: list[Gap] = []

    def begin(self, odometer_m: float) -> None:
        """The track begins at this reading: road that was guessed before the first fix is none of it."""
        self._start_m = odometer_m

    def fix(self, fix: Fix, odometer_m: float, filled_m: float) -> Piece | None:
        """The next fix, the odometer there, and how much of the road to it is filled; a finished piece at 500 m or 60 s."""
        self._last = fix
        self._filled_m += filled_m
        if not self._fixes or _apart(self._fixes[-1], fix) >= STEP_M:
            self._fixes.append(fix)
        seconds = fix.boot_s - self._fixes[0].boot_s
        if odometer_m - self._start_m >= PIECE_M or seconds >= PIECE_S:
            return self._cut(odometer_m)
        return None

    def frame(self, odometer_m: float, *, filled: bool, standing: bool) -> None:
        """A frame was kept."""
        self._spacing.kept(odometer_m, filled=filled, standing=standing)

    def gap(self, gap: Gap) -> None:
        """A gap was closed."""
        self._gaps.append(gap)

    def stood(self, seconds: float) -> None:
        """The car stood still so long."""
        self._spacing.standing_s += seconds

    def end(self, odometer_m: float) -> Piece | None:
        """The round ends: what is left, None where the car did not move."""
        return self._cut(odometer_m) if self._last is not None else None

    def _cut(self, odometer_m: float) -> Piece | None:
        """The piece up to here. A car that stood all the time makes none: what was counted goes into the next."""
        last = self._last
        if last is None or odometer_m <= self._start_m:
            self._fixes = self._fixes[:1] if last is None else [last]
            return None
        fixes = self._fixes if self._fixes[-1] == last and len(self._fixes) > 1 else [*self._fixes, last]
        points = tuple((fix.latitude_deg, fix.longitude_deg) for fix in fixes)
        piece = Piece(
            n=self._n,
            points=points,
            started_at=fixes[0].taken_at,
            ended_at=last.taken_at,
            start_m=self._start_m,
            end_m=odometer_m,
            frames=self._spacing.frames,
            filled_m=self._filled_m,
            gaps=tuple(self._gaps),
            spacing=self._spacing.summary(),
        )
        self._n += 1
        self._fixes, self._start_m, self._filled_m, self._gaps = [last], odometer_m, 0.0, []
        self._spacing = self._spacing.go_on()
        return piece


def _apart(here: Fix, there: Fix) -> float:
    return distance_m(here.latitude_deg, here.longitude_deg, there.latitude_deg, there.longitude_deg)
