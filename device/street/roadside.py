"""What stands and moves along a town's line: trees, signs, red lights, parked and moving vehicles, people. Pure."""

from collections.abc import Iterator

import numpy as np

from device.street.placer import STILL, Placer, Size, Spot, between, kerb_m
from device.street.scene import Kind, Motion, Thing

VEHICLES_M: dict[str, tuple[float, Size]] = {
    "hatch": (0.38, (1.75, 4.05, 1.48)),
    "saloon": (0.12, (1.8, 4.55, 1.44)),
    "estate": (0.14, (1.8, 4.6, 1.5)),
    "suv": (0.22, (1.84, 4.4, 1.64)),
    "van": (0.14, (2.0, 5.4, 2.3)),
}
"""What parks and drives: how often, how wide, long and high."""
HEAVY_M: dict[str, tuple[float, Size]] = {"lorry": (0.6, (2.4, 7.6, 3.2)), "bus": (0.4, (2.5, 10.5, 3.0))}
HEAVY, PARKED = 0.12, 0.72
"""Of those that come towards: lorries and buses; of bays: taken."""
TREE_EVERY_M, SIGN_EVERY_M, PERSON_EVERY_M = (14.0, 26.0), (16.0, 34.0), (9.0, 26.0)
ONCOMING_EVERY_M, ONCOMING_MPS = (90.0, 220.0), 8.3
RIDER_EVERY_M, CYCLISTS = (90.0, 240.0), 0.6
LEADING, LEADS_M = 3, 170.0
"""So often another car drives ahead, and so far."""
SIDES = (1.0, -1.0)
SIGNS: tuple[Kind, ...] = (
    "sign_danger",
    "sign_prohibition",
    "sign_mandatory",
    "sign_prohibition",
    "sign_danger",
    "sign_yield",
    "sign_stop",
)


