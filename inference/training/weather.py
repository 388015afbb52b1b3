"""What a camera behind a windscreen adds to a picture: motion, drops on the glass, low sun, dusk, compression."""

import io
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Pixels = npt.NDArray[np.uint8]
Rng = np.random.Generator

EACH: Final = 0.08
"""How often each of the five is met; in two pictures of three there is none."""


def weathered(pixels: Pixels, rng: Rng) -> Pixels:
    """(h, w, 3) RGB, seen through some of it. No box moves by more than a pixel or two."""
    for change in (dusk, low_sun, drops, motion, compression):
        if rng.random() < EACH:
            pixels = change(pixels, rng)
    return pixels


def dusk(pixels: Pixels, rng: Rng) -> Pixels:
    """Darker, bluer, noisier."""
    light = np.array([0.85, 0.92, 1.08]) * rng.uniform(0.35, 0.7)
    noise = rng.normal(0, rng.uniform(1, 5), (*pixels.shape[:2], 1))
    return np.clip(pixels * light + noise, 0, 255).astype(np.uint8)


def low_sun(pixels: Pixels, rng: Rng) -> Pixels:
    """A warm glare around a point in the upper half, and less contrast everywhere."""
    height, width = pixels.shape[:2]
    y, x = np.ogrid[:height, :width]
    away = np.hypot((x - rng.uniform(0, width)) / width, (y - rng.uniform(-0.2, 0.5) * height) / height)
    glare = np.exp(-((away / rng.uniform(0.15, 0.5)) ** 2))[..., None] * np.array([170, 150, 115])
    bright: Pixels = np.clip(pixels * rng.uniform(0.8, 1.0) + glare + rng.uniform(0, 25), 0, 255).astype(np.uint8)
    return bright


def drops(pixels: Pixels, rng: Rng) -> Pixels:
    """Round spots through which the picture is seen out of focus, a little lighter."""
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels)
    mask = Image.new("L", image.size)
    draw = ImageDraw.Draw(mask)
    for _ in range(int(rng.integers(2, 10))):
        x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(5, 26)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), int(rng.uniform(140, 255)))
    lens = image.filter(ImageFilter.GaussianBlur(rng.uniform(4, 9))).point(lambda level: min(255, level + 14))
    return np.asarray(Image.composite(lens, image, mask.filter(ImageFilter.GaussianBlur(2))))


def motion(pixels: Pixels, rng: Rng) -> Pixels:
    """Smeared over 3 to 7 pixels, mostly downwards as the road runs."""
    steps = int(rng.integers(3, 8))
    axis = 0 if rng.random() < 0.7 else 1
    summed = np.zeros(pixels.shape, np.uint16)
    for step in range(steps):
        summed += np.roll(pixels, step - steps // 2, axis)
    smeared: Pixels = (summed // steps).astype(np.uint8)
    return smeared


def compression(pixels: Pixels, rng: Rng) -> Pixels:
    """JPEG as cameras and web pages write it."""
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=int(rng.integers(25, 75)))
    return np.asarray(Image.open(held))
