"""Where the road's own lines meet: markings and kerbs of a straight street point at one place of the picture. Pure.

Edges are gathered block by block: the structure tensor of a block tells its direction, its centre of gravity a point of the line
(Förstner and Gülch 1987). What most lines of many frames point at is found by trying pairs of them (Fischler and Bolles 1981) and
refined by weighted least squares over the angle by which each line misses it.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from device.frame import Pixels
from inference.lens import Lens

Floats = npt.NDArray[np.floating[Any]]

WORK_WIDTH_PX = 640
"""A picture is averaged down to about this width first."""
SMOOTHED = 2
"""Times: the difference of two neighbours turns the direction of a sharp edge towards the diagonal, and moves the place by half
a degree; after smoothing twice it is 0.1 degrees (simulated street)."""
BLOCK_PX = 24
LEAST_COHERENCE = 0.93
"""Of a block's gradients: 1 where all point the same way."""
LEAST_GRADIENT = 2.0
"""Root mean square of a block's gradient (grey levels per pixel)."""
LEVEL_DEG, UPRIGHT_DEG = 4.0, 4.0
"""Lines as level or as upright as this are of crossings, windows and posts, not of the road."""
STEEPEST_PITCH_DEG, MOST_YAW_DEG = 35.0, 25.0
TRIES, JUDGES = 1500, 4000
TOLERANCE = math.sin(math.radians(1.2))
"""A line that misses a place by a smaller angle (its sine) points at it."""
NEAREST = 0.08
"""In focal lengths: a line so near to the place says nothing of it."""
SAME, SAME_DEG, MOST_SAME = 0.05, 6.0, 2
"""Lines that lie so near to each other (in focal lengths) and have about one direction: so many of them count. The bonnet's edge
is in each frame, and would outvote any street."""
DEEPER = 2
BELOW = 0.03
"""In focal lengths: so far below the place at which they meet lines are taken for the road's."""
ROUNDS = 15
LEAST_LINES = 40
"""Fewer that agree are no street."""
LEAST_SHARE = 0.18
"""Of all lines: where fewer agree, it is chance."""


@dataclass(frozen=True, slots=True)
class Vanishing:
    """The place in focal lengths right and down of the middle of the undistorted picture, and what it says of the mounting.

    `lines` agree, a share `agreeing` of all.
    """

    x: float
    y: float
    lines: int
    agreeing: float

    @property
    def pitch_deg(self) -> float:
        """Down is positive."""
        return -math.degrees(math.atan(self.y))

    @property
    def yaw_deg(self) -> float:
        """Right is positive."""
        return -math.degrees(math.atan(self.x * math.cos(math.atan(self.y))))


