"""Cars and vans from before, behind and beside, with their number plates."""

import numpy as np
from PIL import Image, ImageDraw

from device.street.figures import BLACK, ZINC, font, pick, sheet_of, toned
from device.street.sheet import Colour, Part, Rng, Sheet

PX = 150.0
PLATE_M = (0.52, 0.11)
PAINTS: tuple[Colour, ...] = (
    (176, 180, 184),
    (36, 38, 42),
    (120, 22, 26),
    (222, 224, 224),
    (38, 62, 112),
    (92, 96, 98),
    (60, 66, 70),
    (202, 196, 184),
    (44, 84, 78),
)
GLASS: Colour = (44, 54, 62)
LETTERS = "ABCDEFGHJKLMNPQRSTVWXYZ"
Point = tuple[float, float]


def plate(rng: Rng) -> Image.Image:
    """A French number plate of a number that means nothing."""
    width, height = round(PLATE_M[0] * PX * 2), round(PLATE_M[1] * PX * 2)
    picture = Image.new("RGBA", (width, height), (236, 236, 230))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width - 1, height - 1), None, (70, 70, 70), 1)
    draw.rectangle((1, 1, 12, height - 2), (26, 58, 148))
    draw.rectangle((width - 13, 1, width - 2, height - 2), (26, 58, 148))
    letters = "".join(LETTERS[int(each)] for each in rng.integers(0, len(LETTERS), 4))
    number = f"{letters[:2]}-{int(rng.integers(1000)):03d}-{letters[2:]}"
    draw.text((width / 2, height / 2 + 1), number, BLACK, font(height * 0.84), "mm", stroke_width=1, stroke_fill=BLACK)
    return picture


