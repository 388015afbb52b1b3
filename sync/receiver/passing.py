"""What a round had in view: which known things lay before the camera while it took photos, whether it found them or not. Pure.

"Gone" is only what was in view and not seen. In view is what lies beside a piece of road that was driven in a direction from
which it was seen before, after enough road with photos; pictures that could not be judged show nothing.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from sync.receiver.fate import sector

Floats = npt.NDArray[np.float64]

ASIDE_M: Final = 7.0
"""So far beside the path of the car things are looked for: its own lane, the next one and the kerbs."""
NEAR_M, FAR_M = 4.0, 20.0
"""A thing is judged by the photos that are taken between so far and so near before it."""
LEAST_LOOK_M: Final = 8.0
"""So much of this road has to have photos: two of them, four metres apart."""
LEAST_GAP_M: Final = 12.0
"""Where photos are nearer to one another than this, each thing stands in several."""
JOINS_M, JOINS_S = 2.0, 2.0
"""A piece of track that begins so near to the end of the one before goes on with it."""
CELL_M: Final = 20.0
POOR_M, LONGEST_POOR_M = 6.0, 300.0
"""A stretch whose pictures could not be judged is the path's where it is so near. A longer line is none of a stretch."""

Reason = Literal["other_way", "no_photo", "not_usable"]


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A piece of track: its line (n, 2) in metres east and north, when it began and ended (seconds), its length by the odometer.

    `gaps` are pieces of road without a photo: where they begin by the round's odometer, and how long they are.
    """

    line: Floats
    began_s: float
    ended_s: float
    length_m: float
    gaps: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class Passed:
    """A thing that the car passed: when (seconds), and why it was not in view, None where it was."""

    at_s: float
    reason: Reason | None


@dataclass(frozen=True, slots=True)
class _Leg:
    """A straight part of the path: from where to where, its direction, and how far it is along its run and when it began.

    `looks` are the parts of the run that have photos.
    """

    east_m: float
    north_m: float
    to_east_m: float
    to_north_m: float
    heading_deg: float
    along_m: float
    length_m: float
    at_s: float
    took_s: float
    looks: "_Looks"
    poor: bool


class _Looks:
    """A run of pieces that follow one another: how long it is, and which parts of it have no photo."""

    def __init__(self) -> None:
        self.length_m = 0.0
        self.blind: list[tuple[float, float]] = []

    def seen_m(self, from_m: float, to_m: float) -> float:
        """How much of it has photos between two places."""
        from_m = max(0.0, from_m)
        hidden_m = sum(max(0.0, min(to_m, end_m) - max(from_m, start_m)) for start_m, end_m in self.blind)
        return max(0.0, to_m - from_m) - hidden_m


class Path:
    """The path of a round's camera."""

    def __init__(self, pieces: Sequence[Piece], poor: Sequence[Floats] = ()) -> None:
        """Takes the pieces in the order of the round; `poor` are lines of stretches whose pictures could not be judged."""
        self._legs: dict[tuple[int, int], list[_Leg]] = defaultdict(list)
        bad = _cells_of(poor)
        for leg in _legs(pieces, bad):
            for cell in {_cell(leg.east_m, leg.north_m), _cell(leg.to_east_m, leg.to_north_m), _middle(leg)}:
                self._legs[cell].append(leg)

    def passed(self, east_m: float, north_m: float, seen_from: int) -> Passed | None:
        """Whether and how a thing was passed; None where the path was never beside it. `seen_from` as in `fate.sector`."""
        best: Passed | None = None
        for leg in self._near(east_m, north_m):
            ahead_m, aside_m = _beside(leg, east_m, north_m)
            if not -0.5 <= ahead_m <= leg.length_m + 0.5 or abs(aside_m) > ASIDE_M:
                continue
            at_s = leg.at_s + leg.took_s * min(1.0, max(0.0, ahead_m / leg.length_m))
            reason = _reason(leg, leg.along_m + ahead_m, seen_from)
            if reason is None:
                return Passed(at_s, None)
            if best is None or best.reason == "other_way":
                best = Passed(at_s, reason)
        return best

    def _near(self, east_m: float, north_m: float) -> Iterator[_Leg]:
        column, row = _cell(east_m, north_m)
        told: set[int] = set()
        for cell in ((column + right, row + up) for right in (-1, 0, 1) for up in (-1, 0, 1)):
            for leg in self._legs.get(cell, ()):
                if id(leg) not in told:
                    told.add(id(leg))
                    yield leg


def _reason(leg: _Leg, along_m: float, seen_from: int) -> Reason | None:
    """Why what lies at this place of a run was not in view."""
    ways = sector(leg.heading_deg - 45.0) | sector(leg.heading_deg) | sector(leg.heading_deg + 45.0)
    if seen_from and not seen_from & ways:
        return "other_way"
    if leg.looks.seen_m(along_m - FAR_M, along_m - NEAR_M) < LEAST_LOOK_M:
        return "no_photo"
    return "not_usable" if leg.poor else None


