"""Fronts of houses of a southern town, and the bare walls at the ends of a row."""

from PIL import Image, ImageDraw

from device.street.figures import WHITE, font, pick, sheet_of, toned
from device.street.sheet import Colour, Rng, Sheet

PX = 40.0
STOREY_M, ROOF_M = 3.0, 0.6
WALLS: tuple[Colour, ...] = (
    (222, 202, 166),
    (206, 168, 130),
    (228, 220, 204),
    (198, 150, 126),
    (214, 186, 170),
    (190, 182, 168),
    (226, 210, 180),
    (176, 170, 160),
)
SHUTTERS: tuple[Colour, ...] = ((70, 96, 116), (72, 100, 78), (112, 82, 60), (150, 150, 145), (58, 74, 96), (120, 60, 52))
ROOF: Colour = (164, 98, 74)
GLASS: Colour = (54, 62, 70)
SHOPS = ("BOULANGERIE", "PHARMACIE", "TABAC", "LIBRAIRIE", "CAFE DU PORT", "FLEURS", "COIFFEUR", "PRESSE", "EPICERIE", "OPTIQUE")


def house(rng: Rng, width_m: float, height_m: float) -> Sheet:
    """A front with windows and shutters, with a shop or a door below."""
    width, height = round(width_m * PX), round(height_m * PX)
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 255))
    draw = ImageDraw.Draw(picture)
    wall, shutter = pick(rng, WALLS), pick(rng, SHUTTERS)
    draw.rectangle((0, 0, width, height), wall)
    _weathered(draw, rng, wall, width, height)
    draw.rectangle((0, 0, width, 0.3 * PX), ROOF)
    draw.rectangle((0, 0.3 * PX, width, 0.42 * PX), toned(wall, 0.7))
    draw.rectangle((0, height - 0.55 * PX, width, height), toned(wall, 0.66))
    draw.line((0, 0, 0, height), toned(wall, 0.6), 2)
    storeys = round((height_m - ROOF_M) / STOREY_M)
    count = max(2, int(width_m / 3.1))
    balconies = rng.random() < 0.35
    for column in range(count):
        middle = width * (column + 0.5) / count
        for floor in range(1, storeys):
            sill = height - floor * STOREY_M * PX - 0.7 * PX
            _window(draw, rng, (middle, sill), wall, shutter)
            if balconies and floor % 2:
                _balcony(draw, middle, sill)
    if rng.random() < 0.55:
        _shop(draw, rng, width, height)
    else:
        for column in range(count):
            middle = width * (column + 0.5) / count
            if column == count // 2:
                draw.rectangle(
                    (middle - 0.55 * PX, height - 2.3 * PX, middle + 0.55 * PX, height), toned(shutter, 0.8), toned(wall, 0.5), 2
                )
            else:
                _window(draw, rng, (middle, height - 0.8 * PX), wall, shutter)
    return sheet_of(picture, rng, PX, 0.4)


def gable(rng: Rng, width_m: float, height_m: float) -> Sheet:
    """A wall with a window or two."""
    width, height = round(width_m * PX), round(height_m * PX)
    wall = toned(pick(rng, WALLS), 0.94)
    picture = Image.new("RGBA", (width, height), wall)
    draw = ImageDraw.Draw(picture)
    _weathered(draw, rng, wall, width, height)
    draw.rectangle((0, 0, width, 0.25 * PX), ROOF)
    for floor in range(1, round((height_m - ROOF_M) / STOREY_M)):
        if rng.random() < 0.4:
            _window(
                draw,
                rng,
                (width * float(rng.uniform(0.25, 0.75)), height - floor * STOREY_M * PX - 0.7 * PX),
                wall,
                pick(rng, SHUTTERS),
            )
    return sheet_of(picture, rng, PX, 0.4)


