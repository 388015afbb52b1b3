"""A drive that ronde draws itself, once for all tests of the line; `ronde capture` with a receiver and a camera of the tests."""

import csv
import json
import math
import sqlite3
import threading
from contextlib import closing, contextmanager
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from device.boot import now_s
from device.fix import Fix
from device.frame import Exposure
from device.street.recording import draw_drive
from inference.look import Look
from inference.manifest import locate
from inference.tflite import TfliteModel
from provisioning.settings import Camera, Models, Settings, Unit
from sync.capture import run_capture
from sync.live_round import Outside


@pytest.fixture(scope="session")
def look() -> Look:
    """The hiding as it is shipped, without a model for roads."""
    return Look(None, TfliteModel(locate(Models().privacy), 1))


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


SPEED_MPS = 20.0
DEADLINE_S = 30.0


class Receiver:
    """Five fixes a second of a car that drives on and on."""

    speed_source = "doppler"

    def __init__(self):
        self.rejected = {}

    def troubles(self, _):
        return ()

    def next_fix(self, timeout_s):
        threading.Event().wait(min(0.2, timeout_s))
        at_s = now_s()
        taken_at = datetime(2026, 5, 4, 9, tzinfo=timezone.utc) + timedelta(seconds=at_s)
        return Fix(40.0 + at_s * SPEED_MPS / 111_000 % 5, 7.01, 3.0, SPEED_MPS, 0.0, taken_at, at_s)


class Windscreen:
    """A camera with ten pictures a second."""

    def __init__(self):
        self.starts = self.closes = 0
        self._over = threading.Event()
        self._thread = None

    def start(self, deliver):
        self.starts += 1
        self._over.clear()
        self._thread = threading.Thread(target=self._run, args=(deliver,))
        self._thread.start()

    def _run(self, deliver):
        grey = np.full((300, 400, 3), 120, np.uint8)
        while not self._over.wait(0.1):
            deliver(Exposure(now_s(), lambda: grey))

    def check(self, now_boot_s):
        pass

    def close(self):
        self.closes += 1
        self._over.set()
        if self._thread is not None:
            self._thread.join()


@pytest.fixture
def driving(look, monkeypatch):
    """`run_capture` on a state folder in a thread, ended with the block; an error in it is raised. Gives its camera."""
    return contextmanager(partial(_driving, look, monkeypatch))


def _driving(look, monkeypatch, state, backends=()):
    camera = Windscreen()
    monkeypatch.setattr("sync.capture._outside", lambda _: Outside(Receiver(), camera, look, {}, ""))
    settings = Settings(Unit("cannes", "car-07", state), camera=Camera(width=400, height=300), backends=backends)
    stop, errors = threading.Event(), []

    def drive():
        try:
            run_capture(settings, stop)
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=drive)
    thread.start()
    try:
        yield camera
    finally:
        stop.set()
        thread.join()
    assert not errors, errors


@pytest.fixture
def until():
    """Waits until a condition holds."""
    return _until


def _until(condition):
    deadline_s, tick = now_s() + DEADLINE_S, threading.Event()
    while not condition():
        assert now_s() < deadline_s, "waited too long"
        tick.wait(0.05)


@pytest.fixture
def query():
    """What a query gives in the database of a state folder."""
    return _query


def _query(state, sql):
    with closing(sqlite3.connect(f"file:{state}/ronde.db?mode=ro", uri=True, timeout=10)) as db:
        return db.execute(sql).fetchall()
