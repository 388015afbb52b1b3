"""What is painted on the road: centre lines, parking lanes, crossings, stop and yield lines. Pure.

Widths and rhythms are those of French towns (arrêté du 16 février 1988, 7e partie): lines of 10 to 12 cm, crossings of 0.5 m
stripes, a yield line of 0.5 m dashes.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from device.street.network import Ground
from device.street.scene import Scene

Floats32 = npt.NDArray[np.float32]
Nodes = npt.NDArray[np.float64]
Spread = Callable[[Nodes], Floats32]

LINE_M, PARKING_LINE_M = 0.12, 0.10
DASH_M, DASH_EVERY_M = 3.0, 6.5
BAY_M = 5.2
STRIPE_M = 0.5
STOP_LINE_M = 0.5
CORNER_M = 7.0
"""So far from a corner no line is painted."""


class Markings:
    """The paint of one scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._length_m = scene.path.length_m
        bends = [
            (start, start + piece.length_m)
            for start, piece in zip(scene.path.starts_m, scene.line, strict=False)
            if abs(piece.curvature_per_m) > 0.05
        ]
        self._bare = [(from_m - 2.0, to_m + CORNER_M) for from_m, to_m in bends]
        self._bare += [
            (each.at_m - each.width_m / 2 - each.stop_m - 1.2, each.at_m + each.width_m / 2 + 0.8) for each in scene.crossings
        ]
        self._mouths = [(road.at_m - road.half_m - 2.5, road.at_m + road.half_m + 2.5) for road in scene.side_roads]

    def paint(self, ground: Ground, right: Floats32, along: Floats32, spread: Spread, px_m: float) -> Floats32:
        """How much of each pixel is painted, 0 to 1; `spread` interpolates what is known at few places."""
        total = self._lines(right, along, spread(np.minimum(ground.main_m, 60.0)), px_m)
        if (ground.side >= 0).any() and float(np.nanmin(np.abs(ground.side_right_m))) < 4.0:
            total = np.maximum(total, self._yield_line(ground, spread, px_m))
        return total

    def _lines(self, right: Floats32, along: Floats32, main: Floats32, px_m: float) -> Floats32:
        from_m, to_m = float(along.min()), float(along.max())
        paint = np.zeros_like(right)
        for stretch in self._scene.stretches:
            for around_m in (-self._length_m, 0.0, self._length_m):
                start_m, end_m = stretch.from_m + around_m, stretch.to_m + around_m
                if end_m < from_m or start_m > to_m:
                    continue
                here = np.zeros_like(right)
                if stretch.centre != "none":
                    line = band(np.abs(right - np.float32(stretch.centre_m)), LINE_M / 2, px_m)
                    here = line if stretch.centre == "solid" else line * rhythm(along, DASH_EVERY_M, DASH_M, px_m)
                for edge_m, lane_m in ((stretch.right_m, stretch.parking_right_m), (stretch.left_m, stretch.parking_left_m)):
                    if lane_m:
                        here = np.maximum(
                            here, _bays(right if edge_m == stretch.right_m else -right, along, edge_m, lane_m, px_m)
                        )
                if start_m > from_m or end_m < to_m:
                    here = here * ((along >= start_m) & (along < end_m))
                paint = np.maximum(paint, here)
        if float(paint.max()) > 0.0:
            paint *= self._kept(self._bare, right, along, px_m)
            paint *= self._kept(self._mouths, right, along, px_m, only_beyond=2.2)
        return np.maximum(paint, self._crossings(right, along, main, px_m))

    def _kept(
        self, spans: list[tuple[float, float]], right: Floats32, along: Floats32, px_m: float, only_beyond: float = 0.0
    ) -> Floats32:
        """1 where lines are painted, 0 on what is kept bare; `only_beyond` metres from the middle of the road if given."""
        kept = np.ones_like(right)
        from_m, to_m = float(along.min()), float(along.max())
        for start_m, end_m in spans:
            for around_m in (-self._length_m, 0.0, self._length_m):
                if end_m + around_m > from_m and start_m + around_m < to_m:
                    middle, half = np.float32((start_m + end_m) / 2 + around_m), (end_m - start_m) / 2
                    bare = band(np.abs(along - middle), half, px_m)
                    if only_beyond:
                        bare = bare * (np.abs(right + np.float32(1.6)) > np.float32(only_beyond))
                    kept -= bare
        clipped: Floats32 = np.clip(kept, 0.0, 1.0)
        return clipped

    def _crossings(self, right: Floats32, along: Floats32, main: Floats32, px_m: float) -> Floats32:
        from_m, to_m = float(along.min()), float(along.max())
        paint = np.zeros_like(right)
        for each in self._scene.crossings:
            for around_m in (-self._length_m, 0.0, self._length_m):
                at_m = each.at_m + around_m
                if at_m + 4.0 < from_m or at_m - 12.0 > to_m:
                    continue
                stripes = rhythm(right + np.float32(100.25), 2 * STRIPE_M, STRIPE_M, px_m)
                stripes = stripes * band(np.abs(along - np.float32(at_m)), each.width_m / 2, px_m)
                paint = np.maximum(paint, stripes * (main < np.float32(-0.25)))
                if each.stop_m:
                    stop_m = at_m - each.width_m / 2 - each.stop_m - STOP_LINE_M / 2
                    line = band(np.abs(along - np.float32(stop_m)), STOP_LINE_M / 2, px_m)
                    line = line * (right > np.float32(-1.45)) * (main < np.float32(-0.2)) * (right < np.float32(1.75))
                    paint = np.maximum(paint, line)
        return paint

    def _yield_line(self, ground: Ground, spread: Spread, px_m: float) -> Floats32:
        """Dashes across the mouth of a side road, in the lane that comes out of it, and its own middle line."""
        near = ground.side >= 0
        right = spread(np.where(near, ground.side_right_m, 60.0))
        along = spread(np.where(near, ground.side_along_m, -60.0))
        main = spread(np.minimum(ground.main_m, 60.0))
        halves = np.array([road.half_m for road in self._scene.side_roads])
        half = spread(halves[np.maximum(ground.side, 0).astype(int)])
        dashes = band(np.abs(main - np.float32(0.75)), 0.25, px_m) * rhythm(right + np.float32(100.0), 1.0, 0.5, px_m)
        dashes *= (right < np.float32(-0.15)) & (right > 0.25 - half)
        middle = band(np.abs(right), LINE_M / 2, px_m) * rhythm(along, 5.0, 1.5, px_m) * (main > np.float32(3.0))
        painted: Floats32 = np.maximum(dashes, middle)
        return painted


