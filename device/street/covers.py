"""What is let into the road: covers in their frames, shafts without one, grates at the kerb."""

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from device.street.asphalt import clouds, noise
from device.street.sheet import Bytes, Colour, Field, Rng, Sheet, bled

PX = 160.0
"""Pixels of a metre, of all that lies on the road."""
FINE = 2
"""It is drawn so much larger."""
Size = tuple[float, float]

IRONS: tuple[Colour, ...] = ((112, 110, 107), (92, 91, 90), (124, 118, 109), (76, 75, 74))
"""Worn cast iron, some of it a little rusty."""
CONCRETE: Colour = (158, 154, 146)
GAP: Colour = (20, 19, 18)


def manhole(rng: Rng, size_m: Size, _severity: int, _variant: str) -> Sheet:
    """A cast-iron cover in its frame. Collar, frame and pattern differ from maker to maker; dirt lies in the gap."""
    picture, middle, radius = _disc(size_m)
    draw = ImageDraw.Draw(picture)
    iron = _toned(IRONS[int(rng.integers(len(IRONS)))], float(rng.uniform(0.85, 1.2)))
    collar = _toned(CONCRETE, float(rng.uniform(0.85, 1.05))) if rng.random() < 0.5 else _toned(iron, 0.6)
    _ring(draw, middle, radius, collar)
    _ring(draw, middle, radius * 0.935, GAP)
    _ring(draw, middle, radius * 0.92, _toned(iron, 1.22))
    _ring(draw, middle, radius * 0.84, GAP)
    inner = radius * 0.805
    _ring(draw, middle, inner, iron)
    relief = Image.new("L", picture.size, 0)
    _pattern(ImageDraw.Draw(relief), int(rng.integers(5)), middle, inner)
    inside = Image.new("L", picture.size, 0)
    _ring_of(ImageDraw.Draw(inside), middle, inner * 0.94, 255)
    pixels = _raised(np.array(picture), np.asarray(relief), np.asarray(inside))
    holes = Image.fromarray(pixels)
    for turn in (0.5, math.pi + 0.5):  # where the lifting iron goes in
        x, y = middle + inner * 0.7 * math.cos(turn), middle + inner * 0.7 * math.sin(turn)
        ImageDraw.Draw(holes).rounded_rectangle((x - 9, y - 5, x + 9, y + 5), 4, GAP)
    return worn(holes, rng)


def _raised(pixels: Bytes, relief: Bytes, inside: Bytes) -> Bytes:
    """Light from the far end: raised edges there are bright, those on the near side dark, and what lies low is dirty."""
    high = np.where(inside > 0, relief, 0).astype(np.float32)
    slope = np.roll(high, -3, axis=0) - np.roll(high, 3, axis=0)
    tone = np.clip(slope * np.float32(0.26), -58, 58) - np.where((inside > 0) & (high < 128), np.float32(30), np.float32(0))
    pixels[..., :3] = np.clip(pixels[..., :3] + tone[..., None], 6, 250)
    return pixels


def _pattern(draw: ImageDraw.ImageDraw, kind: int, middle: float, radius: float) -> None:
    """What is raised on a cover: squares, bars in turn, rings, rays, or a plain middle with a ring of knobs."""
    if kind in {0, 1}:
        _checks(draw, middle, radius, woven=kind == 1)
        return
    if kind == 2:
        for share in (0.94, 0.74, 0.54, 0.34):
            _ring_of(draw, middle, radius * share, 255)
            _ring_of(draw, middle, radius * (share - 0.1), 0)
        return
    count = 24 if kind == 3 else 16
    if kind == 4:
        _ring_of(draw, middle, radius * 0.94, 255)
        _ring_of(draw, middle, radius * 0.78, 0)
    for n in range(count):
        x, y = math.cos(math.tau * n / count), math.sin(math.tau * n / count)
        if kind == 3:
            ray = [(middle + radius * share * x, middle + radius * share * y) for share in (0.36, 0.92)]
            draw.line(ray, 255, round(radius * 0.09))
        else:
            _ring_of_at(draw, middle + radius * 0.58 * x, middle + radius * 0.58 * y, radius * 0.075, 255)
    _ring_of(draw, middle, radius * (0.28 if kind == 3 else 0.4), 255)


def _checks(draw: ImageDraw.ImageDraw, middle: float, radius: float, *, woven: bool) -> None:
    """Squares in rows, or bars that lie and stand in turn."""
    step = radius * 0.17
    for row, y in enumerate(np.arange(-radius, radius, step)):
        for column, x in enumerate(np.arange(-radius, radius, step)):
            left, top = middle + float(x), middle + float(y)
            if not woven:
                draw.rectangle((left, top, left + step * 0.62, top + step * 0.62), 255)
            elif (row + column) % 2:
                draw.rectangle((left, top + step * 0.1, left + step * 0.9, top + step * 0.45), 255)
            else:
                draw.rectangle((left + step * 0.3, top, left + step * 0.65, top + step * 0.9), 255)


