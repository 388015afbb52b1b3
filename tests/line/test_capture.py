"""The round on the unit: a real gpsd and a camera feed the line; faults of either are seen, told and survived."""

import contextlib
import hashlib
import json
import os
import signal
import socket
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
from inference.manifest import locate
from inference.tflite import TfliteModel
from provisioning.settings import Backend, Camera, Models, Settings, Unit
from sync.aside import SALVAGED, next_aside
from sync.database import open_database, transaction
from sync.line import Step
from sync.live_round import CAMERA_TRIES, HANGS_S, LiveRound, Outcome, Outside
from sync.round_store import Recipients
from sync.rounds import AlreadyRunning, close_rounds, next_round_id, only_one, sweep

PROJECT = Path(__file__).parents[2]
MINUTE_S = 60
DEADLINE_S = 30.0
ROUNDS = "SELECT id, started_at, ended_at FROM round"


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
    environment = {**os.environ, "PYTHONPATH": str(PROJECT), "NOTIFY_SOCKET": str(tmp_path / "notify")}
    began, lines, heard = threading.Event(), [], []
    systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    systemd.bind(environment["NOTIFY_SOCKET"])

    def hear():
        while said := systemd.recv(100):
            heard.append(said)

    def read(stream):
        for line in stream:
            lines.append(line)
            if "round_began" in line:
                began.set()

    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as run:
        reader, listener = threading.Thread(target=read, args=(run.stderr,)), threading.Thread(target=hear)
        reader.start()
        listener.start()
        try:
            assert began.wait(MINUTE_S), lines
            threading.Event().wait(MINUTE_S)
            run.send_signal(signal.SIGTERM)
            assert run.wait(10) == 0, lines
        finally:
            run.kill()
            reader.join()
            with systemd, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
                end.sendto(b"", environment["NOTIFY_SOCKET"])
                listener.join()
    assert not [line for line in lines if "Traceback" in line]
    assert heard[0] == b"READY=1\nWATCHDOG=1"
    assert set(heard[1:]) == {b"WATCHDOG=1"}
    assert len(heard) > MINUTE_S * 0.5  # about one a second
    return state, lines


def frames_of(state):
    """The frames' rows, each with its photo checked; the round is closed and the condition says so."""
    ((round_id, started_at, ended_at),) = query(state, ROUNDS)
    assert round_id == f"{boot_id()[:8]}-1"
    assert started_at < ended_at
    frames = query(state, "SELECT odometer_m, file, sha256, position_source, speed_mps FROM frame ORDER BY odometer_m")
    for _, file, sha256, _, _ in frames:
        assert hashlib.sha256((state / file).read_bytes()).hexdigest() == sha256
    ((told, reasons, counters),) = query(state, "SELECT state, reasons, counters FROM condition WHERE name = 'capture'")
    assert (told, json.loads(reasons)) == ("waiting", ["stopped"])
    assert json.loads(counters)["frames"] == len(frames)
    return frames


def since_first_fix(state, frames):
    """The frames without those before the first fix: the recorded street passes from the start, so there may be some."""
    ((_, started_at, _),) = query(state, ROUNDS)
    ((before,),) = query(state, f"SELECT count(*) FROM frame WHERE taken_at < '{started_at}'")
    assert {frame[3] for frame in frames[:before]} <= {"filled"}
    return frames[before:]


def test_a_minute_at_50_km_h_with_a_real_gpsd_and_a_recorded_camera(gpsd, nmea_straight, drawn_drive, tmp_path):
    state, _ = capture_a_minute(gpsd(nmea_straight(MINUTE_S + 30, 13.9), 1.0), drawn_drive, tmp_path)
    frames = since_first_fix(state, frames_of(state))
    distances = np.diff([frame[0] for frame in frames])
    assert 13.9 * (MINUTE_S - 6) < frames[-1][0] - frames[0][0] < 13.9 * (MINUTE_S + 6)
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
    frames = since_first_fix(state, frames_of(state))
    assert 10 <= len(frames) <= 60
    assert 40.0 < frames[-1][0] - frames[0][0] < 200.0  # 74 s at about 2 m/s
    assert all(b[0] - a[0] >= 2.0 - 1e-6 for a, b in pairwise(frames))
    assert {frame[3] for frame in frames} <= {"between_fixes", "filled", "ahead_of_fix"}
    assert [line for line in lines if "state_changed" in line]


