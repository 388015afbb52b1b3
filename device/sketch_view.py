"""The windscreen of `device.sketch`: ground, houses and upright pictures seen by a pinhole camera.

Axes are metres: right of the street's centre line, up from the ground, along the street. Ground and houses are drawn by asking
for each pixel which point of the street it sees; each has a coarser picture for what is farther away.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from device.sketch_figures import figure
from device.sketch_things import CHUNK_M, FACADE_M, FACADE_PX, GROUND_PX, HALF_M, Bytes, Rng

HEIGHT_M, PITCH_DEG, HFOV_DEG = 1.35, 6.0, 63.0
LATERAL_M = 1.75
"""The camera's place right of the centre line: the middle of the right lane."""
SEEN_M = 120.0
"""Beyond this the street is haze."""
HAZE_M = 240.0
HAZE = (206, 216, 224)
RING_M = 150.0
"""Ground kept in memory: what is seen, and the chunk being left."""
LEVELS = ((1, 10.0), (4, 40.0), (16, math.inf))
"""How much coarser, up to which distance."""
NEAR_M = 0.6
REDUCED = (1, 2, 3, 4, 6, 8, 12, 16, 24)
"""How much smaller pictures are kept, for what is farther away."""
NOISE_PX = 64
"""The sensor's noise is one field, seen each time from another of so many places in each direction."""
Words = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Board:
    """A picture that stands upright, its middle at `right_m`: across the street at `along_m`, or along it from there on."""

    kind: str
    seed: int
    along_m: float
    right_m: float
    size_m: tuple[float, float]
    upright_along: bool = False
    shadow_m: float = 0.0
    """Length of the shadow that lies behind its foot."""


