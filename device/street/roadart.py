"""Damage of the road, seen from above: cracks, holes, patches. Each picture is drawn from its seed and its size."""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from device.street.asphalt import noise
from device.street.covers import FINE, PX, Size, canvas, drain, manhole, manhole_open
from device.street.scene import Kind
from device.street.sheet import Bytes, Colour, Rng, Sheet

CRACK: Colour = (30, 28, 27)
BITUMEN: Colour = (33, 33, 35)
SEALED = 0.2
"""Of cracks that are still slight: filled with bitumen."""
FLOOR: tuple[Colour, ...] = ((112, 104, 92), (98, 95, 90), (126, 112, 92), (86, 84, 82))
"""What lies in a hole: dust, gravel, clay."""


def lying(kind: Kind, rng: Rng, size_m: Size, severity: int, variant: str) -> Sheet:
    """The picture of a thing on the road."""
    return DRAWN[kind](rng, size_m, severity, variant)


def _of_alpha(alpha: Bytes, colour: Colour, rng: Rng) -> Sheet:
    rgba = np.empty((*alpha.shape, 4), np.uint8)
    grain = rng.standard_normal(alpha.shape, np.float32) * np.float32(5)
    for channel, tone in enumerate(colour):
        rgba[..., channel] = np.clip(grain + np.float32(tone), 0, 255)
    rgba[..., 3] = alpha
    return Sheet(rgba, PX)


