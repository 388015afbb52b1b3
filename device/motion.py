"""Whether the picture moves: the only witness of driving and standing without a fix. Pure.

Two pictures a quarter of a second apart are compared in coarse cells, so that the sensor's noise averages out. A passer-by
before a parked car changes a few cells, driving changes many. In doubt it says that the picture moves: a photo too many is
removed later.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image

from device.frame import Pixels

ACROSS = 96
"""Cells in a row."""

LEVELS = 6
"""A cell whose brightness changes by more is another. Noise averages to less than one level in a cell."""

MOVES_SHARE = 0.08
"""Of the cells. A person two car lengths ahead covers 0.03 of the picture."""


class Motion:
    """Compares each picture with the one before."""

    def __init__(self) -> None:
        self._before: npt.NDArray[np.int16] | None = None

    def moved(self, pixels: Pixels, *, at_first: bool) -> bool:
        """Whether this picture differs from the last one as a moving car's does; `at_first` where there is none to compare."""
        cells = _cells(pixels)
        before, self._before = self._before, cells
        if before is None or before.shape != cells.shape:
            return at_first
        return float(np.mean(np.abs(cells - before) > LEVELS)) > MOVES_SHARE


def _cells(pixels: Pixels) -> npt.NDArray[np.int16]:
    """Mean brightness of square cells, `ACROSS` in a row."""
    factor = max(1, pixels.shape[1] // ACROSS)
    return np.asarray(Image.fromarray(pixels).reduce(factor).convert("L")).astype(np.int16)
