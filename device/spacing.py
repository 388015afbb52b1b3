"""How evenly a round was photographed: the distances between kept frames, and the road without a photo. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

TOLERANCE_M = 0.5
"""A distance between two frames counts as right within this of the spacing."""

BIN_M = 0.5
"""Width of the histogram's bins."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Road without a photo: it begins at `odometer_m`, where the last photo was, and ends at the next one."""

    odometer_m: float
    length_m: float
    reason: str


@dataclass
class Spacing:
    """The tally of one round. Frames and misses are told in the order of the road."""

    spacing_m: float
    frames: int = 0
    marks: int = 0
    filled: int = 0
    standing: int = 0
    standing_s: float = 0.0
    gaps: list[Gap] = field(default_factory=list)
    distances_m: list[float] = field(default_factory=list)
    _last_m: float | None = None
    _reasons: Counter[str] = field(default_factory=Counter)

    def kept(self, odometer_m: float, *, filled: bool, standing: bool) -> Gap | None:
        """A frame was kept; the gap that it closes, if there is one."""
        self.marks += 1
        self.frames += 1
        self.filled += filled
        self.standing += standing
        if self._last_m is not None:
            self.distances_m.append(odometer_m - self._last_m)
        gap = self._close(odometer_m)
        self._last_m = odometer_m
        return gap

    def missed(self, reason: str) -> None:
        """A mark has no photo."""
        self.marks += 1
        self._reasons[reason] += 1

    def end(self, odometer_m: float) -> Gap | None:
        """The round ends; the gap that is still open, if there is one."""
        return self._close(odometer_m)

    def go_on(self) -> "Spacing":
        """A new tally that goes on where this one stops: its first distance begins at the last frame here."""
        return Spacing(self.spacing_m, _last_m=self._last_m)

    def summary(self) -> dict[str, Any]:
        """What the track tells of it: the distances between frames, and the frames that were filled or taken standing."""
        share = self.share_within
        return {
            "share_within": None if share is None else round(share, 4),
            "longest_m": round(max(self.distances_m), 2) if self.distances_m else None,
            "histogram_m": self.histogram_m(),
            "filled_frames": self.filled,
            "standing_frames": self.standing,
            "standing_s": round(self.standing_s, 1),
        }

    def _close(self, odometer_m: float) -> Gap | None:
        if not self._reasons:
            return None
        start_m = self._last_m or 0.0
        gap = Gap(start_m, max(0.0, odometer_m - start_m), self._reasons.most_common(1)[0][0])
        self._reasons.clear()
        self.gaps.append(gap)
        return gap

    @property
    def share_within(self) -> float | None:
        """Share of the distances between frames within `TOLERANCE_M` of the spacing; None where there are none."""
        if not self.distances_m:
            return None
        within = sum(abs(distance_m - self.spacing_m) <= TOLERANCE_M for distance_m in self.distances_m)
        return within / len(self.distances_m)

    @property
    def filled_share(self) -> float | None:
        """Share of the frames that were placed inside a loss of fix."""
        return self.filled / self.frames if self.frames else None

    def histogram_m(self) -> dict[str, int]:
        """Distances between frames: lower edge of the bin in metres to how many."""
        bins = Counter(int(distance_m // BIN_M) for distance_m in self.distances_m)
        return {f"{number * BIN_M:.1f}": bins[number] for number in sorted(bins)}