class Strip:
    """A picture that runs along the street, at each level of coarseness; it repeats after its length."""

    def __init__(self, px: float, rows: int, columns: int) -> None:
        self.px = px
        self.levels: list[Words] = [np.zeros((rows // factor, columns // factor), np.uint32) for factor, _ in LEVELS]

    def put(self, first_row: int, picture: Bytes) -> None:
        """Lay (along, across, RGBA) pixels at a row that is a multiple of the coarsest level."""
        for (factor, _), level in zip(LEVELS, self.levels, strict=True):
            small = np.asarray(Image.fromarray(picture).reduce(factor))[:, : level.shape[1]]
            start = first_row // factor % len(level)
            level[start : start + len(small)] = np.ascontiguousarray(small).view(np.uint32)[..., 0]


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The pixels that see one strip at one level, and where on it."""

    strip: Strip
    level: int
    pixels: npt.NDArray[np.int64]
    along_m: npt.NDArray[np.float32]
    columns: npt.NDArray[np.int64]


class View:
    """Draws frames while the car drives on; `chunk` gives the ground's (along, across, RGB) chunk of a number."""

    def __init__(self, width: int, height: int, left: Bytes, right: Bytes, chunk: Callable[[int], Bytes]) -> None:
        self.width, self.height = width, height
        self._chunk = chunk
        self._next_chunk: int | None = None
        self._focal_px = width / 2 / math.tan(math.radians(HFOV_DEG) / 2)
        self._sin, self._cos = math.sin(math.radians(PITCH_DEG)), math.cos(math.radians(PITCH_DEG))
        self._ground = Strip(GROUND_PX, round(RING_M * GROUND_PX), round(2 * HALF_M * GROUND_PX))
        self._patches: list[Patch] = []
        self._haze: npt.NDArray[np.float32] = np.zeros(width * height, np.float32)
        self._sky = self._make_sky()
        self._noise = np.random.default_rng(5).integers(-4, 5, (height + NOISE_PX, width + NOISE_PX, 1), np.int16)
        self._look(left, right)

    def _rays(self) -> tuple[npt.NDArray[np.float64], ...]:
        """For each pixel the direction it looks in: right, down, along."""
        v, u = np.mgrid[: self.height, : self.width].reshape(2, -1) + 0.5
        x, y = (u - self.width / 2) / self._focal_px, (v - self.height / 2) / self._focal_px
        return x, y * self._cos + self._sin, self._cos - y * self._sin

    def _look(self, left: Bytes, right: Bytes) -> None:
        """Which pixels see what: the nearer of the ground and the houses of their side, those on the right from right to left."""
        x, down, along = self._rays()
        with np.errstate(divide="ignore"):
            to_ground = np.where(down > 1e-9, HEIGHT_M / down, np.inf)
            to_house = np.where(x > 0, (HALF_M - LATERAL_M) / x, (-HALF_M - LATERAL_M) / x)
        ground = to_ground <= to_house
        self._add(self._ground, ground, to_ground * along, (to_ground * x + LATERAL_M + HALF_M) * GROUND_PX)
        for picture, seen in ((left, ~ground & (x < 0)), (right[::-1], ~ground & (x > 0))):
            strip = Strip(FACADE_PX, len(picture), picture.shape[1])
            strip.put(0, picture)
            up_px = (HEIGHT_M - to_house * down) * FACADE_PX
            self._add(strip, seen & (up_px < FACADE_M * FACADE_PX), to_house * along, up_px)

    def _add(self, strip: Strip, seen: npt.NDArray[np.bool_], along_m: npt.NDArray[Any], across_px: npt.NDArray[Any]) -> None:
        nearest_m = 0.0
        for level, (factor, ground_farthest_m) in enumerate(LEVELS):
            farthest_m = ground_farthest_m * GROUND_PX / strip.px
            pixels = np.flatnonzero(seen & (along_m >= nearest_m) & (along_m < min(farthest_m, SEEN_M)))
            columns = np.minimum(across_px[pixels] / factor, strip.levels[level].shape[1] - 1).astype(np.int64)
            self._patches.append(Patch(strip, level, pixels, along_m[pixels].astype(np.float32), columns))
            self._haze[pixels] = 1 - np.exp(-along_m[pixels] / HAZE_M)
            nearest_m = farthest_m

    def _make_sky(self) -> Words:
        """Blue above, haze at the horizon, some clouds."""
        rng = np.random.default_rng(3)
        _, down, _ = self._rays()
        up = np.clip(-down / 0.4, 0, 1)[:, None]
        colour = np.array(HAZE) * (1 - up) + np.array((112, 158, 212)) * up
        clouds = np.zeros((self.height, self.width))
        for cells in (4, 9, 20):
            noise = Image.fromarray(rng.normal(0, 1, (cells, cells * 2)).astype(np.float32))
            clouds += np.asarray(noise.resize((self.width, self.height), Image.Resampling.BICUBIC)) / cells * 4
        cover = np.clip(clouds.reshape(-1, 1) * 0.4 - 0.1, 0, 0.75) * np.minimum(1, up * 3)
        colour = colour * (1 - cover) + 240 * cover
        return _words(np.concatenate([colour, np.full((len(colour), 1), 255)], 1).astype(np.uint8))

    def draw(self, along_m: float, boards: Iterable[Board], rng: Rng) -> Image.Image:
        """What the camera sees `along_m` along the street."""
        self._lay_ground(along_m)
        frame = self._sky.copy()
        hazed = np.zeros_like(self._haze)
        for patch in self._patches:
            level = patch.strip.levels[patch.level]
            px = patch.strip.px / LEVELS[patch.level][0]
            rows = ((patch.along_m + along_m) * px).astype(np.int64) % len(level)
            seen = level.ravel()[rows * level.shape[1] + patch.columns]
            opaque = seen >= 0x80000000
            pixels = patch.pixels[opaque]
            frame[pixels] = seen[opaque]
            hazed[pixels] = self._haze[pixels]
        colours = frame.view(np.uint8).reshape(-1, 4)[:, :3].astype(np.float32)
        colours += (np.array(HAZE, np.float32) - colours) * hazed[:, None]
        picture = Image.fromarray(colours.reshape(self.height, self.width, 3).astype(np.uint8))
        shown = [board for board in boards if -6.0 < board.along_m - along_m < SEEN_M * 0.8]
        self._shade(picture, along_m, shown)
        for board in sorted(shown, key=lambda each: -(each.along_m + (0.1 if each.upright_along else 0.0))):
            self._put(picture, along_m, board)
        return self._exposed(picture, rng)

    def _exposed(self, picture: Image.Image, rng: Rng) -> Image.Image:
        """What lens and sensor add: a little softness and noise."""
        top, left = rng.integers(NOISE_PX, size=2)
        noise = self._noise[top : top + self.height, left : left + self.width]
        pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(self.width / 1100)), np.int16) + noise
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    def _lay_ground(self, along_m: float) -> None:
        first, last = math.floor(along_m / CHUNK_M), math.floor((along_m + SEEN_M) / CHUNK_M)
        for number in range(first if self._next_chunk is None else self._next_chunk, last + 1):
            rgb = self._chunk(number)
            rgba = np.concatenate([rgb, np.full((*rgb.shape[:2], 1), 255, np.uint8)], 2)
            self._ground.put(round(number * CHUNK_M * GROUND_PX), rgba)
        self._next_chunk = max(last + 1, self._next_chunk or 0)

    def _seen_at(self, right_m: float, up_m: float, ahead_m: float) -> tuple[float, float]:
        """Where in the picture, in pixels, a point is seen that lies so far from the centre line, the ground and the camera."""
        down = HEIGHT_M - up_m
        y, z = down * self._cos - ahead_m * self._sin, down * self._sin + ahead_m * self._cos
        return (
            self.width / 2 + self._focal_px * (right_m - LATERAL_M) / z,
            self.height / 2 + self._focal_px * y / z,
        )

    def _shade(self, picture: Image.Image, along_m: float, boards: Iterable[Board]) -> None:
        """The shadows that lie on the ground."""
        shadow = Image.new("L", picture.size)
        draw = ImageDraw.Draw(shadow)
        for board in boards:
            half_m = board.size_m[0] / 2
            near_m = max(NEAR_M, board.along_m - along_m)
            far_m = board.along_m - along_m + (board.shadow_m or 0.3)
            if far_m <= near_m or board.upright_along:
                continue
            corners = ((-half_m, near_m), (half_m + 0.25, near_m), (half_m + 0.25, far_m), (-half_m, far_m))
            draw.polygon([self._seen_at(board.right_m + x, 0.0, z) for x, z in corners], 150 if board.shadow_m else 60)
        picture.paste((28, 29, 32), (0, 0), shadow.filter(ImageFilter.GaussianBlur(self.width / 400)))

    def _put(self, picture: Image.Image, along_m: float, board: Board) -> None:
        """Lay one board into the picture, in perspective."""
        width_m, height_m = board.size_m
        near_m = board.along_m - along_m
        if board.upright_along:
            far_m, near_m = near_m + width_m, max(near_m, NEAR_M)
            if far_m <= near_m + 0.05:
                return
            on_right = board.right_m > LATERAL_M
            sides = (
                ((board.right_m, far_m), (board.right_m, near_m))
                if on_right
                else ((board.right_m, near_m), (board.right_m, far_m))
            )
            kept = (far_m - near_m) / width_m
            share = (0.0, kept) if on_right else (1.0 - kept, 1.0)
        else:
            if near_m < NEAR_M:
                return
            sides = ((board.right_m - width_m / 2, near_m), (board.right_m + width_m / 2, near_m))
            share = (0.0, 1.0)
        corners = [self._seen_at(x, up_m, z) for up_m in (height_m, 0.0) for x, z in sides]
        box = self._box(corners)
        if box is None:
            return
        seen_px = max(abs(corners[2][1] - corners[0][1]), abs(corners[3][1] - corners[1][1]))
        full = figure(board.kind, board.seed)
        source = figure(board.kind, board.seed, max(each for each in REDUCED if each == 1 or each <= full.height / seen_px))
        left, right = share[0] * source.width, share[1] * source.width
        wanted = [(x, y) for y in (0.0, float(source.height)) for x in (left, right)]
        numbers = _homography([(x - box[0], y - box[1]) for x, y in corners], wanted)
        laid = source.transform(
            (box[2] - box[0], box[3] - box[1]), Image.Transform.PERSPECTIVE, numbers, Image.Resampling.BILINEAR
        )
        picture.paste(laid, box[:2], laid)

    def _box(self, corners: list[tuple[float, float]]) -> tuple[int, int, int, int] | None:
        """The part of the picture that holds the corners, None where there is none or a dot."""
        xs, ys = zip(*corners, strict=True)
        left, top = max(0, math.floor(min(xs))), max(0, math.floor(min(ys)))
        right, bottom = min(self.width, math.ceil(max(xs))), min(self.height, math.ceil(max(ys)))
        return (left, top, right, bottom) if right > left and bottom > top and max(ys) - min(ys) > 3 else None


def _words(pixels: Bytes) -> Words:
    """RGBA pixels as one number each."""
    return np.ascontiguousarray(pixels).view(np.uint32).reshape(pixels.shape[:-1])


def _homography(seen: list[tuple[float, float]], wanted: list[tuple[float, float]]) -> list[float]:
    """Pillow's eight numbers that carry the four `seen` points to the `wanted` ones."""
    rows: list[tuple[float, ...]] = []
    for (x, y), (u, v) in zip(seen, wanted, strict=True):
        rows.append((x, y, 1, 0, 0, 0, -u * x, -u * y))
        rows.append((0, 0, 0, x, y, 1, -v * x, -v * y))
    return [float(each) for each in np.linalg.solve(np.array(rows), np.array(wanted).ravel())]
