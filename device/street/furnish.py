"""A town from a seed, whole: what lies on its roads, and what stands beside them. Pure."""

from collections.abc import Iterator

import numpy as np

from device.street.network import Network
from device.street.placer import ROUNDS, Placer, Spot, between
from device.street.roadside import Roadside
from device.street.scene import Kind, Scene, Stretch, Thing
from device.street.seeds import Purpose, rng_of
from device.street.terraces import Terraces
from device.street.town import ORIGIN, Layout, lay_out

STEP_M = (5.0, 12.0)
"""Between one damage and the next on worn asphalt; new asphalt has less."""
COVER_EVERY_M, DRAIN_EVERY_M = (18.0, 38.0), (24.0, 42.0)
COVER_M, DRAIN_M, DRAIN_FROM_KERB_M = (0.66, 0.86), (0.62, 0.42), 0.30
REPAIRED, NEW = 0.12, 0.1
"""Of damage: gone after round 1 with a patch in its place, or first there in round 2."""
LANE_HALF_M = 1.6
OPEN = 0.06
"""Of manholes: without their cover."""
APART_M, APART_ACROSS_M = 4.0, 1.6

DAMAGE: dict[Kind, tuple[float, tuple[float, float], tuple[float, float]]] = {
    "crack_longitudinal": (0.30, (0.3, 0.7), (3.0, 11.0)),
    "crack_transverse": (0.20, (1.8, 3.4), (0.5, 1.3)),
    "crack_alligator": (0.16, (1.0, 2.4), (1.6, 5.0)),
    "pothole": (0.18, (0.45, 1.4), (0.4, 1.3)),
    "patch": (0.16, (0.8, 2.2), (1.2, 4.5)),
}
"""How often, how wide, how long."""


def make_scene(purpose: Purpose, seed: int) -> Scene:
    """The scene of a seed; another purpose shares nothing with it."""
    layout = lay_out(purpose, seed)
    placer = Placer(purpose, seed, layout, Network(layout))
    things = (
        *_lying(placer, rng_of(purpose, seed, "lying")),
        *Terraces(placer, rng_of(purpose, seed, "terraces")).things(),
        *Roadside(placer, rng_of(purpose, seed, "roadside")).things(),
    )
    return Scene(
        purpose=purpose,
        seed=seed,
        origin=ORIGIN,
        line=layout.path.pieces,
        stretches=layout.stretches,
        side_roads=layout.side_roads,
        crossings=layout.crossings,
        lights=layout.lights,
        tunnels=layout.tunnels,
        weather=layout.weather,
        things=things,
    )


def _lying(placer: Placer, rng: np.random.Generator) -> Iterator[Thing]:
    """Covers and drains where a town has them, damage between them."""
    taken: list[Spot] = []
    for number, (kind, spot) in enumerate(_covers(placer, rng)):
        taken.append(spot)
        across_m = round(between(rng, COVER_M), 2)
        size_m = (*DRAIN_M, 0.0) if kind == "drain" else (across_m, across_m, 0.0)
        yield placer.thing(f"cover-{number}", kind, spot, size_m, severity=3 if kind == "manhole_open" else None)
    number, along_m = 0, between(rng, (6.0, 12.0))
    while along_m < placer.layout.path.length_m - 3.0:
        stretch = placer.network.stretch(along_m)
        kind = _drawn(rng)
        spot = Spot(along_m, _across(rng, kind, stretch), float(rng.normal(0, 4.0)))
        apart = all(abs(along_m - each.along_m) > APART_M or abs(spot.right_m - each.right_m) > APART_ACROSS_M for each in taken)
        if apart and not _on_crossing(placer.layout, along_m):
            yield from _damage(placer, rng, number, kind, spot)
            taken.append(spot)
            number += 1
        along_m += between(rng, STEP_M) * (1.9 - 0.2 * stretch.age)


def _covers(placer: Placer, rng: np.random.Generator) -> Iterator[tuple[Kind, Spot]]:
    """Manholes near the middle of the lanes, drains at the kerbs."""
    length_m = placer.layout.path.length_m
    along_m = between(rng, (8.0, 20.0))
    while along_m < length_m - 3.0:
        off_m = between(rng, (-1.2, 1.3)) if rng.random() < 0.7 else between(rng, (-4.2, -2.0))
        yield ("manhole_open" if rng.random() < OPEN else "manhole"), Spot(along_m, off_m, between(rng, (0, 360)))
        along_m += between(rng, COVER_EVERY_M)
    for side in (1.0, -1.0):
        along_m = between(rng, (5.0, 25.0))
        while along_m < length_m - 3.0:
            stretch = placer.network.stretch(along_m)
            kerb = stretch.right_m if side > 0 else stretch.left_m
            if placer.away_from_side_roads(along_m, 9.0) and not placer.under(along_m, 2.0):
                yield "drain", Spot(along_m, side * (kerb - DRAIN_FROM_KERB_M), 90.0 * side)
            along_m += between(rng, DRAIN_EVERY_M)


def _drawn(rng: np.random.Generator) -> Kind:
    kinds = list(DAMAGE)
    return kinds[int(rng.choice(len(kinds), p=[DAMAGE[kind][0] for kind in kinds]))]


def _across(rng: np.random.Generator, kind: Kind, stretch: Stretch) -> float:
    """Where across the lanes: mostly in the own lane; cracks along it in the tyres' tracks and at its seam."""
    left_m, right_m = stretch.left_m - stretch.parking_left_m, stretch.right_m - stretch.parking_right_m
    if rng.random() < 0.22:
        return between(rng, (-left_m + 0.8, -LANE_HALF_M - 0.3))
    if kind == "crack_longitudinal":
        return float(rng.choice((-1.45, -0.78, 0.0, 0.78, min(1.3, right_m - 0.4))) + rng.normal(0, 0.12))
    return between(rng, (-1.1, min(1.2, right_m - 0.5)))


def _on_crossing(layout: Layout, along_m: float) -> bool:
    return any(abs(layout.path.gap(each.at_m, along_m)) < each.width_m / 2 + 3.0 for each in layout.crossings)


def _damage(placer: Placer, rng: np.random.Generator, number: int, kind: Kind, spot: Spot) -> Iterator[Thing]:
    """One damage, and the patch that replaces it where it is repaired."""
    _, widths, lengths = DAMAGE[kind]
    worn = 0.55 + 0.09 * placer.network.stretch(spot.along_m).age
    width_m, length_m = (low + (high - low) * float(rng.beta(2.0, 2.5)) * worn * 1.3 for low, high in (widths, lengths))
    severity = 1 + int(rng.binomial(2, min(0.9, worn * 0.6)))
    fate = rng.random()
    rounds: tuple[int, ...] = ROUNDS
    if kind != "patch" and fate < REPAIRED:
        rounds = (1,)
        size_m = (min(2.2, width_m + 0.3), min(5.0, length_m + 0.3), 0.0)
        yield placer.thing(f"repair-{number}", "patch", spot, size_m, rounds=(2,), variant="fresh")
    elif fate > 1.0 - NEW:
        rounds = (2,)
    yield placer.thing(
        f"{kind}-{number}",
        kind,
        spot,
        (width_m, length_m, 0.0),
        severity=None if kind == "patch" else severity,
        rounds=rounds,
        # No rain falls into a hole under ground.
        variant="wet" if kind == "pothole" and rng.random() < 0.3 and not placer.under(spot.along_m) else "",
    )
