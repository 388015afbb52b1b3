"""People and trees, seen from before or behind, with where faces and heads are; and what all that stands is drawn with."""

import math
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from device.street.sheet import Colour, Part, Rng, Sheet, bled

PX = 150.0
TREE_PX = 60.0
WHITE: Colour = (232, 232, 226)
BLACK: Colour = (24, 24, 26)
ZINC: Colour = (150, 152, 152)
CLOTHES: tuple[Colour, ...] = (
    (38, 44, 70),
    (126, 34, 40),
    (188, 182, 172),
    (60, 84, 66),
    (34, 34, 38),
    (156, 122, 72),
    (90, 104, 122),
    (208, 206, 200),
    (70, 52, 84),
)
SKINS: tuple[Colour, ...] = ((226, 184, 156), (204, 156, 124), (150, 104, 76), (98, 66, 50), (238, 204, 180))
HAIRS: tuple[Colour, ...] = ((44, 34, 28), (84, 60, 42), (150, 118, 76), (120, 118, 116), (26, 24, 24), (190, 188, 184))


def pick(rng: Rng, colours: tuple[Colour, ...]) -> Colour:
    """One of the colours, a little varied."""
    red, green, blue = colours[int(rng.integers(len(colours)))]
    return toned((red, green, blue), float(rng.uniform(0.9, 1.1)))


def toned(colour: Colour, factor: float) -> Colour:
    """A colour, darker or lighter."""
    red, green, blue = (min(255, max(0, round(each * factor))) for each in colour)
    return red, green, blue


