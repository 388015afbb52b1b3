"""A drive that ronde draws itself, once for all tests of the line."""

import csv
import json
import math
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from device.street.recording import draw_drive


@pytest.fixture(scope="session")
def drawn_drive(tmp_path_factory) -> Path:
    """Twenty seconds of a street, 640x480, ten frames a second, fixes at 1 Hz."""
    folder = tmp_path_factory.mktemp("drawn") / "drive"
    draw_drive(folder, seconds=20.0, fps=10)
    return folder


@pytest.fixture(scope="session")
def straight_drive():
    """Makes a drive of given pictures on a straight road to the east at an even speed, fixes at 1 Hz with Doppler speed."""

    def make(folder: Path, pictures: list[Path], *, step_m: float, speed_mps: float) -> Path:
        start = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)

        def iso(seconds):
            return (start + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")

        (folder / "frames").mkdir(parents=True)
        with (folder / "frames.csv").open("w", newline="") as table:
            rows = csv.writer(table)
            rows.writerow(["file", "time"])
            for number, picture in enumerate(pictures):
                (folder / "frames" / picture.name).symlink_to(picture.resolve())
                rows.writerow([picture.name, iso(number * step_m / speed_mps)])
        metre_deg = 1 / (111_320.0 * math.cos(math.radians(-29.0)))
        seconds = int((len(pictures) - 1) * step_m / speed_mps) + 2
        with (folder / "fixes.jsonl").open("w") as fixes:
            for second in range(seconds):
                tpv = {"class": "TPV", "device": "/dev/ttyACM0", "mode": 3, "time": iso(second), "lat": -29.0}
                tpv |= {"lon": -51.0 + speed_mps * second * metre_deg, "speed": speed_mps, "track": 90.0, "eph": 3.0}
                fixes.write(json.dumps(tpv) + "\n")
        return folder

    return make
