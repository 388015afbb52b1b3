"""The ground seen from above, in square tiles of three scales: asphalt, markings, kerbs, pavements. Pure: a tile is its numbers.

Distances to kerbs and along the line change slowly, so they are computed at few nodes of a tile and interpolated in between.
"""

import math
from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from device.street.asphalt import asphalt
from device.street.markings import Markings
from device.street.network import Ground, Network
from device.street.scene import Scene
from device.street.seeds import rng_of
from device.street.sheet import Bytes

Floats32 = npt.NDArray[np.float32]
Words = npt.NDArray[np.uint32]

TILE_PX: Final = 256
LEVELS_M: Final = (0.025, 0.1, 0.4)
"""The size of a pixel of each scale."""
TEXTURE_PX, RIM_PX = 1024, 40
NODE_PX = 8
SHARES: Final = ((np.arange(NODE_PX) + 0.5) / NODE_PX).astype(np.float32)
KERB_M, GUTTER_M = 0.18, 0.4
KERB, PAVEMENT, YARD, YARD_M = (176, 172, 164), (151, 147, 139), (132, 128, 112), 3.4
PAINT: Final = np.array((224.0, 224.0, 216.0), np.float32)
COARSE: Final = np.float32(0.6)
"""What is left of the texture's contrast: what is finer than a pixel of the first scale is added by device/street/grit.py."""
BLOTCH = 5.0
"""How far places differ in brightness."""
FROM_M, TO_M, STEPS_PER_PX = -1.0, 5.0, 4
"""The colour across the kerb is tabulated so far, in so fine steps."""
BLOTCH_M, BLOTCHES = 0.64, 256
DARKEST, BRIGHTEST = 24, 231
"""What a byte of a tile may be: the grain of device/street/grit.py takes or adds 24."""
TRACK_M, LANE_TRACKS_M = 0.27, 0.76
UNDER_GROUND, PORTAL_M, LAMP_EVERY_M = 0.30, 7.0, 12.0
"""How bright the road is in a tunnel, how far daylight comes in, and how far its lamps are apart."""


