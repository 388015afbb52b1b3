"""French road signs and red lights on their posts, with where their boards are."""

import math

import numpy as np
from PIL import Image, ImageDraw

from device.street.figures import BLACK, PX, font, sheet_of, toned
from device.street.sheet import Colour, Part, Rng, Sheet

WHITE: Colour = (232, 232, 226)
RED: Colour = (186, 22, 28)
BLUE: Colour = (18, 74, 160)
ZINC: Colour = (150, 152, 152)
SIGN_HIGH_M, BOARD_M = 2.75, 0.72


def sign(rng: Rng, kind: str) -> Sheet:
    """A French road sign on its post."""
    width, height = round((BOARD_M + 0.18) * PX), round(SIGN_HIGH_M * PX)
    picture = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    middle, reach = width / 2, BOARD_M * PX / 2
    centre = reach + 6
    draw.rectangle((middle - 4, centre, middle + 4, height), ZINC)
    fade = float(rng.uniform(0.86, 1.0))
    red, blue, white = toned(RED, fade), toned(BLUE, fade), toned(WHITE, float(rng.uniform(0.92, 1.0)))

    def regular(corners: int, radius: float, turn_deg: float, drop: float = 0.0) -> list[tuple[float, float]]:
        angles = np.deg2rad(turn_deg + 360 / corners * np.arange(corners))
        return [(middle + radius * math.cos(a), centre + drop + radius * math.sin(a)) for a in angles]

    if kind == "sign_stop":
        draw.polygon(regular(8, reach * 1.04, 22.5), white)
        draw.polygon(regular(8, reach * 0.96, 22.5), red)
        draw.text((middle, centre + 1), "STOP", white, font(reach * 0.66), "mm", stroke_width=1, stroke_fill=white)
    elif kind in {"sign_yield", "sign_danger"}:
        turn, drop = (90, -reach * 0.18) if kind == "sign_yield" else (-90, reach * 0.18)
        for radius, colour in ((reach * 1.16, white), (reach * 1.08, red), (reach * 0.66, white)):
            draw.polygon(regular(3, radius, turn, drop), colour)
        if kind == "sign_danger":
            _warning(draw, rng, middle, centre + drop, reach)
    elif kind == "sign_prohibition":
        draw.ellipse((middle - reach, centre - reach, middle + reach, centre + reach), red)
        if rng.random() < 0.25:
            draw.rectangle((middle - reach * 0.72, centre - reach * 0.15, middle + reach * 0.72, centre + reach * 0.15), white)
        else:
            inner = reach * 0.76
            draw.ellipse((middle - inner, centre - inner, middle + inner, centre + inner), white)
            text = ("30", "50", "20", "3,5t")[int(rng.integers(4))]
            draw.text(
                (middle, centre + 1),
                text,
                BLACK,
                font(reach * (0.95 if len(text) == 2 else 0.6)),
                "mm",
                stroke_width=1,
                stroke_fill=BLACK,
            )
    else:
        draw.ellipse((middle - reach, centre - reach, middle + reach, centre + reach), white)
        draw.ellipse((middle - reach * 0.94, centre - reach * 0.94, middle + reach * 0.94, centre + reach * 0.94), blue)
        _arrow(draw, int(rng.integers(3)), (middle, centre, reach), white)
    board = Part((middle - reach * 1.02) / PX, 4 / PX, (middle + reach * 1.02) / PX, (centre + reach * 1.02) / PX)
    return sheet_of(picture, rng, PX, 0.6, board=(_tight(picture, board),))


def _warning(draw: ImageDraw.ImageDraw, rng: Rng, middle: float, centre: float, reach: float) -> None:
    if rng.random() < 0.5:
        draw.rectangle((middle - reach * 0.07, centre - reach * 0.32, middle + reach * 0.07, centre + reach * 0.06), BLACK)
        draw.ellipse((middle - reach * 0.08, centre + reach * 0.12, middle + reach * 0.08, centre + reach * 0.28), BLACK)
    else:
        bend = [
            (middle - reach * 0.12, centre + reach * 0.3),
            (middle - reach * 0.12, centre),
            (middle + reach * 0.14, centre - reach * 0.1),
            (middle + reach * 0.1, centre - reach * 0.34),
        ]
        draw.line(bend, BLACK, round(reach * 0.12), "curve")


def _arrow(draw: ImageDraw.ImageDraw, kind: int, place: tuple[float, float, float], white: Colour) -> None:
    """Straight on, right, or down to the right."""
    middle, centre, reach = place
    turn = (-90.0, 0.0, 45.0)[kind]
    ahead, side = (
        np.array((math.cos(math.radians(turn)), math.sin(math.radians(turn)))),
        np.array((-math.sin(math.radians(turn)), math.cos(math.radians(turn)))),
    )
    here = np.array((middle, centre))
    shaft = [here + ahead * a * reach + side * b * reach for a, b in ((-0.6, -0.1), (0.15, -0.1), (0.15, 0.1), (-0.6, 0.1))]
    tip = [here + ahead * a * reach + side * b * reach for a, b in ((0.1, -0.38), (0.68, 0.0), (0.1, 0.38))]
    for corners in (shaft, tip):
        draw.polygon([(float(x), float(y)) for x, y in corners], white)


def _tight(picture: Image.Image, around: Part) -> Part:
    """The board's own box inside a larger one: the post below it is cut off."""
    left, top, right, bottom = (round(each * PX) for each in (around.left_m, around.top_m, around.right_m, around.bottom_m))
    alpha = np.asarray(picture.getchannel("A"))[: bottom + 20]
    wide = alpha[:, max(0, left - 12) : right + 12].astype(bool).sum(axis=1) > 12
    rows = np.flatnonzero(wide)
    columns = np.flatnonzero(alpha.any(axis=0))
    return Part(float(columns[0]) / PX, float(rows[0]) / PX, float(columns[-1] + 1) / PX, max(float(rows[-1] + 1) / PX, top / PX))


def traffic_light(rng: Rng, state: str) -> Sheet:
    """A red light on its post."""
    picture = Image.new("RGBA", (round(0.5 * PX), round(3.3 * PX)), (0, 0, 0, 0))
    draw = ImageDraw.Draw(picture)
    middle = picture.width / 2
    draw.rectangle((middle - 6, 40, middle + 6, picture.height), (66, 70, 68))
    half, bottom = 0.155 * PX, 0.96 * PX
    draw.rounded_rectangle((middle - half, 3, middle + half, bottom), 8, (24, 26, 26))
    lit = {"red": 0, "amber": 1, "green": 2}[state or "red"]
    bright: tuple[Colour, ...] = ((255, 58, 44), (255, 190, 60), (70, 240, 150))
    dark: tuple[Colour, ...] = ((66, 18, 16), (66, 48, 14), (14, 52, 30))
    for n in range(3):
        y, radius = (0.18 + 0.3 * n) * PX, 0.105 * PX
        draw.ellipse((middle - radius, y - radius, middle + radius, y + radius), bright[n] if n == lit else dark[n])
        draw.arc((middle - radius * 1.2, y - radius * 1.3, middle + radius * 1.2, y + radius * 1.2), 190, 350, (10, 10, 10), 4)
    board = Part((middle - half) / PX, 3 / PX, (middle + half) / PX, bottom / PX)
    return sheet_of(picture, rng, PX, 0.8, board=(board,))
