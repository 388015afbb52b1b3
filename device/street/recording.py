"""A drive through the street, written as a recorded drive (docs/drives.md): drive.toml, frames.csv, frames/ and fixes.jsonl."""

import csv
import json
from datetime import timedelta
from pathlib import Path
from typing import Final

from PIL import Image

from device.simulated_senses import LAST_S, STARTED_AT, Receiver, reports
from device.street.drive import drive_town
from device.street.furnish import make_scene
from device.street.geometry import Pinhole
from device.street.scene_file import write_scene
from device.street.seeds import Purpose, rng_of
from device.street.view import View
from device.utc import iso_ms

JPEG_QUALITY = 88
HEIGHT_M, PITCH_DEG, YAW_DEG, HFOV_DEG = 1.35, 6.0, 0.0, 63.0
"""The camera of the configuration's defaults."""

BEFORE_S, AFTER_S = 1.0, 2.0
"""The receiver speaks so long before the first frame and after the last."""
ROLLS_MPS = 8.0
"""The car does not stand when the recording begins."""
RECEIVER: Final = Receiver(doppler_mps=0.05, position_m=0.5, missing=0.0)
SCENE = "scene.json"
GREETING = (
    {"class": "VERSION", "release": "3.22", "rev": "3.22", "proto_major": 3, "proto_minor": 14},
    {"class": "DEVICES", "devices": [{"class": "DEVICE", "path": "/dev/ttyS0", "driver": "u-blox"}]},
)


def draw_drive(
    folder: Path,
    seconds: float = 60.0,
    seed: int = 1,
    *,
    width: int = 640,
    height: int = 480,
    fps: float = 10.0,
    purpose: Purpose = "tests",
) -> None:
    """Write `seconds` of a drive into `folder`, and the scene itself beside it as the truth."""
    scene = make_scene(purpose, seed)
    drive = drive_town(scene, BEFORE_S + seconds + AFTER_S + LAST_S, start_mps=ROLLS_MPS)
    camera = Pinhole(width, height, HEIGHT_M, PITCH_DEG, YAW_DEG, HFOV_DEG)
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    geometry = {
        "width": width,
        "height": height,
        "height_m": HEIGHT_M,
        "pitch_deg": PITCH_DEG,
        "yaw_deg": YAW_DEG,
        "hfov_deg": HFOV_DEG,
    }
    told = "".join(f"{key} = {value}\n" for key, value in geometry.items())
    (folder / "drive.toml").write_text(f'note = "a street that ronde drew itself"\n\n[camera]\n{told}', encoding="utf-8")
    write_scene(scene, folder / SCENE)
    said = [*GREETING, *(report for _, report in reports(drive, RECEIVER, rng_of(purpose, seed, "receiver")))]
    (folder / "fixes.jsonl").write_text("".join(json.dumps(each) + "\n" for each in said), encoding="utf-8")
    view = View(drive, camera)
    with (folder / "frames.csv").open("w", encoding="utf-8", newline="") as table:
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(("file", "time"))
        for number in range(round(seconds * fps)):
            at_s = BEFORE_S + number / fps
            name = f"{number:06d}.jpg"
            Image.fromarray(view.frame(at_s)).save(folder / "frames" / name, quality=JPEG_QUALITY)
            rows.writerow((name, iso_ms(STARTED_AT + timedelta(seconds=at_s))))
