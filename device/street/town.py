"""A town loop from a seed: its line with real corners, its streets, side roads, crossings, red lights and one tunnel. Pure.

What stands and lies along it comes from device/street/furnish.py.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from device.earth import turn_deg
from device.street.path import Path, closed
from device.street.scene import Centre, Crossing, Lens, Light, Origin, SideRoad, Stretch, Tunnel, Weather
from device.street.seeds import Purpose, rng_of

ORIGIN = Origin(43.5528, 7.0174)

CORNERS, NEAR_M, FAR_M = 9, 260.0, 560.0
SHORTEST_SIDE_M, SHARPEST_DEG, APART_M = 130.0, 108.0, 75.0
SHARP_DEG = 40.0
"""From here on a corner is a junction, taken slowly; below, the street bends."""
LANE_M = 3.2
JUNCTION_HALF_M, JUNCTION_REACH_M = 3.0, 75.0
SIDE_EVERY_M = (70.0, 150.0)
CLEAR_M = 24.0
"""Before and behind a corner, a side road or a tunnel so much road holds nothing else."""
TUNNEL_M = (110.0, 190.0)
LIGHTS_AT_LEAST_APART_M = 350.0
TRIES = 400


@dataclass(frozen=True, slots=True)
class Layout:
    """The town without its things."""

    path: Path
    stretches: tuple[Stretch, ...]
    side_roads: tuple[SideRoad, ...]
    crossings: tuple[Crossing, ...]
    lights: tuple[Light, ...]
    tunnels: tuple[Tunnel, ...]
    weather: tuple[Weather, ...]


def lay_out(purpose: Purpose, seed: int) -> Layout:
    """The town of a seed."""
    path = _loop(purpose, seed)
    corners = corner_spans(path)
    rng = rng_of(purpose, seed, "town")
    tunnel = _tunnel(path, corners, rng)
    taken = [*corners, (tunnel.from_m, tunnel.to_m)]
    at_corners = [road for from_m, to_m in corners for road in _corner_roads(path, from_m, to_m)]
    mids = list(_side_roads(path, taken, rng))
    side_roads = (*at_corners, *mids)
    crossings, lights = _crossings(corners, [each.at_m for each in mids], tunnel, rng)
    stretches = tuple(_stretches(path.length_m, corners, tunnel, rng))
    return Layout(path, stretches, side_roads, crossings, lights, (tunnel,), _weather(path, rng))


def corner_spans(path: Path) -> list[tuple[float, float]]:
    """From where to where the sharp corners bend."""
    return [
        (start_m, start_m + piece.length_m)
        for start_m, piece in zip(path.starts_m, path.pieces, strict=False)
        if math.degrees(abs(piece.curvature_per_m) * piece.length_m) > SHARP_DEG
    ]


def _loop(purpose: Purpose, seed: int) -> Path:
    """Corners around a middle, at changing distances: such a line never crosses itself. The first that fits is taken."""
    rng = rng_of(purpose, seed, "loop")
    for _ in range(TRIES):
        angles = np.sort(rng.uniform(0, 2 * math.pi, CORNERS))
        spread = rng.uniform(NEAR_M, FAR_M, CORNERS)
        corners = [(float(r * math.sin(a)), float(r * math.cos(a))) for a, r in zip(angles, spread, strict=True)]
        turns = _turns_deg(corners)
        if not _fits(corners, turns):
            continue
        radii = [float(rng.uniform(9.0, 13.0) if abs(turn) > SHARP_DEG else rng.uniform(60.0, 140.0)) for turn in turns]
        try:
            return closed(corners, radii)
        except ValueError:
            continue
    raise RuntimeError(f"no loop fits in {TRIES} tries of seed {seed}")


def _turns_deg(corners: Sequence[tuple[float, float]]) -> list[float]:
    count = len(corners)
    headings = [
        math.degrees(math.atan2(corners[(n + 1) % count][0] - corners[n][0], corners[(n + 1) % count][1] - corners[n][1]))
        for n in range(count)
    ]
    return [turn_deg(headings[n] - headings[n - 1]) for n in range(count)]


def _fits(corners: Sequence[tuple[float, float]], turns: Sequence[float]) -> bool:
    """Sides long enough, no corner too sharp, at least four of them sharp, and no street too near to another."""
    count = len(corners)
    if any(math.dist(corners[n], corners[(n + 1) % count]) < SHORTEST_SIDE_M for n in range(count)):
        return False
    if max(map(abs, turns)) > SHARPEST_DEG or sum(abs(turn) > SHARP_DEG for turn in turns) < 4:
        return False
    points = [_between(corners[n], corners[(n + 1) % count], share) for n in range(count) for share in np.linspace(0, 1, 9)[:-1]]
    for (first, one), (second, other) in itertools.combinations(enumerate(points), 2):
        steps = min(second - first, len(points) - second + first)
        if steps > 8 and math.dist(one, other) < APART_M:
            return False
    return True


def _between(here: tuple[float, float], there: tuple[float, float], share: float) -> tuple[float, float]:
    return here[0] + (there[0] - here[0]) * share, here[1] + (there[1] - here[1]) * share


def _tunnel(path: Path, corners: Sequence[tuple[float, float]], rng: np.random.Generator) -> Tunnel:
    """In the longest street without a sharp corner, not across the end of the line."""
    edges = [0.0, *(edge for span in corners for edge in span), path.length_m]
    free = [(start, end) for start, end in itertools.pairwise(edges) if (start, end) not in corners]
    start_m, end_m = max(free, key=lambda each: each[1] - each[0])
    longest_m = min(end_m - start_m - 2 * CLEAR_M - 30.0, rng.uniform(*TUNNEL_M))
    from_m = start_m + (end_m - start_m - longest_m) * 0.6
    return Tunnel(round(from_m, 2), round(from_m + longest_m, 2))


def _corner_roads(path: Path, from_m: float, to_m: float) -> list[SideRoad]:
    """A sharp corner is a crossing of roads: both go on beyond it. Their own line is the middle of the road."""
    into, out = path.at(from_m - 0.01), path.at(to_m + 0.01)
    along_m = (to_m - from_m) / 2.0
    return [
        SideRoad(round(from_m - 1.0, 2), round(into.heading_deg, 4), JUNCTION_HALF_M, JUNCTION_REACH_M + along_m, 2.0),
        SideRoad(round(to_m + 1.0, 2), round((out.heading_deg + 180.0) % 360.0, 4), JUNCTION_HALF_M, JUNCTION_REACH_M, 2.0),
    ]


def _side_roads(path: Path, taken: Sequence[tuple[float, float]], rng: np.random.Generator) -> list[SideRoad]:
    """Smaller roads, now left, now right, where nothing else is."""
    roads: list[SideRoad] = []
    at_m = rng.uniform(*SIDE_EVERY_M)
    while at_m < path.length_m - 40.0:
        if all(not from_m - 2 * CLEAR_M < at_m < to_m + 2 * CLEAR_M for from_m, to_m in taken):
            side = 90.0 if rng.random() < 0.5 else -90.0
            heading_deg = (path.at(at_m).heading_deg + side + rng.uniform(-12.0, 12.0)) % 360.0
            roads.append(SideRoad(round(at_m, 2), round(heading_deg, 4), float(rng.uniform(2.4, 3.0)), 60.0, 1.6))
        at_m += rng.uniform(*SIDE_EVERY_M)
    return roads


def _crossings(
    corners: Sequence[tuple[float, float]], mids: Sequence[float], tunnel: Tunnel, rng: np.random.Generator
) -> tuple[tuple[Crossing, ...], tuple[Light, ...]]:
    """A crossing before each corner and before some side roads; at some of them a red light."""
    crossings: list[Crossing] = []
    lights: list[Light] = []
    places = sorted([*(from_m - 11.0 for from_m, _ in corners), *(at_m - 9.0 for at_m in mids if rng.random() < 0.55)])
    last_m = -math.inf
    for at_m in places:
        if at_m < 60.0 or tunnel.from_m - 45.0 < at_m < tunnel.to_m + 25.0:
            continue
        lit = at_m - last_m > LIGHTS_AT_LEAST_APART_M
        crossings.append(Crossing(round(at_m, 2), 3.5 if lit else 2.8, 2.5 if lit else 0.0))
        if lit:
            last_m = at_m
            period_s = float(round(rng.uniform(48.0, 70.0)))
            stop_m = round(at_m - crossings[-1].width_m / 2 - crossings[-1].stop_m - 1.6, 2)
            lights.append(
                Light(
                    f"light-{len(lights) + 1}",
                    stop_m,
                    period_s,
                    float(round(period_s * 0.45)),
                    float(round(rng.uniform(0, period_s))),
                )
            )
    return tuple(crossings), tuple(lights)


def _stretches(
    length_m: float, corners: Sequence[tuple[float, float]], tunnel: Tunnel, rng: np.random.Generator
) -> list[Stretch]:
    """From corner to corner one street; the tunnel is one of its own."""
    edges = sorted({0.0, length_m, tunnel.from_m - 6.0, tunnel.to_m + 6.0, *((a + b) / 2 for a, b in corners)})
    first = _street(rng)
    streets: list[Stretch] = []
    for number, (from_m, to_m) in enumerate(itertools.pairwise(edges)):
        under = from_m <= (tunnel.from_m + tunnel.to_m) / 2 <= to_m
        # The line's end and its start lie in the middle of one street.
        kind = _tunnel_street() if under else first if number in {0, len(edges) - 2} else _street(rng)
        streets.append(Stretch(from_m, to_m, *kind))
    return streets


Street = tuple[float, float, float, float, Centre, float, float, int]


def _street(rng: np.random.Generator) -> Street:
    """Kerb left, kerb right, pavement, centre, its line, parking left and right, age."""
    parking_left_m, parking_right_m = (2.05 if rng.random() < share else 0.0 for share in (0.55, 0.7))
    lane_m = LANE_M * rng.uniform(0.95, 1.05)
    return (
        float(round(lane_m * 1.5 + parking_left_m + 0.1, 2)),
        float(round(lane_m * 0.5 + parking_right_m + 0.25, 2)),
        float(round(rng.uniform(1.7, 3.0), 2)),
        float(round(-lane_m / 2, 3)),
        ("dashed", "dashed", "solid", "none")[int(rng.integers(4))],
        parking_left_m,
        parking_right_m,
        int(rng.integers(2, 6)),
    )


def _tunnel_street() -> Street:
    return (5.1, 2.0, 0.9, -1.6, "solid", 0.0, 0.0, 3)


def _weather(path: Path, rng: np.random.Generator) -> tuple[Weather, ...]:
    """A day in four parts of the loop: it begins before noon and ends at dusk, with a shower between. Real towns take longer."""
    lens: Lens = "clean"
    shares = (0.0, 0.42, 0.58, 0.72, 0.86, 1.0)
    edges = [round(share * path.length_m, 2) for share in shares]
    edges[-1] = path.length_m
    hour = float(rng.uniform(10.0, 12.0))
    parts = (
        (hour, 0.0, 0.0, 1.0),
        (hour + 2.0, 0.7, 1.0, 2.0),
        (hour + 3.0, 0.0, 0.6, 1.5),
        (18.2, 0.0, 0.0, 1.5),
        (20.2, 0.0, 0.0, 4.0),
    )
    return tuple(
        Weather(from_m, to_m, round(at, 2), rain, wet, lens, exposure_ms)
        for (from_m, to_m), (at, rain, wet, exposure_ms) in zip(itertools.pairwise(edges), parts, strict=True)
    )
