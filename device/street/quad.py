"""Flat pictures in space: laid into a frame in perspective, exactly, with their coarser copies for what is far away."""

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from PIL import Image

from device.street.geometry import Floats, Pinhole
from device.street.sheet import Bytes

NEAR_M = 0.3
"""What is nearer to the lens, along its axis, is cut off."""
SMALLEST_PX = 2.0
MOST_BYTES = 90_000_000
"""Of coarser copies kept."""
STEPS = (1, 2, 4, 8, 16, 32)

Box = tuple[int, int, int, int]


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
    """What of a picture is in the frame: its box in pixels, and its pixels there (RGBA)."""

    box: Box
    patch: Image.Image


class Layer:
    """Lays pictures for one camera; coarser copies are kept within bounds."""

    def __init__(self, camera: Pinhole) -> None:
        self._camera = camera
        focal = camera.focal_px
        self._pixels = (
            np.array(((focal, 0.0, camera.width / 2.0), (0.0, focal, camera.height / 2.0), (0.0, 0.0, 1.0))) @ camera.axes
        )
        self._copies: OrderedDict[tuple[object, ...], Image.Image] = OrderedDict()
        self._bytes = 0

    def lay(self, flat: Flat) -> Laid | None:
        """A picture in perspective; None where nothing of it is in the frame."""
        lens = np.array((0.0, 0.0, self._camera.height_m))
        # Homogeneous pixels of the point a across and b down: matrix @ (a, b, 1); the third row is depth along the axis.
        matrix = self._pixels @ np.stack((flat.across, flat.down, flat.corner - lens), axis=1)
        seen = _clipped(matrix)
        if seen is None:
            return None
        box = self._box(matrix, seen)
        if box is None or abs(np.linalg.det(matrix)) < 1e-9:
            return None
        source, scale = self._copy(flat, *_reductions(matrix, seen, flat.rgba.shape))
        inverse = np.linalg.inv(matrix)
        sized = np.diag((source.width * scale[0], source.height * scale[1], 1.0)) @ inverse
        shifted = sized @ np.array(((1.0, 0.0, box[0]), (0.0, 1.0, box[1]), (0.0, 0.0, 1.0)))
        numbers = (shifted / shifted[2, 2]).ravel()[:8]
        size = (box[2] - box[0], box[3] - box[1])
        patch = source.transform(size, Image.Transform.PERSPECTIVE, [float(each) for each in numbers], Image.Resampling.BILINEAR)
        return Laid(box, patch.convert("RGBA"))

    def _box(self, matrix: Floats, seen: Floats) -> Box | None:
        points = matrix @ np.vstack((seen.T, np.ones(len(seen))))
        columns, rows = points[0] / points[2], points[1] / points[2]
        left, top = max(0, math.floor(columns.min())), max(0, math.floor(rows.min()))
        right, bottom = min(self._camera.width, math.ceil(columns.max())), min(self._camera.height, math.ceil(rows.max()))
        if right <= left or bottom <= top or np.ptp(columns) < SMALLEST_PX or np.ptp(rows) < SMALLEST_PX / 2:
            return None
        return left, top, right, bottom

    def _copy(self, flat: Flat, by_x: int, by_y: int) -> tuple[Image.Image, tuple[float, float]]:
        """The picture, reduced; and the size of the whole in its pixels, since reducing rounds up at the end."""
        key = (*flat.name, by_x, by_y)
        found = self._copies.get(key)
        if found is None:
            whole = Image.fromarray(flat.rgba, "RGBA").convert("RGBa")
            found = whole if by_x == by_y == 1 else whole.reduce((by_x, by_y))
            self._copies[key] = found
            self._bytes += found.width * found.height * 4
            while self._bytes > MOST_BYTES:
                _, old = self._copies.popitem(last=False)
                self._bytes -= old.width * old.height * 4
        else:
            self._copies.move_to_end(key)
        rows, columns = flat.rgba.shape[:2]
        return found, (columns / by_x / found.width, rows / by_y / found.height)


def _clipped(matrix: Floats) -> Floats | None:
    """The corners (a, b) of what of the unit square lies in front of the lens; None where nothing does."""
    depth = matrix[2]
    corners = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    depths = [depth[0] * a + depth[1] * b + depth[2] - NEAR_M for a, b in corners]
    if min(depths) > 0.0:
        return np.array(corners)
    kept: list[tuple[float, float]] = []
    for number, (here, left) in enumerate(zip(corners, depths, strict=True)):
        after, right = corners[(number + 1) % 4], depths[(number + 1) % 4]
        if left > 0.0:
            kept.append(here)
        if (left > 0.0) != (right > 0.0):
            share = left / (left - right)
            kept.append((here[0] + (after[0] - here[0]) * share, here[1] + (after[1] - here[1]) * share))
    return np.array(kept) if kept else None


def _reductions(matrix: Floats, seen: Floats, shape: tuple[int, ...]) -> tuple[int, int]:
    """How much coarser across and down, from how many frame pixels the picture's sides have where it is seen."""
    points = matrix @ np.vstack((seen.T, np.ones(len(seen))))
    u, v, w = points[0] / points[2], points[1] / points[2], points[2]
    found = []
    for side, count in ((0, shape[1]), (1, shape[0])):
        lengths = np.hypot(matrix[0, side] - u * matrix[2, side], matrix[1, side] - v * matrix[2, side]) / w
        # In between of the sharpest and the coarsest place, in proportion.
        wanted = count / max(1.0, math.sqrt(float(lengths.max()) * float(lengths.min())))
        found.append(next((step for step in reversed(STEPS) if step <= wanted * 0.8 or step == 1), 1))
    return found[0], found[1]
