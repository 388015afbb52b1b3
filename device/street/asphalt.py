"""The road's surface seen from above: asphalt of several ages, as tiles that can be laid one behind another.

What varies slowly fades out towards a tile's far and near end, so that two tiles of one age meet without a seam.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from device.street.sheet import Bytes, Colour, Rng

Field = npt.NDArray[np.float32]
TRACK_M = 0.28
"""Half the width of the band that tyres run on."""
TRACKS_M = (-0.78, 0.78)
"""Where tyres run, from the middle of the lane."""
LEAST_GRAIN = 0.3
"""What is left of the contrast however many stones a pixel holds: roads are uneven at every scale."""


@dataclass(frozen=True, slots=True)
class Age:
    """How asphalt of one age looks: its tone, the spread of its grain and of its chippings, and how far tyres darken it.

    `stone_m` is the size of the largest chippings; `bare` the share of them that has lost its bitumen; `seamed` whether the
    passes of the paver have come apart where lanes meet.
    """

    tone: Colour
    grain: float
    stone_m: float
    bare: float
    track: float
    blotch: float
    seamed: bool


AGES: dict[int, Age] = {
    1: Age((66, 66, 69), 8.0, 0.010, 0.010, 2.0, 2.0, seamed=False),
    2: Age((92, 92, 94), 9.0, 0.012, 0.03, -6.0, 4.0, seamed=False),
    3: Age((116, 115, 114), 11.0, 0.014, 0.06, -11.0, 6.0, seamed=True),
    4: Age((133, 131, 127), 13.0, 0.018, 0.10, -14.0, 8.0, seamed=True),
    5: Age((142, 138, 131), 14.0, 0.024, 0.12, -12.0, 9.0, seamed=True),
}
"""1 is new and black, 5 worn down to its coarse chippings."""


def asphalt(rng: Rng, age: int, size_m: tuple[float, float], px_per_m: float, lanes_m: Sequence[float] | None = None) -> Bytes:
    """A tile (rows, columns, RGB), `size_m` wide and long, row 0 its far end. `lanes_m`: the middles of its lanes, from its left.

    Without lanes there is one, in the middle of the tile.
    """
    look = AGES[age]
    columns, rows = max(1, round(size_m[0] * px_per_m)), max(1, round(size_m[1] * px_per_m))
    middles = (size_m[0] / 2,) if lanes_m is None else lanes_m
    tone = _grain(rng, look, rows, columns, px_per_m)
    slow = clouds(rng, -(-rows // 4), -(-columns // 4), 0.22 * px_per_m) * look.blotch * 0.5
    slow += noise(rng, slow.shape[0], slow.shape[1], 0.3 * px_per_m, 3.0) * look.blotch * 0.6
    slow += _stains(rng, slow.shape, px_per_m / 4, middles)
    slow *= _ends(slow.shape[0])[:, None]
    slow += _tracks(slow.shape, px_per_m / 4, middles, look.track)[None]
    smooth = Image.fromarray(slow.astype(np.float32)).resize((columns, rows), Image.Resampling.BILINEAR)
    tone += np.asarray(smooth)
    warm = np.array(look.tone, np.float32) / np.float32(sum(look.tone) / 3)
    tone += np.float32(sum(look.tone) / 3)
    pixels = np.empty((rows, columns, 3), np.uint8)
    for channel in range(3):
        pixels[..., channel] = np.clip(tone * warm[channel], 6, 250)
    return _seamed(rng, pixels, px_per_m, middles) if look.seamed else pixels


def _grain(rng: Rng, look: Age, rows: int, columns: int, px_per_m: float) -> Field:
    """Sand and chippings. A pixel larger than a stone shows the mean of several: their contrast falls with their number."""
    fine = rng.standard_normal((rows, columns), np.float32)
    stone_px = look.stone_m * px_per_m
    alone = min(1.0, stone_px)
    tone = fine * np.float32(look.grain * max(LEAST_GRAIN, alone))
    if stone_px > 1.2:
        tone += noise(rng, rows, columns, stone_px) * np.float32(look.grain * 0.5)
    bright = np.float32(np.quantile(fine[:: max(1, rows // 64)], 1 - look.bare))
    tone += np.where(fine > bright, np.float32(look.grain * 2.0 * alone**2), np.float32(0))
    tone -= np.where(fine < np.float32(-2.1), np.float32(look.grain * 1.6 * alone**2), np.float32(0))
    return tone


def _ends(rows: int) -> Field:
    """0 at both ends of a tile, 1 inside."""
    along = np.linspace(0, 1, rows, dtype=np.float32)
    inside: Field = np.clip(np.minimum(along, 1 - along) * 8, 0, 1)
    return inside


def _tracks(shape: tuple[int, ...], px_per_m: float, middles: Sequence[float], depth: float) -> Field:
    """Where tyres polish and darken; between them oil drips."""
    across_m = np.arange(shape[1], dtype=np.float32) / np.float32(px_per_m)
    tone = np.zeros(shape[1], np.float32)
    for middle in middles:
        for off in TRACKS_M:
            tone += np.float32(depth) * np.exp(-(((across_m - np.float32(middle + off)) / np.float32(TRACK_M)) ** 2))
        tone += np.float32(-0.5 * abs(depth)) * np.exp(-(((across_m - np.float32(middle)) / np.float32(0.22)) ** 2))
    return tone


def _stains(rng: Rng, shape: tuple[int, ...], px_per_m: float, middles: Sequence[float]) -> Field:
    """Oil that dripped, and dust."""
    stains = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(stains)
    for middle in middles:
        for _ in range(int(rng.poisson(shape[0] / px_per_m / 5))):
            x, y = (middle + rng.normal(0, 0.25)) * px_per_m, rng.uniform(0, shape[0])
            radius = rng.uniform(0.03, 0.16) * px_per_m
            draw.ellipse((x - radius, y - radius * 1.4, x + radius, y + radius * 1.4), int(rng.integers(60, 200)))
    return np.asarray(stains.filter(ImageFilter.BoxBlur(1)), np.float32) * np.float32(-0.11)


def _seamed(rng: Rng, pixels: Bytes, px_per_m: float, middles: Sequence[float]) -> Bytes:
    """The seam between two passes of the paver, where two lanes meet; at a tile's end it lies where the next one begins."""
    rows, columns = pixels.shape[:2]
    for left, right in itertools.pairwise(middles):
        wander = noise(rng, rows, 2, 0.12 * px_per_m)[:, 0] * np.float32(0.008 * px_per_m) * _ends(rows)
        places = np.clip((left + right) / 2 * px_per_m + wander, 0, columns - 1).astype(int)
        pixels[np.arange(rows), places] = pixels[np.arange(rows), places] // 3 * 2
    return pixels


def noise(rng: Rng, rows: int, columns: int, cell_px: float, stretch: float = 1.0) -> Field:
    """Smooth noise about 0, deviation about 1; its lumps are `cell_px` wide and `stretch` times as long (down the rows)."""
    cells = max(2, math.ceil(rows / cell_px / stretch) + 1), max(2, math.ceil(columns / cell_px) + 1)
    coarse = Image.fromarray(rng.standard_normal(cells, np.float32))
    return np.asarray(coarse.resize((columns, rows), Image.Resampling.BICUBIC), np.float32) * np.float32(1.35)


def clouds(rng: Rng, rows: int, columns: int, cell_px: float, octaves: int = 3) -> Field:
    """Noise whose lumps carry finer lumps."""
    total = np.zeros((rows, columns), np.float32)
    for octave in range(octaves):
        total += noise(rng, rows, columns, max(1.5, cell_px / 2**octave)) * np.float32(0.6**octave)
    return total
