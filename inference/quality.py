"""What a frame's small picture says of light, weather and lens: numbers alone, measured in a millisecond or two. Pure.

`inference.quality_gate` judges them, with the camera's geometry and over several frames.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from device.frame import Pixels

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating[Any]]
Box = tuple[float, float, float, float]

CELL_PX = 8
"""Side of a cell of the small picture: a blot on the lens is larger, and noise averages out in it."""
MIDDLE = (0.2, 0.8)
"""Steps between neighbours are summed over this part of each row: what lies beside the road has edges of its own."""
FROM_ROW = 0.3
"""Above it, as a share of the picture's height, no camera shows road that could be graded."""
MOST_STEP = 16
"""Levels: the edge of a hard shadow or of a marking counts as no more, or it would speak for the whole road."""
LAGS = (1, 2, 4)
"""Pixels. Between sharp neighbours brightness steps at once; what is blurred needs several."""


@dataclass(frozen=True, slots=True, eq=False)
class Glance:
    """One small picture (height, width px) in numbers; all arrays are by rows, top first.

    `cells` (rows, columns) is the mean brightness of cells of `CELL_PX`, `colours` the same of red, green and blue, `edges` the
    mean step between neighbouring pixels there. `steps` (direction, lag, row) is the mean step downwards and sideways over
    `LAGS`, from pixel row `first_row` on. `vehicles` are boxes as shares of the picture.
    """

    height: int
    width: int
    cells: Bytes
    colours: Bytes
    edges: Bytes
    steps: Floats
    first_row: int
    vehicles: tuple[Box, ...] = ()


def glance(picture: Pixels, vehicles: tuple[Box, ...] = ()) -> Glance:
    """Measure a picture of about 512 px across, without any border."""
    image = Image.fromarray(picture)
    grey = image.convert("L")
    bright = np.asarray(grey).astype(np.int16)
    height, width = bright.shape
    first_row = round(FROM_ROW * height)
    return Glance(
        height,
        width,
        _whole(np.asarray(grey.reduce(CELL_PX)), height, width),
        _whole(np.asarray(image.reduce(CELL_PX)), height, width),
        _edges(bright),
        _steps(bright[first_row:, round(MIDDLE[0] * width) : round(MIDDLE[1] * width)]),
        first_row,
        vehicles,
    )


def _whole(cells: Bytes, height: int, width: int) -> Bytes:
    """Without the cells at the right and lower edge that the picture fills in part."""
    return cells[: height // CELL_PX, : width // CELL_PX]


def _edges(bright: npt.NDArray[np.int16]) -> Bytes:
    """The mean of |right - left| + |below - above| in each cell, in quarters of a level."""
    step = np.abs(bright[1:, 1:] - bright[1:, :-1]) + np.abs(bright[1:, 1:] - bright[:-1, 1:])
    rows, columns = bright.shape[0] // CELL_PX, bright.shape[1] // CELL_PX
    padded = np.zeros((rows * CELL_PX, columns * CELL_PX), np.uint8)
    kept = np.minimum(step * 4, 255)[: rows * CELL_PX - 1, : columns * CELL_PX - 1]
    padded[1 : 1 + kept.shape[0], 1 : 1 + kept.shape[1]] = kept
    return np.asarray(Image.fromarray(padded).reduce(CELL_PX))


def _steps(bright: npt.NDArray[np.int16]) -> Floats:
    """(2, lags, rows): mean absolute difference to the pixel so far below, and so far to the right; of every other column."""
    rows = len(bright) - max(LAGS)
    found = np.empty((2, len(LAGS), max(rows, 0)), np.float32)
    for n, lag in enumerate(LAGS):
        if rows > 0:
            down, across = bright[lag : lag + rows, ::2] - bright[:rows, ::2], bright[:rows, lag::2] - bright[:rows, :-lag:2]
            found[0, n] = np.minimum(np.abs(down, out=down), MOST_STEP, out=down).sum(axis=1, dtype=np.int32) / down.shape[1]
            found[1, n] = (
                np.minimum(np.abs(across, out=across), MOST_STEP, out=across).sum(axis=1, dtype=np.int32) / across.shape[1]
            )
    return found