class Body:
    """The paint, the plate and the proportions that a vehicle's pictures share: made from one seed."""

    def __init__(self, rng: Rng, size_m: tuple[float, float, float], *, van: bool) -> None:
        self.van = van
        self.paint = pick(rng, PAINTS)
        self.width_m, self.length_m, self.height_m = size_m
        self.plate = plate(rng)
        self.waist = float(rng.uniform(0.5, 0.56)) if not van else 0.46
        """Where the windows begin, as a share of the height from the top."""
        self.rake = float(rng.uniform(0.85, 1.25))
        self.square = float(rng.uniform(0.0, 1.0))
        """How steep the back is: 1 is a hatchback's."""
        self.low_plate = rng.random() < 0.4
        self.rng = rng

    def end(self, *, front: bool) -> Sheet:
        """From before or behind."""
        width, height = round(self.width_m * PX), round(self.height_m * PX)
        picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        draw = ImageDraw.Draw(picture)
        paint, middle = self.paint, width / 2
        waist, base = height * self.waist * 0.86, height - 0.2 * PX
        for left in (0.05 * width, 0.79 * width):
            draw.rounded_rectangle((left, height - 0.55 * PX, left + 0.16 * width, height - 1), 9, (22, 22, 24))
        roof = width * (0.2 if not self.van else 0.1)
        draw.polygon(((roof, 5), (width - roof, 5), (width * 0.95, waist), (width * 0.05, waist)), toned(paint, 0.96))
        draw.rounded_rectangle((roof * 0.94, 1, width - roof * 0.94, waist * 0.4), 14, toned(paint, 1.05))
        pane = width * 0.05
        top = 0.1 * height if not self.van else 0.16 * height
        if front or not self.van:
            draw.polygon(
                (
                    (roof + pane * 0.5, top),
                    (width - roof - pane * 0.5, top),
                    (width * 0.9, waist * 0.96),
                    (width * 0.1, waist * 0.96),
                ),
                GLASS,
            )
            draw.polygon(
                ((roof + pane, top + 3), (middle * 0.9, top + 3), (middle * 0.55, waist * 0.93), (width * 0.13, waist * 0.93)),
                toned(GLASS, 1.7),
            )
        else:
            draw.line((middle, 0.05 * height, middle, base), toned(paint, 0.62), 3)
            for left, right in ((0.16, 0.46), (0.54, 0.84)):
                draw.rounded_rectangle((left * width, 0.12 * height, right * width, 0.4 * height), 5, GLASS)
        draw.rounded_rectangle((1, waist, width - 2, base), round(0.13 * PX), paint)
        draw.line((0.06 * width, waist + 5, 0.94 * width, waist + 5), toned(paint, 1.25), 2)
        draw.rounded_rectangle(
            (3, base - 0.3 * PX, width - 4, base + 3), 12, toned(paint, 0.84) if self.square < 0.7 else (44, 45, 47)
        )
        draw.rectangle((0.1 * width, base - 4, 0.9 * width, base + 6), (28, 28, 30))
        self._lamps(draw, width, waist, front=front)
        spot = self._plate_at(width, height, waist, front=front)
        small = self.plate.resize((round(PLATE_M[0] * PX), round(PLATE_M[1] * PX)), Image.Resampling.LANCZOS)
        picture.paste(small, spot)
        left_m, top_m = spot[0] / PX, spot[1] / PX
        part = Part(left_m, top_m, left_m + small.width / PX, top_m + small.height / PX)
        return sheet_of(picture, self.rng, PX, 0.5, plate=(part,))

    def _lamps(self, draw: ImageDraw.ImageDraw, width: int, waist: float, *, front: bool) -> None:
        paint = self.paint
        lamp: Colour = (224, 228, 230) if front else (164, 16, 22)
        top = waist + (0.1 if front else 0.06) * PX
        for side in (-1, 1):
            outer, inner = width / 2 + side * 0.47 * width, width / 2 + side * (0.3 if front else 0.36) * width
            box = (min(outer, inner), top, max(outer, inner), top + (0.15 if front else 0.24) * PX)
            draw.rounded_rectangle(box, 7, lamp, toned(paint, 0.55), 2)
            x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
            draw.ellipse((x - 8, y - 8, x + 8, y + 8), toned(lamp, 1.1 if front else 1.5))
            if front:  # mirrors
                x = width / 2 + side * 0.49 * width
                draw.ellipse((x - 12, waist - 20, x + 12, waist - 2), toned(paint, 0.8))
        if front:
            draw.rounded_rectangle((0.3 * width, top + 3, 0.7 * width, top + 0.15 * PX), 6, (30, 31, 33))
            draw.rectangle((0.2 * width, top + 0.28 * PX, 0.8 * width, top + 0.38 * PX), (34, 35, 37))
        draw.ellipse((width / 2 - 7, top + 2, width / 2 + 7, top + 16), ZINC)

    def _plate_at(self, width: int, height: int, waist: float, *, front: bool) -> tuple[int, int]:
        low = front or self.low_plate
        row = height - 0.44 * PX if low else waist + 0.2 * PX
        return round(width / 2 - PLATE_M[0] * PX / 2), round(row)

    def side(self) -> Sheet:
        """From its left, nose to the left."""
        width, height = round(self.length_m * PX), round(self.height_m * PX)
        picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
        draw = ImageDraw.Draw(picture)
        paint, base, waist = self.paint, height - 0.22 * PX, height * self.waist * 0.94
        cabin = self._cabin(width, waist)
        nose = waist + (0.14 * PX if not self.van else 0.3 * PX)
        body = [
            (0.01 * width, base),
            (0.005 * width, nose + 0.2 * PX),
            (0.035 * width, nose),
            cabin[0],
            *cabin[1:-1],
            cabin[-1],
            (0.99 * width, waist + 8),
            (0.995 * width, base),
        ]
        draw.polygon(body, paint)
        self._windows(draw, cabin, waist)
        draw.line((0.03 * width, waist + 0.2 * PX, 0.98 * width, waist + 0.17 * PX), toned(paint, 1.22), 3)
        for share in (0.34, 0.56, 0.78) if not self.van else (0.3, 0.5):
            draw.line((share * width, waist + 2, share * width + 4, base - 8), toned(paint, 0.7), 2)
        draw.rectangle((0.1 * width, base - 14, 0.92 * width, base), toned(paint, 0.5))
        draw.rounded_rectangle((0.012 * width, nose + 0.06 * PX, 0.07 * width, nose + 0.2 * PX), 6, (222, 224, 224))
        draw.rounded_rectangle((0.955 * width, waist + 0.06 * PX, 0.993 * width, waist + 0.3 * PX), 5, (150, 16, 20))
        wheel = 0.32 * PX if not self.van else 0.36 * PX
        for middle in (0.19 * width, 0.81 * width):
            for radius, colour in (
                (1.12, toned(paint, 0.3)),
                (1.0, (22, 22, 24)),
                (0.64, ZINC),
                (0.5, (104, 106, 108)),
                (0.16, (60, 62, 64)),
            ):
                reach = wheel * radius
                y = height - wheel
                draw.ellipse((middle - reach, y - reach, middle + reach, min(y + reach, height - 1)), colour)
        return sheet_of(picture, self.rng, PX, 0.5)

    def _cabin(self, width: int, waist: float) -> list[Point]:
        """The roof's line, from the foot of the windscreen to the tail."""
        if self.van:
            return [
                (0.13 * width, waist),
                (0.22 * width, 12.0),
                (0.26 * width, 3.0),
                (0.97 * width, 2.0),
                (0.99 * width, waist * 0.5),
            ]
        # The end is drawn flat at the tail, so the roof goes nearly as far.
        roof_end, front = 0.93 + 0.045 * self.square, 0.25 + 0.02 * self.rake
        return [
            (front * width, waist),
            ((front + 0.115 * self.rake) * width, 8.0),
            (0.5 * width, 1.0),
            (roof_end * width, 5.0),
            (0.99 * width, waist),
        ]

    def _windows(self, draw: ImageDraw.ImageDraw, cabin: list[Point], waist: float) -> None:
        sill = waist - 4
        left, top_left = cabin[0][0] + 0.12 * PX, cabin[1][0] + 0.05 * PX
        if self.van:
            draw.polygon(((left, sill), (top_left, 20), (top_left + 0.7 * PX, 20), (top_left + 0.7 * PX, sill)), GLASS)
            return
        pillar = (top_left + cabin[-2][0]) / 2
        right_top, right = cabin[-2][0] - 0.12 * PX, cabin[-1][0] - 0.16 * PX
        draw.polygon(((left, sill), (top_left, 14), (pillar - 5, 11), (pillar - 5, sill)), GLASS)
        draw.polygon(((pillar + 5, sill), (pillar + 5, 11), (right_top, 15), (right, sill)), GLASS)
        draw.polygon(((left + 14, sill - 3), (top_left + 6, 18), (top_left + 40, 16), (left + 60, sill - 3)), toned(GLASS, 1.5))


def vehicle(seed: int, size_m: tuple[float, float, float], variant: str) -> Body:
    """The vehicle of a seed; each of its pictures is drawn from the same beginning."""
    return Body(np.random.default_rng(seed), size_m, van=variant == "van")
