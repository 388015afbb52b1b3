"""A thing of the street as a flat picture with a size in metres.

Lying things (a crack, a cover) are seen from above: row 0 is their far end, columns run to the right. Standing things (a car,
a person, a house) are seen from the front: their last row stands on the ground.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

Bytes: TypeAlias = npt.NDArray[np.uint8]
Field: TypeAlias = npt.NDArray[np.float32]
Rng: TypeAlias = np.random.Generator
Colour: TypeAlias = tuple[int, int, int]
OPAQUE = 64
"""From this alpha on a pixel belongs to the thing; below it is its soft edge or its shadow."""


BLEED_PX = 8


@dataclass(frozen=True, slots=True)
class Part:
    """A box in metres on the sheet, from its top left corner."""

    left_m: float
    top_m: float
    right_m: float
    bottom_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """A picture with straight alpha, (rows, columns, RGBA), how many pixels a metre has, and where its parts lie."""

    rgba: Bytes
    px_per_m: float
    parts: Mapping[str, tuple[Part, ...]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def width_m(self) -> float:
        """From the left edge to the right edge."""
        return float(self.rgba.shape[1] / self.px_per_m)

    @property
    def height_m(self) -> float:
        """From the first row to the last: how high it stands, or how far it reaches along the road."""
        return float(self.rgba.shape[0] / self.px_per_m)

    @property
    def truth(self) -> Part | None:
        """The tight box around what is opaque; None where nothing is."""
        solid = self.rgba[..., 3] >= OPAQUE
        rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
        if not len(rows):
            return None
        left, top, right, bottom = (float(each) for each in (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1))
        return Part(left / self.px_per_m, top / self.px_per_m, right / self.px_per_m, bottom / self.px_per_m)


def bled(rgba: Bytes) -> Bytes:
    """The same with a colour where it is clear: that of what is beside, so that edges have no dark fringe when it is reduced."""
    alpha = rgba[..., 3]
    if alpha.all() or not alpha.any():
        return rgba
    picture = Image.fromarray(rgba, "RGBA")
    coarse = np.array(picture.convert("RGBa").reduce(BLEED_PX).convert("RGBA"))
    nothing = coarse[..., 3] == 0
    coarse[nothing, :3] = coarse[~nothing, :3].mean(axis=0)
    grown = Image.fromarray(coarse[..., :3]).resize(
        (coarse.shape[1] * BLEED_PX, coarse.shape[0] * BLEED_PX), Image.Resampling.NEAREST
    )
    grown = grown.crop((0, 0, *picture.size))
    grown.paste(picture.convert("RGB"), (0, 0), Image.fromarray(alpha).point([0] + [255] * 255))
    return np.dstack((np.asarray(grown), alpha))
