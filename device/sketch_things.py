"""What stands and lies in the street of `device.sketch`, drawn flat: each picture is later laid into the street's perspective.

Every picture is made from a seed alone, so the same seed gives the same street.
"""

import functools
import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Colour: TypeAlias = tuple[int, int, int]
Rng: TypeAlias = np.random.Generator
Bytes: TypeAlias = npt.NDArray[np.uint8]

GROUND_PX = 80
"""Pixels of a metre of ground."""
THING_PX = 200
"""Pixels of a metre of what stands on it."""
FACADE_PX = 20
FACADE_M = 16.0
"""Height of the picture of a row of houses."""
CHUNK_M = 10.0
HALF_M = 9.0
"""From the road's centre line to the houses."""
LANE_M = 3.5
KERB_M = 5.6

WALLS: tuple[Colour, ...] = ((226, 205, 166), (214, 170, 128), (235, 226, 208), (205, 150, 125), (222, 190, 175), (196, 186, 172))
SHUTTERS: tuple[Colour, ...] = ((70, 96, 116), (72, 100, 78), (120, 84, 60), (150, 150, 145), (58, 74, 96))
PAINTS: tuple[Colour, ...] = ((176, 180, 184), (36, 38, 42), (120, 22, 26), (226, 228, 228), (38, 62, 112), (92, 96, 98))
CLOTHES: tuple[Colour, ...] = ((38, 44, 70), (130, 30, 36), (196, 190, 180), (60, 90, 70), (30, 30, 32), (170, 130, 70))
SKINS: tuple[Colour, ...] = ((222, 178, 148), (196, 146, 112), (120, 82, 60), (236, 196, 170))
SHOPS = ("BOULANGERIE", "PHARMACIE", "TABAC", "LIBRAIRIE", "CAFE DU PORT", "FLEURS")
WHITE: Colour = (228, 228, 222)
RED: Colour = (190, 24, 30)


def pick(rng: Rng, colours: tuple[Colour, ...]) -> Colour:
    """One of the colours."""
    return colours[int(rng.integers(len(colours)))]


