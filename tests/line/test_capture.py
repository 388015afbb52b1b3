"""The round on the unit: a real gpsd and a camera feed the line; faults of either are seen, told and survived."""

import contextlib
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from device.boot import boot_id, now_s
from device.camera import CameraStalled
from device.fix import Fix, GpsLost
from device.frame import Exposure
from inference.look import Look
from provisioning.settings import Camera, Settings, Unit
from sync.capture import CAMERA_TRIES, Capture, Outcome, Outside
from sync.database import open_database, transaction
from sync.rounds import AlreadyRunning, close_rounds, next_round_id, only_one, sweep

PROJECT = Path(__file__).parents[2]
MINUTE_S = 60
DEADLINE_S = 30.0


def wait_for(condition, deadline_s=DEADLINE_S):
    until, tick = time.monotonic() + deadline_s, threading.Event()
    while not condition():
        assert time.monotonic() < until, "waited too long"
        tick.wait(0.02)


def query(state, sql):
    db = sqlite3.connect(state / "ronde.db", timeout=10)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def capture_a_minute(gps, drive, tmp_path):
    """`ronde capture` as a process for a minute from its first fix, ended by SIGTERM; its state folder and its log."""
    host, port = gps
    state, config = tmp_path / "state", tmp_path / "ronde.toml"
    config.write_text(
        f'[unit]\nfleet = "cannes"\nname = "car-07"\nstate = "{state}"\n'
        f'[gps]\nhost = "{host}"\nport = {port}\n'
        f'[camera]\nkind = "recorded"\ndrive = "{drive}"\nwidth = 640\nheight = 480\n'
    )
    command = [sys.executable, "-m", "sync.command", "capture", "--config", str(config)]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    began, lines = threading.Event(), []

    def read(stream):
        for line in stream:
            lines.append(line)
            if "round_began" in line:
                began.set()

    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as run:
        reader = threading.Thread(target=read, args=(run.stderr,))
        reader.start()
        try:
            assert began.wait(MINUTE_S), lines
            threading.Event().wait(MINUTE_S)
            run.send_signal(signal.SIGTERM)
            assert run.wait(10) == 0, lines
        finally:
            run.kill()
            reader.join()
    assert not [line for line in lines if "Traceback" in line]
    return state, lines


def frames_of(state):
    """The frames' rows, each with its photo checked; the round is closed and the condition says so."""
    ((round_id, started_at, ended_at),) = query(state, "SELECT id, started_at, ended_at FROM round")
    assert round_id == f"{boot_id()[:8]}-1"
    assert started_at < ended_at
    frames = query(state, "SELECT odometer_m, file, sha256, position_source, speed_mps FROM frame ORDER BY odometer_m")
    for _, file, sha256, _, _ in frames:
        assert hashlib.sha256((state / file).read_bytes()).hexdigest() == sha256
    ((told, reasons, counters),) = query(state, "SELECT state, reasons, counters FROM condition WHERE name = 'capture'")
    assert (told, json.loads(reasons)) == ("waiting", ["stopped"])
    assert json.loads(counters)["frames"] == len(frames)
    return frames


def test_a_minute_at_50_km_h_with_a_real_gpsd_and_a_recorded_camera(gpsd, nmea_straight, drawn_drive, tmp_path):
    state, _ = capture_a_minute(gpsd(nmea_straight(MINUTE_S + 30, 13.9), 1.0), drawn_drive, tmp_path)
    frames = frames_of(state)
    distances = np.diff([frame[0] for frame in frames])
    assert 13.9 * (MINUTE_S - 6) < frames[-1][0] < 13.9 * (MINUTE_S + 6)
    assert np.mean(np.abs(distances - 4.0) <= 0.7 + 0.1) > 0.95  # a frame step is 1.39 m
    assert {frame[3] for frame in frames} == {"between_fixes"}
    assert {round(frame[4], 1) for frame in frames} == {13.9}


