"""The roads as fields on the ground: how far a place lies outside the kerbs, and where it is on the line that is driven. Pure."""

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from device.street.geometry import Floats
from device.street.path import Path, Piece
from device.street.scene import SideRoad, Stretch

ROUNDING_M = 5.0
"""Where two roads meet, their kerbs run into each other by an arc of about this radius."""
FAR_M = 1e6
REACH_M = 20.0
"""A piece of the line is looked at for places that lie so near to it."""


class Town(Protocol):
    """What the roads are made from: a `Layout` or a `Scene`."""

    @property
    def path(self) -> Path:
        """The line."""
        ...

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """Its cross-sections."""
        ...

    @property
    def side_roads(self) -> tuple[SideRoad, ...]:
        """What meets it."""
        ...


class Ground(NamedTuple):
    """What is known of places, arrays of one shape.

    `outside_m` is the distance to the nearest kerb: negative on a carriageway. `along_m` and `right_m` are those of the line, nan
    and inf where it is far; `main_m` is `outside_m` of the line's own road alone. `side` is the number of the nearest side road
    (-1: none near), with `side_along_m` and `side_right_m` on it.
    """

    outside_m: Floats
    along_m: Floats
    right_m: Floats
    main_m: Floats
    side: Floats
    side_along_m: Floats
    side_right_m: Floats


@dataclass(frozen=True, slots=True)
class Stub:
    """A side road's own line and half its width between the kerbs."""

    piece: Piece
    half_m: float
    pavement_m: float


class Network:
    """The roads of a town."""

    def __init__(self, town: Town) -> None:
        self.path = town.path
        self.stretches = town.stretches
        self.ends_m = np.array([each.to_m for each in town.stretches])
        self.lefts_m = np.array([each.left_m for each in town.stretches])
        self.rights_m = np.array([each.right_m for each in town.stretches])
        self.stubs = tuple(self._stub(each) for each in town.side_roads)
        spans = [*self.path.pieces, *(stub.piece for stub in self.stubs)]
        middles = [piece.at(piece.length_m / 2) for piece in spans]
        self._middles = np.array([(each.east_m, each.north_m) for each in middles])
        self._halves_m = np.array([piece.length_m / 2 for piece in spans])

    def _stub(self, road: SideRoad) -> Stub:
        at = self.path.at(road.at_m, self.stretch(road.at_m).centre_m)
        return Stub(Piece(at.east_m, at.north_m, road.heading_deg, road.length_m), road.half_m, road.pavement_m)

    def stretch(self, along_m: float) -> Stretch:
        """The cross-section at a place of the line."""
        return self.stretches[min(int(np.searchsorted(self.ends_m, along_m % self.path.length_m)), len(self.stretches) - 1)]

    def numbers(self, along_m: Floats) -> Floats:
        """The numbers of the cross-sections; the first where there is no line."""
        known = np.nan_to_num(along_m, nan=0.0) % self.path.length_m
        return np.minimum(np.searchsorted(self.ends_m, known), len(self.stretches) - 1)

    def near(self, east_m: float, north_m: float, within_m: float) -> tuple[list[int], list[int]]:
        """Numbers of the pieces and of the side roads that come so near to a place."""
        apart_m = np.hypot(self._middles[:, 0] - east_m, self._middles[:, 1] - north_m) - self._halves_m
        found = np.flatnonzero(apart_m < within_m)
        count = len(self.path.pieces)
        return [int(n) for n in found if n < count], [int(n) - count for n in found if n >= count]

    def ground(self, east_m: Floats, north_m: Floats) -> Ground:
        """What places are, given as arrays of one shape that lie near to each other."""
        reach_m = REACH_M + 0.5 * math.hypot(float(np.ptp(east_m)), float(np.ptp(north_m)))
        pieces, stubs = self.near(float(east_m.mean()), float(north_m.mean()), reach_m)
        along_m, right_m = self.path.beside(east_m, north_m, pieces)
        numbers = self.numbers(along_m)
        main_m = np.maximum(right_m - self.rights_m[numbers], -self.lefts_m[numbers] - right_m)
        main_m = np.minimum(main_m, FAR_M)
        outside_m, nearest_m = main_m, np.full(np.shape(east_m), FAR_M)
        side, side_along_m, side_right_m = (np.full(np.shape(east_m), value) for value in (-1.0, np.nan, np.inf))
        for number in stubs:
            stub = self.stubs[number]
            here_m, off_m = stub.piece.beside(east_m, north_m)
            edge_m = np.maximum(np.maximum(np.abs(off_m) - stub.half_m, -here_m), here_m - stub.piece.length_m)
            outside_m = _joined(outside_m, edge_m)
            nearer = edge_m < nearest_m
            nearest_m = np.where(nearer, edge_m, nearest_m)
            side, side_along_m = np.where(nearer, number, side), np.where(nearer, here_m, side_along_m)
            side_right_m = np.where(nearer, off_m, side_right_m)
        return Ground(outside_m, along_m, right_m, main_m, side, side_along_m, side_right_m)


def _joined(one_m: Floats, other_m: Floats) -> Floats:
    """The union of two distance fields whose inner corners are rounded (the circular smooth minimum)."""
    near_one, near_other = np.maximum(ROUNDING_M - one_m, 0.0), np.maximum(ROUNDING_M - other_m, 0.0)
    joined: Floats = np.maximum(ROUNDING_M, np.minimum(one_m, other_m)) - np.hypot(near_one, near_other)
    # Both are far: the plain minimum; so is it where one alone is near.
    return np.where((near_one == 0.0) | (near_other == 0.0), np.minimum(one_m, other_m), joined)