def manhole_open(rng: Rng, size_m: Size, _severity: int, _variant: str) -> Sheet:
    """The frame, and the shaft below: black, its far wall lit above and lost in the dark below."""
    picture, middle, radius = _disc(size_m)
    draw = ImageDraw.Draw(picture)
    iron = _toned(IRONS[int(rng.integers(len(IRONS)))], float(rng.uniform(0.9, 1.15)))
    _ring(draw, middle, radius, _toned(CONCRETE, float(rng.uniform(0.7, 1.0))) if rng.random() < 0.6 else _toned(iron, 0.8))
    _ring(draw, middle, radius * 0.93, GAP)
    _ring(draw, middle, radius * 0.915, _toned(iron, 1.3))
    _ring(draw, middle, radius * 0.85, _toned(iron, 0.7))
    hole = radius * 0.82
    _ring(draw, middle, hole, (6, 6, 7))
    wall = Image.new("RGBA", picture.size, (0, 0, 0, 0))
    brush = ImageDraw.Draw(wall)
    for n in range(14):  # the wall that faces the lens: the far one, seen below the rim
        lit = 66 * (1 - n / 14) ** 1.7 + 6
        y = middle + hole * 0.5 * n / 14
        brush.ellipse((middle - hole, y - hole, middle + hole, y + hole), (round(lit), round(lit * 0.96), round(lit * 0.88), 255))
    brush.ellipse((middle - hole, middle - hole * 0.5, middle + hole, middle + hole * 1.5), (6, 6, 7, 255))
    clip = Image.new("L", picture.size, 0)
    _ring_of(ImageDraw.Draw(clip), middle, hole, 255)
    picture.paste(wall, (0, 0), clip)
    return worn(picture, rng)


def drain(rng: Rng, size_m: Size, _severity: int, _variant: str) -> Sheet:
    """A grate in its frame, in a bed of concrete: dark slots between worn bars, leaves and dirt between them."""
    columns, rows = canvas(size_m, FINE)
    picture = Image.new("RGBA", (columns, rows), (*_toned(CONCRETE, float(rng.uniform(0.72, 0.95))), 255))
    draw = ImageDraw.Draw(picture)
    iron = _toned(IRONS[int(rng.integers(len(IRONS)))], float(rng.uniform(0.9, 1.2)))
    edge = 0.06 * min(columns, rows)
    draw.rectangle((edge, edge, columns - edge, rows - edge), GAP)
    draw.rectangle((1.3 * edge, 1.3 * edge, columns - 1.3 * edge, rows - 1.3 * edge), iron)
    bars = max(6, round((columns - 4 * edge) / (0.052 * PX * FINE)))
    pitch, rungs = (
        (columns - 4 * edge) / bars,
        (2.4 * edge, rows / 2 - edge * 0.5),
    )
    for n in range(bars):
        left = 2 * edge + n * pitch + pitch * 0.22
        for top, bottom in ((rungs[0], rungs[1]), (rows - rungs[1], rows - rungs[0])):
            draw.rounded_rectangle((left, top, left + pitch * 0.56, bottom), pitch * 0.2, (9, 9, 10))
            draw.line((left, bottom, left + pitch * 0.56, bottom), _toned(iron, 1.5), 2)
    for _ in range(int(rng.integers(0, 7))):
        x, y, reach = rng.uniform(0, columns), rng.uniform(0, rows), rng.uniform(3, 9)
        draw.ellipse((x - reach, y - reach * 0.6, x + reach, y + reach * 0.6), (104, 82, 52))
    return worn(picture, rng)


def canvas(size_m: Size, fine: int = 1) -> tuple[int, int]:
    """Columns and rows of a picture of that size."""
    return max(8, round(size_m[0] * PX)) * fine, max(8, round(size_m[1] * PX)) * fine


def worn(picture: Image.Image, rng: Rng) -> Sheet:
    """Reduced to `PX`, with grain, stains and dust."""
    pixels = np.array(picture.filter(ImageFilter.BoxBlur(1)).reduce(FINE))
    rows, columns = pixels.shape[:2]
    grain: Field = rng.standard_normal((rows, columns), np.float32) * np.float32(5) + noise(rng, rows, columns, 9.0) * np.float32(
        4
    )
    grain += clouds(rng, rows, columns, 40.0) * np.float32(4)
    pixels[..., :3] = np.clip(pixels[..., :3] + grain[..., None], 0, 255)
    return Sheet(bled(pixels), PX)


def _disc(size_m: Size) -> tuple[Image.Image, float, float]:
    side, _ = canvas(size_m, FINE)
    return Image.new("RGBA", (side, side), (0, 0, 0, 0)), side / 2, side / 2 - 2


def _ring(draw: ImageDraw.ImageDraw, middle: float, radius: float, colour: Colour) -> None:
    draw.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), (*colour, 255))


def _ring_of(draw: ImageDraw.ImageDraw, middle: float, radius: float, value: int) -> None:
    _ring_of_at(draw, middle, middle, radius, value)


def _ring_of_at(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, value: int) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), value)


def _toned(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, round(each * factor)) for each in colour)
    return red, green, blue
