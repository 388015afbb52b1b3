"""What is above the horizon: sky, clouds, and the far edge of the town. It turns with the car. Pure."""

import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from device.street.geometry import Pinhole, Pose
from device.street.scene import Scene
from device.street.seeds import Purpose, rng_of
from device.street.surface import Words

COLUMNS, ROWS, HIGHEST_DEG, LOWEST_DEG = 2880, 400, 47.0, -3.0
CLEAR = ((196, 211, 226), (98, 148, 208))
"""At the horizon and above."""
GREY = ((205, 209, 212), (168, 174, 181))
HILLS, ROOFS = (128, 142, 150), (150, 140, 130)


class Sky:
    """A panorama, and the part of it that a camera sees."""

    def __init__(self, scene: Scene, camera: Pinhole) -> None:
        self._panoramas = [_panorama(scene.purpose, scene.seed, grey=grey) for grey in (False, True)]
        columns, rows = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
        right, ahead, up = camera.ray(columns, rows)
        across_deg = np.degrees(np.arctan2(right, ahead))
        up_deg = np.degrees(np.arctan2(up, np.hypot(right, ahead)))
        self._columns = (across_deg / 360.0 * COLUMNS).astype(np.float32)
        self._rows = np.clip((HIGHEST_DEG - up_deg) / (HIGHEST_DEG - LOWEST_DEG) * ROWS, 0, ROWS - 1).astype(np.int32) * COLUMNS

    def draw(self, pose: Pose, out: Words, bottom: int, *, grey: bool) -> None:
        """Fill the rows above `bottom` of a picture of RGBA words."""
        turned = pose.heading_deg / 360.0 * COLUMNS
        columns = (self._columns[:bottom] + np.float32(turned + COLUMNS)).astype(np.int32) % COLUMNS
        columns += self._rows[:bottom]
        out[:bottom] = self._panoramas[int(grey)].ravel()[columns]


@lru_cache(maxsize=4)
def _panorama(purpose: Purpose, seed: int, *, grey: bool) -> Words:
    rng = rng_of(purpose, seed, "sky", grey)
    low, high = GREY if grey else CLEAR
    up_deg = np.linspace(HIGHEST_DEG, LOWEST_DEG, ROWS)
    share = np.clip(up_deg / 30.0, 0.0, 1.0)[:, None, None] ** 0.7
    colour = np.array(low) * (1 - share) + np.array(high) * share + np.zeros((1, COLUMNS, 1))
    cover = np.zeros((ROWS, COLUMNS))
    for cells, weight in ((5, 1.0), (12, 0.55), (30, 0.3), (80, 0.16)):
        noise = np.pad(rng.normal(0, 1, (cells, cells * 4)), ((0, 0), (2, 2)), mode="wrap").astype(np.float32)
        wide = np.asarray(Image.fromarray(noise).resize((COLUMNS + COLUMNS // cells, ROWS), Image.Resampling.BICUBIC))
        start = COLUMNS // cells // 2
        cover += weight * wide[:, start : start + COLUMNS]
    amount = np.clip(cover * 0.45 - (0.0 if grey else 0.35), 0, 0.85)[..., None] * np.clip(up_deg / 6.0, 0.15, 1.0)[:, None, None]
    cloud = np.array((226, 228, 231)) if grey else np.array((248, 248, 247))
    colour += (cloud - colour) * amount
    _edge(rng, colour, up_deg)
    rgba = np.full((ROWS, COLUMNS, 4), 255, np.uint8)
    rgba[..., :3] = np.clip(colour, 0, 255)
    return rgba.view(np.uint32)[..., 0]


def _edge(rng: np.random.Generator, colour: npt.NDArray[np.float64], up_deg: npt.NDArray[np.float64]) -> None:
    """Hills, then roofs and trees in the haze."""
    angle = np.linspace(0, 2 * math.pi, COLUMNS, endpoint=False)
    hills = np.full(COLUMNS, 1.6)
    for n in range(1, 6):
        hills += rng.uniform(0.3, 0.9) / n * np.sin(n * 2 * angle + rng.uniform(0, 6))
    roofs = np.repeat(rng.uniform(0.3, 2.6, COLUMNS // 18), 18) * (np.repeat(rng.random(COLUMNS // 90), 90) < 0.8)
    for tops, tone, share in ((hills, HILLS, 0.45), (roofs, ROOFS, 0.6)):
        below = up_deg[:, None] < tops[None, :]
        colour[below] += (np.array(tone) - colour[below]) * share