def font(size_px: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font."""
    return ImageFont.load_default(max(6, size_px))


def sheet_of(picture: Image.Image, rng: Rng, px: float, soften_px: float = 0.8, **parts: tuple[Part, ...]) -> Sheet:
    """Light from above left, a little grain, soft edges."""
    pixels = bled(np.array(picture))
    pixels = np.array(Image.fromarray(pixels, "RGBA").filter(ImageFilter.BoxBlur(soften_px)))
    height, width = pixels.shape[:2]
    light = np.linspace(1.07, 0.86, height, dtype=np.float32)[:, None] * np.linspace(1.05, 0.92, width, dtype=np.float32)
    grain = rng.standard_normal((height, width), np.float32) * np.float32(3.0)
    for channel in range(3):
        pixels[..., channel] = np.clip(pixels[..., channel] * light + grain, 0, 255)
    return Sheet(pixels, px, MappingProxyType(parts))


def person(rng: Rng, height_m: float, step: int, *, facing: bool) -> Sheet:
    """Somebody who stands (`step` 1 or 3) or walks."""
    scale = height_m / 1.75
    unit = PX * scale
    picture = Image.new("RGBA", (round(0.86 * unit), round(1.75 * unit)), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    middle, height = picture.width / 2, float(picture.height)
    coat, trousers, skin, hair = pick(rng, CLOTHES), toned(pick(rng, CLOTHES), 0.7), pick(rng, SKINS), pick(rng, HAIRS)
    long_hair, bag, skirt = rng.random() < 0.4, rng.random() < 0.35, rng.random() < 0.2
    broad = unit * float(rng.uniform(0.19, 0.235))
    stride = (-1.0, 0.0, 1.0, 0.0)[step % 4]
    hip, knee = height - 0.86 * unit, height - 0.46 * unit
    for way in (-1, 1):
        swing = way * stride
        foot = (middle + way * 0.085 * unit + swing * 0.05 * unit, height - 0.03 * unit - max(0.0, swing) * 0.05 * unit)
        leg = ((middle + way * 0.08 * unit, hip), (middle + way * 0.095 * unit, knee - max(0.0, swing) * 0.03 * unit), foot)
        shade = toned(trousers if not skirt else skin, 1.0 + 0.1 * swing)
        draw.line(leg, shade, round(0.14 * unit if not skirt else 0.09 * unit), "curve")
        draw.ellipse(
            (foot[0] - 0.075 * unit, foot[1] - 0.045 * unit, foot[0] + 0.075 * unit, foot[1] + 0.03 * unit), toned(hair, 0.5)
        )
    if skirt:
        draw.polygon(
            (
                (middle - broad * 0.8, hip - 0.1 * unit),
                (middle + broad * 0.8, hip - 0.1 * unit),
                (middle + broad * 1.1, knee),
                (middle - broad * 1.1, knee),
            ),
            trousers,
        )
    for way in (-1, 1):
        hand = (middle + way * (broad + 0.05 * unit), hip + 0.05 * unit - way * stride * 0.04 * unit)
        arm = (
            (middle + way * broad * 0.92, height - 1.4 * unit),
            (middle + way * (broad + 0.05 * unit), height - 1.12 * unit),
            hand,
        )
        draw.line(arm, toned(coat, 0.86), round(0.1 * unit), "curve")
        draw.ellipse((hand[0] - 0.04 * unit, hand[1] - 0.03 * unit, hand[0] + 0.04 * unit, hand[1] + 0.07 * unit), skin)
    shoulders = height - 1.47 * unit
    draw.rounded_rectangle((middle - broad, shoulders, middle + broad, hip + 0.08 * unit), round(0.11 * unit), coat)
    if facing:
        draw.line((middle, shoulders + 4, middle, hip + 0.06 * unit), toned(coat, 0.75), max(1, round(0.012 * unit)))
        draw.polygon(
            ((middle - 0.06 * unit, shoulders), (middle + 0.06 * unit, shoulders), (middle, shoulders + 0.13 * unit)),
            toned(pick(rng, CLOTHES), 1.1),
        )
    if bag:
        draw.line((middle - broad * 0.8, shoulders + 6, middle + broad, hip), toned(hair, 0.6), round(0.025 * unit))
        draw.rounded_rectangle(
            (middle + broad * 0.7, hip - 0.12 * unit, middle + broad * 1.35, hip + 0.14 * unit), 4, toned(hair, 0.8)
        )
    head = _head(draw, rng, (middle, unit, height), (skin, hair), facing=facing, long_hair=long_hair)
    box = Part(*(each / PX for each in head))
    face = Part(box.left_m + 0.02 * scale, box.top_m + 0.055 * scale, box.right_m - 0.02 * scale, box.bottom_m)
    return sheet_of(picture, rng, PX, 0.7, head=(box,), face=(face,) if facing else ())


def _head(
    draw: ImageDraw.ImageDraw,
    rng: Rng,
    place: tuple[float, float, float],
    colours: tuple[Colour, Colour],
    *,
    facing: bool,
    long_hair: bool,
) -> tuple[float, float, float, float]:
    """Neck, hair, and the face where it is seen; its box in pixels."""
    middle, unit, height = place
    skin, hair = colours
    half, top, chin = 0.085 * unit, height - 1.745 * unit, height - 1.51 * unit
    draw.rectangle((middle - 0.045 * unit, chin - 0.04 * unit, middle + 0.045 * unit, chin + 0.06 * unit), toned(skin, 0.82))
    if long_hair:
        draw.rounded_rectangle(
            (middle - half * 1.2, top + 0.03 * unit, middle + half * 1.2, chin + 0.07 * unit), round(half), toned(hair, 0.9)
        )
    draw.ellipse((middle - half * 1.06, top, middle + half * 1.06, chin), hair)
    if not facing:
        return middle - half * 1.06, top, middle + half * 1.06, chin
    draw.ellipse((middle - half * 0.92, top + 0.035 * unit, middle + half * 0.92, chin + 0.004 * unit), skin)
    draw.chord((middle - half * 1.02, top - 0.002 * unit, middle + half * 1.02, top + 0.13 * unit), 178, 362, hair)
    draw.ellipse((middle - half * 0.92, chin - 0.12 * unit, middle - half * 0.2, chin - 0.03 * unit), toned(skin, 0.97))
    eyes = top + 0.125 * unit
    for way in (-1, 1):
        x = middle + way * half * 0.42
        draw.ellipse((x - 0.016 * unit, eyes - 0.008 * unit, x + 0.016 * unit, eyes + 0.008 * unit), (236, 234, 228))
        draw.ellipse((x - 0.008 * unit, eyes - 0.008 * unit, x + 0.008 * unit, eyes + 0.008 * unit), (40, 30, 24))
        draw.line(
            (x - 0.022 * unit, eyes - 0.02 * unit, x + 0.022 * unit, eyes - 0.022 * unit),
            toned(hair, 0.8),
            max(1, round(0.01 * unit)),
        )
        draw.ellipse(
            (middle + way * half - 0.012 * unit, eyes - 0.02 * unit, middle + way * half + 0.012 * unit, eyes + 0.03 * unit),
            toned(skin, 0.9),
        )
    draw.polygon(
        ((middle, eyes), (middle - 0.016 * unit, eyes + 0.05 * unit), (middle + 0.014 * unit, eyes + 0.052 * unit)),
        toned(skin, 0.86),
    )
    draw.line(
        (middle - 0.024 * unit, chin - 0.045 * unit, middle + 0.024 * unit, chin - 0.045 * unit),
        (150, 84, 78),
        max(1, round(0.011 * unit)),
    )
    if rng.random() < 0.25:
        for way in (-1, 1):
            x = middle + way * half * 0.42
            draw.ellipse(
                (x - 0.026 * unit, eyes - 0.02 * unit, x + 0.026 * unit, eyes + 0.022 * unit),
                None,
                (30, 30, 32),
                max(1, round(0.007 * unit)),
            )
    return middle - half * 1.06, top, middle + half * 1.06, chin


def tree(rng: Rng, height_m: float) -> Sheet:
    """A street tree: clumps of leaves in three tones on a trunk."""
    width, height = round(height_m * 0.68 * TREE_PX), round(height_m * TREE_PX)
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    middle, crown = width / 2, height * 0.38
    draw.polygon(
        ((middle - 9, height), (middle - 5, height * 0.6), (middle + 5, height * 0.6), (middle + 9, height)), (98, 88, 72)
    )
    for way in (-1, 1):
        draw.line((middle, height * 0.66, middle + way * width * 0.2, height * 0.45), (88, 78, 62), 5)
    green = (float(rng.uniform(62, 84)), float(rng.uniform(92, 116)), float(rng.uniform(44, 60)))
    for layer in range(3):
        for _ in range(260):
            angle, radius = rng.uniform(0, 2 * math.pi), math.sqrt(rng.uniform(0, 1))
            x = middle + width * 0.45 * radius * math.cos(angle)
            y = crown + height * 0.34 * radius * math.sin(angle)
            lit = (0.55, 0.8, 1.05)[layer] * (1.22 - 0.42 * y / (height * 0.72)) * rng.uniform(0.85, 1.12)
            size = float(rng.uniform(3, 10)) * (1.3 - 0.25 * layer)
            colour = toned((round(green[0]), round(green[1]), round(green[2])), float(lit))
            draw.ellipse((x - size, y - size * 0.75, x + size, y + size * 0.75), colour)
    return sheet_of(picture, rng, TREE_PX, 0.4)
