"""Cars, people, signs and trees of the street of `device.sketch`: pictures with transparency, from before, behind or beside."""

import functools
import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from device.sketch_things import CLOTHES, PAINTS, RED, SKINS, THING_PX, WHITE, Colour, Rng, font, pick, toned

SignKind = Literal["sign_yield", "sign_stop", "sign_prohibition", "sign_danger", "sign_mandatory"]
SIGNS: tuple[SignKind, ...] = ("sign_yield", "sign_stop", "sign_prohibition", "sign_danger", "sign_mandatory")

CAR_M = (1.78, 1.5, 4.25)
"""Width, height and length of a car."""
PERSON_M = (0.8, 1.8)
SIGN_M = (0.9, 2.75)
LIGHT_M = (0.5, 3.4)
TREE_M = (4.4, 6.0)
TREE_PX = 60
BLACK: Colour = (24, 24, 26)
GLASS: Colour = (46, 56, 64)
ZINC: Colour = (150, 152, 152)


def _sheet(size_m: Sequence[float], px: float = THING_PX) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    sheet = Image.new("RGBA", (round(size_m[0] * px), round(size_m[1] * px)), (0, 0, 0, 0))
    return sheet, ImageDraw.Draw(sheet)


def _shaded(sheet: Image.Image, rng: Rng, soften_px: float = 1.0) -> Image.Image:
    """Light from above left, a little grain, soft edges."""
    pixels = np.array(sheet.filter(ImageFilter.GaussianBlur(soften_px))).astype(np.float32)
    height, width = pixels.shape[:2]
    light = np.linspace(1.08, 0.84, height)[:, None] * np.linspace(1.06, 0.9, width)[None, :]
    pixels[..., :3] *= light[..., None]
    pixels[..., :3] += rng.normal(0, 3, (height, width, 1))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8), "RGBA")


def plate(rng: Rng) -> Image.Image:
    """A French number plate, 52 by 11 cm, of a number that means nothing."""
    sheet, draw = _sheet((0.52, 0.11), 2 * THING_PX)
    width, height = sheet.size
    draw.rectangle((0, 0, width - 1, height - 1), (238, 238, 232), (60, 60, 60), 2)
    draw.rectangle((2, 2, 15, height - 3), (24, 58, 150))
    draw.rectangle((width - 16, 2, width - 3, height - 3), (24, 58, 150))
    letters = "".join(chr(65 + int(each)) for each in rng.integers(0, 26, 4))
    number = f"{letters[:2]}-{int(rng.integers(1000)):03d}-{letters[2:]}"
    draw.text((width / 2, height / 2), number, BLACK, font(36), "mm", stroke_width=1, stroke_fill=BLACK)
    return sheet