class Source:
    """Fixes that the test puts in; GpsLost while it says so."""

    speed_source = "doppler"

    def __init__(self):
        self.rejected, self.trouble = {}, ()
        self.fixes, self.lost, self.asked = [], False, threading.Event()

    def troubles(self, now_boot_s):
        assert now_boot_s <= now_s()
        return self.trouble

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
    capture = LiveRound(settings, Outside(source, camera, Look(None, None), {}, ""), db, stop)
    capture._begin()
    yield capture, source, camera, stop
    stop.set()
    capture._reader.close()
    db.close()


def told(capture):
    state, reasons = capture._db.conn.execute("SELECT state, reasons FROM condition WHERE name = 'capture'").fetchone()
    return state, json.loads(reasons)


def fix(boot_s, odometer_m=0.0):
    taken_at = datetime(2026, 5, 4, 9, tzinfo=timezone.utc) + timedelta(seconds=boot_s)
    return Fix(43.55 + odometer_m / 111_000, 7.01, 3.0, 10.0, 0.0, taken_at, boot_s)


def due(capture):
    """Make the once-a-second look due."""
    capture._checked_s = capture._teller._told_s = -1e9


def test_without_a_privacy_model_in_memory_no_frame_is_kept(unit):
    capture, source, _, _ = unit
    start = now_s() - 3.0
    capture._reader.start()
    for k in range(4):
        source.fixes.append(fix(start + k, 10.0 * k))
    for k in range(30):
        capture._take_exposure(Exposure(start + k / 10, lambda: np.zeros((4, 4, 3), np.uint8)))
    wait_for(lambda: capture.step() is Outcome.WAITED and capture._line.tally.dropped)
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


def test_the_watchdog_is_fed_while_fixes_come_or_are_known_to_be_lost_and_not_where_their_reader_hangs(unit):
    capture, source, _, stop = unit
    fed = []
    capture._alive = lambda: fed.append(now_s())

    def once_a_second():
        fed.clear()
        due(capture)
        capture.step()
        return len(fed)

    capture._reader.start()
    wait_for(source.asked.is_set)
    assert once_a_second() == 1
    source.lost = True
    wait_for(lambda: capture._reader.lost is not None)
    assert once_a_second() == 1
    source.lost = False
    source.next_fix = lambda _: stop.wait() and None
    wait_for(lambda: capture._reader.turned_s < now_s() - 0.5)
    capture._reader.turned_s = now_s() - HANGS_S - 1.0
    assert once_a_second() == 0


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
        db.conn.execute("INSERT INTO round (id, started_at, software, models, settings) VALUES ('aaaaaaaa-1', 's', '', '', '{}')")
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
    assert close_rounds(db, tmp_path, Recipients()) == 1
    assert db.conn.execute("SELECT ended_at FROM round").fetchone() == ("t2",)
    assert close_rounds(db, tmp_path, Recipients()) == 0
    db.close()


def test_no_photo_is_swept_while_its_row_may_still_be_salvaged(tmp_path):
    db = open_database(tmp_path / "ronde.db")
    folder = tmp_path / "frames" / "aaaaaaaa-1"
    folder.mkdir(parents=True)
    (folder / "000001.jpg").write_bytes(b"x")
    aside = next_aside(tmp_path / "ronde.db")
    aside.write_bytes(b"damaged")
    assert sweep(db, tmp_path) == 0
    aside.rename(aside.with_name(aside.name + SALVAGED))
    assert sweep(db, tmp_path) == 1
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


