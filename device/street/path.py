"""A line on the ground of straight pieces and arcs: where it is after so many metres, and where a place lies beside it. Pure."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import numpy as np

from device.earth import turn_deg
from device.street.geometry import Floats, Pose

STRAIGHT = 1e-9
"""Less curvature than this per metre is none."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece: where it starts and points, how long it is, and how much it turns to the right in a metre (radians)."""

    east_m: float
    north_m: float
    heading_deg: float
    length_m: float
    curvature_per_m: float = 0.0

    def at(self, along_m: float) -> Pose:
        """The place and direction so far along; before the start and behind the end it goes on as it is."""
        heading = math.radians(self.heading_deg)
        if abs(self.curvature_per_m) < STRAIGHT:
            right_m, ahead_m = 0.0, along_m
        else:
            turned = along_m * self.curvature_per_m
            right_m, ahead_m = (1.0 - math.cos(turned)) / self.curvature_per_m, math.sin(turned) / self.curvature_per_m
        return Pose(
            self.east_m + right_m * math.cos(heading) + ahead_m * math.sin(heading),
            self.north_m - right_m * math.sin(heading) + ahead_m * math.cos(heading),
            (self.heading_deg + math.degrees(along_m * self.curvature_per_m)) % 360.0,
        )

    def beside(self, east_m: Floats, north_m: Floats) -> tuple[Floats, Floats]:
        """How far along and right of this piece, longer at both ends than it is, places lie."""
        heading = math.radians(self.heading_deg)
        east_m, north_m = east_m - self.east_m, north_m - self.north_m
        right_m = east_m * math.cos(heading) - north_m * math.sin(heading)
        ahead_m = east_m * math.sin(heading) + north_m * math.cos(heading)
        if abs(self.curvature_per_m) < STRAIGHT:
            return ahead_m, right_m
        radius_m = 1.0 / self.curvature_per_m
        side = math.copysign(1.0, radius_m)
        # Seen from the centre of the arc, its middle is the direction from which angles count to both sides.
        half = self.length_m / abs(radius_m) / 2.0
        x, y = (radius_m - right_m) * side, ahead_m
        angle = np.arctan2(y * math.cos(half) - x * math.sin(half), x * math.cos(half) + y * math.sin(half)) + half
        return angle * abs(radius_m), radius_m - side * np.hypot(x, y)


@dataclass(frozen=True, slots=True)
class Path:
    """A line that closes: behind its end it begins again."""

    pieces: tuple[Piece, ...]
    starts_m: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "starts_m", tuple(accumulate((piece.length_m for piece in self.pieces), initial=0.0)))

    @property
    def length_m(self) -> float:
        """Once around."""
        return self.starts_m[-1]

    def at(self, along_m: float, right_m: float = 0.0) -> Pose:
        """The place so far along, or so far to its right."""
        along_m %= self.length_m
        number = min(bisect_right(self.starts_m, along_m), len(self.pieces)) - 1
        pose = self.pieces[number].at(along_m - self.starts_m[number])
        return pose if right_m == 0.0 else Pose(*pose.to_world(right_m, 0.0), pose.heading_deg)

    def curvature_per_m(self, along_m: float) -> float:
        """How much it turns to the right in a metre, in radians."""
        along_m %= self.length_m
        return self.pieces[min(bisect_right(self.starts_m, along_m), len(self.pieces)) - 1].curvature_per_m

    def beside(self, east_m: Floats, north_m: Floats, pieces: Sequence[int] | None = None) -> tuple[Floats, Floats]:
        """How far along and right of the nearest point places lie; nan along and inf right where no piece lies beside them."""
        along_m, right_m = np.full(np.shape(east_m), np.nan), np.full(np.shape(east_m), np.inf)
        for number in range(len(self.pieces)) if pieces is None else pieces:
            here_m, off_m = self.pieces[number].beside(east_m, north_m)
            slack_m = 1e-6
            nearer = (here_m >= -slack_m) & (here_m <= self.pieces[number].length_m + slack_m) & (np.abs(off_m) < np.abs(right_m))
            along_m = np.where(nearer, here_m + self.starts_m[number], along_m)
            right_m = np.where(nearer, off_m, right_m)
        return along_m, right_m

    def gap(self, from_m: float, to_m: float) -> float:
        """How far it is from one place along to another, by the shorter way around: negative where that is backwards."""
        return (to_m - from_m + self.length_m / 2.0) % self.length_m - self.length_m / 2.0


def closed(corners: Sequence[tuple[float, float]], radii_m: Sequence[float]) -> Path:
    """The closed line through corners (east, north), each rounded by its radius; it starts in the middle of the last side.

    Raises:
        ValueError: two roundings do not fit on one side.
    """
    count = len(corners)
    headings = [_heading_deg(corners[n], corners[(n + 1) % count]) for n in range(count)]
    turns = [turn_deg(headings[n] - headings[n - 1]) for n in range(count)]
    tangents_m = [radius * math.tan(math.radians(abs(turn)) / 2.0) for radius, turn in zip(radii_m, turns, strict=True)]
    pieces: list[Piece] = []
    for n in range(count):
        here, after = corners[n], corners[(n + 1) % count]
        left_m = math.dist(here, after) - tangents_m[n] - tangents_m[(n + 1) % count]
        if left_m <= 0.0:
            raise ValueError(f"the roundings of corners {n} and {(n + 1) % count} do not fit between them")
        curvature = math.copysign(1.0 / radii_m[n], turns[n])
        back = math.radians(headings[n - 1])
        begins = (here[0] - tangents_m[n] * math.sin(back), here[1] - tangents_m[n] * math.cos(back))
        arc = Piece(*begins, headings[n - 1], abs(math.radians(turns[n])) * radii_m[n], curvature)
        end = arc.at(arc.length_m)
        pieces += [arc, Piece(end.east_m, end.north_m, headings[n], left_m)]
    last = pieces.pop()
    half = last.at(last.length_m / 2.0)
    first = Piece(half.east_m, half.north_m, last.heading_deg, last.length_m / 2.0)
    return Path((first, *pieces, Piece(last.east_m, last.north_m, last.heading_deg, last.length_m / 2.0)))


def _heading_deg(here: tuple[float, float], there: tuple[float, float]) -> float:
    return math.degrees(math.atan2(there[0] - here[0], there[1] - here[1])) % 360.0