def _legs(pieces: Sequence[Piece], bad: set[tuple[int, int]]) -> Iterator[_Leg]:
    """All straight parts, each with the run that it belongs to."""
    looks, before, odometer_m, known = _Looks(), None, 0.0, True
    for number, piece in enumerate(pieces):
        if before is not None and not _joins(before, piece):
            looks, known = _Looks(), False  # how far the odometer is here, nobody said
        starts_m = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(piece.line, axis=0).T)))).tolist()
        looks.blind += _blind(piece, looks.length_m, starts_m[-1], odometer_m if known or number == 0 else None)
        for n in range(len(starts_m) - 1):
            if starts_m[n + 1] > starts_m[n]:
                yield _leg(piece, n, starts_m, looks, bad)
        looks.length_m += starts_m[-1]
        odometer_m, before = odometer_m + piece.length_m, piece


def _blind(piece: Piece, from_m: float, whole_m: float, odometer_m: float | None) -> Iterable[tuple[float, float]]:
    """The parts of a piece without photos, along its run. Where its odometer is not known, one gap hides all of it."""
    gaps = [(at_m, at_m + length_m) for at_m, length_m in piece.gaps if length_m > LEAST_GAP_M]
    if not gaps:
        return ()
    if odometer_m is None or any(not -1.0 <= end_m - odometer_m <= piece.length_m + 1.0 for _, end_m in gaps):
        return ((from_m, from_m + whole_m),)
    scale = whole_m / piece.length_m if piece.length_m > 0.0 else 1.0
    return [(from_m + (at_m - odometer_m) * scale, from_m + (end_m - odometer_m) * scale) for at_m, end_m in gaps]


def _joins(before: Piece, piece: Piece) -> bool:
    apart_m = math.hypot(*(piece.line[0] - before.line[-1]))
    return apart_m <= JOINS_M and abs(piece.began_s - before.ended_s) <= JOINS_S


def _leg(piece: Piece, n: int, starts_m: Sequence[float], looks: _Looks, bad: set[tuple[int, int]]) -> _Leg:
    """The n-th part of a piece that begins where its run ends so far."""
    (east_m, north_m), (to_east_m, to_north_m) = piece.line[n].tolist(), piece.line[n + 1].tolist()
    length_m, a_metre_s = starts_m[n + 1] - starts_m[n], (piece.ended_s - piece.began_s) / starts_m[-1]
    middle = (east_m + to_east_m) / 2.0, (north_m + to_north_m) / 2.0
    return _Leg(
        east_m,
        north_m,
        to_east_m,
        to_north_m,
        heading_deg=math.degrees(math.atan2(to_east_m - east_m, to_north_m - north_m)),
        along_m=looks.length_m + starts_m[n],
        length_m=length_m,
        at_s=piece.began_s + a_metre_s * starts_m[n],
        took_s=a_metre_s * length_m,
        looks=looks,
        poor=(math.floor(middle[0] / POOR_M), math.floor(middle[1] / POOR_M)) in bad,
    )


def _beside(leg: _Leg, east_m: float, north_m: float) -> tuple[float, float]:
    """How far along a leg a place is, and how far right of it."""
    right, ahead = (leg.to_east_m - leg.east_m) / leg.length_m, (leg.to_north_m - leg.north_m) / leg.length_m
    east_m, north_m = east_m - leg.east_m, north_m - leg.north_m
    return east_m * right + north_m * ahead, east_m * ahead - north_m * right


def _cell(east_m: float, north_m: float) -> tuple[int, int]:
    return math.floor(east_m / CELL_M), math.floor(north_m / CELL_M)


def _middle(leg: _Leg) -> tuple[int, int]:
    return _cell((leg.east_m + leg.to_east_m) / 2.0, (leg.north_m + leg.to_north_m) / 2.0)


def _cells_of(lines: Sequence[Floats]) -> set[tuple[int, int]]:
    """The small squares that lines run through or close by."""
    cells: set[tuple[int, int]] = set()
    for line in lines:
        if np.hypot(*np.diff(line, axis=0).T).sum() > LONGEST_POOR_M:
            continue
        for here, there in pairwise(line):
            steps = max(1, math.ceil(math.hypot(*(there - here)) / (POOR_M / 2.0)))
            for share in np.linspace(0.0, 1.0, steps + 1):
                column, row = np.floor((here + share * (there - here)) / POOR_M).astype(int).tolist()
                cells |= {(column + right, row + up) for right in (-1, 0, 1) for up in (-1, 0, 1)}
    return cells
