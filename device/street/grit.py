"""What of the road is finer than a tile's pixel: single stones, seen close to the car. Pure.

A texture of 5 mm that repeats: its words are added to those of the ground, so a byte of a word is a stone's brightness, and the
last one holds by how much of a tile's pixel the place is moved, which turns the pixel's straight edges into rough ones.
"""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

from device.street.asphalt import noise

Words = npt.NDArray[np.uint32]

SIDE: Final = 512
PER_PX: Final = 5
"""So many stones are side by side in a pixel of the finest tiles."""
STONE_M: Final = 0.005
MOST: Final = 24
"""A stone is at most so much brighter or darker."""
SPREADS: Final = (10.5, 7.5, 5.0, 3.2)
"""The spread of brightness, for pixels that hold more and more stones."""
AREAS: Final = (3.5, 12.0, 48.0)
"""From so many stones in a pixel on the next spread is right."""
OFFSET: Final = np.uint32(MOST * 0x010101)
SIXTEENTHS: Final = 16


def spread_of(across_m: float, along_m: float) -> int:
    """Which of the `SPREADS` fits a pixel that covers so much road."""
    stones = across_m * along_m / STONE_M**2
    return sum(stones > area for area in AREAS)


@lru_cache(maxsize=len(SPREADS))
def grit(number: int) -> Words:
    """Words of (SIDE * SIDE): brightness about `MOST` in three bytes, in the last two shifts of 0 to 15 sixteenths."""
    rng = np.random.default_rng(31)
    stones = rng.standard_normal((SIDE, SIDE), np.float32) * np.float32(0.8)
    lumps = noise(rng, SIDE + 16, SIDE + 16, 3.0)[:SIDE, :SIDE]
    bright = (stones > np.quantile(stones, 0.985)) * np.float32(1.6)
    pits = (stones < np.quantile(stones, 0.02)) * np.float32(1.2)
    tone = stones + lumps * np.float32(0.45) + bright - pits
    tone = (tone - tone.mean()) / tone.std() * np.float32(SPREADS[number])
    bytes_ = (np.clip(np.rint(tone), -MOST, MOST) + MOST).astype(np.uint32)
    shifts = rng.integers(0, 256, (SIDE, SIDE), np.uint32)
    words: Words = (bytes_ * np.uint32(0x010101) | shifts << np.uint32(24)).ravel()
    return words