def lines_of(pixels: Pixels, lens: Lens) -> Floats:
    """The straight edges of a picture, (n, 5): a point and a direction, undistorted and in focal lengths, and a weight.

    `lens` is of this picture's size; its pitch, yaw and height do not matter.
    """
    reduced = max(1, round(pixels.shape[1] / WORK_WIDTH_PX))
    rows, columns = (pixels.shape[0] // reduced, pixels.shape[1] // reduced)
    green = pixels[: rows * reduced, : columns * reduced, 1].astype(np.float32)
    grey = np.asarray(green.reshape(rows, reduced, columns, reduced).mean(axis=(1, 3)), np.float32)
    for _ in range(SMOOTHED):
        grey = _smoothed(_smoothed(grey).T).T
    down, across = np.gradient(grey, axis=0), np.gradient(grey, axis=1)
    half = BLOCK_PX // 2
    found = [_blocks(across[dy:, dx:], down[dy:, dx:], dx, dy) for dy in (0, half) for dx in (0, half)]
    points, turns, weights = (np.concatenate(each) for each in zip(*found, strict=True))
    return _undistorted(points * reduced, turns, weights, lens)


def vanishing_point(lines: Floats, rng: np.random.Generator) -> Vanishing | None:
    """What most of the lines point at; None where no place has enough of them."""
    steep = np.degrees(np.abs(np.arctan2(lines[:, 3], lines[:, 2])))
    steep = np.minimum(steep, 180.0 - steep)
    lines = _thinned(lines[(steep > LEVEL_DEG) & (steep < 90.0 - UPRIGHT_DEG)])
    if len(lines) < LEAST_LINES:
        return None
    best = _tried(lines, rng)
    for _ in range(DEEPER):
        # Lines above the horizon are of houses, which do not always follow the road.
        lower = lines if best is None else lines[lines[:, 1] > best[1] + BELOW]
        if len(lower) < LEAST_LINES:
            return None
        lines, best = lower, _tried(lower, rng)
    if best is None:
        return None
    for _ in range(ROUNDS):
        best = _refined(lines, best)
    agree = _misses(lines, best[None, :])[0] < TOLERANCE
    count, share = int(agree.sum()), float(agree.mean())
    if count < LEAST_LINES or share < LEAST_SHARE:
        return None
    return Vanishing(float(best[0]), float(best[1]), count, share)


def _blocks(across: Floats, down: Floats, left: int, top: int) -> tuple[Floats, Floats, Floats]:
    """Points (px), directions (radians) and weights of the blocks that hold one straight edge."""
    rows, columns = across.shape[0] // BLOCK_PX, across.shape[1] // BLOCK_PX
    shape = (rows, BLOCK_PX, columns, BLOCK_PX)
    gx, gy = (each[: rows * BLOCK_PX, : columns * BLOCK_PX].reshape(shape) for each in (across, down))
    xx, yy, xy = (gx * gx).sum(axis=(1, 3)), (gy * gy).sum(axis=(1, 3)), (gx * gy).sum(axis=(1, 3))
    energy = xx + yy
    coherent = np.hypot(xx - yy, 2.0 * xy) > LEAST_COHERENCE * energy
    strong = coherent & (energy > LEAST_GRADIENT**2 * BLOCK_PX**2)
    squared = gx * gx + gy * gy
    place = np.arange(BLOCK_PX) + 0.5
    x = (squared * place).sum(axis=(1, 3))[strong] / energy[strong]
    y = (squared * place[:, None, None]).sum(axis=(1, 3))[strong] / energy[strong]
    row, column = np.nonzero(strong)
    points = np.stack((left + column * BLOCK_PX + x, top + row * BLOCK_PX + y), axis=1)
    # The gradients' main direction is across the line.
    turns = 0.5 * np.arctan2(2.0 * xy[strong], (xx - yy)[strong]) + math.pi / 2.0
    return points, turns, np.sqrt(np.sqrt(energy[strong]))


def _smoothed(grey: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """With the binomial weights 1 4 6 4 1 along its columns."""
    wide = np.pad(grey, ((2, 2), (0, 0)), mode="edge")
    smooth: npt.NDArray[np.float32] = (wide[:-4] + 4.0 * wide[1:-3] + 6.0 * wide[2:-2] + 4.0 * wide[3:-1] + wide[4:]) / 16.0
    return smooth


def _undistorted(points: Floats, turns: Floats, weights: Floats, lens: Lens) -> Floats:
    found = []
    for (x, y), turn, weight in zip(points.tolist(), turns.tolist(), weights.tolist(), strict=True):
        dx, dy = BLOCK_PX / 2.0 * math.cos(turn), BLOCK_PX / 2.0 * math.sin(turn)
        one, other = lens.undistorted(x - dx, y - dy), lens.undistorted(x + dx, y + dy)
        if one is not None and other is not None:
            length = math.hypot(other[0] - one[0], other[1] - one[1])
            middle = (one[0] + other[0]) / 2.0, (one[1] + other[1]) / 2.0
            found.append((*middle, (other[0] - one[0]) / length, (other[1] - one[1]) / length, weight))
    return np.array(found).reshape(-1, 5)


def _thinned(lines: Floats) -> Floats:
    """Without those that are the same over and over."""
    turns = np.degrees(np.arctan2(lines[:, 3], lines[:, 2])) % 180.0
    places = np.floor(np.column_stack((lines[:, 0] / SAME, lines[:, 1] / SAME, turns / SAME_DEG))).astype(np.int64)
    _, where = np.unique(places, axis=0, return_inverse=True)
    order = np.argsort(where.ravel(), kind="stable")
    ordered = where.ravel()[order]
    nth = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    return lines[np.sort(order[nth < MOST_SAME])]


def _misses(lines: Floats, places: Floats) -> Floats:
    """The sine of the angle by which each line misses each place, (places, lines); 1 for those too near to say."""
    right, below = places[:, :1] - lines[:, 0], places[:, 1:] - lines[:, 1]
    away = np.hypot(right, below)
    missed: Floats = np.abs(right * lines[:, 3] - below * lines[:, 2]) / np.maximum(away, NEAREST)
    return np.where(away < NEAREST, 1.0, missed)


def _tried(lines: Floats, rng: np.random.Generator) -> Floats | None:
    """The meeting point of the pair of lines that most others point at."""
    pairs = rng.integers(len(lines), size=(TRIES, 2))
    one, other = lines[pairs[:, 0]], lines[pairs[:, 1]]
    turned = one[:, 2] * other[:, 3] - one[:, 3] * other[:, 2]
    apart = other[:, :2] - one[:, :2]
    with np.errstate(divide="ignore", invalid="ignore"):
        along = (apart[:, 0] * other[:, 3] - apart[:, 1] * other[:, 2]) / turned
    places = one[:, :2] + along[:, None] * one[:, 2:4]
    likely = (np.abs(places[:, 1]) < math.tan(math.radians(STEEPEST_PITCH_DEG))) & (
        np.abs(places[:, 0]) < math.tan(math.radians(MOST_YAW_DEG))
    )
    places = places[likely & (np.abs(turned) > TOLERANCE)]
    if len(places) == 0:
        return None
    judges = lines if len(lines) <= JUDGES else lines[rng.choice(len(lines), JUDGES, replace=False)]
    scores = [
        float((np.maximum(0.0, 1.0 - _misses(judges, place[None, :])[0] / TOLERANCE) * judges[:, 4]).sum()) for place in places
    ]
    best: Floats = places[int(np.argmax(scores))]
    return best


def _refined(lines: Floats, place: Floats) -> Floats:
    """A step of least squares over the lines that point there, the less the more they miss (Tukey's biweight)."""
    missed = _misses(lines, place[None, :])[0] / (2.0 * TOLERANCE)
    weights = np.where(missed < 1.0, (1.0 - missed**2) ** 2, 0.0) * lines[:, 4]
    weights = weights / np.maximum(NEAREST, np.hypot(place[0] - lines[:, 0], place[1] - lines[:, 1])) ** 2
    normals = np.stack((lines[:, 3], -lines[:, 2]), axis=1)
    system = (normals * weights[:, None]).T @ normals
    wanted = (normals * weights[:, None]).T @ (normals * lines[:, :2]).sum(axis=1)
    refined: Floats = np.linalg.solve(system + np.eye(2) * 1e-9, wanted)
    return refined
