"""Drains and manhole covers drawn onto real road pictures: no set at hand shows a drain.

A cover is drawn from above, laid onto the road by the homography of a camera above a plane, given the light, colour and sharpness
of what lies around it, and blended in. Half of what is drawn is a drain; the rest are manhole covers and stripes of shadow or
paint, so that "something was drawn here" does not come to mean "drain".
"""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from inference.training.sets import Floats, Picture

Rng = np.random.Generator
Pixels = npt.NDArray[np.uint8]
Reals = npt.NDArray[np.float64]

PX: Final = 160  # pixels of a metre in what is drawn from above
KINDS: Final = ("drain", "manhole", "stripes")
COVERS: Final = KINDS[:2]  # those that are labels
SHARES: Final = (0.55, 0.25, 0.2)
TRIES: Final = 12
# A place is road where colours are dull and no labelled thing lies.
DULL: Final = 34.0
EVEN: Final = 30.0
FREE: Final = 0.05
SMALLEST_PX: Final = 9.0


class Ground(NamedTuple):
    """A plane road as a camera sees it: row of the horizon, column of the vanishing point, focal length in pixels.

    At `height` rows below the horizon a metre is one pixel wide: that is the camera's height in metres.
    """

    vanishing: float
    horizon: float
    height: float
    focal: float

    def pixel(self, across_m: Reals, ahead_m: Reals) -> Reals:
        """(n,), (n,) -> (n, 2: x, y)."""
        row = self.focal * self.height / ahead_m
        return np.stack([self.vanishing + across_m * row / self.height, self.horizon + row], -1)

    def metres(self, x: float, y: float) -> tuple[float, float]:
        """Across and ahead of a pixel below the horizon."""
        row = y - self.horizon
        return (x - self.vanishing) * self.height / row, self.focal * self.height / row


def with_covers(picture: Picture, numbers: Mapping[str, int], rng: Rng) -> Picture:
    """The picture with one or two covers drawn on its road, where a place is found; `numbers` are the labels' numbers."""
    pixels = np.asarray(picture.image).copy()
    boxes, labels = [*picture.boxes], [*picture.labels.tolist()]
    ground = _ground(picture.image.size, rng)
    for _ in range(1 + (rng.random() < 0.3)):
        kind = KINDS[rng.choice(len(KINDS), p=SHARES)]
        box = _lay(pixels, _drawn(kind, rng), ground, np.array(boxes, np.float32).reshape(-1, 4), rng)
        if box is not None and kind in numbers:
            boxes.append(box)
            labels.append(numbers[kind])
    return Picture(Image.fromarray(pixels), np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64))


def _ground(size: tuple[int, int], rng: Rng) -> Ground:
    """A camera that looks down at the road from 1.3 to 3 m, its horizon at or above the picture's upper edge."""
    width, height = size
    horizon = -height * rng.uniform(0.02, 0.3)
    px_per_m = width * math.exp(rng.uniform(math.log(0.22), math.log(0.55)))  # at the lower edge
    return Ground(width * rng.uniform(0.35, 0.65), horizon, (height - horizon) / px_per_m, width * rng.uniform(0.75, 1.2))


def _lay(
    pixels: Pixels, drawn: tuple[Image.Image, tuple[float, float]], ground: Ground, taken: Floats, rng: Rng
) -> Floats | None:
    """Draws into `pixels` and gives the box, or None where no try found a place."""
    height, width = pixels.shape[:2]
    sheet, size_m = drawn
    for _ in range(TRIES):
        # Rather at the sides than in the middle, at any distance.
        side = rng.choice((-1, 1)) * rng.beta(2.5, 1.5)
        x, y = width * (0.5 + 0.5 * side), height * rng.uniform(0.08, 1.0)
        corners = _corners(ground, x, y, size_m, rng.normal(0, 0.05))
        box = np.array([*corners.min(0), *corners.max(0)], np.float32)
        if (box[2:] - box[:2]).min() < SMALLEST_PX or (box[2:] - box[:2]).max() > 0.5 * width:
            continue
        seen = np.array([max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3])], np.float32)
        if (seen[2:] - seen[:2]).min() < SMALLEST_PX or (seen[2:] - seen[:2]).prod() < 0.6 * (box[2:] - box[:2]).prod():
            continue
        if _is_road(pixels, seen) and _is_free(seen, taken):
            _blend(pixels, sheet, corners, seen, rng)
            return seen
    return None


def _corners(ground: Ground, x: float, y: float, size_m: tuple[float, float], turn: float) -> Reals:
    """The sheet's corners on the road in pixels, far left first, clockwise."""
    across, ahead = ground.metres(x, y)
    right, far = size_m[0] / 2, size_m[1] / 2
    corners = np.array([(-right, far), (right, far), (right, -far), (-right, -far)])
    turned = corners @ np.array([(math.cos(turn), math.sin(turn)), (-math.sin(turn), math.cos(turn))])
    return ground.pixel(across + turned[:, 0], np.maximum(ahead + turned[:, 1], 0.05 * ahead))


