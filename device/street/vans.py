"""Vans, lorries and buses: boxes on wheels, as upright panels at their ends and sides."""

import numpy as np
from PIL import Image, ImageDraw

from device.street.cars import GLASS, PX, TYRE, Panel
from device.street.figures import WHITE, ZINC, font, pick, sheet_of, toned
from device.street.plates import PLATE_M, plate
from device.street.sheet import Colour, Part, Sheet

PAINTS: tuple[Colour, ...] = (
    (222, 222, 220),
    (206, 208, 208),
    (226, 224, 214),
    (52, 76, 120),
    (130, 30, 34),
    (74, 80, 84),
    (196, 170, 60),
)
NAMES = ("TRANSPORTS DUPRE", "LOGIS SUD", "FRIGO AZUR", "MARTIN & FILS", "VITE LIVRE", "AZUR BUS")
BEHIND: Colour = (150, 14, 20)


class Van:
    """One van, lorry or bus."""

    def __init__(self, seed: int, size_m: tuple[float, float, float], variant: str) -> None:
        rng = np.random.default_rng(seed)
        self.variant = variant
        self.paint = pick(rng, PAINTS)
        self.box = pick(rng, PAINTS) if variant == "lorry" else self.paint
        """The colour of what it carries its load in."""
        self.width_m, self.length_m, self.height_m = size_m
        self._plate = plate(rng)
        self._name = NAMES[int(rng.integers(len(NAMES)))] if rng.random() < 0.6 else ""
        self._rng = rng

    def panels(self) -> tuple[Panel, ...]:
        """Its ends and its sides."""
        half, long, high = self.width_m / 2, self.length_m / 2, self.height_m
        side, down = self._side(), (0.0, 0.0, -high)
        return (
            Panel("front", self._end(front=True), (half, long, high), (-2 * half, 0, 0), down),
            Panel("rear", self._end(front=False), (-half, -long, high), (2 * half, 0, 0), down),
            Panel("left flank", side, (-half, long, high), (0, -2 * long, 0), down),
            Panel("right flank", side, (half, long, high), (0, -2 * long, 0), down, mirrored=True),
        )

    def _end(self, *, front: bool) -> Sheet:
        width, height = round(self.width_m * PX), round(self.height_m * PX)
        picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        draw = ImageDraw.Draw(picture)
        paint = self.paint if front else self.box
        base = height - 0.32 * PX
        for left in (0.05, 0.79):
            draw.rounded_rectangle((left * width, height - 0.6 * PX, (left + 0.16) * width, height - 1), 9, TYRE)
        draw.rounded_rectangle((1, 1, width - 2, base), 12 if self.variant != "lorry" else 3, paint, toned(paint, 0.7), 2)
        if front:
            top, sill = (0.1 if self.variant == "bus" else 0.34 if self.variant == "lorry" else 0.12) * height, 0.58 * height
            draw.polygon(((0.09 * width, top), (0.91 * width, top), (0.95 * width, sill), (0.05 * width, sill)), GLASS)
            draw.polygon(
                ((0.12 * width, top + 5), (0.5 * width, top + 5), (0.3 * width, sill - 8), (0.09 * width, sill - 8)),
                toned(GLASS, 1.5),
            )
            draw.rounded_rectangle((0.28 * width, 0.65 * height, 0.72 * width, 0.75 * height), 6, (30, 31, 33))
        elif self.variant == "bus":
            draw.rounded_rectangle((0.12 * width, 0.1 * height, 0.88 * width, 0.42 * height), 8, GLASS)
        else:
            draw.line((width / 2, 0.04 * height, width / 2, base), toned(paint, 0.6), 3)
            for left, right in ((0.14, 0.45), (0.55, 0.86)) if self.variant == "van" else ():
                draw.rounded_rectangle((left * width, 0.1 * height, right * width, 0.38 * height), 5, GLASS)
            for x in (0.2, 0.8) if self.variant == "lorry" else ():
                draw.line((x * width, 0.06 * height, x * width, base), toned(paint, 0.72), 4)
        lamp: Colour = (214, 220, 222) if front else BEHIND
        for left, right in ((0.03, 0.17), (0.83, 0.97)):
            low = base - (0.42 if front else 0.62) * PX
            draw.rounded_rectangle(
                (left * width, low, right * width, low + (0.17 if front else 0.34) * PX), 6, lamp, toned(paint, 0.5), 2
            )
        draw.rounded_rectangle((2, base - 0.22 * PX, width - 3, base + 6), 8, (44, 45, 47))
        small = self._plate.resize((round(PLATE_M[0] * PX), round(PLATE_M[1] * PX)), Image.Resampling.LANCZOS)
        spot = round(width / 2 - small.width / 2), round(base - 0.18 * PX)
        picture.paste(small, spot)
        part = Part(spot[0] / PX, spot[1] / PX, (spot[0] + small.width) / PX, (spot[1] + small.height) / PX)
        return sheet_of(picture, self._rng, PX, 0.5, plate=(part,))

    def _side(self) -> Sheet:
        """Its nose to the left."""
        width, height = round(self.length_m * PX), round(self.height_m * PX)
        picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        draw = ImageDraw.Draw(picture)
        base = height - 0.34 * PX
        if self.variant == "bus":
            draw.rounded_rectangle((1, 1, width - 2, base), 14, self.paint)
            for n in range(9):
                left = (0.015 + 0.108 * n) * width
                draw.rounded_rectangle((left, 0.12 * height, left + 0.1 * width, 0.52 * height), 5, GLASS)
            draw.rectangle((0, 0.6 * height, width, 0.66 * height), toned(self.paint, 0.7))
        elif self.variant == "lorry":
            cab = 0.24 * width
            draw.polygon(
                ((0, base), (0, 0.5 * height), (0.03 * width, 0.2 * height), (cab, 0.16 * height), (cab, base)), self.paint
            )
            draw.polygon(
                (
                    (0.03 * width, 0.52 * height),
                    (0.05 * width, 0.28 * height),
                    (0.17 * width, 0.26 * height),
                    (0.17 * width, 0.54 * height),
                ),
                GLASS,
            )
            draw.rectangle((cab + 8, 2, width - 2, base - 0.25 * PX), self.box, toned(self.box, 0.7), 3)
            draw.rectangle((cab, base - 0.25 * PX, width - 4, base), (40, 40, 42))
        else:
            draw.polygon(
                ((0, base), (0, 0.52 * height), (0.05 * width, 0.46 * height), (0.15 * width, 0.43 * height), (0.25 * width, 6),
                 (0.28 * width, 2), (width - 2, 2), (width - 1, base)), self.paint,
            )  # fmt: skip
            draw.polygon(
                (
                    (0.17 * width, 0.43 * height),
                    (0.26 * width, 0.1 * height),
                    (0.4 * width, 0.1 * height),
                    (0.4 * width, 0.44 * height),
                ),
                GLASS,
            )
            for share in (0.41, 0.62):
                draw.line((share * width, 0.1 * height, share * width, base - 8), toned(self.paint, 0.72), 2)
        if self._name:
            draw.text(
                (0.64 * width, 0.34 * height if self.variant != "bus" else 0.63 * height),
                self._name,
                WHITE if sum(self.box) < 420 else (40, 60, 110),
                font(0.3 * PX),
                "mm",
            )
        draw.rectangle((0.03 * width, base - 10, 0.97 * width, base), toned(self.paint, 0.45))
        draw.rounded_rectangle((width - 9, base - 0.5 * PX, width, base - 0.2 * PX), 3, BEHIND)
        wheel = (0.36 if self.variant == "van" else 0.48) * PX
        for share in (0.17, 0.8) if self.variant != "lorry" else (0.13, 0.72, 0.86):
            middle, y = share * width, height - wheel
            for radius, colour in ((1.12, toned(self.paint, 0.28)), (1.0, TYRE), (0.6, ZINC), (0.42, (84, 86, 88))):
                reach = wheel * radius
                draw.ellipse((middle - reach, y - reach, middle + reach, min(y + reach, height - 1)), colour)
        return sheet_of(picture, self._rng, PX, 0.5)
