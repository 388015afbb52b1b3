"""Whether the sun stands in the picture: a small disc with a halo that falls off to all sides. Pure."""

from typing import Final

import numpy as np

from inference.quality import Floats, Glance

SKY_SHARE = 0.55
"""Of the height: lower it is a reflection or a lamp."""
PEAKS, APART = 4, 4
"""So many bright places are looked at, so many cells apart: a wall in the evening may be brighter than the sun through haze."""
REACH = 16
"""Cells around the brightest place that are looked at."""
SECTORS = 8
CORE_R, HALO_R, RING_R = 1.5, 3.5, (2.5, 4.2)
"""Cells: the disc, its glow that washes out what lies behind, and where the light has fallen off on all sides."""
AS_BRIGHT, MOST_AS_BRIGHT = 12.0, 0.125
"""Levels; of all cells around at most so many are nearly as bright: an overcast sky is bright all over."""
LEAST_FALL, MEAN_FALL = 7.0, (16.0, 70.0)
"""Levels from the disc to the ring, in the brightest sector and on average: a white wall ends at once."""
MOST_UNEVEN = 30.0
SATURATED, WARM = 250.0, 1.06
"""A low sun is either too bright for the sensor or more red than blue, by this factor; clouds and white walls are neither."""
CORE_EDGES, HALO_EDGES = 7.0, 9.3
"""Mean steps between pixels: the light lies over everything else."""

_Y, _X = np.mgrid[-REACH : REACH + 1, -REACH : REACH + 1]
_R: Final = np.hypot(_X, _Y)
_SECTOR: Final = ((np.arctan2(_Y, _X) + np.pi) / (2.0 * np.pi) * SECTORS).astype(int) % SECTORS
_IN_RING: Final = np.greater_equal(_R, RING_R[0]) & np.less(_R, RING_R[1])
_RING: Final = [np.equal(_SECTOR, sector) & _IN_RING for sector in range(SECTORS)]


def sun_of(glance: Glance) -> tuple[int, int] | None:
    """Row and column of the cell where the sun stands, None where it is not in the picture."""
    cells = glance.cells.astype(np.float32)
    upper = cells[: round(SKY_SHARE * cells.shape[0])]
    if min(upper.shape) < 3:
        return None
    mean = _mean_of_nine(upper)
    for _ in range(PEAKS):
        row, column = (int(each) for each in np.unravel_index(int(np.argmax(mean)), mean.shape))
        if _is_sun(glance, cells, row, column):
            return row, column
        mean[max(0, row - APART) : row + APART + 1, max(0, column - APART) : column + APART + 1] = 0.0
    return None


def _is_sun(glance: Glance, cells: Floats, row: int, column: int) -> bool:
    """Whether a bright place is a disc with a halo that lies over everything else."""
    peak = float(cells[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].mean())
    around = _around(cells, row, column)
    inside = np.isfinite(around)
    if float((around[inside] > peak - AS_BRIGHT).mean()) >= MOST_AS_BRIGHT:
        return False
    falls = [peak - float(around[mask & inside].mean()) for mask in _RING if (mask & inside).any()]
    if min(falls) <= LEAST_FALL or not MEAN_FALL[0] < float(np.mean(falls)) < MEAN_FALL[1] or float(np.std(falls)) >= MOST_UNEVEN:
        return False
    if peak < SATURATED and not _is_warm(glance, row, column):
        return False
    edges = _around(glance.edges.astype(np.float32) / 4.0, row, column)
    return float(np.nanmean(edges[_R < CORE_R])) < CORE_EDGES and float(np.nanmean(edges[_R < HALO_R])) < HALO_EDGES


def _is_warm(glance: Glance, row: int, column: int) -> bool:
    """Whether the place is more red than blue."""
    disc = glance.colours[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2].reshape(-1, 3).mean(axis=0)
    return bool(disc[0] >= WARM * disc[2])


def _mean_of_nine(cells: Floats) -> Floats:
    """Of each cell and those around it."""
    wide = np.pad(cells, 1, mode="edge")
    rows, columns = cells.shape
    mean: Floats = sum((wide[i : i + rows, j : j + columns] for i in range(3) for j in range(3)), np.zeros_like(cells)) / 9.0
    return mean


def _around(cells: Floats, row: int, column: int) -> Floats:
    """The cells around a place, nan beyond the picture."""
    wide = np.pad(cells, REACH, constant_values=np.nan)
    part: Floats = wide[row : row + 2 * REACH + 1, column : column + 2 * REACH + 1]
    return part