def _weathered(draw: ImageDraw.ImageDraw, rng: Rng, wall: Colour, width: int, height: int) -> None:
    """Runs of rain and repairs."""
    for _ in range(int(width / PX * 2)):
        x, top = rng.uniform(0, width), rng.uniform(0, height * 0.7)
        draw.rectangle(
            (x, top, x + rng.uniform(3, 26), top + rng.uniform(8, height * 0.3)), toned(wall, float(rng.uniform(0.955, 1.03)))
        )


def _window(draw: ImageDraw.ImageDraw, rng: Rng, place: tuple[float, float], wall: Colour, shutter: Colour) -> None:
    """A window on its sill, its shutters open or closed."""
    middle, sill = place
    half, top = 0.5 * PX, sill - 1.5 * PX
    draw.rectangle((middle - half - 3, top - 3, middle + half + 3, sill + 2), toned(wall, 1.12))
    draw.rectangle((middle - half, top, middle + half, sill), GLASS)
    if rng.random() < 0.16:
        draw.rectangle((middle - half, top, middle + half, sill), shutter)
        for row in range(round(top), round(sill), 4):
            draw.line((middle - half, row, middle + half, row), toned(shutter, 0.82))
    else:
        draw.rectangle((middle - half + 3, top + 3, middle - 2, top + 0.7 * PX), toned(GLASS, float(rng.uniform(1.2, 2.0))))
        draw.line((middle, top, middle, sill), (206, 204, 196), 2)
        for left in (middle - 2 * half - 2, middle + half + 2):
            draw.rectangle((left, top, left + half, sill), shutter)
            for row in range(round(top) + 3, round(sill), 4):
                draw.line((left + 2, row, left + half - 2, row), toned(shutter, 0.84))
    draw.rectangle((middle - half - 5, sill + 1, middle + half + 5, sill + 5), toned(wall, 0.78))


def _balcony(draw: ImageDraw.ImageDraw, middle: float, sill: float) -> None:
    draw.rectangle((middle - 1.0 * PX, sill + 2, middle + 1.0 * PX, sill + 8), (150, 146, 138))
    for x in range(round(middle - 1.0 * PX), round(middle + 1.0 * PX), 5):
        draw.line((x, sill - 0.75 * PX, x, sill + 2), (52, 54, 58))
    draw.line((middle - 1.0 * PX, sill - 0.75 * PX, middle + 1.0 * PX, sill - 0.75 * PX), (44, 46, 50), 2)


def _shop(draw: ImageDraw.ImageDraw, rng: Rng, width: int, height: int) -> None:
    colour = pick(rng, SHUTTERS)
    left, right, top = 0.4 * PX, width - 0.4 * PX, height - 2.85 * PX
    draw.rectangle((left, top, right, top + 0.55 * PX), colour)
    draw.text(((left + right) / 2, top + 0.28 * PX), SHOPS[int(rng.integers(len(SHOPS)))], WHITE, font(0.42 * PX), "mm")
    draw.rectangle((left, top + 0.58 * PX, right, height - 0.3 * PX), (48, 56, 62), toned(colour, 0.6), 3)
    for share in (0.28, 0.52):
        x = left + (right - left) * share
        draw.line((x, top + 0.6 * PX, x, height - 0.3 * PX), toned(colour, 0.7), 3)
    draw.polygon(((left + 4, height - 1.0 * PX), (left + 4, top + 0.7 * PX), (left + 2.2 * PX, top + 0.7 * PX)), (76, 88, 96))
    if rng.random() < 0.5:  # an awning
        stripe = 0.4 * PX
        for n, x in enumerate(range(round(left), round(right - stripe), round(stripe))):
            draw.rectangle((x, top + 0.55 * PX, x + stripe, top + 0.95 * PX), toned(colour, 1.3) if n % 2 else WHITE)
    door = left + (right - left) * 0.72
    draw.rectangle((door, top + 0.75 * PX, door + 0.9 * PX, height - 0.05 * PX), (32, 36, 40), toned(colour, 0.8), 2)
