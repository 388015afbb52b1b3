"""What lies on the road, seen from above: cracks, holes, patches, covers. Each picture is drawn from its seed and its size."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from device.street.scene import Kind
from device.street.sheet import Bytes, Colour, Rng, Sheet

PX = 160.0
"""Pixels of a metre."""
FINE = 2
"""Lines are drawn so much larger."""
CRACK: Colour = (34, 32, 31)
IRON: Colour = (74, 73, 72)
Field = npt.NDArray[np.float32]
Size = tuple[float, float]
"""Width and length in metres."""


def lying(kind: Kind, rng: Rng, size_m: Size, severity: int, variant: str) -> Sheet:
    """The picture of a thing on the road."""
    return DRAWN[kind](rng, size_m, severity, variant)


def _canvas(size_m: Size, fine: int = 1) -> tuple[int, int]:
    return max(8, round(size_m[0] * PX)) * fine, max(8, round(size_m[1] * PX)) * fine


def _of_alpha(alpha: Bytes, colour: Colour, rng: Rng) -> Sheet:
    rgba = np.empty((*alpha.shape, 4), np.uint8)
    grain = rng.normal(0, 5, (*alpha.shape, 1))
    rgba[..., :3] = np.clip(np.array(colour) + grain, 0, 255).astype(np.uint8)
    rgba[..., 3] = alpha
    return Sheet(rgba, PX)


def _walk(rng: Rng, steps: int, spread: float) -> npt.NDArray[np.float64]:
    """A wandering line of `steps` offsets, straightened so that it ends near where it began."""
    drift = np.cumsum(rng.normal(0, 1, steps)) + 0.35 * np.cumsum(rng.normal(0, 1, steps // 6 + 1)).repeat(6)[:steps] * 2
    drift -= np.linspace(drift[0], drift[-1], steps)
    return drift / max(1e-6, float(np.abs(drift).max())) * spread


def _crack(rng: Rng, size_m: Size, severity: int, *, along: bool) -> Sheet:
    """A crack with side cracks, wider and more crumbled the worse it is."""
    columns, rows = _canvas(size_m, FINE)
    layer, halo = Image.new("L", (columns, rows)), Image.new("L", (columns, rows))
    draw, wide = ImageDraw.Draw(layer), ImageDraw.Draw(halo)
    length, across = (rows, columns) if along else (columns, rows)
    margin = 8.0
    steps = max(12, int(length / 9))
    run = np.linspace(margin, length - margin, steps)
    off = across / 2 + _walk(rng, steps, max(2.0, across / 2 - margin)) + rng.normal(0, 1.6, steps)
    px = PX * FINE * (0.004 + 0.0045 * severity)
    widths = np.clip(px * (1 + 0.5 * np.sin(np.linspace(0, rng.uniform(3, 9), steps)) + rng.normal(0, 0.3, steps)), 1, None)

    def line(points: list[tuple[float, float]], width: float) -> None:
        turned = points if not along else [(y, x) for x, y in points]
        wide.line(turned, 70, round(width * 2.6 + 4))
        draw.line(turned, int(rng.integers(200, 256)), max(1, round(width)), "curve")

    for n in range(steps - 1):
        line([(run[n], off[n]), (run[n + 1], off[n + 1])], float(widths[n]))
    for _ in range(int(rng.poisson(length / PX / FINE * (0.5 + 0.5 * severity)))):
        start = int(rng.integers(steps - 1))
        angle, reach = rng.uniform(0.4, 1.2) * rng.choice((-1, 1)), rng.uniform(0.05, 0.3) * PX * FINE
        line([(run[start], off[start]), (run[start] + reach * math.cos(angle), off[start] + reach * math.sin(angle))], px * 0.6)
    for _ in range(int(rng.poisson(length / PX / FINE * severity * 0.8))):  # edges that crumbled away
        spot = int(rng.integers(steps))
        radius = rng.uniform(0.5, 1.6) * px
        x, y = (run[spot], off[spot]) if not along else (off[spot], run[spot])
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), 215)
    soft = np.asarray(halo.filter(ImageFilter.BoxBlur(2)).reduce(FINE)) // 2
    return _of_alpha(np.maximum(np.asarray(layer.reduce(FINE)), soft), CRACK, rng)


def _crack_along(rng: Rng, size_m: Size, severity: int, _variant: str) -> Sheet:
    return _crack(rng, size_m, severity, along=True)


def _crack_across(rng: Rng, size_m: Size, severity: int, _variant: str) -> Sheet:
    return _crack(rng, size_m, severity, along=False)


def _alligator(rng: Rng, size_m: Size, severity: int, _variant: str) -> Sheet:
    """A net: the borders between the cells of random points; worn in the middle."""
    coarse = 3
    columns, rows = (each // coarse for each in _canvas(size_m))
    cell = PX / coarse * rng.uniform(0.11, 0.2)
    # One point in each cell of a grid: nets have no tiny meshes beside large ones.
    grid = np.stack(np.meshgrid(np.arange(0, columns, cell), np.arange(0, rows, cell)), -1).reshape(-1, 2)
    points = grid + rng.uniform(0, cell, grid.shape)
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    away = np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1]).astype(np.float32)
    nearest = np.partition(away, 1, axis=2)
    border = nearest[..., 1] - nearest[..., 0]
    rim = np.hypot((x / columns - 0.5) * 2, (y / rows - 0.5) * 2) + _noise(rng, rows, columns, 14) * 0.13
    inside = np.clip((1.0 - rim) * 4, 0, 1)
    size = (columns * coarse, rows * coarse)
    fine = np.asarray(Image.fromarray(border).resize(size, Image.Resampling.BICUBIC))
    edge = np.asarray(Image.fromarray(inside.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    width = 0.5 + 0.2 * severity
    lines = np.clip((width - fine) / 0.5, 0, 1) * edge
    alpha = np.maximum(lines * 225, edge * 20)
    return _of_alpha(np.clip(alpha, 0, 255).astype(np.uint8), CRACK, rng)


def _noise(rng: Rng, rows: int, columns: int, cells: int) -> Field:
    grid = Image.fromarray(rng.normal(0, 1, (cells, cells)).astype(np.float32))
    return np.asarray(grid.resize((columns, rows), Image.Resampling.BICUBIC), np.float32)


def _pothole(rng: Rng, size_m: Size, severity: int, variant: str) -> Sheet:
    """A hole with a crumbled rim and gravel in it; its far wall is lit, its near one dark. Wet, it mirrors the sky."""
    columns, rows = _canvas(size_m)
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    x, y = (x / columns - 0.5) * 2, (y / rows - 0.5) * 2
    angle = np.arctan2(y, x)
    wobble = sum(rng.normal(0, 0.16 / n**0.8) * np.cos(n * angle + rng.uniform(0, 6.28)) for n in range(2, 9))
    reach = np.hypot(x, y) * (1.16 + wobble) + _noise(rng, rows, columns, max(6, rows // 10)) * 0.045
    deep = np.clip((0.93 - reach) * 5, 0, 1)
    crumbs = rng.normal(0, 1, (rows, columns)) * 7 + _noise(rng, rows, columns, max(8, rows // 5)) * 9
    crumbs += _noise(rng, rows, columns, 6) * 7
    tone = 100 - deep * (34 + 11 * severity) + crumbs
    wall = np.clip(1 - np.abs(reach - 0.84) * 9, 0, 1)
    tone += wall * np.where(y < 0, 18, -34) * (0.6 + 0.2 * severity)
    colour = tone[..., None] * np.array((1.0, 0.965, 0.91))
    if variant == "wet":
        water = np.clip((0.74 - reach + _noise(rng, rows, columns, 8) * 0.05) * 9, 0, 1)[..., None]
        sky = (np.array((132, 140, 148)) + 22 * y[..., None]) + _noise(rng, rows, columns, 5)[..., None] * 4
        colour += (sky - colour) * water * 0.88
    alpha = np.clip((1.03 - reach) * 13, 0, 1) * 255
    return Sheet(np.dstack((np.clip(colour, 0, 255), alpha)).astype(np.uint8), PX)


def _patch(rng: Rng, size_m: Size, _severity: int, variant: str) -> Sheet:
    """A repair: other asphalt with a sealed seam, its edges not quite straight."""
    columns, rows = _canvas(size_m)
    layer = Image.new("L", (columns, rows))
    wander = rng.uniform(0.0, 0.035, 8) * min(columns, rows)
    corners = [
        (wander[0], wander[1]),
        (columns - wander[2], wander[3]),
        (columns - wander[4], rows - wander[5]),
        (wander[6], rows - wander[7]),
    ]
    ImageDraw.Draw(layer).polygon(corners, 255)
    tone = rng.uniform(44, 62) if variant == "fresh" or rng.random() < 0.5 else rng.uniform(64, 88)
    pixels = tone + rng.normal(0, 7, (rows, columns)) + _noise(rng, rows, columns, 7) * 3.5
    inner = np.asarray(layer.filter(ImageFilter.MinFilter(7)), np.float32) / 255
    pixels -= (1 - inner) * rng.uniform(12, 26)
    alpha = np.asarray(layer.filter(ImageFilter.BoxBlur(1)))
    colour = np.clip(pixels[..., None] * np.array((1.0, 1.0, 1.02)), 0, 255)
    return Sheet(np.dstack((colour, alpha)).astype(np.uint8), PX)


def _ring(draw: ImageDraw.ImageDraw, middle: float, radius: float, colour: Colour) -> None:
    draw.ellipse((middle - radius, middle - radius, middle + radius, middle + radius), colour)


def _manhole(rng: Rng, size_m: Size, _severity: int, _variant: str) -> Sheet:
    """A cast-iron cover in its frame; its pattern differs from maker to maker."""
    side, _ = _canvas(size_m, FINE)
    picture = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    middle, radius = side / 2, side / 2 - 2
    worn = float(rng.uniform(0.85, 1.25))
    iron: Colour = (round(IRON[0] * worn), round(IRON[1] * worn), round(IRON[2] * worn))
    dark: Colour = (round(iron[0] * 0.55), round(iron[1] * 0.55), round(iron[2] * 0.55))
    _ring(draw, middle, radius, (58, 57, 56))
    _ring(draw, middle, radius * 0.97, (round(iron[0] * 1.2), round(iron[1] * 1.2), round(iron[2] * 1.18)))
    _ring(draw, middle, radius * 0.86, (26, 25, 25))
    _ring(draw, middle, radius * 0.83, iron)
    pattern = int(rng.integers(3))
    step = radius * 0.13
    for x in np.arange(-0.8 * radius, 0.8 * radius, step):
        for y in np.arange(-0.8 * radius, 0.8 * radius, step):
            if math.hypot(x, y) < radius * 0.72:
                if pattern == 0:
                    draw.rectangle((middle + x, middle + y, middle + x + step * 0.55, middle + y + step * 0.55), dark)
                elif pattern == 1 and (round(x / step) + round(y / step)) % 2:
                    draw.rectangle((middle + x, middle + y, middle + x + step * 0.9, middle + y + step * 0.35), dark)
    if pattern == 2:
        for share in (0.72, 0.52, 0.32):
            _ring(draw, middle, radius * share, dark)
            _ring(draw, middle, radius * (share - 0.07), iron)
    for turn in (0.4, math.pi + 0.4):
        x, y = middle + radius * 0.62 * math.cos(turn), middle + radius * 0.62 * math.sin(turn)
        draw.ellipse((x - 5, y - 5, x + 5, y + 5), (18, 18, 18))
    return _grained(picture, rng)


def _manhole_open(rng: Rng, size_m: Size, _severity: int, _variant: str) -> Sheet:
    """The frame, and the shaft below: black, its far wall faintly lit."""
    side, _ = _canvas(size_m, FINE)
    picture = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    middle, radius = side / 2, side / 2 - 2
    _ring(draw, middle, radius, (96, 94, 90))
    _ring(draw, middle, radius * 0.93, (124, 121, 115))
    _ring(draw, middle, radius * 0.85, (70, 66, 60))
    for share in np.linspace(0, 1, 12):
        lit = round(58 * (1 - share) ** 1.5) + 8
        size = radius * 0.83 * (1 - 0.05 * share)
        y = middle + radius * 0.3 * share
        draw.ellipse(
            (middle - size, y - size * (1 - 0.3 * share), middle + size, y + size * (1 - 0.3 * share)),
            (lit, lit, round(lit * 0.94)),
        )
    clipped = Image.new("L", (side, side))
    ImageDraw.Draw(clipped).ellipse((2, 2, side - 2, side - 2), 255)
    picture.putalpha(clipped)
    return _grained(picture, rng)


def _drain(rng: Rng, size_m: Size, _severity: int, _variant: str) -> Sheet:
    """A grate in its frame."""
    columns, rows = _canvas(size_m, FINE)
    picture = Image.new("RGBA", (columns, rows), (92, 90, 87, 255))
    draw = ImageDraw.Draw(picture)
    edge = 0.05 * columns
    draw.rectangle((edge, edge, columns - edge, rows - edge), (58, 57, 56))
    bars = int(rng.integers(8, 12))
    pitch = (columns - 3 * edge) / bars
    for n in range(bars):
        left = 1.5 * edge + n * pitch
        draw.rectangle((left, 1.6 * edge, left + pitch * 0.55, rows - 1.6 * edge), (13, 13, 14))
    draw.rectangle((edge, rows / 2 - 4, columns - edge, rows / 2 + 4), (60, 59, 57))
    return _grained(picture, rng)


def _grained(picture: Image.Image, rng: Rng) -> Sheet:
    pixels = np.array(picture.reduce(FINE))
    grain = rng.normal(0, 5, pixels.shape[:2]) + _noise(rng, pixels.shape[0], pixels.shape[1], 6) * 5
    pixels[..., :3] = np.clip(pixels[..., :3] + grain[..., None], 0, 255).astype(np.uint8)
    return Sheet(pixels, PX)


DRAWN: dict[str, Callable[[Rng, Size, int, str], Sheet]] = {
    "crack_longitudinal": _crack_along,
    "crack_transverse": _crack_across,
    "crack_alligator": _alligator,
    "pothole": _pothole,
    "patch": _patch,
    "manhole": _manhole,
    "manhole_open": _manhole_open,
    "drain": _drain,
}