def cut_off(tmp_path, frames, started_at="2026-05-04T09:00:00.000Z"):
    """A state folder as a power cut leaves it: one open round with frames kept ahead of the fix, each with a pothole."""
    db = open_database(tmp_path / "ronde.db")
    with transaction(db):
        db.conn.execute(
            "INSERT INTO round (id, started_at, software, models, settings) VALUES ('aaaaaaaa-1', ?, '', '{}', ?)",
            [started_at, json.dumps({"roads": "c" * 64})],
        )
        for number, latitude_deg in frames:
            taken_at = None if latitude_deg is None else f"2026-05-04T09:00:{number:02d}.000Z"
            db.conn.execute(
                "INSERT INTO frame (id, round_id, taken_at, time_source, latitude_deg, longitude_deg, accuracy_m, heading_deg, "
                "speed_mps, odometer_m, position_source, file, sha256, hidden) "
                "VALUES (?, 'aaaaaaaa-1', ?, 'gnss', ?, 7.01, 9.5, 0.0, 10.0, ?, "
                "'ahead_of_fix', ?, ?, 0)",
                [f"aaaaaaaa-1-{number:06d}", taken_at, latitude_deg, 4.0 * number, f"frames/{number}.jpg", "d" * 64],
            )
            db.conn.execute(
                'INSERT INTO detection (frame_id, label, score, "left", "top", "right", "bottom") '
                "VALUES (?, 'pothole', 0.8, 300, 300, 360, 330)",
                [f"aaaaaaaa-1-{number:06d}"],
            )
    (tmp_path / "frames").mkdir()
    for number, _ in frames:
        (tmp_path / "frames" / f"{number}.jpg").write_bytes(b"x")
    return db


def test_frames_kept_ahead_of_a_fix_tell_what_they_show_after_a_power_cut(tmp_path, validate):
    db = cut_off(tmp_path, [(1, 43.55), (2, 43.551)])
    backend = Backend("roads", "mqtt://127.0.0.1", None, None, None)
    assert close_rounds(db, tmp_path, Recipients(Unit("cannes", "car-07", tmp_path), (backend,))) == 1
    found = db.conn.execute("SELECT id, label, latitude_deg, best_frame_id FROM finding ORDER BY id").fetchall()
    assert [(each[0], each[1], each[3]) for each in found] == [
        ("aaaaaaaa-1-f1", "pothole", "aaaaaaaa-1-000001"),
        ("aaaaaaaa-1-f2", "pothole", "aaaaaaaa-1-000002"),
    ]
    ahead_m = [(each[2] - camera) * 111_100 for each, camera in zip(found, (43.55, 43.551), strict=True)]
    assert ahead_m == pytest.approx([5.1, 5.1], abs=0.5)  # where the middle of the box sees the road
    events = [json.loads(payload) for (payload,) in db.conn.execute("SELECT payload FROM outbox ORDER BY seq")]
    for event in events:
        validate("event", event)
    told = [event for event in events if event["type"] == "ronde.finding.v1"]
    for event in told:
        assert event["data"]["properties"]["model"] == "c" * 64
        assert event["data"]["properties"]["position_source"] == "ahead_of_fix"
    assert len(told) == 2
    assert {event["type"] for event in events} == {"ronde.finding.v1", "ronde.grade.v1"}
    assert close_rounds(db, tmp_path, Recipients()) == 0
    db.close()


def test_frames_that_never_had_a_place_go_and_so_does_their_round(tmp_path):
    db = cut_off(tmp_path, [(1, None), (2, None)], started_at=None)
    assert close_rounds(db, tmp_path, Recipients()) == 1
    assert not list((tmp_path / "frames").iterdir())
    for table in ("round", "frame", "finding", "detection"):
        assert db.conn.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
    db.close()


def test_why_reports_are_refused_is_told_with_its_counts(unit):
    capture, source, _, _ = unit
    source.rejected, source.trouble = {"eph_over_limit": 12}, ("eph_over_limit",)
    due(capture)
    capture.step()
    assert told(capture) == ("waiting", ["no_fix", "eph_over_limit"])
    ((counters,),) = capture._db.conn.execute("SELECT counters FROM condition").fetchall()
    assert json.loads(counters)["rejected"] == {"eph_over_limit": 12}


