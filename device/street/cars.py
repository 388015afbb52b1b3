"""Cars as a few flat panels in space: ends, sides, bonnet, panes and roof, each drawn from one seed.

Panels are placed in the car's own axes: right, ahead (to its nose) and up, in metres, the middle of its foot at 0.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from device.street.figures import BLACK, ZINC, pick, sheet_of, toned
from device.street.plates import PLATE_M, plate
from device.street.sheet import Colour, Part, Sheet

PX = 120.0
PAINTS: tuple[Colour, ...] = (
    (176, 180, 184),
    (36, 38, 42),
    (120, 22, 26),
    (214, 216, 216),
    (38, 62, 112),
    (92, 96, 98),
    (60, 66, 70),
    (196, 190, 178),
    (44, 84, 78),
    (150, 154, 158),
    (28, 30, 34),
    (222, 222, 220),
)
GLASS: Colour = (38, 46, 54)
TYRE: Colour = (24, 24, 26)
Point = tuple[float, float]
Spot = tuple[float, float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A flat part: its name, its picture, its top left corner, and from there to its top right and bottom left, in metres."""

    name: str
    sheet: Sheet
    corner: Spot
    across: Spot
    down: Spot
    mirrored: bool = False
    """Whether it is seen from its back: a left side's picture on the right side."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The profile of a kind of car, as shares of its length from the nose, and of its height: where its panels meet."""

    nose: float
    """How high the bonnet begins."""
    waist: float
    """How high the windows begin."""
    screen: float
    """Where the bonnet ends and the windscreen begins."""
    brow: float
    """Where the windscreen meets the roof."""
    crown: float
    """Where the roof meets the rear window."""
    shelf: float
    """Where the rear window ends; behind it lies a boot, or nothing."""


SHAPES = {
    "hatch": Shape(0.53, 0.645, 0.25, 0.41, 0.86, 0.965),
    "saloon": Shape(0.52, 0.645, 0.27, 0.43, 0.70, 0.84),
    "estate": Shape(0.52, 0.63, 0.26, 0.41, 0.93, 0.985),
    "suv": Shape(0.60, 0.665, 0.23, 0.37, 0.90, 0.98),
}
LEAN_M = 0.17
"""So far the windows lean inwards."""


