"""Flat pictures in space: laid into a frame in perspective, exactly, with their coarser copies for what is far away.

The arithmetic of one picture is a few dozen products: plain numbers are four times as fast here as arrays.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from device.street.geometry import Floats, Pinhole
from device.street.sheet import Bytes
from device.street.shelf import Shelf

NEAR_M = 0.3
"""What is nearer to the lens, along its axis, is cut off."""
SMALLEST_PX = 2.0
MOST_BYTES = 48_000_000
"""Of coarser copies kept."""
STEPS = (1, 2, 4, 8, 16, 32)
SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
WORDS = "RGBX"
"""Four bytes of a pixel that Pillow leaves alone: alpha stands in the last, colours are straight."""

Box = tuple[int, int, int, int]
Row = tuple[float, float, float]
Matrix = tuple[Row, Row, Row]
Spots = list[tuple[float, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Flat:
    """A picture to be laid: its pixels' name and (rows, columns, RGBA), and where it is in the car's axes, metres.

    `corner` is its top left corner, `across` leads from there to its top right, `down` to its bottom left.
    """

    name: tuple[object, ...]
    rgba: Bytes
    corner: Floats
    across: Floats
    down: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """What of a picture is in the frame: its box in pixels, its pixels there (`WORDS`), and their alpha."""

    box: Box
    patch: Image.Image
    alpha: Image.Image


class Layer:
    """Lays pictures for one camera; coarser copies are kept within bounds."""

    def __init__(self, camera: Pinhole) -> None:
        self._camera = camera
        focal = camera.focal_px
        pixels = np.array(((focal, 0.0, camera.width / 2.0), (0.0, focal, camera.height / 2.0), (0.0, 0.0, 1.0))) @ camera.axes
        self._pixels: list[list[float]] = pixels.tolist()
        self._copies: Shelf[Image.Image] = Shelf(MOST_BYTES, lambda copy: copy.width * copy.height * 4)

    def lay(self, flat: Flat) -> Laid | None:
        """A picture in perspective; None where nothing of it is in the frame."""
        matrix = self._matrix(flat)
        seen = _clipped(matrix[2])
        if not seen:
            return None
        points = [_at(matrix, a, b) for a, b in seen]
        box = self._box(points)
        inverse = _inverse(matrix)
        if box is None or inverse is None:
            return None
        rows, columns = flat.rgba.shape[:2]
        by_x, by_y = _reductions(matrix, points, columns, rows)
        if by_x == by_y == 1:
            source = Image.frombuffer(WORDS, (columns, rows), flat.rgba, "raw", WORDS, 0, 1)  # shares its bytes
        else:
            source = self._copies.get((*flat.name, by_x, by_y), lambda: _copy(flat.rgba, by_x, by_y))
        # The whole in the copy's pixels: reducing rounds up at the end.
        numbers = _numbers(inverse, columns / by_x, rows / by_y, box)
        size = (box[2] - box[0], box[3] - box[1])
        patch = source.transform(size, Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BILINEAR)
        return Laid(box, patch, patch.getchannel("X"))

    def _matrix(self, flat: Flat) -> Matrix:
        """Homogeneous pixels of the point a across and b down: matrix @ (a, b, 1); the third row is depth along the axis."""
        across, down, corner = flat.across.tolist(), flat.down.tolist(), flat.corner.tolist()
        corner[2] -= self._camera.height_m
        first, second, third = (
            (
                x * across[0] + y * across[1] + z * across[2],
                x * down[0] + y * down[1] + z * down[2],
                x * corner[0] + y * corner[1] + z * corner[2],
            )
            for x, y, z in self._pixels
        )
        return first, second, third

    def _box(self, points: list[Row]) -> Box | None:
        columns, rows = [u for u, _, _ in points], [v for _, v, _ in points]
        left, top = max(0, math.floor(min(columns))), max(0, math.floor(min(rows)))
        right, bottom = min(self._camera.width, math.ceil(max(columns))), min(self._camera.height, math.ceil(max(rows)))
        wide, high = max(columns) - min(columns), max(rows) - min(rows)
        if right <= left or bottom <= top or wide < SMALLEST_PX or high < SMALLEST_PX / 2:
            return None
        return left, top, right, bottom


def _at(matrix: Matrix, a: float, b: float) -> Row:
    """Column, row and depth of a point of the picture."""
    u, v, w = (row[0] * a + row[1] * b + row[2] for row in matrix)
    return u / w, v / w, w


def _inverse(matrix: Matrix) -> Matrix | None:
    """By cofactors; None of a picture that is seen from its edge."""
    (a, b, c), (d, e, f), (g, h, i) = matrix
    one, two, three = e * i - f * h, f * g - d * i, d * h - e * g
    whole = a * one + b * two + c * three
    if abs(whole) < 1e-9:
        return None
    return (
        (one / whole, (c * h - b * i) / whole, (b * f - c * e) / whole),
        (two / whole, (a * i - c * g) / whole, (c * d - a * f) / whole),
        (three / whole, (b * g - a * h) / whole, (a * e - b * d) / whole),
    )


def _numbers(inverse: Matrix, columns: float, rows: float, box: Box) -> list[float]:
    """The eight numbers from pixels of the box to pixels of a copy so large."""
    left, top = box[:2]
    moved = [(x, y, x * left + y * top + z) for x, y, z in inverse]
    scale = moved[2][2]
    sized = [[each * by / scale for each in row] for row, by in zip(moved, (columns, rows, 1.0), strict=True)]
    return [*sized[0], *sized[1], *sized[2][:2]]


def _copy(rgba: Bytes, by_x: int, by_y: int) -> Image.Image:
    """The picture, reduced, as `WORDS`: without weights, since what is clear has the colour of what is beside (`bled`)."""
    whole = Image.frombuffer(WORDS, (rgba.shape[1], rgba.shape[0]), rgba, "raw", WORDS, 0, 1)
    return whole.reduce((by_x, by_y))


def _clipped(depth: Row) -> Spots:
    """The corners (a, b) of what of the unit square lies in front of the lens."""
    depths = [depth[0] * a + depth[1] * b + depth[2] - NEAR_M for a, b in SQUARE]
    if min(depths) > 0.0:
        return list(SQUARE)
    kept: Spots = []
    for number, (here, left) in enumerate(zip(SQUARE, depths, strict=True)):
        after, right = SQUARE[(number + 1) % 4], depths[(number + 1) % 4]
        if left > 0.0:
            kept.append(here)
        if (left > 0.0) != (right > 0.0):
            share = left / (left - right)
            kept.append((here[0] + (after[0] - here[0]) * share, here[1] + (after[1] - here[1]) * share))
    return kept


def _reductions(matrix: Matrix, points: list[Row], columns: int, rows: int) -> tuple[int, int]:
    """How much coarser across and down, from how many frame pixels the picture's sides have where it is seen."""
    found = []
    for side, count in ((0, columns), (1, rows)):
        lengths = [
            math.hypot(matrix[0][side] - u * matrix[2][side], matrix[1][side] - v * matrix[2][side]) / w for u, v, w in points
        ]
        # In between of the sharpest and the coarsest place, in proportion.
        wanted = count / max(1.0, math.sqrt(max(lengths) * min(lengths)))
        found.append(next((step for step in reversed(STEPS) if step <= wanted * 0.8 or step == 1), 1))
    return found[0], found[1]