def test_a_receiver_in_trouble_beside_good_fixes_is_told_and_recording_goes_on(unit):
    capture, source, _, _ = unit
    source.trouble = ("second_device",)
    capture._take_fix(fix(now_s()))
    due(capture)
    capture.step()
    assert told(capture) == ("recording", ["second_device"])


def street(moved_px):
    """A picture of something that lies this far to the left."""
    row = np.arange(400) + moved_px
    return np.repeat((127 + 100 * np.sin(row / 9.0))[None, :, None], 300, 0).repeat(3, 2).astype(np.uint8)


def drive_off(capture, *, first_fix_s, still_until_s, seconds, speed_mps=10.0):
    """Exposures and fixes as they come, by a clock of their own, for a car that drives off before its first fix."""
    start = now_s() - seconds
    for tick in range(int(seconds * 20)):
        at_s = tick / 20
        moved_px = round(120 * max(0.0, at_s - still_until_s))
        capture._take_exposure(Exposure(start + at_s, lambda moved_px=moved_px: street(moved_px)))
        if tick % 20 == 0 and at_s >= first_fix_s:
            capture._take_fix(fix(start + at_s, speed_mps * (at_s - first_fix_s)))
        while capture._line.step() is not Step.IDLE:
            pass


@pytest.fixture(scope="module")
def privacy_model():
    """The shipped one."""
    return TfliteModel(locate(Models().privacy), 1)


@pytest.fixture
def seeing(tmp_path, privacy_model):
    """A capture that hides people and sees no road, with a ring that reaches two seconds back."""
    settings = Settings(Unit("cannes", "car-07", tmp_path), camera=Camera(width=400, height=300))
    db = open_database(tmp_path / "ronde.db")
    stop = threading.Event()
    capture = LiveRound(settings, Outside(Source(), FakeCamera(), Look(None, privacy_model), {}, ""), db, stop)
    capture._begin()
    yield capture
    stop.set()
    db.close()


def test_what_was_driven_before_the_first_fix_is_photographed_and_placed_backwards(seeing, tmp_path):
    drive_off(seeing, first_fix_s=20.0, still_until_s=8.0, seconds=28.0)
    seeing._end()
    ((started_at, ended_at),) = query(tmp_path, "SELECT started_at, ended_at FROM round")
    assert started_at < ended_at
    rows = query(tmp_path, "SELECT position_source, accuracy_m, taken_at, time_source, file FROM frame ORDER BY odometer_m")
    before = [row for row in rows if row[2] < started_at]
    assert len(before) == pytest.approx(12.0 * 10.0 / 4.0, abs=4)
    assert {(row[0], row[3]) for row in before} == {("filled", "gnss")}
    assert [row[1] for row in before] == sorted((row[1] for row in before), reverse=True)
    assert [row[2] for row in rows] == sorted(row[2] for row in rows)
    assert sorted(str(each.relative_to(tmp_path)) for each in tmp_path.rglob("*.jpg")) == sorted(row[4] for row in rows)


def test_a_car_that_never_gets_a_fix_leaves_nothing(seeing, tmp_path):
    drive_off(seeing, first_fix_s=99.0, still_until_s=2.0, seconds=12.0)
    assert query(tmp_path, "SELECT count(*) FROM frame WHERE latitude_deg IS NULL")[0][0] > 10
    seeing._end()
    for table in ("round", "frame"):
        assert query(tmp_path, f"SELECT count(*) FROM {table}") == [(0,)]
    assert not list(tmp_path.rglob("*.jpg"))


def test_a_parked_car_is_not_photographed(seeing, tmp_path):
    drive_off(seeing, first_fix_s=99.0, still_until_s=99.0, seconds=12.0)
    assert query(tmp_path, "SELECT count(*) FROM frame") == [(0,)]
    seeing._end()