def band(off: Floats32, half_m: float, px_m: float) -> Floats32:
    """The share of a pixel within `half_m` of where `off` (>= 0) is 0."""
    # A line thinner than a pixel covers only a part of it.
    strength = np.float32(min(1.0, 2.0 * half_m / px_m))
    covered: Floats32 = np.clip(np.float32(0.5) + (np.float32(half_m) - off) / np.float32(px_m), 0.0, 1.0) * strength
    return covered


def rhythm(along: Floats32, every_m: float, long_m: float, px_m: float) -> Floats32:
    """1 on the first `long_m` of each `every_m`, with soft ends."""
    if px_m > every_m / 2:
        return np.full_like(along, np.float32(long_m / every_m))
    # The distance to the nearest middle of a dash; a remainder would take six times as long.
    turns = along * np.float32(1.0 / every_m) - np.float32(long_m / 2 / every_m)
    turns -= np.rint(turns)
    return band(np.abs(turns) * np.float32(every_m), long_m / 2, px_m)


def _bays(out: Floats32, along: Floats32, edge_m: float, lane_m: float, px_m: float) -> Floats32:
    """The line of a parking lane and the marks between its bays; `out` counts from the line towards its kerb."""
    edge = np.float32(edge_m - lane_m)
    line = band(np.abs(out - edge), PARKING_LINE_M / 2, px_m) * rhythm(along, BAY_M, BAY_M * 0.55, px_m)
    marks = rhythm(along, BAY_M, PARKING_LINE_M, px_m) * (np.abs(out - edge - np.float32(0.45)) < np.float32(0.45))
    painted: Floats32 = np.maximum(line, marks)
    return painted
