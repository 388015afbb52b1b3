"""Rows of houses along the roads of a town, and what shows where a row ends. Pure."""

import math
from collections.abc import Iterator

import numpy as np

from device.street.network import Stub
from device.street.placer import Placer, Spot, between, kerb_m
from device.street.scene import Thing

HOUSE_M, DEEP_M, SHIFT_M = (8.0, 14.0), 9.0, 1.0
STOREY_M, STOREYS = 3.0, (2, 6)
GAP, GAP_M = 0.12, (2.0, 7.0)
"""Of houses: with a gap behind them."""
STUB_HOUSES_M = 48.0
FREE_M = 1.45
"""A house keeps so far from every kerb."""
BENT_PER_M = 0.05


class Terraces:
    """Places the houses of one town."""

    def __init__(self, placer: Placer, rng: np.random.Generator) -> None:
        self._placer, self._network, self._rng = placer, placer.network, rng
        self._number = 0

    def things(self) -> Iterator[Thing]:
        """All houses."""
        for side in (1.0, -1.0):
            yield from self._row(side)
        for stub in self._network.stubs:
            yield from self._beside_stub(stub)

    def _row(self, side: float) -> Iterator[Thing]:
        """One side of the line. Where a row ends, its last house shows its gable."""
        path = self._network.path
        along_m, before_m = between(self._rng, (0.0, 6.0)), -math.inf
        last: Spot | None = None
        while along_m < path.length_m:
            picture, width_m, _ = self._drawn()
            middle_m = along_m + width_m / 2
            stretch = self._network.stretch(middle_m)
            right_m = kerb_m(stretch, side) + side * (stretch.pavement_m + 0.2)
            bent = abs(path.curvature_per_m(middle_m)) > BENT_PER_M
            if bent or self._placer.under(middle_m, width_m / 2 + 4.0) or not self._free(middle_m, right_m, width_m / 2, side):
                along_m += SHIFT_M
                continue
            if along_m - before_m > 0.5:
                if last is not None:
                    yield self._gable(last, side, 1.0)
                yield self._gable(Spot(along_m, right_m), side, -1.0)
            yield self._house(Spot(middle_m, right_m, -90.0 * side), picture)
            before_m = along_m + width_m
            last = Spot(before_m, right_m)
            along_m = before_m + (between(self._rng, GAP_M) if self._rng.random() < GAP else 0.02)
        if last is not None:
            yield self._gable(last, side, 1.0)

    def _free(self, along_m: float, right_m: float, half_m: float, side: float) -> bool:
        """No road comes into a house whose front has its middle there."""
        middle = self._network.path.at(along_m)
        spots = [(share * half_m, right_m + side * deep) for share in (-1.0, -0.5, 0.0, 0.5, 1.0) for deep in (0.0, DEEP_M)]
        places = np.array([middle.to_world(right, ahead) for ahead, right in spots])
        return bool((self._network.ground(places[:, 0], places[:, 1]).outside_m > FREE_M).all())

    def _drawn(self) -> tuple[str, float, float]:
        """A picture of a house, its width and its height."""
        picture, rng = self._placer.shared("house", self._rng)
        return picture, *_size_m(rng)

    def _house(self, spot: Spot, picture: str, width_m: float = 0.0) -> Thing:
        """A house of a shared picture, or one of a width of its own."""
        self._number += 1
        own_m, height_m = _size_m(self._placer.rng("size", picture))
        size_m = (width_m or own_m, DEEP_M, height_m)
        return self._placer.thing(f"house-{self._number}", "house", spot, size_m, picture=picture)

    def _gable(self, end: Spot, side: float, way: float) -> Thing:
        """The side wall at an end of a row: `way` is 1 where the row ends, -1 where it begins; it looks away from the row."""
        self._number += 1
        picture, _, height_m = self._drawn()
        spot = Spot(end.along_m, end.right_m + side * DEEP_M / 2, 0.0 if way > 0 else 180.0)
        size_m = (DEEP_M, 0.2, height_m)
        return self._placer.thing(f"house-{self._number}", "house", spot, size_m, picture=picture, variant="gable")

    def _beside_stub(self, stub: Stub) -> Iterator[Thing]:
        """Houses along a side road, and one that closes the view at its end."""
        piece = stub.piece
        for side in (1.0, -1.0):
            at_m = 6.0
            while at_m < STUB_HOUSES_M:
                picture, width_m, _ = self._drawn()
                foot = piece.at(at_m + width_m / 2)
                east_m, north_m = foot.to_world(side * (stub.half_m + stub.pavement_m + 0.2), 0.0)
                yield from self._elsewhere(east_m, north_m, (foot.heading_deg - 90.0 * side) % 360.0, width_m, picture)
                at_m += width_m
        end = piece.at(piece.length_m - 0.5)
        width_m = 2 * (stub.half_m + stub.pavement_m) + 9.0
        yield from self._elsewhere(end.east_m, end.north_m, (end.heading_deg + 180.0) % 360.0, width_m)

    def _elsewhere(self, east_m: float, north_m: float, looks_deg: float, width_m: float, picture: str = "") -> Iterator[Thing]:
        """A house given by its place on the map, where it keeps off the roads; one without a picture closes a side road."""
        along_m, right_m = self._network.path.beside(np.array([east_m]), np.array([north_m]))
        if not np.isfinite(right_m[0]):
            return
        sine, cosine = math.sin(math.radians(looks_deg)), math.cos(math.radians(looks_deg))
        spots = [(share * width_m / 2, deep) for share in (-1.0, 0.0, 1.0) for deep in (0.0, DEEP_M)]
        places = np.array([(east_m + x * cosine - y * sine, north_m - x * sine - y * cosine) for x, y in spots])
        ground = self._network.ground(places[:, 0], places[:, 1])
        if (ground.main_m < 3.5).any() or (picture and (ground.outside_m < FREE_M - 0.25).any()):
            return
        heading_deg = self._network.path.at(float(along_m[0])).heading_deg
        spot = Spot(float(along_m[0]), float(right_m[0]), looks_deg - heading_deg)
        yield self._house(spot, picture or self._drawn()[0], 0.0 if picture else width_m)


def _size_m(rng: np.random.Generator) -> tuple[float, float]:
    """Width and height that go with a picture."""
    return round(between(rng, HOUSE_M), 2), int(rng.integers(*STOREYS)) * STOREY_M + 0.6
