"""Makes docs/street.jpg: 24 frames of the simulated street, its weathers, places and labels. `--boxes` draws the truth on it."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from device.simulated import STEP_S
from device.street.drive import TownDrive, drive_loop
from device.street.furnish import make_scene
from device.street.geometry import Pinhole
from device.street.truth import FrameTruth, true_frame
from device.street.view import View

CAMERA = Pinhole(640, 480, 1.35, 6.0, 0.0, 63.0)
ACROSS, DOWN, SIZE = 4, 6, (400, 300)
SEEN_FROM_M = 6.0
WEATHERS = (
    {"hour": 10.5},
    {"hour": 13.0},
    {"hour": 16.5},
    {"hour": 18.3},
    {"hour": 19.6},
    {"hour": 20.6, "exposure_ms": 4.0},
    {"hour": 11.0, "rain": 0.8, "wet": 1.0},
    {"hour": 15.0, "wet": 0.8},
    {"hour": 12.0, "lens": "dirty"},
    {"hour": 9.0},
    {"hour": 14.0, "lens": "covered"},
)
WANTED = (
    ("pothole", 0), ("crack_alligator", 1), ("crack_longitudinal", 0), ("crack_transverse", 2), ("patch", 0), ("manhole", 9),
    ("pothole", 6), ("drain", 1), ("manhole_open", 7), ("sign_stop", 0), ("sign_yield", 3), ("sign_danger", 1),
    ("sign_prohibition", 4), ("sign_mandatory", 2), ("traffic_light", 0), ("traffic_light", 5), ("tunnel", 1), ("inside", 1),
    ("crack_alligator", 7), ("pothole", 3), ("person", 1), ("vehicle", 8), ("manhole", 10), ("patch", 4),
)  # fmt: skip
"""What each frame shows, and in which of the weathers."""


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxes", action="store_true", help="draw the true boxes")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("street.jpg"))
    given = parser.parse_args()
    drive = drive_loop(make_scene("demo", 1))
    view = View(drive, CAMERA)
    sheet = Image.new("RGB", (ACROSS * SIZE[0], DOWN * SIZE[1]))
    for number, (what, weather) in enumerate(WANTED):
        change = {"rain": 0.0, "wet": 0.0, "lens": "clean", "exposure_ms": 1.0, **WEATHERS[weather]}
        frame = true_frame(view, _moment(drive, what, number), replace(drive.scene.weather[0], **change))
        picture = Image.fromarray(frame.pixels)
        if given.boxes:
            _draw_boxes(picture, frame)
        row, column = divmod(number, ACROSS)
        sheet.paste(picture.resize(SIZE, Image.Resampling.LANCZOS), (column * SIZE[0], row * SIZE[1]))
    sheet.save(given.out, quality=82)


def _moment(drive: TownDrive, what: str, number: int) -> float:
    """When the car comes to one of these things."""
    (tunnel,) = drive.scene.tunnels
    if what in {"tunnel", "inside"}:
        at_m = tunnel.from_m - 14.0 if what == "tunnel" else tunnel.from_m + 40.0
    else:
        away_m = {"traffic_light": 14.0, "person": 9.0, "vehicle": 9.0}.get(
            what, 11.0 if what.startswith("sign") else SEEN_FROM_M
        )
        there = [each for each in drive.scene.in_round(1) if each.kind == what and -4.5 < each.right_m < 6.0]
        there = [each for each in there if abs(each.right_m) < 2.2] or there
        at_m = there[(number * 7 + 3) % len(there)].along_m - away_m
    return float(np.interp(at_m % drive.scene.path.length_m, drive.odometers_m, np.arange(len(drive.odometers_m)) * STEP_S))


def _draw_boxes(picture: Image.Image, frame: FrameTruth) -> None:
    draw = ImageDraw.Draw(picture)
    for seen in frame.seen:
        if seen.covered < 0.8 and min(seen.box[2] - seen.box[0], seen.box[3] - seen.box[1]) >= 4:
            hides = seen.label in {"person", "vehicle", "face", "head", "plate"}
            draw.rectangle(seen.box, outline=(60, 200, 255) if hides else (255, 70, 0))
            if not hides:
                draw.text((seen.box[0], seen.box[1] - 11), seen.label, (255, 70, 0))


if __name__ == "__main__":
    main()
