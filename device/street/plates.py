"""Number plates of numbers that mean nothing: most French, some of the neighbours'. Each is 52 by 11 cm."""

from PIL import Image, ImageDraw

from device.street.figures import BLACK, font
from device.street.sheet import Colour, Rng

PLATE_M = (0.52, 0.11)
PX = 300.0
LETTERS = "ABCDEFGHJKLMNPQRSTVWXYZ"
EURO: Colour = (26, 58, 148)
WHITE: Colour = (236, 236, 230)
YELLOW: Colour = (232, 190, 40)
RED: Colour = (150, 20, 36)
ABROAD = 0.22


def plate(rng: Rng) -> Image.Image:
    """A plate, twice as fine as the vehicles are drawn."""
    width, height = round(PLATE_M[0] * PX), round(PLATE_M[1] * PX)
    country = "F" if rng.random() > ABROAD else ("I", "D", "E", "NL", "B")[int(rng.integers(5))]
    ground = YELLOW if country == "NL" else WHITE
    ink = RED if country == "B" else BLACK
    picture = Image.new("RGBA", (width, height), (*ground, 255))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 0, width - 1, height - 1), None, (70, 70, 70), 1)
    draw.rectangle((1, 1, 12, height - 2), EURO)
    draw.text((6.5, height * 0.72), country, WHITE, font(height * 0.3), "mm")
    if country in {"F", "I"}:
        draw.rectangle((width - 13, 1, width - 2, height - 2), EURO)
    middle = width / 2 if country in {"F", "I"} else width / 2 + 5
    text = _number(rng, country)
    draw.text((middle, height / 2 + 1), text, ink, font(height * 0.84), "mm", stroke_width=1, stroke_fill=ink)
    return picture


def _number(rng: Rng, country: str) -> str:
    def letters(count: int) -> str:
        return "".join(LETTERS[int(each)] for each in rng.integers(0, len(LETTERS), count))

    def digits(count: int) -> str:
        return f"{int(rng.integers(10**count)):0{count}d}"

    return {
        "F": lambda: f"{letters(2)}-{digits(3)}-{letters(2)}",
        "I": lambda: f"{letters(2)} {digits(3)} {letters(2)}",
        "D": lambda: f"{letters(2)} {letters(2)} {digits(3)}",
        "E": lambda: f"{digits(4)} {letters(3)}",
        "NL": lambda: f"{letters(2)}-{digits(3)}-{letters(1)}",
        "B": lambda: f"1-{letters(3)}-{digits(3)}",
    }[country]()
