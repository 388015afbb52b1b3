"""People on bicycles and scooters, seen from before, from behind and from their left."""

import math
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw

from device.street.figures import CLOTHES, HAIRS, SKINS, ZINC, pick, sheet_of, toned
from device.street.sheet import Colour, Part, Rng, Sheet

PX = 120.0
RIDES: Final = ("cyclist", "scooter")
TYRE: Colour = (26, 26, 28)
GLASS: Colour = (60, 70, 78)
FRAMES: tuple[Colour, ...] = ((150, 30, 34), (34, 60, 120), (40, 42, 46), (196, 196, 192), (40, 96, 70))
Point = tuple[float, float]


def rider(rng: Rng, height_m: float, variant: str, view: str) -> Sheet:
    """A rider, `height_m` from the road to the top of the helmet; `view` is front, back or side."""
    return (_side if view == "side" else _end)(rng, height_m, variant, view)


class _Look:
    """What the views of one rider share."""

    def __init__(self, rng: Rng) -> None:
        self.coat, self.trousers = pick(rng, CLOTHES), toned(pick(rng, CLOTHES), 0.7)
        self.skin, self.hair, self.frame = pick(rng, SKINS), pick(rng, HAIRS), pick(rng, FRAMES)
        self.helmet = pick(rng, FRAMES) if rng.random() < 0.75 else self.hair