class Car:
    """One car: its paint, its plate and its shape, and the panels they make."""

    def __init__(self, seed: int, size_m: tuple[float, float, float], variant: str) -> None:
        rng = np.random.default_rng(seed)
        self.paint = pick(rng, PAINTS)
        self.width_m, self.length_m, self.height_m = size_m
        self.shape = SHAPES.get(variant, SHAPES["hatch"])
        self._plate = plate(rng)
        self._low_plate = rng.random() < 0.4
        self._dark_bumper = rng.random() < 0.3
        self._wide_lamps = rng.random() < 0.5
        self._alloy = toned(ZINC, float(rng.uniform(0.75, 1.15)))
        self._rng = rng

    def panels(self) -> tuple[Panel, ...]:
        """All of them; those on the left and right are one picture, mirrored."""
        shape, half = self.shape, self.width_m / 2
        waist_m, nose_m = shape.waist * self.height_m, shape.nose * self.height_m

        def at(share: float) -> float:
            return (0.5 - share) * self.length_m

        top, lid = self.height_m, self._lid()
        tail = at(1.0)
        panels = [
            Panel("front", self._front(nose_m), (half, at(0.0), nose_m), (-2 * half, 0, 0), (0, 0, -nose_m)),
            Panel("rear", self._rear(waist_m), (-half, tail, waist_m), (2 * half, 0, 0), (0, 0, -waist_m)),
            Panel("bonnet", lid, (half, at(shape.screen), waist_m), (-2 * half, 0, 0),
                       (0, at(0.0) - at(shape.screen), nose_m - waist_m)),
            Panel(
                "screen", self._pane(front=True), (half, at(shape.brow), top), (-2 * half, 0, 0),
                (0, at(shape.screen) - at(shape.brow), waist_m - top),
            ),
            Panel(
                "window", self._pane(front=False), (-half, at(shape.crown), top), (2 * half, 0, 0),
                (0, at(shape.shelf) - at(shape.crown), waist_m - top),
            ),
            Panel("roof", lid, (-half + LEAN_M, at(shape.brow), top), (2 * half - 2 * LEAN_M, 0, 0),
                       (0, at(shape.crown) - at(shape.brow), 0)),
        ]  # fmt: skip
        if shape.shelf < 0.95:
            panels.append(Panel("boot", lid, (-half, at(shape.shelf), waist_m), (2 * half, 0, 0), (0, tail - at(shape.shelf), 0)))
        low, high = self._flank(waist_m), self._cabin(top - waist_m)
        for way, name in ((-1.0, "left"), (1.0, "right")):
            # Its nose is on the left of the picture: seen from the car's left, and mirrored from its right.
            panels.append(
                Panel(
                    f"{name} flank",
                    low,
                    (way * half, at(0.0), waist_m),
                    (0, -self.length_m, 0),
                    (0, 0, -waist_m),
                    mirrored=way > 0,
                )
            )
            lean = (way * LEAN_M, 0.0, waist_m - top)
            panels.append(
                Panel(
                    f"{name} cabin", high, (way * (half - LEAN_M), at(0.0), top), (0, -self.length_m, 0), lean, mirrored=way > 0
                )
            )
        return tuple(panels)

    def _sheet(self, width_m: float, height_m: float, colour: Colour | None = None) -> tuple[Image.Image, ImageDraw.ImageDraw]:
        size = max(4, round(width_m * PX)), max(4, round(height_m * PX))
        picture = Image.new("RGBA", size, (0, 0, 0, 0) if colour is None else (*colour, 255))
        return picture, ImageDraw.Draw(picture)

    def _lid(self) -> Sheet:
        """Bonnet, boot or roof: paint that mirrors the sky."""
        picture, draw = self._sheet(1.2, 0.8, toned(self.paint, 1.12))
        for x in (0.16, 0.84):
            draw.line((x * picture.width, 0, (0.5 + (x - 0.5) * 1.2) * picture.width, picture.height), toned(self.paint, 0.95), 2)
        return sheet_of(picture, self._rng, PX, 0.5)

    def _pane(self, *, front: bool) -> Sheet:
        """Windscreen or rear window, its frame around it, narrower above: what leans inwards does so here."""
        picture, draw = self._sheet(self.width_m, 0.62)
        width, height = picture.size
        lean = LEAN_M * PX
        draw.polygon(((lean, 0), (width - lean, 0), (width, height), (0, height)), toned(self.paint, 0.92))
        rim = 0.055 * PX
        draw.polygon(
            ((lean + rim, rim), (width - lean - rim, rim), (width - 1.3 * rim, height - 2), (1.3 * rim, height - 2)), GLASS
        )
        draw.polygon(
            ((lean + rim, rim), (width * 0.62, rim), (width * 0.4, height * 0.75), (1.8 * rim, height * 0.75)), toned(GLASS, 1.45)
        )
        for x in (0.3, 0.7):  # head rests, and who sits there
            draw.rounded_rectangle((width * x - 17, height * 0.42, width * x + 17, height * 0.8), 9, toned(GLASS, 0.7))
        if front:
            draw.line((width * 0.2, height - 5, width * 0.52, height - 9), BLACK, 3)
            draw.rounded_rectangle((width / 2 - 14, rim, width / 2 + 14, rim + 9), 3, BLACK)
        return sheet_of(picture, self._rng, PX, 0.5)

    def _front(self, high_m: float) -> Sheet:
        picture, draw = self._sheet(self.width_m, high_m)
        width, height = picture.size
        self._tyres(draw, width, height)
        base = height - 0.19 * PX
        draw.rounded_rectangle((0, 2, width - 1, base), round(0.1 * PX), self.paint)
        lamp_low, reach = 0.06 * PX + 0.15 * PX, 0.27 if self._wide_lamps else 0.21
        for left, right in ((0.03, 0.03 + reach), (0.97 - reach, 0.97)):
            draw.rounded_rectangle(
                (left * width, 0.06 * PX, right * width, lamp_low), 10, (206, 212, 216), toned(self.paint, 0.5), 2
            )
            x = (left + right) / 2 * width
            draw.ellipse((x - 9, 0.07 * PX, x + 9, lamp_low - 2), (238, 242, 244))
        draw.rounded_rectangle((0.31 * width, 0.07 * PX, 0.69 * width, 0.2 * PX), 6, (28, 29, 31))
        for row in range(3):
            draw.line((0.32 * width, (0.1 + 0.035 * row) * PX, 0.68 * width, (0.1 + 0.035 * row) * PX), (70, 72, 74), 1)
        draw.ellipse((width / 2 - 8, 0.085 * PX, width / 2 + 8, 0.19 * PX), ZINC)
        bumper = toned(self.paint, 0.86) if not self._dark_bumper else (46, 47, 49)
        draw.rounded_rectangle((2, base - 0.26 * PX, width - 3, base + 2), 10, bumper)
        draw.rounded_rectangle((0.2 * width, base - 0.12 * PX, 0.8 * width, base - 0.02 * PX), 5, (26, 27, 29))
        return self._plated(picture, base - 0.24 * PX)

    def _rear(self, high_m: float) -> Sheet:
        picture, draw = self._sheet(self.width_m, high_m)
        width, height = picture.size
        self._tyres(draw, width, height)
        base = height - 0.2 * PX
        draw.rounded_rectangle((0, 0, width - 1, base), round(0.07 * PX), self.paint)
        draw.line((0.05 * width, 4, 0.95 * width, 4), toned(self.paint, 1.25), 2)
        bumper = toned(self.paint, 0.88) if not self._dark_bumper else (46, 47, 49)
        draw.rounded_rectangle((2, base - 0.27 * PX, width - 3, base + 2), 12, bumper, toned(self.paint, 0.6), 1)
        draw.rectangle((0.12 * width, base - 5, 0.88 * width, base + 5), (30, 30, 32))
        reach = 0.2 if self._wide_lamps else 0.12
        for left, right in ((0.02, 0.02 + reach), (0.98 - reach, 0.98)):
            box = (left * width, 0.05 * PX, right * width, (0.19 if self._wide_lamps else 0.32) * PX)
            draw.rounded_rectangle(box, 7, (150, 14, 20), toned(self.paint, 0.5), 2)
            draw.rectangle((box[0] + 4, box[1] + 4, box[2] - 4, box[1] + 0.35 * (box[3] - box[1])), (196, 34, 34))
        draw.ellipse((width / 2 - 7, 0.03 * PX, width / 2 + 7, 0.12 * PX), ZINC)
        return self._plated(picture, base - 0.22 * PX if self._low_plate else 0.2 * PX)

    def _tyres(self, draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
        for left in (0.03, 0.85):
            draw.rounded_rectangle((left * width, height - 0.5 * PX, (left + 0.12) * width, height - 1), 8, TYRE)
        draw.rectangle((0.1 * width, height - 0.26 * PX, 0.9 * width, height - 0.12 * PX), (18, 18, 19))

    def _plated(self, picture: Image.Image, top: float) -> Sheet:
        small = self._plate.resize((round(PLATE_M[0] * PX), round(PLATE_M[1] * PX)), Image.Resampling.LANCZOS)
        spot = round(picture.width / 2 - small.width / 2), round(top)
        around = (spot[0] - 4, spot[1] - 4, spot[0] + small.width + 3, spot[1] + small.height + 3)
        ImageDraw.Draw(picture).rectangle(around, (34, 34, 36))
        picture.paste(small, spot)
        left_m, top_m = spot[0] / PX, spot[1] / PX
        part = Part(left_m, top_m, left_m + small.width / PX, top_m + small.height / PX)
        return sheet_of(picture, self._rng, PX, 0.5, plate=(part,))

    def _flank(self, high_m: float) -> Sheet:
        """A side below the windows, its nose to the left."""
        picture, draw = self._sheet(self.length_m, high_m)
        width, height = picture.size
        paint, base, shape = self.paint, height - 0.2 * PX, self.shape
        drop = (shape.waist - shape.nose) * self.height_m * PX
        hood = [(0.0, drop + 5), (0.02 * width, drop), (shape.screen * width, 0)]
        draw.polygon([(0.0, base), *hood, (width - 1, 0), (width - 1, base)], paint)
        draw.line((0.05 * width, 0.2 * PX + drop / 2, 0.98 * width, 0.13 * PX), toned(paint, 1.25), 3)
        for share in (shape.screen + 0.06, shape.screen + 0.3, 0.79):
            draw.line((share * width, 2, share * width + 3, base - 8), toned(paint, 0.65), 2)
        for share in (shape.screen + 0.26, shape.screen + 0.5):
            draw.rounded_rectangle((share * width - 12, 0.11 * PX, share * width + 10, 0.15 * PX), 3, toned(paint, 0.7))
        draw.rectangle((0.04 * width, base - 12, 0.96 * width, base), toned(paint, 0.45))
        draw.rounded_rectangle((0, drop + 0.07 * PX, 0.05 * width, drop + 0.19 * PX), 5, (206, 212, 216))
        draw.rounded_rectangle((0.965 * width, 0.06 * PX, width, 0.28 * PX), 5, (150, 14, 20))
        wheel = 0.32 * PX
        for share in (0.185, 0.805):
            middle, y = share * width, height - wheel
            rings = ((1.16, toned(paint, 0.28)), (1.0, TYRE), (0.66, self._alloy), (0.56, (70, 72, 74)))
            for radius, colour in rings:
                reach = wheel * radius
                draw.ellipse((middle - reach, y - reach, middle + reach, min(y + reach, height - 1)), colour)
            for n in range(5):
                a = 2 * np.pi * n / 5
                draw.line((middle, y, middle + wheel * 0.6 * np.cos(a), y + wheel * 0.6 * np.sin(a)), self._alloy, 5)
        return sheet_of(picture, self._rng, PX, 0.5)

    def _cabin(self, high_m: float) -> Sheet:
        """A side's windows and the edge of the roof."""
        picture, draw = self._sheet(self.length_m, high_m)
        width, height = picture.size
        shape = self.shape
        roof = [(shape.brow * width, 0), (shape.crown * width, 0)]
        draw.polygon(((shape.screen * width, height), *roof, (shape.shelf * width, height)), toned(self.paint, 0.98))
        rim, sill = 0.055 * PX, height - 2
        pillar = (shape.screen + 0.31) * width
        last = (shape.crown * 0.5 + shape.shelf * 0.5) * width - 1.6 * rim
        draw.polygon(
            ((shape.screen * width + 2 * rim, sill), (shape.brow * width + rim, rim), (pillar - 4, rim), (pillar - 4, sill)),
            GLASS,
        )
        draw.polygon(
            ((pillar + 4, sill), (pillar + 4, rim), (shape.crown * width - 1.6 * rim, rim), (last, height * 0.72), (last, sill)),
            GLASS,
        )
        draw.polygon(
            (
                (shape.brow * width + rim, rim),
                (pillar - 4, rim),
                (pillar - 30, height * 0.6),
                (shape.brow * width - rim, height * 0.6),
            ),
            toned(GLASS, 1.5),
        )
        draw.rounded_rectangle(
            (shape.screen * width + 0.3 * PX, height - 17, shape.screen * width + 0.44 * PX, sill), 6, toned(self.paint, 0.8)
        )
        return sheet_of(picture, self._rng, PX, 0.5)