class Surface:
    """Draws tiles; a few textures are kept."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._network = Network(scene)
        self._markings = Markings(scene)
        self._ages = np.array([stretch.age for stretch in scene.stretches])
        self._blotch = _blotches(scene)
        self._texture = lru_cache(maxsize=32)(self._make_texture)
        self._across = lru_cache(maxsize=32)(self._make_across)

    def tile(self, level: int, column: int, row: int) -> Words:
        """A tile as words of RGBA, (rows to the north, columns to the east); alpha is how much water stays there, 0 to 255."""
        px_m = LEVELS_M[level]
        size_m = px_m * TILE_PX
        nodes_m = np.arange(TILE_PX // NODE_PX + 1) * NODE_PX * px_m
        east_m, north_m = np.meshgrid(column * size_m + nodes_m, row * size_m + nodes_m)
        ground = self._network.ground(east_m, north_m)
        outside = self._spread(np.minimum(ground.outside_m, 30.0))
        blotch = self._spread(self._blotch_at(east_m, north_m))
        age, brightness = self._grain(level, column, row, ground)
        # Planes, not pixels of three: numpy is slow where the last axis is short.
        planes = np.take(self._across(level, age), _steps(outside, px_m), axis=1)
        grain = brightness.copy() if (ground.outside_m < 0.5).any() else brightness
        brightness += blotch * np.float32(BLOTCH)
        water = np.clip(blotch * np.float32(70.0) + np.float32(90.0), 0.0, 255.0)
        if grain is not brightness and np.isfinite(ground.along_m).any():
            right, along = self._spread(np.clip(ground.right_m, -60.0, 60.0)), self._spread(self._along(ground)[0])
            tracks = np.take(TRACKS, (right * np.float32(50.0) + np.float32(500.0)).astype(np.int32), mode="clip")
            tracks *= outside < 0
            brightness += tracks
            water -= tracks * np.float32(2.5)
            planes += brightness
            self._paint(planes, self._markings.paint(ground, right, along, self._spread, px_m), grain, blotch)
        else:
            planes += brightness
        self._darken(planes, ground)
        return _words(planes, water)

    def _spread(self, nodes: npt.NDArray[np.float64]) -> Floats32:
        """Values at nodes, interpolated at each pixel."""
        # Not as a product of matrices: a library for these may share it out among threads, and then waits for them.
        coarse = nodes.astype(np.float32)
        rows = (coarse[:-1, None] + np.diff(coarse, axis=0)[:, None] * SHARES[:, None]).reshape(TILE_PX, -1)
        left, step = np.ascontiguousarray(rows[:, :-1]), np.diff(rows, axis=1)
        spread = np.empty((TILE_PX, TILE_PX // NODE_PX, NODE_PX), np.float32)
        for number, share in enumerate(SHARES):
            spread[..., number] = left + step * share
        return spread.reshape(TILE_PX, TILE_PX)

    def _along(self, ground: Ground) -> tuple[npt.NDArray[np.float64], float]:
        """Metres along without the jump at the line's end; and of the tile's place nearest to the line."""
        nearest_m = float(ground.along_m.flat[int(np.argmin(np.abs(ground.right_m)))])
        if math.isnan(nearest_m):
            return np.full(ground.along_m.shape, -1e4), -1e4
        length_m = self._scene.path.length_m
        off_m = (ground.along_m - nearest_m + length_m / 2.0) % length_m - length_m / 2.0
        return np.nan_to_num(nearest_m + off_m, nan=nearest_m), nearest_m

    def _grain(self, level: int, column: int, row: int, ground: Ground) -> tuple[int, Floats32]:
        """The age of the road here, and its brightness about the mean; where the age changes, the difference is in it."""
        own = int(self._network.numbers(np.array(self._along(ground)[1])))
        numbers = np.where(np.isnan(ground.along_m), own, self._network.numbers(ground.along_m))
        ages = self._ages[numbers]
        first = int(ages.flat[0])
        texture, tone = self._texture(level, first)
        grain = _cut(texture, column, row)
        for age in np.unique(ages) if np.ptp(ages) else ():
            share = np.clip(self._spread((ages == age) * 1.0) * 3.0 - 1.0, 0.0, 1.0)
            other, other_tone = self._texture(level, int(age))
            grain = grain + (_cut(other, column, row) + float((other_tone - tone).mean()) - grain) * share
        return first, grain

    def _make_across(self, level: int, age: int) -> Floats32:
        """The mean colour by the distance to the kerb: carriageway, gutter, kerb, pavement, yard; (RGB, steps)."""
        px_m = LEVELS_M[level]
        outside = np.arange(FROM_M, TO_M, px_m / STEPS_PER_PX)
        colour = np.zeros((len(outside), 3)) + self._texture(level, age)[1]
        gutter = np.where(outside < 0.0, np.clip(1.0 + outside / GUTTER_M, 0.0, 1.0), 0.0)
        colour -= 15.0 * gutter[:, None]
        for edge_m, soft_m, material in ((0.0, px_m, KERB), (KERB_M, px_m, PAVEMENT), (YARD_M, 0.4, YARD)):
            share = np.clip(0.5 + (outside - edge_m) / max(px_m, soft_m), 0.0, 1.0)[:, None]
            colour += (np.array(material) - colour) * share
        line = np.clip(1.0 - np.abs(outside + 0.02) / max(0.03, px_m), 0.0, 1.0) * min(1.0, 0.05 / px_m)
        return np.ascontiguousarray((colour - 34.0 * line[:, None]).T, np.float32)

    def _make_texture(self, level: int, age: int) -> tuple[Floats32, Floats32]:
        scene = self._scene
        # Its rim, where slow differences fade out, is cut off.
        size_m = (TEXTURE_PX + 2 * RIM_PX) * LEVELS_M[0]
        rgb = asphalt(rng_of(scene.purpose, scene.seed, "asphalt", age), age, (size_m, size_m), 1.0 / LEVELS_M[0], ())
        rgb = rgb[RIM_PX:-RIM_PX, RIM_PX:-RIM_PX]
        tone = rgb.reshape(-1, 3).mean(axis=0).astype(np.float32)
        grey = Image.fromarray(rgb.mean(axis=2).astype(np.float32) - tone.mean())
        side = max(1, round(TEXTURE_PX * LEVELS_M[0] / LEVELS_M[level]))
        return np.asarray(grey.resize((side, side), Image.Resampling.BOX), np.float32) * COARSE, tone

    def _blotch_at(self, east_m: npt.NDArray[np.float64], north_m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        columns, rows = east_m / BLOTCH_M, north_m / BLOTCH_M
        left, top = np.floor(columns).astype(int), np.floor(rows).astype(int)
        x, y = columns - left, rows - top
        one = self._blotch[top % BLOTCHES, left % BLOTCHES] * (1 - x) + self._blotch[top % BLOTCHES, (left + 1) % BLOTCHES] * x
        two = self._blotch[(top + 1) % BLOTCHES, left % BLOTCHES] * (1 - x)
        two = two + self._blotch[(top + 1) % BLOTCHES, (left + 1) % BLOTCHES] * x
        blotch: npt.NDArray[np.float64] = one * (1 - y) + two * y
        return blotch

    @staticmethod
    def _paint(planes: Floats32, paint: Floats32 | None, grain: Floats32, blotch: Floats32) -> None:
        """Lay paint over the road; it is worn where chippings stand out."""
        if paint is not None and float(paint.max()) > 0.0:
            paint *= np.clip(np.float32(0.9) + (grain + blotch * np.float32(6.0)) * np.float32(0.018), 0.25, 0.96)
            worn = grain * np.float32(0.4)
            for number, tone in enumerate(PAINT):
                planes[number] += (tone + worn - planes[number]) * paint

    def _darken(self, planes: Floats32, ground: Ground) -> None:
        """A tunnel has its own light."""
        along_m, _ = self._along(ground)
        light = tunnel_light(self._scene, along_m)
        light = np.where(np.abs(ground.right_m) < 9.0, light, 1.0)
        if light.min() < 1.0:
            planes *= self._spread(light)


def tunnel_light(scene: Scene, along_m: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """How bright it is along the line: 1 under the sky."""
    light = np.ones(np.shape(along_m))
    for tunnel in scene.tunnels:
        into_m = np.minimum(along_m - tunnel.from_m, tunnel.to_m - along_m)
        lamps = 0.8 + 0.2 * np.cos(2.0 * math.pi * (along_m - tunnel.from_m) / LAMP_EVERY_M)
        inside = UNDER_GROUND * lamps + (1.0 - UNDER_GROUND) * np.exp(-np.maximum(into_m, 0.0) / PORTAL_M)
        light = np.where(into_m > 0.0, np.minimum(inside, 1.0), light)
    return light


def _steps(outside: Floats32, px_m: float) -> npt.NDArray[np.int32]:
    """Where in the table across the kerb."""
    most = len(np.arange(FROM_M, TO_M, px_m / STEPS_PER_PX)) - 1
    steps: npt.NDArray[np.int32] = np.clip((outside - FROM_M) * (STEPS_PER_PX / px_m), 0, most).astype(np.int32)
    return steps


def _track_profile() -> Floats32:
    """Brightness across the line, from -10 to 10 m in steps of 2 cm."""
    across = np.arange(-10.0, 10.0, 0.02)
    tone = np.zeros_like(across)
    for middle in (0.0, -3.2):
        for off in (-LANE_TRACKS_M, LANE_TRACKS_M):
            tone -= 9.0 * np.exp(-(((across - middle - off) / TRACK_M) ** 2))
        tone -= 5.0 * np.exp(-(((across - middle) / 0.22) ** 2))
    return tone.astype(np.float32)


TRACKS = _track_profile()


def _blotches(scene: Scene) -> npt.NDArray[np.float64]:
    """Slow differences of brightness about 0 with spread 1; they repeat after `BLOTCHES`."""
    rng = rng_of(scene.purpose, scene.seed, "blotches")
    total = np.zeros((BLOTCHES, BLOTCHES))
    for cells, weight in ((16, 0.6), (48, 0.5), (128, 0.55)):
        noise = np.pad(rng.normal(0, 1, (cells, cells)), 2, mode="wrap").astype(np.float32)
        scale = BLOTCHES // cells if BLOTCHES % cells == 0 else BLOTCHES / cells
        side = round((cells + 4) * scale)
        grown = np.asarray(Image.fromarray(noise).resize((side, side), Image.Resampling.BICUBIC))
        start = round(2 * scale)
        total += weight * grown[start : start + BLOTCHES, start : start + BLOTCHES]
    return total


def _cut(texture: Floats32, column: int, row: int) -> Floats32:
    """A tile's part of a texture that repeats mirrored, so that it has no seams."""
    side = len(texture)
    if side < TILE_PX:
        repeats = -(-TILE_PX // side)
        blocks = [[_mirrored(texture, column * repeats + x, row * repeats + y) for x in range(repeats)] for y in range(repeats)]
        return np.block(blocks)[:TILE_PX, :TILE_PX]
    count = side // TILE_PX
    whole_column, part_column = divmod(column, count)
    whole_row, part_row = divmod(row, count)
    texture = _mirrored(texture, whole_column, whole_row)
    return texture[part_row * TILE_PX : (part_row + 1) * TILE_PX, part_column * TILE_PX : (part_column + 1) * TILE_PX].copy()


def _mirrored(texture: Floats32, column: int, row: int) -> Floats32:
    return texture[:: -1 if row % 2 else 1, :: -1 if column % 2 else 1]


def _words(planes: Floats32, water: Floats32) -> Words:
    pixels: Bytes = np.empty((*water.shape, 4), np.uint8)
    for channel, plane in enumerate(planes):
        pixels[..., channel] = np.clip(plane, DARKEST, BRIGHTEST, out=plane)
    pixels[..., 3] = water
    return pixels.view(np.uint32)[..., 0]