def _end(rng: Rng, height_m: float, variant: str, view: str) -> Sheet:
    look, unit, front = _Look(rng), PX * height_m / 1.72, view == "front"
    picture = Image.new("RGBA", (round(0.84 * unit), round(1.72 * unit)), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    middle, ground = picture.width / 2, picture.height - 1.0

    def at(x: float, up: float) -> Point:
        return middle + x * unit, ground - up * unit

    wide = 0.045 if variant == "scooter" else 0.022
    draw.rounded_rectangle((*at(-wide, 0.66 if variant == "cyclist" else 0.5), *at(wide, 0.0)), 0.03 * unit, TYRE)
    if variant == "scooter":
        draw.rounded_rectangle((*at(-0.19, 0.95), *at(0.19, 0.3)), 0.09 * unit, look.frame, toned(look.frame, 0.6), 2)
        lamp: Colour = (226, 228, 222) if front else (170, 20, 24)
        draw.ellipse((*at(-0.07, 0.92), *at(0.07, 0.78)), lamp)
    for way in (-1, 1):  # legs: one knee up
        knee = 0.62 if way > 0 else 0.74
        hip, foot = at(way * 0.1, 0.95), at(way * 0.12, 0.28 if way > 0 else 0.42)
        draw.line((hip, at(way * 0.17, knee), foot), look.trousers, round(0.12 * unit), "curve")
        draw.ellipse((foot[0] - 0.06 * unit, foot[1] - 0.03 * unit, foot[0] + 0.06 * unit, foot[1] + 0.05 * unit), (34, 32, 32))
    draw.polygon((at(-0.21, 1.38), at(0.21, 1.38), at(0.17, 0.9), at(-0.17, 0.9)), look.coat)
    draw.ellipse((*at(-0.23, 1.45), *at(0.23, 1.26)), look.coat)
    for way in (-1, 1):
        draw.line(
            (at(way * 0.2, 1.36), at(way * 0.3, 1.16), at(way * 0.27, 1.04)), toned(look.coat, 0.9), round(0.09 * unit), "curve"
        )
    draw.line((at(-0.3, 1.03), at(0.3, 1.03)), (40, 40, 42), max(2, round(0.03 * unit)))
    place = _Place(unit, middle, at(0.0, 1.72)[1], middle, 0.3 * unit, at(0.0, 0.95)[1], 0.3 * unit)
    return _headed(picture, look, place, rng, front=front)


def _side(rng: Rng, height_m: float, variant: str, _view: str) -> Sheet:
    look, unit = _Look(rng), PX * height_m / 1.72
    picture = Image.new("RGBA", (round(1.8 * unit), round(1.72 * unit)), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    ground = picture.height - 1.0

    def at(x: float, up: float) -> Point:
        return x * unit, ground - up * unit

    radius = 0.34 if variant == "cyclist" else 0.25
    for x in (radius + 0.02, 1.78 - radius):
        if variant == "cyclist":
            draw.ellipse((*at(x - radius, 2 * radius), *at(x + radius, 0)), None, TYRE, max(2, round(0.035 * unit)))
            for n in range(8):
                a = math.tau * n / 8
                draw.line((at(x, radius), at(x + radius * 0.92 * math.cos(a), radius + radius * 0.92 * math.sin(a))), ZINC, 1)
        else:
            draw.ellipse((*at(x - radius, 2 * radius), *at(x + radius, 0)), TYRE)
            draw.ellipse((*at(x - 0.12, radius + 0.12), *at(x + 0.12, radius - 0.12)), ZINC)
    if variant == "cyclist":
        joints = {
            "front": at(0.36, 0.34),
            "head": at(0.5, 0.88),
            "pedals": at(0.86, 0.3),
            "seat": at(1.02, 0.92),
            "rear": at(1.44, 0.34),
        }
        for one, other in (
            ("front", "head"),
            ("head", "pedals"),
            ("pedals", "seat"),
            ("seat", "head"),
            ("pedals", "rear"),
            ("rear", "seat"),
        ):
            draw.line((joints[one], joints[other]), look.frame, max(2, round(0.03 * unit)))
    else:
        draw.polygon(
            (
                at(0.28, 0.5),
                at(0.42, 1.02),
                at(0.5, 1.0),
                at(0.5, 0.36),
                at(0.95, 0.32),
                at(0.98, 0.72),
                at(1.62, 0.78),
                at(1.66, 0.4),
                at(1.2, 0.24),
                at(0.5, 0.22),
            ),
            look.frame,
        )
        draw.line((at(0.98, 0.8), at(1.58, 0.84)), (34, 34, 36), round(0.08 * unit))
    hip = at(1.06, 0.96)
    for knee, foot in ((at(0.74, 0.84), at(0.84, 0.42)), (at(0.72, 0.66), at(0.9, 0.2))):
        draw.line((hip, knee, foot), look.trousers, round(0.13 * unit), "curve")
        draw.ellipse((foot[0] - 0.11 * unit, foot[1] - 0.02 * unit, foot[0] + 0.05 * unit, foot[1] + 0.05 * unit), (34, 32, 32))
    shoulder = at(0.82, 1.36)
    draw.line((hip, shoulder), look.coat, round(0.25 * unit), "curve")
    draw.line((shoulder, at(0.62, 1.14), at(0.5, 1.02)), toned(look.coat, 0.85), round(0.09 * unit), "curve")
    place = _Place(unit, shoulder[0] - 0.03 * unit, at(0.0, 1.72)[1], shoulder[0], 0.45 * unit, at(0.0, 0.9)[1], 0.9 * unit)
    return _headed(picture, look, place, rng, front=False)


def _headed(picture: Image.Image, look: _Look, place: "_Place", rng: Rng, *, front: bool) -> Sheet:
    """With its head, and with where its parts are."""
    draw = ImageDraw.Draw(picture)
    x, top, unit = place.x, place.top, place.unit
    half, chin = 0.09 * unit, top + 0.25 * unit
    draw.rectangle((x - 0.05 * unit, chin - 0.04 * unit, x + 0.05 * unit, chin + 0.05 * unit), toned(look.skin, 0.85))
    draw.ellipse((x - half, top + 0.03 * unit, x + half, chin), look.skin if front else look.hair)
    draw.chord((x - half * 1.15, top, x + half * 1.15, top + 0.2 * unit), 180, 360, look.helmet)
    if front:
        for way in (-1, 1):
            eye = x + way * half * 0.42, top + 0.145 * unit
            draw.ellipse((eye[0] - 2, eye[1] - 1.5, eye[0] + 2, eye[1] + 1.5), (36, 30, 28))
        draw.line((x - 0.025 * unit, chin - 0.05 * unit, x + 0.025 * unit, chin - 0.05 * unit), (150, 84, 78), 2)
    ride = picture.width / 2 - place.ride_half, picture.width / 2 + place.ride_half

    def part(left: float, upper: float, right: float, lower: float) -> Part:
        return Part(max(0.0, left) / PX, max(0.0, upper) / PX, min(right, picture.width) / PX, min(lower, picture.height) / PX)

    return sheet_of(
        picture,
        rng,
        PX,
        0.5,
        board=(part(place.body - place.half, top, place.body + place.half, picture.height - 0.2 * unit),),
        vehicle=(part(ride[0], place.split, ride[1], picture.height),),
        head=(part(x - half * 1.1, top, x + half * 1.1, chin),),
        face=(part(x - half * 0.95, top + 0.04 * unit, x + half * 0.95, chin),) if front else (),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a rider is in a picture, px: the head's middle and top, the body's middle and half width, where the ride begins."""

    unit: float
    x: float
    top: float
    body: float
    half: float
    split: float
    ride_half: float
