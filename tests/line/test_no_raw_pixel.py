"""No pixel that has not passed the hiding reaches a disk: a pattern planted in every raw frame is searched in every byte."""

import io
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from inference.manifest import SHIPPED, ModelRefused
from inference.model import ModelFailed
from provisioning.settings import Models, Settings, Unit
from sync import replay as replaying
from sync.replay import replay

BOX = (200, 200, 328, 264)
CELL = 16
SCRIPT = Path(__file__).with_name("planted.py")
DEADLINE_S = 60.0


def pattern():
    """A checkerboard of magenta and green with noise: no street looks like it, and its bytes are unique."""
    left, top, right, bottom = BOX
    y, x = np.mgrid[0 : bottom - top, 0 : right - left]
    even = ((x // CELL + y // CELL) % 2 == 0)[..., None]
    noise = np.random.default_rng(7).integers(-15, 16, (bottom - top, right - left, 3))
    return (np.where(even, (235, 20, 235), (20, 235, 20)) + noise).astype(np.uint8)


def has_pattern(pixels):
    """Whether a picture shows the checkerboard: both colours, in number."""
    red, green, blue = (pixels[..., channel].astype(int) for channel in range(3))
    magenta = (red > 170) & (blue > 170) & (green < 110)
    green_cells = (green > 170) & (red < 110) & (blue < 110)
    return magenta.sum() > 100 and green_cells.sum() > 100


@pytest.fixture(scope="module")
def planted_drive(drawn_drive, tmp_path_factory):
    """The drawn drive with the pattern in every frame, as PNG so that its bytes are exact."""
    folder = tmp_path_factory.mktemp("planted") / "drive"
    shutil.copytree(drawn_drive, folder)
    left, top, right, bottom = BOX
    for picture in sorted((folder / "frames").iterdir()):
        pixels = np.array(Image.open(picture).convert("RGB"))
        pixels[top:bottom, left:right] = pattern()
        Image.fromarray(pixels).save(picture.with_suffix(".png"), compress_level=1)
        picture.unlink()
    table = folder / "frames.csv"
    table.write_text(table.read_text().replace(".jpg", ".png"))
    return folder


def traces(*folders):
    """Where the pattern is found: as raw bytes in any channel order, or as a picture in any file or inside any file."""
    row = pattern()[3, :CELL]
    needles = [row.tobytes(), row[:, ::-1].tobytes(), row.T.copy().tobytes()[:CELL]]
    found = []
    for file in (each for folder in folders for each in Path(folder).rglob("*") if each.is_file()):
        content = file.read_bytes()
        if any(needle in content for needle in needles):
            found.append(f"{file}: raw bytes")
        at = content.find(b"\xff\xd8\xff")
        while at >= 0:
            if has_pattern(decoded(content[at:])):
                found.append(f"{file}: a picture")
            at = content.find(b"\xff\xd8\xff", at + 1)
    return found


def decoded(jpeg):
    """As much of a JPEG as there is; a black dot where it is none."""
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    try:
        return np.array(Image.open(io.BytesIO(jpeg)).convert("RGB"))
    except (OSError, SyntaxError):
        return np.zeros((1, 1, 3), np.uint8)
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = False


def planted_replay(drive, out, temporary):
    temporary.mkdir(exist_ok=True)
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(SCRIPT.parents[2])}
    return subprocess.Popen(
        [sys.executable, str(SCRIPT), str(drive), str(out), *map(str, BOX)],
        cwd=temporary,
        env=environment,
        stderr=subprocess.PIPE,
    )


def test_the_search_finds_what_it_looks_for(planted_drive, tmp_path):
    raw = np.array(Image.open(next((planted_drive / "frames").iterdir())))
    Image.fromarray(raw).save(tmp_path / "photo.jpg", quality=85)
    (tmp_path / "dump").write_bytes(b"x" + raw.tobytes())
    (tmp_path / "inside").write_bytes(b"xy" + (tmp_path / "photo.jpg").read_bytes()[:-500])
    assert sorted(traces(tmp_path)) == [
        f"{tmp_path}/dump: raw bytes",
        f"{tmp_path}/inside: a picture",
        f"{tmp_path}/photo.jpg: a picture",
    ]


def test_after_a_replay_the_pattern_is_nowhere(planted_drive, tmp_path):
    run = planted_replay(planted_drive, tmp_path / "out", tmp_path / "temporary")
    assert run.communicate(timeout=DEADLINE_S) is not None
    assert run.returncode == 0
    photos = list((tmp_path / "out" / "frames").rglob("*.jpg"))
    assert len(photos) > 20
    assert traces(tmp_path / "out", tmp_path / "temporary") == []
    left, top, right, bottom = BOX
    hidden = np.array(Image.open(photos[0]))[top + 2 : bottom - 2, left + 2 : right - 2].astype(int)
    assert hidden.std(axis=(0, 1)).max() < 3.0


def test_after_a_kill_the_pattern_is_nowhere(planted_drive, tmp_path):
    out = tmp_path / "out"
    run = planted_replay(planted_drive, out, tmp_path / "temporary")
    until, tick = time.monotonic() + DEADLINE_S, threading.Event()
    while len(list(out.rglob("*.jpg"))) < 5:
        assert run.poll() is None, run.stderr.read()
        assert time.monotonic() < until
        tick.wait(0.005)
    run.kill()
    run.communicate()
    assert traces(out, tmp_path / "temporary") == []


def test_with_a_broken_privacy_model_nothing_is_kept(planted_drive, tmp_path):
    for name in ("privacy-1.tflite", "privacy-1.json"):
        shutil.copy(SHIPPED / name, tmp_path / name)
    broken = tmp_path / "privacy-1.tflite"
    content = bytearray(broken.read_bytes())
    content[len(content) // 2] ^= 1
    broken.write_bytes(content)
    settings = Settings(Unit("test", "car", tmp_path), models=Models(privacy=str(broken)))
    with pytest.raises(ModelRefused, match="sha256 differs"):
        replay(planted_drive, tmp_path / "out", settings)
    assert list(tmp_path.rglob("*.jpg*")) == []
    assert traces(tmp_path) == []


def test_with_a_privacy_model_that_fails_in_mid_drive_its_frames_are_gaps(planted_drive, tmp_path, monkeypatch):
    real = replaying.load_models

    class Failing:
        def __init__(self, model):
            self.manifest, self._model, self._pictures = model.manifest, model, 0

        def invoke(self, _picture):
            self._pictures += 1
            raise ModelFailed(f"no output for picture {self._pictures}")

    monkeypatch.setattr(replaying, "load_models", lambda models: (real(models)[0], Failing(real(models)[1])))
    report = replay(planted_drive, tmp_path / "out")
    assert report["frames_kept"] == 0
    assert report["dropped"]["hiding_failed"] >= 40
    assert sum(report["dropped"].values()) == report["marks"]
    assert traces(tmp_path) == []