class Roadside:
    """Places everything of one town that is no house and does not lie on the road."""

    def __init__(self, placer: Placer, rng: np.random.Generator) -> None:
        self._placer, self._network, self._rng = placer, placer.network, rng
        self._length_m = placer.layout.path.length_m
        self._number = 0

    def things(self) -> Iterator[Thing]:
        """All of it."""
        for side in SIDES:
            yield from self._trees(side)
            yield from self._parked(side)
            yield from self._walkers(side)
        yield from self._signs()
        yield from self._lights()
        yield from self._moving()
        yield from self._crossers()
        yield from self._riders()
        yield from self._signs_for_others()

    def _put(
        self,
        kind: Kind,
        spot: Spot,
        size_m: Size,
        picture: str = "",
        *,
        motion: Motion = STILL,
        light: str = "",
        variant: str = "",
    ) -> Thing:
        self._number += 1
        name = f"{kind}-{self._number}"
        return self._placer.thing(name, kind, spot, size_m, picture=picture, variant=variant, motion=motion, light=light)

    def _vehicle(self, *, heavy: bool = False) -> tuple[str, Size, str]:
        """A picture, its size and its variant."""
        picture, rng = self._placer.shared("vehicle", self._rng)
        kinds = HEAVY_M if heavy else VEHICLES_M
        variant = list(kinds)[int(rng.choice(len(kinds), p=[share for share, _ in kinds.values()]))]
        return f"{picture} heavy" if heavy else picture, kinds[variant][1], variant

    def _person(self) -> tuple[str, Size]:
        picture, rng = self._placer.shared("person", self._rng)
        return picture, (0.6, 0.3, round(between(rng, (1.55, 1.88)), 2))

    def _trees(self, side: float) -> Iterator[Thing]:
        along_m = between(self._rng, (4.0, 20.0))
        while along_m < self._length_m:
            stretch = self._network.stretch(along_m)
            if stretch.pavement_m > 2.1 and self._placer.clear(along_m, 7.0):
                picture, rng = self._placer.shared("tree", self._rng)
                height_m = round(between(rng, (4.2, 7.0)), 1)
                spot = Spot(along_m, kerb_m(stretch, side) + side * 0.55)
                yield self._put("tree", spot, (height_m * 0.62, 0.3, height_m), picture)
            along_m += between(self._rng, TREE_EVERY_M)

    def _parked(self, side: float) -> Iterator[Thing]:
        along_m = between(self._rng, (0.0, 8.0))
        while along_m < self._length_m - 6.0:
            picture, size_m, variant = self._vehicle()
            width_m, length_m, _ = size_m
            stretch = self._network.stretch(along_m + length_m / 2)
            lane_m = stretch.parking_right_m if side > 0 else stretch.parking_left_m
            bent = abs(self._network.path.curvature_per_m(along_m + length_m / 2)) > 0.02
            clear = self._placer.clear(along_m, 9.0) and self._placer.clear(along_m + length_m, 9.0)
            if not lane_m or bent or not clear or self._rng.random() > PARKED:
                along_m += length_m + 1.0
                continue
            turn_deg = (0.0 if side > 0 else 180.0) + float(self._rng.normal(0, 1.2))
            spot = Spot(along_m + length_m / 2, kerb_m(stretch, side) - side * (width_m / 2 + 0.22), turn_deg)
            yield self._put("vehicle", spot, size_m, picture, variant=variant)
            along_m += length_m + between(self._rng, (0.7, 1.8))

    def _walkers(self, side: float) -> Iterator[Thing]:
        along_m = between(self._rng, (2.0, 12.0))
        while along_m < self._length_m:
            stretch = self._network.stretch(along_m)
            if not self._placer.under(along_m, 3.0) and self._placer.away_from_side_roads(along_m, 14.0):
                off_m = kerb_m(stretch, side) + side * between(self._rng, (0.7, max(0.8, stretch.pavement_m - 0.3)))
                towards = self._rng.random() < 0.5
                motion = Motion("against" if towards else "along", between(self._rng, (0.7, 1.5)), 9.0)
                stands = self._rng.random() < 0.2
                spot = Spot(along_m, off_m, 180.0 if towards else 0.0)
                picture, size_m = self._person()
                yield self._put("person", spot, size_m, picture, motion=STILL if stands else motion)
            along_m += between(self._rng, PERSON_EVERY_M)

    def _signs(self) -> Iterator[Thing]:
        """Signs for the car on its right, some on its left."""
        along_m = between(self._rng, (12.0, 25.0))
        while along_m < self._length_m:
            stretch = self._network.stretch(along_m)
            if not self._placer.under(along_m, 3.0) and self._placer.clear(along_m, 4.5):
                kind = SIGNS[int(self._rng.integers(len(SIGNS)))]
                side = -1.0 if self._rng.random() < 0.15 else 1.0
                turn_deg = 180.0 + float(self._rng.normal(0, 5.0)) - 5.0 * side
                yield self._put(kind, Spot(along_m, kerb_m(stretch, side) + side * 0.4, turn_deg), (0.75, 0.1, 2.75))
            along_m += between(self._rng, SIGN_EVERY_M)

    def _signs_for_others(self) -> Iterator[Thing]:
        """On the left, for those who come towards: their backs are seen."""
        along_m = between(self._rng, (20.0, 50.0))
        while along_m < self._length_m:
            stretch = self._network.stretch(along_m)
            if not self._placer.under(along_m, 3.0) and self._placer.clear(along_m, 4.5):
                kind = SIGNS[int(self._rng.integers(len(SIGNS)))]
                spot = Spot(along_m, kerb_m(stretch, -1.0) - 0.4, float(self._rng.normal(-5.0, 5.0)))
                yield self._put(kind, spot, (0.75, 0.1, 2.75))
            along_m += between(self._rng, SIGN_EVERY_M) * 1.8

    def _riders(self) -> Iterator[Thing]:
        """Bicycles and scooters, on both lanes."""
        along_m = between(self._rng, (20.0, 90.0))
        while along_m < self._length_m:
            picture, _ = self._person()
            variant = "cyclist" if self._rng.random() < CYCLISTS else "scooter"
            speed_mps = between(self._rng, (3.6, 5.4)) if variant == "cyclist" else between(self._rng, (6.5, 8.5))
            back = self._rng.random() < 0.5
            spot = Spot(along_m, -4.25 if back else 1.4, 180.0 if back else 0.0)
            motion = Motion("against" if back else "along", speed_mps)
            yield self._put("person", spot, (0.6, 1.8, 1.72), f"{picture} rides", motion=motion, variant=variant)
            along_m += between(self._rng, RIDER_EVERY_M)

    def _lights(self) -> Iterator[Thing]:
        """Behind the crossing, on both sides, so that who waits sees them."""
        layout = self._placer.layout
        for light in layout.lights:
            crossing = next(each for each in layout.crossings if -1.0 < layout.path.gap(light.at_m, each.at_m) < 12.0)
            behind_m = crossing.at_m + crossing.width_m / 2 + 0.5
            stretch = self._network.stretch(crossing.at_m)
            for side in SIDES:
                spot = Spot(behind_m, kerb_m(stretch, side) + side * 0.45, 180.0)
                yield self._put(
                    "traffic_light", spot, (0.4, 0.3, 3.3), self._placer.shared("traffic_light", self._rng)[0], light=light.id
                )

    def _moving(self) -> Iterator[Thing]:
        """Cars that come towards, and some that drive ahead."""
        along_m = between(self._rng, (30.0, 90.0))
        while along_m < self._length_m:
            picture, size_m, variant = self._vehicle(heavy=self._rng.random() < HEAVY)
            motion = Motion("against", ONCOMING_MPS, 0.0)
            yield self._put("vehicle", Spot(along_m, -3.2, 180.0), size_m, picture, motion=motion, variant=variant)
            along_m += between(self._rng, ONCOMING_EVERY_M)
        for number in range(LEADING):
            spot = Spot(self._length_m * (number + 0.35) / LEADING, 0.0)
            picture, size_m, variant = self._vehicle()
            yield self._put("vehicle", spot, size_m, picture, motion=Motion("leading", 0.0, LEADS_M), variant=variant)

    def _crossers(self) -> Iterator[Thing]:
        """Two people at each red light's crossing, one on each side."""
        layout = self._placer.layout
        for light in layout.lights:
            crossing = next(each for each in layout.crossings if -1.0 < layout.path.gap(light.at_m, each.at_m) < 12.0)
            stretch = self._network.stretch(crossing.at_m)
            for side in SIDES:
                spot = Spot(crossing.at_m + between(self._rng, (-0.9, 0.9)), kerb_m(stretch, side) + side * 0.8, -90.0 * side)
                motion = Motion("across", between(self._rng, (1.15, 1.5)), stretch.left_m + stretch.right_m + 1.6)
                picture, size_m = self._person()
                yield self._put("person", spot, size_m, picture, motion=motion, light=light.id)