def _is_road(pixels: Pixels, box: Floats) -> bool:
    left, top, right, bottom = (int(edge) for edge in box)
    around = pixels[max(0, top - 4) : bottom + 4, max(0, left - 4) : right + 4].reshape(-1, 3).astype(np.float32)
    dull = np.percentile(around.max(1) - around.min(1), 80)
    return bool(dull < DULL and around.mean(1).std() < EVEN)


def _is_free(box: Floats, taken: Floats) -> bool:
    if not len(taken):
        return True
    both = (np.minimum(box[2:], taken[:, 2:]) - np.maximum(box[:2], taken[:, :2])).clip(min=0).prod(1)
    return bool((both <= FREE * np.minimum((taken[:, 2:] - taken[:, :2]).prod(1), (box[2:] - box[:2]).prod())).all())


def _blend(pixels: Pixels, sheet: Image.Image, corners: Reals, seen: Floats, rng: Rng) -> None:
    left, top, right, bottom = math.floor(seen[0]), math.floor(seen[1]), math.ceil(seen[2]), math.ceil(seen[3])
    there = pixels[top:bottom, left:right]
    # A sheet much finer than the picture would alias: it is reduced first.
    fine = max(1, int(min(sheet.size) / max(4.0, (seen[2:] - seen[:2]).min()) / 1.5))
    small = sheet.reduce(fine) if fine > 1 else sheet
    coefficients = _homography(corners - (left, top), small.size)
    laid = small.transform((right - left, bottom - top), Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
    blur = rng.uniform(0.2, 0.9)
    rgba = np.asarray(laid.filter(ImageFilter.GaussianBlur(blur)), np.float32)
    light = np.median(there.reshape(-1, 3), 0)
    # What is drawn has asphalt at 110; here it takes the light and the cast of the road around it.
    gain = (light + 6) / 116 * rng.uniform(0.75, 1.2)
    grain = rng.normal(0, rng.uniform(1, 7), rgba.shape[:2])[..., None]
    alpha = rgba[..., 3:] / 255 * rng.uniform(0.88, 1.0)
    pixels[top:bottom, left:right] = np.clip(there + (rgba[..., :3] * gain + grain - there) * alpha, 0, 255).astype(np.uint8)


def _homography(corners: Reals, size: tuple[int, int]) -> tuple[float, ...]:
    """Pillow's eight numbers that lead from output pixels back to the sheet's, from where its four corners come to lie."""
    width, height = size
    rows, wanted = [], []
    for (x, y), (u, v) in zip(corners, ((0, 0), (width, 0), (width, height), (0, height)), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        wanted += [u, v]
    return tuple(np.linalg.solve(np.array(rows), np.array(wanted, float)).tolist())


def _drawn(kind: str, rng: Rng) -> tuple[Image.Image, tuple[float, float]]:
    """What lies on the road, seen from above, with its size in metres."""
    if kind == "manhole":
        side = rng.uniform(0.55, 0.8)
        return _round_cover(side, rng, slots=False), (side, side)
    if kind == "stripes":
        size_m = (float(rng.uniform(0.8, 3.5)), float(rng.uniform(0.6, 3.0)))
        return _stripes(size_m, rng), size_m
    if rng.random() < 0.12:
        side = rng.uniform(0.4, 0.7)
        return _round_cover(side, rng, slots=True), (side, side)
    short, long = rng.uniform(0.28, 0.55), rng.uniform(0.4, 0.8)
    size_m = (short, max(short, long)) if rng.random() < 0.6 else (max(short, long), short)
    return _grate(size_m, rng), size_m


def _canvas(size_m: tuple[float, float]) -> tuple[int, int]:
    return max(8, round(size_m[0] * PX)), max(8, round(size_m[1] * PX))


def _iron(rng: Rng) -> tuple[int, int, int]:
    tone, rust = rng.uniform(55, 125), rng.uniform(0, 18) * (rng.random() < 0.5)
    return int(tone + rust), int(tone + rust * 0.3), int(tone - rust * 0.5)


def _grate(size_m: tuple[float, float], rng: Rng) -> Image.Image:
    """A grate of slots across, along, aslant, in two rows, or of square holes, in a frame of iron or concrete."""
    width, height = _canvas(size_m)
    iron, black = _iron(rng), int(rng.uniform(4, 34))
    frame = int(rng.uniform(0.02, 0.12) * min(width, height))
    concrete = int(rng.uniform(120, 185))
    rim = (concrete, concrete, int(concrete * 0.96)) if rng.random() < 0.4 else tuple(int(tone * 0.8) for tone in iron)
    picture = Image.new("RGBA", (width, height), (*rim, 255))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((frame, frame, width - frame, height - frame), (*iron, 255))
    inner = (frame * 1.6 + 2, frame * 1.6 + 2, width - frame * 1.6 - 2, height - frame * 1.6 - 2)
    _slots(draw, inner, (black, black, black), rng)
    if rng.random() < 0.35:  # leaves and sand
        for _ in range(int(rng.integers(2, 9))):
            x, y, radius = rng.uniform(0, width), rng.uniform(0, height), rng.uniform(3, 13)
            sand = rng.uniform(50, 125)
            draw.ellipse(
                (x - radius, y - radius * 0.6, x + radius, y + radius * 0.6), (int(sand), int(sand * 0.85), int(sand * 0.6), 255)
            )
    return picture


def _slots(draw: ImageDraw.ImageDraw, inner: tuple[float, float, float, float], black: tuple[int, int, int], rng: Rng) -> None:
    left, top, right, bottom = inner
    pattern = rng.choice(("across", "along", "rows", "holes", "aslant"), p=(0.3, 0.25, 0.25, 0.12, 0.08))
    open_share = rng.uniform(0.4, 0.68)
    pitch = PX * rng.uniform(0.035, 0.065)
    columns = {
        "across": 1,
        "along": max(3, round((right - left) / pitch)),
        "rows": 2,
        "holes": max(3, round((right - left) / pitch / 1.4)),
        "aslant": 1,
    }[pattern]
    rows = 1 if pattern == "along" else max(3, round((bottom - top) / (pitch * (1.4 if pattern == "holes" else 1))))
    wide, high = (right - left) / columns, (bottom - top) / rows
    for column in range(columns):
        for row in range(rows):
            x, y = left + column * wide, top + row * high
            across = wide * (open_share if pattern in ("along", "holes") else 0.92)
            down = high * (0.95 if pattern == "along" else open_share)
            lean = high * 1.2 if pattern == "aslant" else 0.0
            draw.polygon([(x, y + lean), (x + across, y), (x + across, y + down), (x, y + down + lean)], (*black, 255))


def _round_cover(side_m: float, rng: Rng, *, slots: bool) -> Image.Image:
    """A round cover of cast iron with a pattern; with `slots`, a grate."""
    side, _ = _canvas((side_m, side_m))
    iron = _iron(rng)
    dark = tuple(int(tone * rng.uniform(0.45, 0.75)) for tone in iron)
    picture = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((1, 1, side - 2, side - 2), (*(int(tone * 0.7) for tone in iron), 255))
    rim = side * rng.uniform(0.04, 0.12)
    draw.ellipse((rim, rim, side - rim, side - rim), (*iron, 255))
    step = PX * rng.uniform(0.035, 0.08)
    colour = (12, 12, 12) if slots else dark
    ring = rng.random() < 0.35 and not slots
    for number, y in enumerate(np.arange(rim * 2, side - rim * 2, step)):
        half = math.sqrt(max(0.0, (side / 2 - rim * 1.6) ** 2 - (y + step / 2 - side / 2) ** 2))
        if slots:
            draw.rectangle((side / 2 - half, y, side / 2 + half, y + step * 0.5), (*colour, 255))
        elif not ring:
            for x in np.arange(side / 2 - half + (number % 2) * step / 2, side / 2 + half - step * 0.5, step):
                draw.rectangle((x, y, x + step * 0.5, y + step * 0.5), (*colour, 255))
    if ring:
        for share in (0.75, 0.5, 0.25):
            reach = side / 2 * share
            draw.ellipse(
                (side / 2 - reach, side / 2 - reach, side / 2 + reach, side / 2 + reach),
                outline=(*dark, 255),
                width=max(2, int(step / 3)),
            )
    return picture


def _stripes(size_m: tuple[float, float], rng: Rng) -> Image.Image:
    """Shadows of a fence, or painted bars: much like a grate, but larger, softer or bright."""
    width, height = _canvas(size_m)
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    bright = rng.random() < 0.5
    tone = int(rng.uniform(160, 230) if bright else rng.uniform(20, 60))
    alpha = int(rng.uniform(140, 250) if bright else rng.uniform(60, 150))
    bars = int(rng.integers(3, 9))
    along = rng.random() < 0.5
    for number in range(bars):
        pitch = (width if along else height) / bars
        low = number * pitch
        bar = (low, 0, low + pitch * 0.5, height) if along else (0, low, width, low + pitch * 0.5)
        draw.rectangle(bar, (tone, tone, tone, alpha))
    return picture if bright else picture.filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 5))))
