"""`ronde capture` through what disks and databases do: it says so, and goes on by itself with another round."""

import json
import logging
import os
import sqlite3
import subprocess
import threading
from contextlib import closing, contextmanager, suppress
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from device.boot import now_s
from device.fix import Fix
from device.frame import Exposure
from inference.look import Look
from inference.manifest import locate
from inference.tflite import TfliteModel
from provisioning.settings import Camera, Models, Settings, Unit
from sync.aside import aside_files
from sync.capture import run_capture
from sync.database import inode_of, mark_damaged
from sync.live_round import Outside
from sync.rounds import AlreadyRunning, only_one

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
        self.starts = 0
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
        self._over.set()
        if self._thread is not None:
            self._thread.join()


@pytest.fixture(scope="module")
def look():
    return Look(None, TfliteModel(locate(Models().privacy), 1))


@contextmanager
def driving(state, look, monkeypatch):
    """`run_capture` in a thread, ended with the block; an error in it is raised. Gives its camera."""
    camera = Windscreen()
    monkeypatch.setattr("sync.capture._outside", lambda _: Outside(Receiver(), camera, look, {}, ""))
    settings = Settings(Unit("cannes", "car-07", state), camera=Camera(width=400, height=300))
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


@pytest.fixture(autouse=True)
def _hear_everything(caplog):
    caplog.set_level(logging.INFO, "ronde")


def told(caplog, name):
    return [record.ronde_fields for record in list(caplog.records) if record.getMessage() == name]


def until(condition):
    deadline_s, tick = now_s() + DEADLINE_S, threading.Event()
    while not condition():
        assert now_s() < deadline_s, "waited too long"
        tick.wait(0.05)


def query(state, sql):
    with closing(sqlite3.connect(f"file:{state}/ronde.db?mode=ro", uri=True, timeout=10)) as db:
        return db.execute(sql).fetchall()


def frames(state):
    with suppress(sqlite3.DatabaseError):
        return [each for (each,) in query(state, "SELECT id FROM frame WHERE position_source = 'between_fixes'")]
    return []


def goes_on(state, seen=()):
    """Wait for frames of another round than those seen."""
    rounds = {each.rsplit("-", 1)[0] for each in seen}
    until(lambda: len([each for each in frames(state) if each.rsplit("-", 1)[0] not in rounds]) >= 2)
    return frames(state)


def all_is_in_order(state):
    """Each round is closed, each photo has its row and each row its photo."""
    assert query(state, "SELECT count(*) FROM round WHERE ended_at IS NULL") == [(0,)]
    assert sorted(str(each.relative_to(state)) for each in state.rglob("*.jpg")) == sorted(
        file for (file,) in query(state, "SELECT file FROM frame")
    )


def test_a_database_that_is_locked_ends_the_round_and_not_the_capture(tmp_path, look, monkeypatch, caplog):
    monkeypatch.setattr("sync.database.BUSY_S", 0.3)
    with driving(tmp_path, look, monkeypatch) as camera:
        seen = goes_on(tmp_path)
        with closing(sqlite3.connect(tmp_path / "ronde.db", isolation_level=None, timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            until(lambda: len(told(caplog, "database_failed")) >= 2)
            other.execute("ROLLBACK")
        goes_on(tmp_path, seen)
    assert camera.starts == 2
    assert {each["of"] for each in told(caplog, "database_failed")} == {"capture"}
    all_is_in_order(tmp_path)


def test_a_database_that_another_process_finds_damaged_is_let_go_and_made_anew(tmp_path, look, monkeypatch, caplog):
    with driving(tmp_path, look, monkeypatch):
        seen = goes_on(tmp_path)
        mark_damaged(tmp_path / "ronde.db", inode_of(tmp_path / "ronde.db"))
        goes_on(tmp_path, seen)
    ids = frames(tmp_path)
    assert set(seen) <= set(ids)
    assert len(ids) == len(set(ids))
    assert [each.name for each in aside_files(tmp_path / "ronde.db")] == ["ronde.db.aside-1.salvaged"]
    assert told(caplog, "database_renewed")
    all_is_in_order(tmp_path)


def remount(folder, how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def test_a_disk_that_is_read_only_at_the_start_is_waited_for(own_disk, look, monkeypatch, caplog):
    state = own_disk / "state"
    with driving(state, look, monkeypatch):
        seen = goes_on(state)
    remount(own_disk, "ro")
    with driving(state, look, monkeypatch) as camera:
        until(lambda: told(caplog, "database_failed"))
        assert camera.starts == 0
        with pytest.raises(AlreadyRunning), only_one(state, "capture"):
            pass
        remount(own_disk, "rw")
        goes_on(state, seen)
    assert "read-only" in told(caplog, "database_failed")[0]["reason"]
    all_is_in_order(state)


def test_a_full_disk_loses_marks_and_no_more(own_disk, look, monkeypatch, caplog):
    state = own_disk / "state"
    with driving(state, look, monkeypatch):
        seen = goes_on(state)
        with (own_disk / "foreign").open("ab", buffering=0) as out, suppress(OSError):
            while True:
                out.write(os.urandom(4096))
        until(lambda: told(caplog, "photo_not_written") or told(caplog, "database_failed"))
        (own_disk / "foreign").unlink()
        until(lambda: len(frames(state)) >= len(seen) + 4)
    all_is_in_order(state)
    ((counters,),) = query(state, "SELECT counters FROM condition WHERE name = 'capture'")
    assert json.loads(counters)["dropped"].get("disk") or told(caplog, "database_failed")
