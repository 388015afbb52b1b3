"""Those who take image sequences take ronde's: docs/faults.md, 28, with Mapillary's and Panoramax' own programs.

They need other versions of what ronde needs, so they live in a Python of their own, which RONDE_TAKERS_PYTHON names (`./run test`
makes it).
"""

import csv
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from device.earth import offset

PROJECT = Path(__file__).parents[2]
AT = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)
FPS = 10
SECONDS = 70
STOP_S = (20.0, 32.0)
TUNNEL_S = (42.0, 52.0)
SPEED_MPS = 9.0

READS = """
import json, sys
from geopic_tag_reader import reader
said = []
for file in sys.argv[1:]:
    tags = reader.readPictureMetadata(open(file, "rb").read())
    said.append([tags.lat, tags.lon, tags.ts.timestamp(), tags.heading, tags.gps_accuracy])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def takers():
    """Their Python; their programs lie beside it."""
    python = os.environ.get("RONDE_TAKERS_PYTHON")
    if not python:
        pytest.skip("RONDE_TAKERS_PYTHON names no Python with mapillary_tools and geopic-tag-reader; ./run test makes one")
    return Path(python)


def speed_mps(second):
    """Even, but for a stop with its braking and pulling away."""
    for begin_s, end_s in (STOP_S,):
        if begin_s <= second <= end_s:
            return 0.0
        if begin_s - 6.0 < second < begin_s:
            return SPEED_MPS * (begin_s - second) / 6.0
        if end_s < second < end_s + 6.0:
            return SPEED_MPS * (second - end_s) / 6.0
    return SPEED_MPS


@pytest.fixture(scope="module")
def sequence(tmp_path_factory):
    """A replay of a drive with a stop and a tunnel, exported: the folder of its round."""
    root = tmp_path_factory.mktemp("exported")
    drive = root / "drive"
    (drive / "frames").mkdir(parents=True)
    driven_m = np.concatenate([[0.0], np.cumsum([speed_mps(n / 100.0) / 100.0 for n in range(SECONDS * 100)])])
    rng = np.random.default_rng(5)
    rows = [["file", "time"]]
    for number in range(SECONDS * FPS):
        stripes = (np.arange(320) // 40 + int(driven_m[number * 100 // FPS])) % 2 * 120 + 60
        if number % 10 == 0 or number < 20:
            picture = np.repeat(np.repeat(stripes.astype(np.uint8)[None, :, None], 240, axis=0), 3, axis=2)
            Image.fromarray(picture).save(drive / "frames" / f"{number:04d}.jpg")
            file = f"{number:04d}.jpg"
        else:
            (drive / "frames" / f"{number:04d}.jpg").symlink_to(drive / "frames" / file)
        rows.append(
            [
                f"{number:04d}.jpg",
                (AT + timedelta(seconds=number / FPS)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            ]
        )
    with (drive / "frames.csv").open("w", newline="") as table:
        csv.writer(table).writerows(rows)
    with (drive / "fixes.jsonl").open("w") as fixes:
        for second in range(SECONDS):
            if TUNNEL_S[0] < second < TUNNEL_S[1]:
                continue
            metres = driven_m[second * 100]
            latitude_deg, longitude_deg = offset(
                43.55, 7.01, metres * 0.6 + rng.normal(0, 0.3), metres * 0.8 + rng.normal(0, 0.3)
            )
            time = (AT + timedelta(seconds=second)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            tpv = {"class": "TPV", "device": "/dev/ttyACM0", "mode": 3, "time": time, "lat": latitude_deg, "lon": longitude_deg}
            tpv |= {"speed": abs(speed_mps(second) + rng.normal(0, 0.08)), "track": 36.87, "eph": 3.0}
            fixes.write(json.dumps(tpv) + "\n")
    ronde = [sys.executable, "-m", "sync.command"]
    for command in (
        ["replay", str(drive), "--out", str(root / "out")],
        ["export", str(root / "out"), "--to", "images", "--out", str(root / "seq")],
    ):
        subprocess.run([*ronde, *command], check=True, capture_output=True, cwd=PROJECT)
    (folder,) = (root / "seq").iterdir()
    return folder


def test_fault_28_mapillary_refuses_none_and_calls_none_a_duplicate(takers, sequence, tmp_path):
    command = [
        takers.parent / "mapillary_tools",
        "process",
        sequence,
        "--desc_path",
        tmp_path / "said.json",
        "--skip_process_errors",
    ]
    subprocess.run(command, check=True, capture_output=True)
    said = json.loads((tmp_path / "said.json").read_text())
    photos = sorted(sequence.glob("*.jpg"))
    assert len(photos) > 100
    assert [each["error"] for each in said if "error" in each] == []
    assert len(said) == len(photos)
    assert len({each["MAPSequenceUUID"] for each in said}) == 1, "one round is one sequence"


def test_fault_28_panoramax_reads_all_that_is_said(takers, sequence):
    photos = sorted(sequence.glob("*.jpg"))
    done = subprocess.run([takers, "-c", READS, *photos], check=True, capture_output=True, text=True)
    said = json.loads(done.stdout)
    assert len(said) == len(photos)
    times = [each[2] for each in said]
    assert times == sorted(set(times))
    for latitude_deg, longitude_deg, taken_s, heading_deg, accuracy_m in said:
        assert 43.549 < latitude_deg < 43.56
        assert 7.009 < longitude_deg < 7.02
        assert 0.0 <= taken_s - AT.timestamp() <= SECONDS
        assert heading_deg in range(30, 44)
        assert 1.0 < accuracy_m < 30.0
