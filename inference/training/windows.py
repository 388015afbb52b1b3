"""Training windows: pieces cut out of pictures at many scales, with their boxes; sometimes four of them joined.

Pictures never change their aspect: the network is fully convolutional and sees letterboxed pictures in use, so what counts is
that things come in all sizes and places. What lies outside a picture is grey 128, which is zero after normalisation.
"""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from inference.letterbox import PAD
from inference.training.sets import Floats, Integers, Picture

Pixels = npt.NDArray[np.uint8]
Rng = np.random.Generator

# A box cut by the window's edge stays while this part of it is seen and its sides are this long, in pixels.
SEEN_AT_LEAST: Final = 0.3
SIDE_AT_LEAST: Final = 3.0
AIMED: Final = 0.7  # share of windows that are laid around one of the picture's boxes
MOSAICS: Final = 0.5
MOSAICS_UNTIL: Final = 0.7  # of the training; after that whole windows only, as they are met in use


class Window(NamedTuple):
    """`pixels` is (height, width, 3) RGB; boxes and labels as in `Picture`, in pixels of the window."""

    pixels: Pixels
    boxes: Floats
    labels: Integers


def fit_scale(size: tuple[int, int], width: int, height: int) -> float:
    """The scale at which a picture of `size` (width, height) just fits."""
    return min(width / size[0], height / size[1])


def cut(picture: Picture, scale: float, origin: tuple[float, float], size: tuple[int, int]) -> Window:
    """Cuts a window of `size` (width, height) out of the scaled picture; `origin`, its left top there, may be negative."""
    pixels = _piece(picture.image, scale, origin, size)
    boxes = picture.boxes * np.float32(scale) - np.array(origin * 2, np.float32)
    return Window(pixels, *clip(boxes, picture.labels, (0, 0, *size)))


def clip(boxes: Floats, labels: Integers, frame: tuple[int, int, int, int]) -> tuple[Floats, Integers]:
    """Cuts boxes at a frame (left, top, right, bottom) and drops those of which too little is left."""
    left, top, right, bottom = frame
    inside = boxes.clip(np.array((left, top) * 2, np.float32), np.array((right, bottom) * 2, np.float32))
    sides = inside[:, 2:] - inside[:, :2]
    whole = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    kept = (sides >= SIDE_AT_LEAST).all(1) & (sides.prod(1) >= SEEN_AT_LEAST * whole)
    return inside[kept], labels[kept]


def draw_window(picture: Picture, zoom: tuple[float, float], size: tuple[int, int], full: tuple[int, int], rng: Rng) -> Window:
    """Cuts a window at a random scale and place; `full` is the size of the letterboxed picture that `zoom` is relative to."""
    scale = fit_scale(picture.image.size, *full) * math.exp(rng.uniform(math.log(zoom[0]), math.log(zoom[1])))
    target = picture.boxes[rng.integers(len(picture.boxes))] * scale if len(picture.boxes) and rng.random() < AIMED else None
    origin = []
    for axis in (0, 1):
        room = picture.image.size[axis] * scale - size[axis]
        low, high = min(room, 0.0), max(room, 0.0)
        if target is None:
            origin.append(rng.uniform(low, high))
        else:
            middle = float(target[axis] + target[axis + 2]) / 2
            origin.append(min(max(middle - rng.uniform(0.15, 0.85) * size[axis], low), high))
    return cut(picture, scale, (origin[0], origin[1]), size)


def draw_mosaic(
    four: Sequence[Picture], zoom: tuple[float, float], size: tuple[int, int], full: tuple[int, int], rng: Rng
) -> Window:
    """Joins windows of four pictures at a random cross; all must be of one set, since one supervision goes for the whole."""
    width, height = size
    across, down = int(width * rng.uniform(0.35, 0.65)), int(height * rng.uniform(0.35, 0.65))
    pixels = np.full((height, width, 3), PAD, np.uint8)
    boxes, labels = [], []
    for number, picture in enumerate(four):
        left, right = ((0, across), (across, width))[number % 2]
        top, bottom = ((0, down), (down, height))[number // 2]
        part = draw_window(picture, (zoom[0] * 0.8, zoom[1] * 0.8), (right - left, bottom - top), full, rng)
        pixels[top:bottom, left:right] = part.pixels
        boxes.append(part.boxes + np.array((left, top) * 2, np.float32))
        labels.append(part.labels)
    return Window(pixels, np.concatenate(boxes), np.concatenate(labels))


def mirrored(window: Window) -> Window:
    """The same, left and right exchanged."""
    boxes = window.boxes.copy()
    boxes[:, [0, 2]] = window.pixels.shape[1] - window.boxes[:, [2, 0]]
    return Window(window.pixels[:, ::-1], boxes, window.labels)


def tinted(pixels: Pixels, rng: Rng) -> Pixels:
    """Changes light, contrast and colour as cameras and weather do; one picture in ten is a little out of focus."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    if rng.random() < 0.8:
        contrast, light = rng.uniform(0.7, 1.3), rng.uniform(-38, 38)
        levels = (np.arange(256) - PAD) * contrast + PAD + light
        image = image.point(
            np.concatenate([levels * gain for gain in rng.uniform(0.92, 1.08, 3)]).clip(0, 255).astype(np.uint8).tolist()
        )
    if rng.random() < 0.1:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.1)))
    return np.asarray(image)


def _piece(image: Image.Image, scale: float, origin: tuple[float, float], size: tuple[int, int]) -> Pixels:
    """The pixels of a window of the scaled picture, grey outside it; to the nearest whole pixel at the picture's edges."""
    low = [max(0, round(-origin[axis])) for axis in (0, 1)]
    high = [min(size[axis], round(image.size[axis] * scale - origin[axis])) for axis in (0, 1)]
    field = np.full((size[1], size[0], 3), PAD, np.uint8)
    if low[0] < high[0] and low[1] < high[1]:
        corners = [(place[axis] + origin[axis]) / scale for place in (low, high) for axis in (0, 1)]
        source = (max(0.0, corners[0]), max(0.0, corners[1]), min(image.width, corners[2]), min(image.height, corners[3]))
        part = image.resize((high[0] - low[0], high[1] - low[1]), Image.Resampling.BILINEAR, box=source)
        field[low[1] : high[1], low[0] : high[0]] = np.asarray(part)
    return field