def car_end(rng: Rng, paint: Colour, *, front: bool) -> Image.Image:
    """A car from in front or behind, with its plate."""
    sheet, draw = _sheet(CAR_M)
    width, height = sheet.size
    draw.ellipse((14, height - 120, 74, height - 1), BLACK)
    draw.ellipse((width - 74, height - 120, width - 14, height - 1), BLACK)
    draw.rectangle((14, height - 80, 60, height - 2), BLACK)
    draw.rectangle((width - 60, height - 80, width - 14, height - 2), BLACK)
    draw.polygon(((70, 10), (width - 70, 10), (width - 22, 130), (22, 130)), paint)
    draw.rounded_rectangle((64, 2, width - 64, 40), 18, toned(paint, 1.05))
    draw.polygon(((80, 24), (width - 80, 24), (width - 42, 116), (42, 116)), GLASS)
    draw.polygon(((90, 28), (180, 28), (120, 112), (54, 112)), toned(GLASS, 1.7))
    draw.rounded_rectangle((2, 112, width - 3, height - 34), 36, paint)
    draw.rectangle((14, 124, width - 15, 128), toned(paint, 1.25))
    draw.rounded_rectangle((8, height - 96, width - 9, height - 34), 18, toned(paint, 0.82))
    draw.rectangle((30, height - 46, width - 31, height - 30), BLACK)
    lamp: Colour = (226, 230, 232) if front else (168, 14, 20)
    for left in (10, width - 72):
        draw.rounded_rectangle((left, 142, left + 62, 184), 12, lamp, toned(paint, 0.6), 2)
        draw.ellipse((left + 18, 148, left + 46, 178), toned(lamp, 1.12 if front else 1.4))
    if front:
        draw.rounded_rectangle((84, 150, width - 84, 178), 8, (30, 31, 33))
        draw.rectangle((60, height - 78, width - 61, height - 50), (34, 35, 37))
    else:
        draw.line((60, 134, width - 60, 134), toned(paint, 0.7), 2)
        draw.ellipse((width / 2 - 9, 146, width / 2 + 9, 164), ZINC)
    small = plate(rng).resize((104, 22), Image.Resampling.LANCZOS)
    sheet.paste(small, ((width - 104) // 2, height - 88 if front else 186))
    return _shaded(sheet, rng, 0.8)


def car_side(rng: Rng, paint: Colour) -> Image.Image:
    """A car from its left, nose to the left."""
    sheet, draw = _sheet((CAR_M[2], CAR_M[1]))
    height = sheet.height
    base = height - 40
    cabin = ((230, 126), (330, 14), (640, 6), (790, 20), (838, 126))
    draw.polygon(((16, base), (8, 180), (40, 146), (230, 126), *cabin, (846, 150), (846, base)), paint)
    draw.polygon(cabin, toned(paint, 1.04))
    draw.polygon(((262, 122), (342, 28), (470, 26), (470, 120)), GLASS)
    draw.polygon(((484, 120), (484, 26), (640, 20), (750, 32), (786, 120)), GLASS)
    draw.line((30, 168, 836, 168), toned(paint, 1.2), 4)
    for x in (476, 262, 690):
        draw.line((x, 130, x + 6, base - 10), toned(paint, 0.7), 3)
    draw.rectangle((120, base - 22, 760, base), toned(paint, 0.5))
    draw.rounded_rectangle((10, 158, 60, 186), 8, (224, 226, 226))
    draw.rounded_rectangle((806, 156, 846, 190), 8, (150, 16, 20))
    for middle in (158, 690):
        draw.ellipse((middle - 74, height - 144, middle + 74, height + 4), toned(paint, 0.3))
        draw.ellipse((middle - 64, height - 128, middle + 64, height - 1), BLACK)
        draw.ellipse((middle - 40, height - 104, middle + 40, height - 24), ZINC)
        draw.ellipse((middle - 12, height - 76, middle + 12, height - 52), (70, 72, 74))
    return _shaded(sheet, rng, 0.8)


def person(rng: Rng, stride: float, *, facing: bool) -> Image.Image:
    """A person who walks; `stride` is -1 to 1."""
    sheet, draw = _sheet(PERSON_M)
    middle, height = sheet.width / 2, sheet.height
    coat, trousers, skin = pick(rng, CLOTHES), toned(pick(rng, CLOTHES), 0.7), pick(rng, SKINS)
    hair = toned((70, 50, 36), float(rng.uniform(0.3, 1.8)))
    for way in (-1, 1):
        foot = middle + way * (16 + 22 * stride)
        draw.line(
            ((middle + way * 14, 188), (middle + way * 18, 262), (foot, height - 14)),
            toned(trousers, 1 + 0.12 * way),
            28,
            "curve",
        )
        draw.ellipse((foot - 17, height - 20, foot + 19, height - 1), (28, 26, 26))
    for way in (-1, 1):
        hand = (middle + way * 44 - 16 * stride * way, 192)
        draw.line(((middle + way * 34, 82), (middle + way * 46, 138), hand), toned(coat, 0.86), 20, "curve")
        draw.ellipse((hand[0] - 9, hand[1] - 6, hand[0] + 9, hand[1] + 14), skin)
    draw.rounded_rectangle((middle - 42, 66, middle + 42, 204), 24, coat)
    draw.line((middle, 76, middle, 200), toned(coat, 0.8), 3)
    draw.rectangle((middle - 10, 50, middle + 10, 76), toned(skin, 0.85))
    draw.ellipse((middle - 24, 0, middle + 24, 56), hair)
    if facing:
        draw.ellipse((middle - 20, 10, middle + 20, 61), skin)
        draw.chord((middle - 22, 2, middle + 22, 38), 180, 360, hair)
        for way in (-1, 1):
            draw.ellipse((middle + way * 8 - 4, 30, middle + way * 8 + 4, 35), WHITE)
            draw.ellipse((middle + way * 8 - 2, 30, middle + way * 8 + 2, 35), BLACK)
            draw.line((middle + way * 8 - 5, 26, middle + way * 8 + 5, 26), hair, 2)
        draw.line(((middle, 33), (middle - 3, 43), (middle + 2, 44)), toned(skin, 0.75), 2)
        draw.line((middle - 8, 50, middle + 8, 50), (150, 70, 66), 3)
    return _shaded(sheet, rng, 1.2)


def sign(rng: Rng, kind: SignKind) -> Image.Image:
    """A French road sign on its post."""
    sheet, draw = _sheet(SIGN_M)
    middle, height = sheet.width / 2, sheet.height
    draw.rectangle((middle - 6, 60, middle + 6, height), ZINC)
    reach = 76.0

    def regular(corners: int, radius: float, turn_deg: float) -> list[tuple[float, float]]:
        angles = np.deg2rad(turn_deg + 360 / corners * np.arange(corners))
        return [(middle + radius * math.cos(a), 86 + radius * math.sin(a)) for a in angles]

    if kind == "sign_stop":
        draw.polygon(regular(8, reach + 4, 22.5), WHITE)
        draw.polygon(regular(8, reach - 2, 22.5), RED)
        draw.text((middle, 87), "STOP", WHITE, font(48), "mm", stroke_width=1, stroke_fill=WHITE)
    elif kind in ("sign_yield", "sign_danger"):
        turn_deg = 90 if kind == "sign_yield" else -90
        for radius, colour in ((reach + 12, WHITE), (reach + 8, RED), (reach - 26, WHITE)):
            draw.polygon(regular(3, radius, turn_deg), colour)
        if kind == "sign_danger":
            draw.rectangle((middle - 6, 62, middle + 6, 94), BLACK)
            draw.ellipse((middle - 7, 98, middle + 7, 112), BLACK)
    elif kind == "sign_prohibition":
        draw.ellipse((middle - reach, 86 - reach, middle + reach, 86 + reach), RED)
        draw.ellipse((middle - 56, 30, middle + 56, 142), WHITE)
        draw.text((middle, 87), "30", BLACK, font(70), "mm", stroke_width=2, stroke_fill=BLACK)
    else:
        draw.ellipse((middle - reach, 86 - reach, middle + reach, 86 + reach), WHITE)
        draw.ellipse((middle - 71, 15, middle + 71, 157), (16, 74, 160))
        draw.line((middle, 132, middle, 66), WHITE, 18)
        draw.polygon(((middle - 36, 74), (middle + 36, 74), (middle, 32)), WHITE)
    return _shaded(sheet, rng)


def traffic_light(rng: Rng, *, red: bool) -> Image.Image:
    """A traffic light on its post."""
    sheet, draw = _sheet(LIGHT_M)
    middle = sheet.width / 2
    draw.rectangle((middle - 8, 60, middle + 8, sheet.height), (60, 64, 62))
    draw.rounded_rectangle((middle - 34, 4, middle + 34, 196), 14, (22, 24, 24))
    lit: tuple[tuple[float, Colour], ...] = (
        (38, (250, 40, 30) if red else (60, 18, 16)),
        (100, (66, 48, 14)),
        (162, (16, 52, 28) if red else (40, 230, 120)),
    )
    for y, colour in lit:
        draw.ellipse((middle - 26, y - 26, middle + 26, y + 26), colour)
    return _shaded(sheet, rng, 1.5)


def tree(rng: Rng) -> Image.Image:
    """A plane tree: some hundred clumps of leaves on a trunk."""
    sheet, draw = _sheet(TREE_M, TREE_PX)
    middle, height = sheet.width / 2, sheet.height
    draw.polygon(((middle - 9, height), (middle - 6, 150), (middle + 6, 150), (middle + 10, height)), (104, 92, 74))
    for _ in range(420):
        angle, radius = rng.uniform(0, 2 * math.pi), math.sqrt(rng.uniform(0, 1))
        x, y = middle + 118 * radius * math.cos(angle), 122 + 108 * radius * math.sin(angle)
        tone = float(rng.uniform(0.6, 1.1)) * (1.3 - 0.5 * y / 230)
        size = float(rng.uniform(5, 15))
        draw.ellipse((x - size, y - size * 0.8, x + size, y + size * 0.8), toned((74, 104, 52), tone))
    return _shaded(sheet, rng, 0.6)


@functools.lru_cache(maxsize=3000)
def figure(kind: str, seed: int, reduced: int = 1) -> Image.Image:
    """The picture of one thing, made smaller by a whole factor.

    `kind` is a label of `SIGNS`, car_front, car_behind, car_side, light_red, light_green, tree, or person_front and person_back
    with the step (0 to 3) behind a dash: person_front-2. One seed gives one car, whichever its side.
    """
    if reduced > 1:
        return figure(kind, seed).reduce(reduced)
    rng = np.random.default_rng(seed)
    name, _, step = kind.partition("-")
    for each in SIGNS:
        if name == each:
            return sign(rng, each)
    if name.startswith("person"):
        return person(rng, (-1.0, 0.0, 1.0, 0.0)[int(step)], facing=name == "person_front")
    if name.startswith("light"):
        return traffic_light(rng, red=name == "light_red")
    if name == "tree":
        return tree(rng)
    paint = pick(rng, PAINTS)
    return car_side(rng, paint) if name == "car_side" else car_end(rng, paint, front=name == "car_front")
