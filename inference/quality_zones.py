"""Which cells of the small picture show which road: the camera's geometry, once for each size. Pure."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from inference.lens import Lens
from inference.locate import spot_of
from inference.quality import CELL_PX, Glance

Mask = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]

HALF_LANE_M = 1.5
"""Between the lines of the lane: what is seen there is asphalt."""
LANE_M: Final = (3.5, 12.0)
NEAR_M, MID_M, FAR_M = 2.0, (8.0, 12.0), (12.0, 20.0)
"""The nearest 2 m that are seen, from `LANE_M` on, and two pieces that are seen flat."""
SHARP_M: Final = (4.0, 9.0)
"""There a moving car blurs."""
STRIPES = 12
"""The lane is cut into so many stripes along it."""
SKY_SLOPE = 0.06
"""Metres up for each metre ahead: what looks higher is sky, trees and upper storeys."""
MOVES_SLOPE, MOVES_SHARE = -0.03, 0.75
"""What is seen so far below the horizon, and above this share of the height, moves past: sky does not, nor does the bonnet."""
LEAST_CELLS = 60
"""A lane of fewer cells tells nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Zones:
    """Masks of cells (rows, columns). `row` and `stripe` say for each cell of the lane where it lies; `sharp` are pixel rows."""

    lane: Mask
    row: Numbers
    stripe: Numbers
    near: Mask
    mid: Mask
    far: Mask
    sky: Mask
    moves: Mask
    sharp: slice

    @property
    def has_lane(self) -> bool:
        """Whether enough of the road is seen."""
        return int(self.lane.sum()) >= LEAST_CELLS


def zones_of(lens: Lens, glance: Glance) -> Zones:
    """The zones of pictures of this size, taken through this lens."""
    shape = glance.cells.shape
    right, ahead, slope = _rays(lens, glance, shape)
    inside = np.abs(right) <= HALF_LANE_M
    lane = inside & (ahead >= LANE_M[0]) & (ahead <= LANE_M[1])
    nearest_m = max(LANE_M[0], float(np.nanmin(np.where(inside, ahead, np.nan), initial=np.inf)))
    above_bonnet = ((np.arange(shape[0]) + 0.5) / shape[0] < MOVES_SHARE)[:, None]
    moves = (slope < MOVES_SLOPE) & np.isfinite(slope) & above_bonnet
    stripe = np.clip((right[lane] + HALF_LANE_M) / (2.0 * HALF_LANE_M) * STRIPES, 0, STRIPES - 1).astype(np.int64)
    return Zones(
        lane,
        np.nonzero(lane)[0],
        stripe,
        inside & (ahead >= nearest_m) & (ahead <= nearest_m + NEAR_M),
        inside & (ahead >= MID_M[0]) & (ahead < MID_M[1]),
        inside & (ahead >= FAR_M[0]) & (ahead < FAR_M[1]),
        slope > SKY_SLOPE,
        moves,
        _sharp_rows(lens, glance),
    )


def unlike(values: Floats, zones: Zones) -> Floats:
    """What is left of the lane's values when rows and stripes have had their medians taken off (Tukey's median polish).

    What the road itself has, its texture by distance and its wheel tracks, lies along rows and stripes; a blot on the lens does
    not.
    """
    left = values.astype(np.float64)
    for _ in range(3):
        for groups in (zones.row, zones.stripe):
            for group in np.unique(groups):
                own = groups == group
                left[own] -= np.median(left[own])
    return left


def _rays(lens: Lens, glance: Glance, shape: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
    """Right and ahead of the road that each cell shows, infinite where it shows none, and how steeply it looks up."""
    right, ahead = np.full(shape, np.inf), np.full(shape, np.inf)
    slope = np.full(shape, -np.inf)
    across, down = lens.width / glance.width, lens.height / glance.height
    for row in range(shape[0]):
        for column in range(shape[1]):
            x, y = (column + 0.5) * CELL_PX * across, (row + 0.5) * CELL_PX * down
            spot = spot_of(lens, x, y)
            if spot is not None:
                right[row, column], ahead[row, column] = spot.right_m, spot.ahead_m
            ray = lens.ray(x, y)
            if ray is not None and ray[1] > 0:
                slope[row, column] = ray[2] / ray[1]
    return right, ahead, slope


def _sharp_rows(lens: Lens, glance: Glance) -> slice:
    """The rows of `Glance.steps` that show the road at `SHARP_M`; empty where none does."""
    rows = []
    for ahead_m in reversed(SHARP_M):
        seen = lens.project(0.0, ahead_m)
        y = glance.height if seen is None else seen[1] / lens.height * glance.height
        rows.append(min(max(0, round(y) - glance.first_row), glance.steps.shape[2]))
    return slice(rows[0], max(rows))
