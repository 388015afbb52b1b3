"""The picture that shows a calibration: a metre grid on the road, drawn on a frame in which people are hidden."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from inference.anonymise import AnonymousFrame
from inference.lens import Lens
from provisioning.durable import write_durably

NEAREST_M, FARTHEST_M, ASIDE_M = 2.0, 30.0, 4.0
EVERY_FAR_M = 5.0
"""Lines across stand each metre up to `DENSE_M`, then so far apart; from `NAMED_M` on their names would hide each other."""
DENSE_M, NAMED_M = 10.0, 20.0
STEP_M = 0.25
THIN: Final = (255, 200, 0)
THICK: Final = (255, 60, 0)
HORIZON: Final = (0, 160, 255)
QUALITY = 90

Point = tuple[float, float]


def write_grid(file: Path, frame: AnonymousFrame, lens: Lens) -> None:
    """Draw the grid and write the picture; what it is follows from the file's suffix (.jpg or .png).

    Raises:
        OSError: the disk did not take it.
    """
    picture = draw_grid(frame, lens)
    out = io.BytesIO()
    if file.suffix.lower() == ".png":
        picture.save(out, "PNG")
    else:
        picture.save(out, "JPEG", quality=QUALITY)
    write_durably(file, out.getvalue())


def draw_grid(frame: AnonymousFrame, lens: Lens) -> Image.Image:
    """The grid: a line each metre, to the sides and ahead, farther on each 5 m, named; and the horizon."""
    picture = Image.fromarray(frame.pixels)
    draw = ImageDraw.Draw(picture)
    width = max(1, round(lens.width / 640))
    for line, name in _lines():
        points = [seen for place in line if (seen := lens.project(*place)) is not None]
        if len(points) > 1:
            draw.line(points, THICK if name else THIN, width * (2 if name else 1))
            if name and _inside(points[-1], lens):
                draw.text((points[-1][0] + 3 * width, points[-1][1]), name, THICK, font_size=12 * width)
    far = [seen for right in (-500.0, 500.0) if (seen := lens.project(right, 1000.0, lens.height_m)) is not None]
    if len(far) == 2:
        draw.line(far, HORIZON, width)
    return picture


def _lines() -> Iterator[tuple[list[Point], str]]:
    """Places on the road (right, ahead) along each line, and the name of those that have one."""
    reach = range(int((FARTHEST_M - NEAREST_M) / STEP_M) + 1)
    for number in range(int(-ASIDE_M), int(ASIDE_M) + 1):
        yield [(float(number), NEAREST_M + STEP_M * each) for each in reach], ""
    ahead_m = NEAREST_M
    while ahead_m <= FARTHEST_M:
        across = [(-ASIDE_M + STEP_M * each, ahead_m) for each in range(int(2 * ASIDE_M / STEP_M) + 1)]
        yield across, f"{ahead_m:g} m" if ahead_m % EVERY_FAR_M == 0 and ahead_m <= NAMED_M else ""
        ahead_m += 1.0 if ahead_m < DENSE_M else EVERY_FAR_M


def _inside(point: Point, lens: Lens) -> bool:
    return 0 <= point[0] < lens.width and 0 <= point[1] < lens.height
