"""Makes the things of one town: each gets its id, its place on the map and the seed of its picture. Pure."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from device.street.network import Network
from device.street.scene import Kind, Motion, Stretch, Thing
from device.street.seeds import Purpose, rng_of, seed_of
from device.street.town import Layout

ROUNDS = (1, 2)
STILL = Motion()
POOLS: dict[Kind, int] = {"house": 48, "vehicle": 40, "person": 40, "tree": 12, "traffic_light": 2}


class Spot(NamedTuple):
    """A place along and right of the line, and a heading to the right of the line's."""

    along_m: float
    right_m: float
    turn_deg: float = 0.0


Size = tuple[float, float, float]
"""Width, length and height in metres."""


@dataclass(frozen=True, slots=True)
class Placer:
    """The town under construction."""

    purpose: Purpose
    seed: int
    layout: Layout
    network: Network

    def thing(
        self,
        name: str,
        kind: Kind,
        spot: Spot,
        size_m: Size,
        *,
        picture: str = "",
        severity: int | None = None,
        rounds: tuple[int, ...] = ROUNDS,
        variant: str = "",
        motion: Motion = STILL,
        light: str = "",
    ) -> Thing:
        """A thing; `picture` names one that it shares with others (`shared`)."""
        along_m, right_m = round(spot.along_m % self.network.path.length_m, 3), round(spot.right_m, 3)
        pose = self.network.path.at(along_m, right_m)
        width_m, length_m, height_m = (round(each, 3) for each in size_m)
        return Thing(
            id=name,
            kind=kind,
            along_m=along_m,
            right_m=right_m,
            east_m=round(pose.east_m, 4),
            north_m=round(pose.north_m, 4),
            heading_deg=round((pose.heading_deg + spot.turn_deg) % 360.0, 3),
            width_m=width_m,
            length_m=length_m,
            height_m=height_m,
            severity=severity,
            rounds=rounds,
            seed=seed_of(self.purpose, self.seed, picture or name),
            variant=variant,
            motion=motion,
            light=light,
        )

    def shared(self, kind: Kind, rng: np.random.Generator) -> tuple[str, np.random.Generator]:
        """One of the `POOLS` pictures of a kind that a town has, so that few are drawn; and random numbers that go with it."""
        picture = f"{kind} {int(rng.integers(POOLS[kind]))}"
        return picture, self.rng("size", picture)

    def rng(self, *words: object) -> np.random.Generator:
        """Random numbers for what `words` name."""
        return rng_of(self.purpose, self.seed, *words)

    def under(self, along_m: float, margin_m: float = 0.0) -> bool:
        """Whether a tunnel is there or so near."""
        return any(each.from_m - margin_m < along_m < each.to_m + margin_m for each in self.layout.tunnels)

    def clear(self, along_m: float, metres: float) -> bool:
        """Whether no side road, crossing or tunnel is so near."""
        gap = self.layout.path.gap
        return (
            all(abs(gap(road.at_m, along_m)) > metres + road.half_m for road in self.layout.side_roads)
            and all(not -metres < gap(each.at_m, along_m) < 4.0 for each in self.layout.crossings)
            and not self.under(along_m, 8.0)
        )

    def away_from_side_roads(self, along_m: float, metres: float) -> bool:
        """Whether no side road is so near."""
        return all(abs(self.layout.path.gap(road.at_m, along_m)) > metres for road in self.layout.side_roads)


def kerb_m(stretch: Stretch, side: float) -> float:
    """Where the kerb is, right of the line; `side` is 1 on the right and -1 on the left."""
    return stretch.right_m if side > 0 else -stretch.left_m


def between(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    """A number of that span."""
    return float(rng.uniform(*ends))