def font(size_px: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font."""
    return ImageFont.load_default(max(6, size_px))


def toned(colour: Colour, factor: float) -> Colour:
    """A colour, darker or lighter."""
    red, green, blue = (min(255, max(0, round(each * factor))) for each in colour)
    return red, green, blue


# -- on the road: each draws around (x, y) in pixels of the ground, y along the road ----------------------------------------


def _wander(rng: Rng, x: float, y: float, length_m: float, along: bool) -> list[tuple[float, float]]:
    """A crack's line."""
    steps = max(2, int(length_m * 14))
    drift = np.cumsum(rng.normal(0, 0.9, steps)) + np.cumsum(rng.normal(0, 0.25, steps)).cumsum() * 0.02
    run = np.linspace(-0.5, 0.5, steps) * length_m * GROUND_PX
    return [(x + d, y + r) if along else (x + r, y + d) for d, r in zip(drift, run, strict=True)]


def crack_longitudinal(draw: ImageDraw.ImageDraw, rng: Rng, x: float, y: float) -> None:
    """Along the road."""
    draw.line(_wander(rng, x, y, 3.6, along=True), (40, 39, 38), 3)
    draw.line(_wander(rng, x + 6, y + 60, 1.2, along=True), (52, 50, 49), 2)


def crack_transverse(draw: ImageDraw.ImageDraw, rng: Rng, x: float, y: float) -> None:
    """Across the lane."""
    draw.line(_wander(rng, x, y, 2.6, along=False), (40, 39, 38), 4)


def crack_alligator(draw: ImageDraw.ImageDraw, rng: Rng, x: float, y: float) -> None:
    """A net of cracks: the borders between the cells of random points."""
    half = (44, 110)
    points = rng.uniform(-1, 1, (70, 2)) * half
    grid = np.stack(np.meshgrid(np.arange(-half[0], half[0]), np.arange(-half[1], half[1])), -1)
    distances = np.sort(np.hypot(*np.moveaxis(grid[:, :, None] - points, -1, 0)), axis=2)
    inside = (grid[..., 0] / half[0]) ** 2 + (grid[..., 1] / half[1]) ** 2 < 1 + 0.2 * np.sin(grid[..., 1] / 9)
    border = (distances[..., 1] - distances[..., 0] < 2.2) & inside
    draw.bitmap((round(x) - half[0], round(y) - half[1]), Image.fromarray((border * 235).astype(np.uint8), "L"), (42, 40, 39))


def _blob(rng: Rng, x: float, y: float, across: float, along: float) -> list[tuple[float, float]]:
    """A ragged ellipse."""
    angles = np.linspace(0, 2 * math.pi, 26, endpoint=False)
    radii = 1 + rng.normal(0, 0.09, 26)
    return [(x + across * r * math.cos(a), y + along * r * math.sin(a)) for a, r in zip(angles, radii, strict=True)]


def pothole(draw: ImageDraw.ImageDraw, rng: Rng, x: float, y: float) -> None:
    """A hole with a broken rim, the lower layer's gravel in it, and a shadow below its near edge."""
    draw.polygon(_blob(rng, x, y, 32, 34), (128, 125, 120))
    draw.polygon(_blob(rng, x, y, 27, 29), (52, 48, 45))
    draw.polygon(_blob(rng, x, y + 5, 20, 20), (70, 64, 58))
    for dx, dy in rng.normal(0, 10, (90, 2)):
        draw.point((x + dx, y + dy), toned((112, 104, 96), rng.uniform(0.5, 1.3)))


def patch(draw: ImageDraw.ImageDraw, rng: Rng, x: float, y: float) -> None:
    """A repair: newer asphalt with sealed edges."""
    across, along = rng.uniform(50, 80), rng.uniform(70, 130)
    draw.rectangle((x - across, y - along, x + across, y + along), (62, 62, 64), (34, 34, 35), 4)


def manhole(draw: ImageDraw.ImageDraw, rng: Rng, x: float, y: float) -> None:  # noqa: ARG001 - as its neighbours
    """A cast-iron cover in its frame."""
    for radius, colour in ((33, (92, 90, 86)), (30, (44, 43, 42)), (27, (88, 84, 80))):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    for dx in range(-20, 21, 8):
        for dy in range(-20, 21, 8):
            if math.hypot(dx, dy) < 24:
                draw.rectangle((x + dx - 2, y + dy - 2, x + dx + 2, y + dy + 2), (54, 52, 50))


ON_ROAD: Mapping[str, Callable[[ImageDraw.ImageDraw, Rng, float, float], None]] = MappingProxyType(
    {each.__name__: each for each in (crack_longitudinal, pothole, manhole, crack_transverse, patch, crack_alligator)}
)


@functools.lru_cache(maxsize=8)
def asphalt(seed: int) -> Bytes:
    """One chunk of bare ground: road, parking strips, kerbs and pavements; rows go along the road, columns across."""
    rng = np.random.default_rng(seed)
    rows, columns = round(CHUNK_M * GROUND_PX), round(2 * HALF_M * GROUND_PX)
    x = np.abs(np.linspace(-HALF_M, HALF_M, columns, endpoint=False))
    grain = rng.normal(0, 11, (rows, columns)) + np.kron(rng.normal(0, 3, (rows // 8, columns // 8)), np.ones((8, 8)))
    tone = np.where(x < LANE_M, 104.0, 92.0) - 7 * np.exp(-(((x - 1.0) / 0.3) ** 2)) - 7 * np.exp(-(((x - 2.5) / 0.3) ** 2))
    tone = np.where(x > KERB_M, 176.0, tone)
    tone = np.where(x > KERB_M + 0.2, 146.0, tone)
    ground = tone + grain * np.where(x > KERB_M, 0.5, 1.0)
    slabs = (x > KERB_M + 0.2) & ((np.arange(rows) % (GROUND_PX // 2) < 2)[:, None] | ((x * GROUND_PX) % 40 < 2))
    ground = np.where(slabs, ground - 30, ground)
    colour = np.where(x[:, None] > KERB_M, (1.0, 0.975, 0.93), (1.0, 0.99, 0.97))
    coloured: Bytes = np.clip(ground[..., None] * colour, 0, 255).astype(np.uint8)
    return coloured


# -- beside the road --------------------------------------------------------------------------------------------------------


def facades(rng: Rng, length_m: float) -> Bytes:
    """A row of houses: (along, up from the ground, RGBA), transparent above the roofs."""
    sheet = Image.new("RGBA", (round(length_m * FACADE_PX), round(FACADE_M * FACADE_PX)), (0, 0, 0, 0))
    draw = ImageDraw.Draw(sheet)
    left = 0.0
    while left < sheet.width:
        width = rng.uniform(8, 15) * FACADE_PX
        _house(draw, rng, left, width, sheet.height)
        left += width
    pixels = np.array(sheet)
    grain = rng.normal(0, 4, pixels.shape[:2])
    pixels[..., :3] = np.clip(pixels[..., :3] + grain[..., None], 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pixels[::-1].swapaxes(0, 1))


def _house(draw: ImageDraw.ImageDraw, rng: Rng, left: float, width: float, base: float) -> None:
    storeys = int(rng.integers(2, 5))
    storey = 3.1 * FACADE_PX
    top = base - storeys * storey - 0.6 * FACADE_PX
    wall, shutter = pick(rng, WALLS), pick(rng, SHUTTERS)
    draw.rectangle((left, top, left + width, base), wall)
    draw.rectangle((left, top - 7, left + width, top + 3), (170, 96, 70))
    draw.rectangle((left, top + 4, left + width, top + 7), toned(wall, 0.75))
    draw.rectangle((left, base - 14, left + width, base), toned(wall, 0.62))
    draw.line((left, top, left, base), toned(wall, 0.6), 2)
    windows = max(2, int(width / (3.2 * FACADE_PX)))
    for column in range(windows):
        middle = left + width * (column + 0.5) / windows
        for floor in range(1, storeys):
            _window(draw, middle, base - floor * storey - 8, wall, shutter)
    if rng.random() < 0.6:
        _shop(draw, rng, left + 10, left + width - 10, base)
        return
    for column in range(windows):
        middle = left + width * (column + 0.5) / windows
        if column == windows // 2:
            draw.rectangle((middle - 11, base - 46, middle + 11, base), toned(shutter, 0.8), toned(wall, 0.5))
        else:
            _window(draw, middle, base - 16, wall, shutter)


def _window(draw: ImageDraw.ImageDraw, middle: float, sill: float, wall: Colour, shutter: Colour) -> None:
    draw.rectangle((middle - 11, sill - 33, middle + 11, sill), (58, 68, 78), toned(wall, 1.15))
    draw.rectangle((middle - 9, sill - 31, middle - 1, sill - 18), (104, 122, 138))
    draw.line((middle, sill - 32, middle, sill), (210, 208, 200))
    draw.rectangle((middle - 22, sill - 33, middle - 12, sill), shutter, toned(shutter, 0.7))
    draw.rectangle((middle + 12, sill - 33, middle + 22, sill), shutter, toned(shutter, 0.7))
    draw.rectangle((middle - 13, sill + 1, middle + 13, sill + 3), toned(wall, 0.8))


def _shop(draw: ImageDraw.ImageDraw, rng: Rng, left: float, right: float, base: float) -> None:
    colour = pick(rng, SHUTTERS)
    draw.rectangle((left, base - 58, right, base - 44), colour)
    draw.text(((left + right) / 2, base - 51), SHOPS[int(rng.integers(len(SHOPS)))], WHITE, font(12), "mm")
    draw.rectangle((left, base - 43, right, base - 6), (50, 58, 66), toned(colour, 0.6), 2)
    draw.polygon(((left, base - 20), (left, base - 41), (right, base - 41), (right - 30, base - 20)), (78, 90, 100))
    door = left + (right - left) * 0.7
    draw.rectangle((door, base - 42, door + 20, base - 2), (34, 38, 42), toned(colour, 0.8), 2)
