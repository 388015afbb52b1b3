"""The picture of a finding: a piece of its photo, small enough for any link. Pure.

It is cut out of the stored photo, whose people and plates were hidden before it was written; raw pixels never come here.
"""

import io
from typing import Final

from PIL import Image

from inference.detect import Box

LARGEST_BYTES: Final = 30_000
"""Of a crop, whatever is in it."""

MARGIN: Final = 0.6
"""Added on each side, as a share of the box: a person has to see where it lies."""

LEAST_PX: Final = 320, 240
"""A crop shows at least so much of the photo, where the photo has it."""

LONGEST_PX: Final = 640
"""A larger crop is scaled down: more is not seen on a map."""

QUALITIES: Final = (82, 74, 64, 52, 40)
SMALLER: Final = 0.75
"""Where the last quality is still too large, the picture is made smaller by this, and tried again."""


class CropRefused(Exception):
    """There is nothing to cut: the photo cannot be read, or the box does not lie in it."""


def cut(photo: bytes, box: Box) -> bytes:
    """The JPEG of what lies in a box of a photo and around it, at most `LARGEST_BYTES`.

    It says nothing but its pixels: no EXIF, no place, no time.

    Raises:
        CropRefused: the photo is none, or the box lies outside.
    """
    try:
        with Image.open(io.BytesIO(photo), formats=["JPEG"]) as opened:
            region = around(box, *opened.size)
            piece = opened.convert("RGB").crop(region)
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise CropRefused(f"the photo cannot be read: {error}") from error
    piece.info = {}  # Pillow writes a comment that it has read
    piece.thumbnail((LONGEST_PX, LONGEST_PX), Image.Resampling.LANCZOS)
    while True:
        for quality in QUALITIES:
            jpeg = _encoded(piece, quality)
            if len(jpeg) <= LARGEST_BYTES:
                return jpeg
        width, height = piece.size
        piece = piece.resize((max(1, int(width * SMALLER)), max(1, int(height * SMALLER))), Image.Resampling.LANCZOS)


def around(box: Box, width: int, height: int) -> tuple[int, int, int, int]:
    """The region of a picture of this size that is cut for a box: with its margin, and moved so that it lies in the picture.

    Raises:
        CropRefused: the box lies outside.
    """
    left, top, right, bottom = box
    if not (left < right and top < bottom and right > 0 and bottom > 0 and left < width and top < height):
        raise CropRefused(f"the box {box} does not lie in a picture of {width} x {height}")
    across = _side(left, right, LEAST_PX[0], width)
    down = _side(top, bottom, LEAST_PX[1], height)
    return across[0], down[0], across[1], down[1]


def _side(low: float, high: float, least: int, size: int) -> tuple[int, int]:
    """From where to where, of a picture that is `size` long."""
    low, high = max(0.0, low), min(float(size), high)
    length = min(size, max(least, round((high - low) * (1.0 + 2.0 * MARGIN))))
    begin = round((low + high - length) / 2.0)
    begin = max(0, min(begin, size - length))
    return begin, begin + length


def _encoded(piece: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    piece.save(out, "JPEG", quality=quality, optimize=True)
    return out.getvalue()