def of_today(log, sentence):
    """A recorded log second by second, as if it were received now: gpsd and ronde believe no date of 2007."""
    began, first = datetime.now(timezone.utc).replace(microsecond=0), None
    second = []
    for line in log:
        fields = line.decode("ascii", "replace").partition("*")[0].lstrip("$").split(",")
        if fields[0] not in ("GPGGA", "GPRMC", "GPGSA"):
            continue
        if fields[0] != "GPGSA":
            at = timedelta(hours=int(fields[1][:2]), minutes=int(fields[1][2:4]), seconds=float(fields[1][4:]))
            first = at if first is None else first
            moment = began + at - first
            fields[1] = f"{moment:%H%M%S}.{moment.microsecond // 1000:03d}"
        if fields[0] == "GPRMC":
            fields[9] = f"{moment:%d%m%y}"
        second.append(sentence(",".join(fields)))
        if fields[0] == "GPRMC":
            yield b"".join(second)
            second = []


def test_a_minute_with_a_real_gpsd_and_a_receivers_own_log(gpsd, read_nmea, sentence, ronde_data, drawn_drive, tmp_path):
    """haicom-305N: slow movement between houses, speeds that jump to 0 and back, lost fixes, skipped seconds."""
    log = of_today(read_nmea(ronde_data / "nmea" / "haicom-305N.log"), sentence)
    state, lines = capture_a_minute(gpsd(log, 1.0), drawn_drive, tmp_path)
    frames = frames_of(state)
    assert 10 <= len(frames) <= 60
    assert 40.0 < frames[-1][0] < 200.0  # 74 s at about 2 m/s
    assert all(b[0] - a[0] >= 2.0 - 1e-6 for a, b in pairwise(frames))
    assert {frame[3] for frame in frames} <= {"between_fixes", "filled", "ahead_of_fix"}
    assert [line for line in lines if "state_changed" in line]


class Source:
    """Fixes that the test puts in; GpsLost while it says so."""

    speed_source = "doppler"

    def __init__(self):
        self.fixes, self.lost, self.asked = [], False, threading.Event()

    def next_fix(self, timeout_s):
        self.asked.set()
        if self.lost:
            raise GpsLost("gpsd at 127.0.0.1:2947 is gone")
        if self.fixes:
            return self.fixes.pop(0)
        threading.Event().wait(min(timeout_s, 0.01))
        return None


class FakeCamera:
    """A camera that the test speaks for."""

    def __init__(self):
        self.starts = self.closes = 0
        self.stalled = False
        self.refuses = False

    def start(self, deliver):
        self.starts += 1
        self.deliver = deliver
        if self.refuses:
            raise CameraStalled("no camera is there")

    def check(self, now_boot_s):
        if self.stalled:
            raise CameraStalled(f"no exposure at {now_boot_s:.0f}")

    def close(self):
        self.closes += 1


@pytest.fixture
def unit(tmp_path):
    settings = Settings(Unit("cannes", "car-07", tmp_path), camera=Camera(width=4, height=4))
    db = open_database(tmp_path / "ronde.db")
    stop = threading.Event()
    source, camera = Source(), FakeCamera()
    capture = Capture(settings, Outside(source, camera, Look(None, None), {}, ""), db, stop)
    yield capture, source, camera, stop
    stop.set()
    db.close()


def told(capture):
    state, reasons = capture._db.conn.execute("SELECT state, reasons FROM condition WHERE name = 'capture'").fetchone()
    return state, json.loads(reasons)


def fix(boot_s, odometer_m=0.0):
    taken_at = datetime(2026, 5, 4, 9, tzinfo=timezone.utc) + timedelta(seconds=boot_s)
    return Fix(43.55 + odometer_m / 111_000, 7.01, 3.0, 10.0, 0.0, taken_at, boot_s)


def due(capture):
    """Make the once-a-second look due."""
    capture._checked_s = capture._told_s = -1e9


def test_without_a_privacy_model_in_memory_no_frame_is_kept(unit):
    capture, source, _, _ = unit
    start = now_s() - 3.0
    capture._reader.start()
    for k in range(4):
        source.fixes.append(fix(start + k, 10.0 * k))
    for k in range(30):
        capture._take_exposure(Exposure(start + k / 10, lambda: np.zeros((4, 4, 3), np.uint8)))
    wait_for(lambda: capture.step() is Outcome.WAITED and capture._line is not None and capture._line.tally.dropped)
    assert set(capture._line.tally.dropped) == {"hiding_failed"}
    assert not list(capture._settings.unit.state.rglob("*.jpg"))


