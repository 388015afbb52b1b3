"""The ground as a camera sees it: for each pixel below the horizon the colour of the place that it sees.

Tiles are kept in squares that wrap around, one of each scale, so memory is fixed; a tile is drawn when it is first seen, and is
the same whenever that is. Far away a pixel covers much road along and little across, so several places along it are averaged.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from device.street.geometry import Pinhole, Pose
from device.street.grit import OFFSET, PER_PX, SIDE, SIXTEENTHS, SPREADS, grit, spread_of
from device.street.surface import LEVELS_M, TILE_PX, Surface, Words

SQUARE: Final = 8
"""So many tiles on each side of a scale's square."""
SIDE_PX = SQUARE * TILE_PX
FARTHEST_M = 300.0
"""Beyond this the ground is haze."""
SHARP = (1.15, 2.2)
"""A scale is left for the next coarser one where a pixel covers so many of its own across."""
MOST_PLACES = (4, 8, 8)
DIMMER = 2
"""By so many of the grit's spreads."""
EVEN: Final = np.uint32(0xFEFEFEFE)

Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Rows of the picture that use one scale and average so many places: (rows x places) metres ahead, and depth.

    `spread` numbers the grit that is added; None where the scale is a coarser one, or places are averaged.
    """

    top: int
    bottom: int
    level: int
    places: int
    spread: int | None
    ahead_m: Floats32
    depth_m: Floats32
    nearest_m: float
    farthest_m: float


class GroundView:
    """Sees the ground of one surface through one camera."""

    def __init__(self, surface: Surface, camera: Pinhole) -> None:
        self._surface = surface
        self._camera = camera
        self._squares = [np.zeros(SIDE_PX * SIDE_PX, np.uint32) for _ in LEVELS_M]
        self._held = [np.full((SQUARE, SQUARE, 2), 1 << 40, np.int64) for _ in LEVELS_M]
        self._slope = ((np.arange(camera.width) + 0.5 - camera.width / 2) / camera.focal_px).astype(np.float32)
        self._wide = 1.0 / math.cos(math.radians(camera.hfov_deg) / 2.0)
        self.top = max(0, min(camera.height, math.ceil(self._row_of(FARTHEST_M))))
        self.bands = list(self._make_bands())
        rows = np.arange(self.top, camera.height, dtype=np.float64) + 0.5
        self.distances_m: Floats32 = self._ahead_m(rows).astype(np.float32)

    def _row_of(self, ahead_m: float) -> float:
        pitch = math.radians(self._camera.pitch_deg)
        down = math.atan2(self._camera.height_m, ahead_m) - pitch
        return self._camera.height / 2.0 + self._camera.focal_px * math.tan(down)

    def _ahead_m(self, rows: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Metres ahead, in the direction that the camera looks, of the middle of a row."""
        camera = self._camera
        angle = np.arctan((rows - camera.height / 2.0) / camera.focal_px) + math.radians(camera.pitch_deg)
        return camera.height_m / np.tan(np.maximum(angle, 1e-6))

    def _make_bands(self) -> list[Band]:
        """Rows from the horizon down, grouped by scale and by how many places are averaged."""
        camera, pitch = self._camera, math.radians(self._camera.pitch_deg)
        rows = range(self.top, camera.height)
        kinds: list[tuple[int, int, int | None]] = []
        for row in rows:
            ahead_m = float(self._ahead_m(np.array(row + 0.5)))
            across_m = math.hypot(ahead_m, camera.height_m) / camera.focal_px
            along_m = across_m * math.hypot(ahead_m, camera.height_m) / camera.height_m
            level = self._level(across_m, ahead_m)
            wanted = along_m / LEVELS_M[level] / 2.0
            places = min(MOST_PLACES[level], 1 << max(0, round(math.log2(max(wanted, 1.0)))))
            kinds.append((level, places, spread_of(across_m, along_m) if level == 0 and places == 1 else None))
        bands: list[Band] = []
        top = 0
        for row in range(1, len(kinds) + 1):
            if row < len(kinds) and kinds[row] == kinds[top]:
                continue
            level, places, spread = kinds[top]
            spots = (np.arange(self.top + top, self.top + row)[:, None] + (np.arange(places) + 0.5) / places).astype(np.float64)
            ahead = np.minimum(self._ahead_m(spots), FARTHEST_M * 1.5)
            depth = ahead * math.cos(pitch) + camera.height_m * math.sin(pitch)
            nearest_m, farthest_m = float(ahead.min()), float(ahead.max())
            bands.append(
                Band(
                    self.top + top,
                    self.top + row,
                    level,
                    places,
                    spread,
                    ahead.astype(np.float32),
                    depth.astype(np.float32),
                    nearest_m,
                    farthest_m,
                )
            )
            top = row
        return bands

    def _level(self, across_m: float, ahead_m: float) -> int:
        for level, sharp in enumerate(SHARP):
            # What is seen at once must fit into the square of a scale with a tile to spare.
            fits_m = LEVELS_M[level] * TILE_PX * (SQUARE - 2) / 2.0 / self._wide
            if across_m < sharp * LEVELS_M[level] and ahead_m < fits_m:
                return level
        return len(LEVELS_M) - 1

    def draw(self, pose: Pose, out: Words, *, dim: bool = False) -> None:
        """Fill the rows from `top` down of a picture (height, width) of RGBA words; alpha is how much water stays there.

        Where it is `dim`, as in a tunnel, stones differ less.
        """
        turned = math.radians(pose.heading_deg + self._camera.yaw_deg)
        sine, cosine = math.sin(turned), math.cos(turned)
        self._fetch(pose, sine, cosine)
        for band in self.bands:
            px_m = LEVELS_M[band.level]
            # Counted from the corner of the square, so that single precision is enough anywhere.
            origin_east = (pose.east_m / px_m) % SIDE_PX + SIDE_PX
            origin_north = (pose.north_m / px_m) % SIDE_PX + SIDE_PX
            columns = _spots(band, self._slope, origin_east, sine / px_m, cosine / px_m)
            rows = _spots(band, self._slope, origin_north, cosine / px_m, -sine / px_m)
            square = self._squares[band.level]
            if band.spread is None:
                out[band.top : band.bottom] = _mean(square[_index(columns, rows, SIDE_PX)])
            else:
                stones = grit(min(len(SPREADS) - 1, band.spread + (DIMMER if dim else 0)))[
                    _index(columns * np.float32(PER_PX), rows * np.float32(PER_PX), SIDE)
                ]
                shift = (stones >> np.uint32(24)).astype(np.float32) * np.float32(1.0 / SIXTEENTHS)
                columns += shift % np.float32(1.0) - np.float32(0.5)
                rows += shift * np.float32(1.0 / SIXTEENTHS) - np.float32(0.5)
                stones &= np.uint32(0xFFFFFF)
                # A byte of a tile has room for what a stone adds or takes.
                out[band.top : band.bottom] = (square[_index(columns, rows, SIDE_PX)] + stones - OFFSET)[:, 0]

    def _fetch(self, pose: Pose, sine: float, cosine: float) -> None:
        """Have every tile that a pixel may see."""
        for level in range(len(LEVELS_M)):
            bands = [band for band in self.bands if band.level == level]
            if not bands:
                continue
            size_m = LEVELS_M[level] * TILE_PX
            nearest_m, farthest_m = min(band.nearest_m for band in bands), max(band.farthest_m for band in bands)
            half = self._camera.width / 2.0 / self._camera.focal_px
            far_depth_m = max(float(band.depth_m.max()) for band in bands)
            spots = [
                (side * half * depth, ahead)
                for ahead, depth in ((nearest_m, nearest_m * 1.2 + 1), (farthest_m, far_depth_m))
                for side in (-1, 1)
            ]
            east = [pose.east_m + right * cosine + ahead * sine for right, ahead in spots]
            north = [pose.north_m - right * sine + ahead * cosine for right, ahead in spots]
            for row in range(math.floor(min(north) / size_m), math.floor(max(north) / size_m) + 1):
                for column in range(math.floor(min(east) / size_m), math.floor(max(east) / size_m) + 1):
                    middle = ((column + 0.5) * size_m - pose.east_m, (row + 0.5) * size_m - pose.north_m)
                    right_m = middle[0] * cosine - middle[1] * sine
                    ahead_m = middle[0] * sine + middle[1] * cosine
                    radius_m = size_m * 0.7072
                    # Depth along the axis is at most ahead plus the lens's height.
                    beside_m = abs(right_m) - (max(ahead_m, 0.0) + self._camera.height_m) * half
                    near = nearest_m - radius_m <= ahead_m <= farthest_m + radius_m
                    if near and beside_m <= radius_m * math.hypot(1.0, half):
                        self._have(level, column, row)

    def _have(self, level: int, column: int, row: int) -> None:
        x, y = column % SQUARE, row % SQUARE
        if (self._held[level][y, x] == (column, row)).all():
            return
        square = self._squares[level].reshape(SIDE_PX, SIDE_PX)
        square[y * TILE_PX : (y + 1) * TILE_PX, x * TILE_PX : (x + 1) * TILE_PX] = self._surface.tile(level, column, row)
        self._held[level][y, x] = (column, row)


def _spots(band: Band, slope: Floats32, origin: float, per_ahead: float, per_right: float) -> Floats32:
    """Columns or rows of a scale's square, not yet wrapped around, (rows, places, width)."""
    spots = (band.depth_m * np.float32(per_right))[..., None] * slope
    spots += (band.ahead_m * np.float32(per_ahead) + np.float32(origin))[..., None]
    return spots


def _index(columns: Floats32, rows: Floats32, side: int) -> npt.NDArray[np.int32]:
    """Where in a square of `side` (a power of two) that wraps around. Not below zero, so cutting is rounding down."""
    across = columns.astype(np.int32)
    np.bitwise_and(across, np.int32(side - 1), out=across)
    index = rows.astype(np.int32)
    np.bitwise_and(index, np.int32(side - 1), out=index)
    np.left_shift(index, side.bit_length() - 1, out=index)
    np.bitwise_or(index, across, out=index)
    return index


def _mean(words: Words) -> Words:
    """The mean over the middle axis, byte by byte, of a power of two of words."""
    while words.shape[1] > 1:
        one, other = words[:, 0::2], words[:, 1::2]
        words = (one & other) + (((one ^ other) & EVEN) >> np.uint32(1))
    return words[:, 0]
