"""Pause and resume: what the driver asks stands in the table, and nothing of the time between is anywhere."""

import json
import subprocess
from contextlib import closing

import pytest

from device.boot import boot_id
from sync.database import open_database
from sync.faults.cuts import shut_down
from sync.request import paused, put_request


def ask(state, kind):
    """What the panel does."""
    with closing(open_database(state / "ronde.db")) as db:
        return put_request(db, kind)


@pytest.fixture
def frames(query):
    """The ids of the frames."""
    return lambda state: [each for (each,) in query(state, "SELECT id FROM frame")]


def seconds(taken_at):
    """Of the drive's clock, which is the boot clock since the morning of that day."""
    hours, minutes, rest = taken_at[11:-1].split(":")
    return (int(hours) - 9) * 3600 + int(minutes) * 60 + float(rest) + (int(taken_at[8:10]) - 4) * 86400


def test_between_pause_and_resume_there_is_no_frame_and_no_point_of_the_track(tmp_path, driving, query, until, frames):
    open_database(tmp_path / "ronde.db").close()
    with driving(tmp_path) as camera:
        until(lambda: len(frames(tmp_path)) >= 3)
        pause = ask(tmp_path, "pause")
        until(lambda: query(tmp_path, "SELECT state, reasons FROM condition") == [("paused", "[]")])
        before = frames(tmp_path)
        assert camera.closes == 1
        assert query(tmp_path, "SELECT count(*) FROM request WHERE taken_at IS NULL") == [(0,)]
        resume = ask(tmp_path, "resume")
        until(lambda: len(frames(tmp_path)) >= len(before) + 3)
    rounds = query(tmp_path, "SELECT id, started_at, ended_at FROM round ORDER BY rowid")
    assert len(rounds) == 2
    assert seconds(rounds[0][2]) <= pause.made_boot_s <= resume.made_boot_s <= seconds(rounds[1][1]) + 1.0
    for (taken_at,) in query(tmp_path, "SELECT taken_at FROM frame"):
        assert not pause.made_boot_s < seconds(taken_at) < resume.made_boot_s
    tracks = query(tmp_path, "SELECT from_at, to_at, points FROM track ORDER BY from_at")
    assert len(tracks) == 2
    for from_at, to_at, points in tracks:
        assert seconds(to_at) <= pause.made_boot_s or seconds(from_at) >= resume.made_boot_s - 1.0
        assert len(json.loads(points)) >= 2


def test_a_pause_outlives_the_process_and_the_boot(tmp_path, driving, query, until, frames, monkeypatch):
    ask(tmp_path, "pause")

    def paused_in(boot):
        return lambda: query(tmp_path, "SELECT state, boot FROM condition") == [("paused", boot)]

    with driving(tmp_path) as camera:
        until(paused_in(boot_id()))
        assert camera.starts == 0
    for module in ("sync.capture", "sync.live_round", "sync.request"):
        monkeypatch.setattr(f"{module}.boot_id", lambda: "f" * 32)
    with driving(tmp_path) as camera:
        until(paused_in("f" * 32))
        assert camera.starts == 0
    assert query(tmp_path, "SELECT count(*) FROM round") == [(0,)]
    ask(tmp_path, "resume")
    with driving(tmp_path):
        until(lambda: len(frames(tmp_path)) >= 1)


def test_a_pause_outlives_a_power_cut(own_disk):
    open_database(own_disk / "ronde.db").close()
    with closing(open_database(own_disk / "ronde.db")) as db:
        put_request(db, "pause")
        (own_disk / "canary").write_bytes(b"ronde")
        shut_down(own_disk)
    subprocess.run(["umount", own_disk], check=True)
    subprocess.run(["mount", "-o", "loop", own_disk.with_name("image"), own_disk], check=True)
    canary = own_disk / "canary"
    assert not canary.exists() or canary.read_bytes() != b"ronde", "the cut took nothing"
    with closing(open_database(own_disk / "ronde.db")) as db:
        assert paused(db, "f" * 32).since_s == 0.0


@pytest.mark.parametrize("presses", [("pause", "resume"), ("resume",), ("pause", "pause", "resume"), ("hazard",)])
def test_the_last_word_counts(tmp_path, driving, query, until, frames, presses):
    for press in presses:
        ask(tmp_path, press)
    with driving(tmp_path):
        until(lambda: len(frames(tmp_path)) >= 1)
    taken = query(tmp_path, "SELECT count(*) FROM request WHERE taken_at IS NULL AND kind != 'hazard'")
    assert taken == [(0,)]