def test_a_lost_gpsd_is_told_and_forgotten_when_it_is_back(unit):
    capture, source, _, _ = unit
    source.lost = True
    capture._reader.start()
    wait_for(lambda: capture._reader.lost is not None)
    due(capture)
    capture.step()
    assert told(capture) == ("waiting", ["gpsd_lost"])
    source.lost = False
    source.fixes.append(fix(now_s()))
    wait_for(lambda: not source.fixes)
    wait_for(lambda: capture.step() is Outcome.WAITED and capture._fix is not None)
    due(capture)
    capture.step()
    assert told(capture) == ("recording", [])


def test_a_stalled_camera_is_opened_again_and_counted(unit):
    capture, _, camera, _ = unit
    capture._start_camera()
    camera.stalled = True
    due(capture)
    capture.step()
    assert (camera.starts, camera.closes) == (2, 1)
    assert told(capture)[0] == "fault"
    camera.stalled = False
    camera.deliver(Exposure(now_s(), lambda: np.zeros((4, 4, 3), np.uint8)))
    due(capture)
    capture.step()
    assert told(capture) == ("waiting", ["no_fix"])


def test_a_camera_that_never_comes_back_ends_the_process_for_systemd(unit):
    capture, _, camera, _ = unit
    capture._start_camera()
    camera.stalled = camera.refuses = True

    def go_on():
        for _ in range(CAMERA_TRIES):
            due(capture)
            capture.step()

    with pytest.raises(CameraStalled, match=r"no camera is there|no exposure"):
        go_on()
    assert told(capture) == ("fault", ["camera_stalled", "no_fix"])


def test_one_capture_has_the_state_folder(tmp_path):
    with (
        only_one(tmp_path, "capture"),
        only_one(tmp_path, "sync"),
        pytest.raises(AlreadyRunning, match="in use by another ronde capture"),
        only_one(tmp_path, "capture"),
    ):
        pass
    with only_one(tmp_path, "capture"):
        pass


def test_a_power_cut_leaves_no_open_round_and_no_photo_without_a_row(tmp_path):
    db = open_database(tmp_path / "ronde.db")
    with transaction(db):
        db.conn.execute("INSERT INTO round (id, started_at, software, models, settings) VALUES ('aaaaaaaa-1', 's', '', '', '')")
        for number, taken_at in ((1, "t1"), (2, "t2")):
            db.conn.execute(
                "INSERT INTO frame (id, round_id, taken_at, time_source, odometer_m, position_source, file, hidden) "
                "VALUES (?, 'aaaaaaaa-1', ?, 'gnss', ?, 'between_fixes', ?, 0)",
                [f"aaaaaaaa-1-{number:06d}", taken_at, 4.0 * number, f"frames/aaaaaaaa-1/{number:06d}.jpg"],
            )
    folder = tmp_path / "frames" / "aaaaaaaa-1"
    folder.mkdir(parents=True)
    for name in ("000001.jpg", "000002.jpg", "000003.jpg", "000004.jpg.part"):
        (folder / name).write_bytes(b"x")
    assert sweep(db, tmp_path) == 2
    assert sorted(each.name for each in folder.iterdir()) == ["000001.jpg", "000002.jpg"]
    assert close_rounds(db) == 1
    assert db.conn.execute("SELECT ended_at FROM round").fetchone() == ("t2",)
    assert close_rounds(db) == 0
    db.close()


def test_rounds_of_one_boot_are_counted(tmp_path):
    db = open_database(tmp_path / "ronde.db")
    boot = "0123456789abcdef0123456789abcdef"
    for expected in ("01234567-1", "01234567-2", "01234567-3"):
        round_id = next_round_id(db, boot)
        assert round_id == expected
        with transaction(db):
            db.conn.execute("INSERT INTO round (id, software, models, settings) VALUES (?, '', '', '')", [round_id])
    assert next_round_id(db, "f" * 32) == "ffffffff-1"
    db.close()


def test_a_bug_in_the_reader_of_fixes_ends_the_process(unit):
    capture, source, _, _ = unit

    def broken(_timeout_s):
        raise ZeroDivisionError("a bug")

    source.next_fix = broken
    with contextlib.suppress(ZeroDivisionError):
        capture._reader._run()
    with pytest.raises(ZeroDivisionError):
        capture.step()
