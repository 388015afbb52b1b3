"""What light, weather, lens and sensor make of a drawn frame. Pure: the same moment gives the same bytes."""

import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from device.street.geometry import Pinhole, Pose
from device.street.scene import Lens, Weather

NOON = 13.0
SUN_DEG_PER_HOUR, HIGHEST_SUN_DEG, DAY_HALF_H = 15.0, 62.0, 7.4
"""A day in May at 43.5 degrees north, in local time."""
DUSK_FROM, DUSK_TO = 18.6, 20.8
NOISE_PX = 96
"""The sensor's noise is one field, seen each time from another of so many places in each direction."""
MOST_BLUR_PX = 6
STREAKS, STREAK_LAYERS = 420, 4
DROPS = 40


def sun(hour: float) -> tuple[float, float]:
    """The sun's direction (degrees clockwise from north) and height (degrees)."""
    height_deg = HIGHEST_SUN_DEG * math.cos(math.pi / 2 * min(1.0, abs(hour - NOON) / DAY_HALF_H))
    return (180.0 + (hour - NOON) * SUN_DEG_PER_HOUR) % 360.0, height_deg


class Optics:
    """One camera's lens and sensor."""

    def __init__(self, camera: Pinhole) -> None:
        self._camera = camera
        rng = np.random.default_rng(5)
        self._noises = [self._noise(rng, spread) for spread in (2.5, 6.0)]
        rows = np.arange(camera.height) + 0.5
        _, ahead = camera.on_road(np.full(camera.height, camera.width / 2.0), rows)
        self._ahead_m = np.where(np.isfinite(ahead), np.maximum(ahead, 0.1), np.inf)
        self._streaks = [_streaks(rng, camera) for _ in range(STREAK_LAYERS)]
        self._drops = _blots(rng, camera, DROPS, (0.004, 0.016), 200)
        self._dirt = _blots(rng, camera, 160, (0.003, 0.05), 70)
        self._cover = _blots(rng, camera, 9, (0.18, 0.4), 255)

    def _noise(self, rng: np.random.Generator, spread: float) -> Image.Image:
        size = (self._camera.height + NOISE_PX, self._camera.width + NOISE_PX, 3)
        return Image.fromarray(np.clip(128 + rng.normal(0, spread, size), 0, 255).astype(np.uint8))

    def expose(
        self, picture: Image.Image, weather: Weather, pose: Pose, at_s: float, *, moved_m: float, light: float
    ) -> Image.Image:
        """The frame as the sensor gives it; the car moves so far during the exposure, `light` (0 to 1) falls on the road here."""
        number = round(at_s * 1000)
        picture = self._blurred(picture, moved_m)
        if weather.rain > 0:
            picture = self._rained(picture, weather.rain, number)
        if light > 0.9 and weather.rain == 0:
            picture = self._glare(picture, weather.hour, pose)
        picture = picture.point(_toned(round(weather.hour, 1), round(light, 2), weather.wet > 0.3))
        if weather.lens != "clean":
            picture = self._soiled(picture, weather.lens)
        dark = weather.hour > DUSK_FROM + 0.7 or light < 0.6
        left, top = number * 37 % NOISE_PX, number * 61 % NOISE_PX
        noise = self._noises[int(dark)].crop((left, top, left + picture.width, top + picture.height))
        return ImageChops.add(picture, noise, 1.0, -128)

    def _blurred(self, picture: Image.Image, moved_m: float) -> Image.Image:
        """Near the car the road moves downwards in the picture: by the derivative of its row."""
        shifts = self._camera.focal_px * self._camera.height_m / self._ahead_m**2 * moved_m
        count = np.clip(np.rint(shifts), 0, MOST_BLUR_PX).astype(int)
        first = int(np.searchsorted(count, 1))
        if first >= len(count) - MOST_BLUR_PX:
            return picture
        pixels = np.asarray(picture)
        blurred = pixels.copy()
        for shift in range(1, int(count.max()) + 1):
            top = int(np.searchsorted(count, shift))
            bottom = int(np.searchsorted(count, shift, side="right"))
            if bottom > top >= shift:
                total = pixels[top:bottom].astype(np.uint16)
                for off in range(1, shift + 1):
                    total += pixels[top - off : bottom - off]
                blurred[top:bottom] = total // (shift + 1)
        return Image.fromarray(blurred)

    def _rained(self, picture: Image.Image, rain: float, number: int) -> Image.Image:
        streaks = self._streaks[number * 7 % STREAK_LAYERS].point(_share(round(rain * 150)))
        picture.paste((206, 210, 214), (0, 0), streaks)
        soft = picture.reduce(6).resize(picture.size, Image.Resampling.BILINEAR)
        picture.paste(soft, (0, 0), self._drops.point(_share(round(120 + rain * 130))))
        return picture

    def _glare(self, picture: Image.Image, hour: float, pose: Pose) -> Image.Image:
        """A low sun that stands ahead."""
        direction_deg, height_deg = sun(hour)
        turned, raised = math.radians(direction_deg - pose.heading_deg), math.radians(height_deg)
        right, ahead, up = math.sin(turned) * math.cos(raised), math.cos(turned) * math.cos(raised), math.sin(raised)
        column, row, depth = self._camera.project(right * 1e4, ahead * 1e4, up * 1e4)
        if height_deg > 24.0 or depth <= 0 or height_deg < 0.5:
            return picture
        glow = _glow(picture.width)
        veil = Image.new("RGB", picture.size)
        veil.paste(glow, (round(float(column)) - glow.width // 2, round(float(row)) - glow.height // 2))
        return ImageChops.screen(picture, veil)

    def _soiled(self, picture: Image.Image, lens: Lens) -> Image.Image:
        if lens == "covered":
            picture.paste((58, 52, 44), (0, 0), self._cover)
            return picture
        soft = picture.reduce(8).resize(picture.size, Image.Resampling.BILINEAR)
        picture.paste(soft, (0, 0), self._dirt)
        picture.paste((142, 130, 112), (0, 0), self._dirt.point(_share(150)))
        return picture


@lru_cache(maxsize=64)
def _toned(hour: float, light: float, grey: bool) -> list[int]:
    """The table (3 x 256) of the hour's colour, and of the exposure that follows the light, up to a limit."""
    evening = min(1.0, max(0.0, (hour - 16.5) / 2.2))
    dusk = min(1.0, max(0.0, (hour - DUSK_FROM) / (DUSK_TO - DUSK_FROM)))
    gain = (1.0 - 0.52 * dusk) * min(2.4, light**-0.75) * (0.88 if grey else 1.0)
    warm = (1.0 + 0.06 * evening * (1 - dusk), 1.0 - 0.02 * evening, 1.0 - 0.14 * evening * (1 - dusk) + 0.10 * dusk)
    if light < 0.7:
        warm = (1.06, 1.0, 0.86)
    values = np.arange(256) / 255.0
    table: list[int] = []
    for share in warm:
        bright = values * gain * share
        # Highlights roll off instead of being cut.
        table += (
            np.clip(255.0 * np.where(bright > 0.8, 0.8 + 0.2 * np.tanh((bright - 0.8) / 0.2), bright), 0, 255)
            .astype(int)
            .tolist()
        )
    return table


@lru_cache(maxsize=256)
def _share(of: int) -> list[int]:
    return [min(255, value * of >> 8) for value in range(256)]


@lru_cache(maxsize=4)
def _glow(width: int) -> Image.Image:
    """The sun and the haze around it."""
    side = round(width * 1.5)
    y, x = np.mgrid[:side, :side] - side / 2.0
    away = np.hypot(x, y) / width
    light = np.clip(1.15 * np.exp(-((away / 0.028) ** 2)) + 0.62 * np.exp(-away / 0.16) - 0.005, 0, 1)
    return Image.fromarray((light[..., None] * np.array((255, 238, 200))).astype(np.uint8))


def _streaks(rng: np.random.Generator, camera: Pinhole) -> Image.Image:
    """Rain that falls past the lens."""
    layer = Image.new("L", (camera.width, camera.height))
    draw = ImageDraw.Draw(layer)
    scale = camera.width / 640.0
    for _ in range(STREAKS):
        x, y = rng.uniform(0, camera.width), rng.uniform(-20, camera.height)
        length = rng.uniform(6, 26) * scale
        draw.line((x, y, x + length * 0.12, y + length), int(rng.integers(30, 120)), max(1, round(scale)))
    return layer.filter(ImageFilter.BoxBlur(0.6 * scale))


def _blots(rng: np.random.Generator, camera: Pinhole, count: int, sizes: tuple[float, float], strength: int) -> Image.Image:
    """Soft spots; sizes are shares of the picture's width."""
    layer = Image.new("L", (camera.width, camera.height))
    draw = ImageDraw.Draw(layer)
    for _ in range(count):
        x, y, radius = rng.uniform(0, camera.width), rng.uniform(0, camera.height), rng.uniform(*sizes) * camera.width
        draw.ellipse((x - radius, y - radius * 1.2, x + radius, y + radius * 1.2), int(rng.integers(strength // 2, strength + 1)))
    return layer.filter(ImageFilter.GaussianBlur(camera.width * sizes[0] / 2 + 1))