def _walk(rng: Rng, steps: int, spread: float) -> npt.NDArray[np.float64]:
    """A wandering line of `steps` offsets, straightened so that it ends near where it began."""
    drift = np.cumsum(rng.normal(0, 1, steps)) + 0.35 * np.cumsum(rng.normal(0, 1, steps // 6 + 1)).repeat(6)[:steps] * 2
    drift -= np.linspace(drift[0], drift[-1], steps)
    return drift / max(1e-6, float(np.abs(drift).max())) * spread


def _crack(rng: Rng, size_m: Size, severity: int, *, along: bool) -> Sheet:
    """A jagged crack whose width changes, with side cracks and crumbled edges: the worse, the wider and the more of them."""
    columns, rows = canvas(size_m, FINE)
    layer, halo = Image.new("L", (columns, rows)), Image.new("L", (columns, rows))
    draw, wide = ImageDraw.Draw(layer), ImageDraw.Draw(halo)
    length, across = (rows, columns) if along else (columns, rows)
    margin, metre = 8.0, PX * FINE
    steps = max(12, int(length / 11))
    run = np.linspace(margin, length - margin, steps) + rng.normal(0, 2.0, steps)
    off = across / 2 + _walk(rng, steps, max(2.0, across / 2 - margin)) + rng.normal(0, 1.6, steps)
    px = metre * (0.003 + 0.0055 * severity)
    swell = 0.45 * np.sin(np.linspace(0, rng.uniform(4, 14), steps) + rng.uniform(0, 6))
    widths = np.clip(px * (1 + swell + rng.normal(0, 0.35, steps)), 2.0, None)
    sealed = severity == 1 and rng.random() < SEALED

    def line(points: list[tuple[float, float]], width: float) -> None:
        turned = points if not along else [(y, x) for x, y in points]
        wide.line(turned, 95, round(width * 2.2 + 5))
        draw.line(turned, int(rng.integers(205, 256)), max(1, round(width)), "curve")
        if sealed:
            draw.line(turned, 235, round(0.055 * metre), "curve")

    for n in range(steps - 1):
        line([(run[n], off[n]), (run[n + 1], off[n + 1])], float(widths[n]))
    for _ in range(int(rng.poisson(length / metre * (0.6 + 0.5 * severity)))):
        x, y = float(run[start := int(rng.integers(steps - 1))]), float(off[start])
        angle, reach = rng.uniform(0.3, 1.2) * rng.choice((-1, 1)), rng.uniform(0.08, 0.4) * metre
        for _ in range(5):  # side cracks bend as well
            angle += rng.normal(0, 0.35)
            x_to, y_to = x + reach / 5 * math.cos(angle), y + reach / 5 * math.sin(angle)
            line([(x, y), (x_to, y_to)], px * 0.55)
            x, y = x_to, y_to
    for _ in range(int(rng.poisson(length / metre * severity * 0.5))):  # edges that crumbled away
        spot = int(rng.integers(steps))
        x, y = (run[spot], off[spot]) if not along else (off[spot], run[spot])
        corners = [(x + rng.normal(0, 1.3) * px, y + rng.normal(0, 1.3) * px) for _ in range(5)]
        draw.polygon(corners, 225)
    soft = np.asarray(halo.filter(ImageFilter.BoxBlur(2)).reduce(FINE)) // 2
    return _of_alpha(np.maximum(np.asarray(layer.reduce(FINE)), soft), BITUMEN if sealed else CRACK, rng)


def _crack_along(rng: Rng, size_m: Size, severity: int, _variant: str) -> Sheet:
    return _crack(rng, size_m, severity, along=True)


def _crack_across(rng: Rng, size_m: Size, severity: int, _variant: str) -> Sheet:
    return _crack(rng, size_m, severity, along=False)


def _alligator(rng: Rng, size_m: Size, severity: int, _variant: str) -> Sheet:
    """A net: the borders between the cells of random points, one in each cell of a grid; worn and sunken in the middle."""
    coarse = 3
    columns, rows = (each // coarse for each in canvas(size_m))
    cell = PX / coarse * rng.uniform(0.12, 0.22)
    across, down = math.ceil(columns / cell) + 4, math.ceil(rows / cell) + 4
    shifts = rng.uniform(0.08, 0.92, (down, across, 2)).astype(np.float32)
    x, y = np.meshgrid(np.arange(columns, dtype=np.float32), np.arange(rows, dtype=np.float32))
    # The lines themselves are not straight.
    x, y = (
        x + noise(rng, rows, columns, cell * 0.4) * np.float32(0.06 * cell),
        y + noise(rng, rows, columns, cell * 0.4) * np.float32(0.06 * cell),
    )
    own_x, own_y = np.floor(x / cell).astype(int) + 2, np.floor(y / cell).astype(int) + 2
    nearest, second = np.full(x.shape, np.inf, np.float32), np.full(x.shape, np.inf, np.float32)
    for row in (-1, 0, 1):
        for column in (-1, 0, 1):  # the nearest two points are hardly ever farther
            at_x, at_y = np.clip(own_x + column, 0, across - 1), np.clip(own_y + row, 0, down - 1)
            shift = shifts[at_y, at_x]
            away = np.hypot((at_x - 2 + shift[..., 0]) * cell - x, (at_y - 2 + shift[..., 1]) * cell - y).astype(np.float32)
            second = np.minimum(second, np.maximum(nearest, away))
            nearest = np.minimum(nearest, away)
    rim = np.hypot((x / columns - 0.5) * 2, (y / rows - 0.5) * 2) + noise(rng, rows, columns, columns / 9) * np.float32(0.12)
    inside = np.clip((1.0 - rim) * 4, 0, 1).astype(np.float32)
    size = (columns * coarse, rows * coarse)
    fine = np.asarray(Image.fromarray(second - nearest).resize(size, Image.Resampling.BICUBIC))
    edge = np.asarray(Image.fromarray(inside).resize(size, Image.Resampling.BILINEAR))
    width = (0.62 + 0.24 * severity) * (1 + 0.3 * noise(rng, size[1], size[0], 20.0))
    lines = np.clip((width - fine) / 0.5, 0, 1) * edge
    alpha = np.maximum(lines * 235, edge * (22 + 6 * severity))
    return _of_alpha(np.clip(alpha, 0, 255).astype(np.uint8), CRACK, rng)


def _pothole(rng: Rng, size_m: Size, severity: int, variant: str) -> Sheet:
    """A hole with a broken rim: its far wall dark below a bright edge, gravel and dust in it, crumbs around.

    Wet, it mirrors the sky.
    """
    columns, rows = canvas(size_m)
    y, x = np.mgrid[:rows, :columns].astype(np.float32)
    x, y = (x / columns - 0.5) * 2, (y / rows - 0.5) * 2
    angle = np.arctan2(y, x)
    wobble = sum(rng.normal(0, 0.15 / n**0.75) * np.cos(n * angle + rng.uniform(0, 6.28)) for n in range(2, 14))
    ragged = noise(rng, rows, columns, 9.0) * np.float32(0.035) + noise(rng, rows, columns, 22.0) * np.float32(0.05)
    reach = np.hypot(x, y) * (1.2 + wobble) + ragged
    # The far rim casts its wall into the hole: the deeper, the broader it is seen.
    depth = 0.13 + 0.07 * severity
    shifted = np.hypot(x, y - depth) * (1.2 + wobble) + ragged
    floor = np.clip((0.9 - shifted) * 9, 0, 1)
    hole = np.clip((0.92 - reach) * 14, 0, 1)
    crumbs = rng.standard_normal((rows, columns), np.float32) * 9 + noise(rng, rows, columns, 4.0) * 11
    crumbs += noise(rng, rows, columns, columns / 5) * 9
    ground = np.array(FLOOR[int(rng.integers(len(FLOOR)))], np.float32) * np.float32(1.02 - 0.13 * severity)
    wall = np.float32(46 - 9 * severity)
    tone = (wall + (ground.mean() - wall) * floor)[..., None] * (ground / ground.mean()) + crumbs[..., None] * (
        0.4 + 0.6 * floor
    )[..., None]
    rim = np.clip(1 - np.abs(reach - 0.95) * 14, 0, 1) * np.where(y < 0.1, 34, 12)
    broken = np.array((112, 109, 104), np.float32) + crumbs[..., None]
    colour = broken + (tone - broken) * hole[..., None] + rim[..., None]
    if variant == "wet":
        water = np.clip((0.78 - shifted + noise(rng, rows, columns, columns / 6) * 0.05) * 12, 0, 1)[..., None]
        sky = (np.array((142, 148, 154)) + 26 * y[..., None]) + noise(rng, rows, columns, columns / 4)[..., None] * 4
        colour += (sky - colour) * water * 0.93
    chips = (noise(rng, rows, columns, 5.0) > 1.1) * np.clip((1.16 - reach) * 5, 0, 1) * 190
    alpha = np.maximum(np.clip((1.02 - reach) * 16, 0, 1) * 255, chips)
    return Sheet(np.dstack((np.clip(colour, 0, 255), alpha)).astype(np.uint8), PX)


def _patch(rng: Rng, size_m: Size, _severity: int, variant: str) -> Sheet:
    """A repair: other asphalt, darker the newer it is, with a seam of bitumen around; cut straight, or just filled."""
    columns, rows = canvas(size_m)
    layer = Image.new("L", (columns, rows))
    wander = rng.uniform(0.0, 0.05, 8) * min(columns, rows)
    corners = [
        (wander[0], wander[1]),
        (columns - wander[2], wander[3]),
        (columns - wander[4], rows - wander[5]),
        (wander[6], rows - wander[7]),
    ]
    ImageDraw.Draw(layer).polygon(corners, 255)
    cut = np.asarray(layer, np.float32) / 255
    if rng.random() < 0.4:  # not cut
        y, x = np.mgrid[:rows, :columns]
        inside = np.minimum(np.minimum(x, columns - x), np.minimum(y, rows - y)) / min(columns, rows)
        cut = np.clip((inside + noise(rng, rows, columns, 30.0) * np.float32(0.028) - 0.045) * 40, 0, 1).astype(np.float32)
    fresh = variant == "fresh" or rng.random() < 0.4
    tone = np.float32(rng.uniform(50, 68) if fresh else rng.uniform(70, 104))
    grain = rng.standard_normal((rows, columns), np.float32) * np.float32(13) + noise(rng, rows, columns, 3.5) * np.float32(7)
    pixels = tone + grain + noise(rng, rows, columns, 34.0) * np.float32(3.5)
    mask = Image.fromarray((cut * 255).astype(np.uint8))
    inner = np.asarray(mask.filter(ImageFilter.BoxBlur(3)), np.float32) / 255
    pixels -= np.clip(2.0 - 2.0 * inner, 0, 1) * np.float32(rng.uniform(26, 44))
    warm = rng.uniform(-0.03, 0.03)  # from reddish to bluish
    colour = np.clip(pixels[..., None] * np.array((1.0 + warm, 1.0, 1.01 - warm), np.float32), 0, 255)
    return Sheet(np.dstack((colour, np.asarray(mask.filter(ImageFilter.BoxBlur(1))))).astype(np.uint8), PX)


DRAWN: dict[str, Callable[[Rng, Size, int, str], Sheet]] = {
    "crack_longitudinal": _crack_along,
    "crack_transverse": _crack_across,
    "crack_alligator": _alligator,
    "pothole": _pothole,
    "patch": _patch,
    "manhole": manhole,
    "manhole_open": manhole_open,
    "drain": drain,
}
