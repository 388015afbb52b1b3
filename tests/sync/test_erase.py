"""What `ronde erase` erases, byte for byte; what it leaves; and that a cut in the middle leaves a unit that works."""

import argparse
import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import pytest

from device.boot import boot_id
from provisioning.settings import Backend, Settings, Unit
from sync import erase as erasing
from sync import hold, numbers
from sync.aside import ASIDE
from sync.custody import held, take_database
from sync.database import open_database, transaction
from sync.erase import EraseRefused, contents_of, erase, run_erase
from sync.failure import DatabaseFailed
from sync.outbox import Outbox
from sync.rounds import next_round_id, only_one, sweep

PATTERN = b"7.0123456 is where the car was"
BACKEND = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None)
OLD = f"{boot_id()[:8]}-3"
FRAME = (
    "id, round_id, taken_at, time_source, latitude_deg, longitude_deg, accuracy_m, heading_deg, speed_mps, odometer_m, "
    "position_source, source, file, sha256, hidden, shutter_boot_s"
)


@pytest.fixture
def unit(tmp_path, finding_event):
    """A unit that has driven: photos, places, findings, events that wait and were refused, a database that was set aside."""
    settings = Settings(Unit("cannes", "car-07", tmp_path / "state"), backends=(BACKEND,))
    state = settings.unit.state
    (state / "frames" / OLD).mkdir(parents=True)
    place = "'gnss', 43.55, 7.0123456, 2.0, 90, 10, {}, 'between_fixes', NULL, 'frames/{}/{}.jpg', '', 1, 0"
    db = open_database(state / "ronde.db")
    with transaction(db):
        text = PATTERN.decode()
        db.conn.execute(f"INSERT INTO round VALUES ('{OLD}', '2026-11-25T10:00:00.000Z', NULL, '', '{{}}', '{text}', 0)")
        for n in range(3):
            row = place.format(float(n), OLD, n)
            db.conn.execute(f"INSERT INTO frame ({FRAME}) VALUES ('{n}', '{OLD}', '2026-11-25T10:00:00.000Z', {row})")
            (state / "frames" / OLD / f"{n}.jpg").write_bytes(PATTERN)
        for n in range(4):
            Outbox(db).put(finding_event(settings.unit, n, text), settings.backends)
        db.conn.execute("INSERT INTO refused VALUES ('x', 'roads', 'finding', 'no', ?, '')", [PATTERN])
        db.conn.execute("INSERT INTO setting (key, value) VALUES ('health', 17)")
    db.close()
    for name in (f"ronde.db{ASIDE}1", f"ronde.db{ASIDE}1-wal", f"ronde.db{ASIDE}2.salvaged", "ronde.db.damaged", "ronde.db-wal"):
        (state / name).write_bytes(PATTERN)
    (state / "ballast").write_bytes(b"\0" * 100)
    (state / "ronde.toml-1234.good").write_text("kept")
    return settings


@pytest.fixture(autouse=True)
def _this_disk_is_let_alone(monkeypatch):
    monkeypatch.setattr(erasing, "discard", lambda _: False)


def holders(state):
    """The files below a state folder in which the pattern stands."""
    return [file for file in state.rglob("*") if file.is_file() and PATTERN in file.read_bytes()]


def options(tmp_path, settings, *, yes=True, json=False):
    file = tmp_path / "ronde.toml"
    file.write_text(f'[unit]\nfleet = "cannes"\nname = "car-07"\nstate = "{settings.unit.state}"\n')
    return argparse.Namespace(config=file, yes=yes, json=json)


def test_nothing_of_it_is_in_any_byte_afterwards_and_what_was_there_is_said(unit):
    state = unit.unit.state
    assert len(holders(state)) == 9
    erased = erase(state)
    assert holders(state) == []
    told = erased.contents
    assert (told.photos, told.rounds, told.places, told.events_waiting, told.events_refused) == (3, 1, 3, 4, 1)
    assert told.databases_set_aside == 2
    assert told.bytes > 3 * len(PATTERN)
    assert "4  events that no backend has confirmed" in erased.in_words()
    assert sorted(each.name for each in state.iterdir()) == ["ballast", "numbers.json", "ronde.db", "ronde.toml-1234.good"]
    assert erased.left == ()
    assert contents_of(state).photos == contents_of(state).places == contents_of(state).events_waiting == 0


def test_the_unit_goes_on_counting(unit, finding_event):
    state = unit.unit.state
    erase(state)
    with held(state / "ronde.db", look_over=True) as db:
        assert next_round_id(db, boot_id()) == f"{boot_id()[:8]}-4", "else its events would have the ids of those that were sent"
        with transaction(db):
            Outbox(db).put(finding_event(unit.unit, 9), unit.backends)
        assert numbers.given(db) == numbers.Numbers(5, 17)
        assert sweep(db, state) == 0
    again = erase(state)
    assert again.contents.events_waiting == 1
    with held(state / "ronde.db") as db:
        assert numbers.given(db).sequence == 5


def test_it_refuses_while_somebody_works_on_the_folder(unit, tmp_path, monkeypatch):
    state = unit.unit.state
    for work in ("capture", "sync"):
        with only_one(state, work), pytest.raises(EraseRefused, match=f"another ronde {work}; stop it first"):
            run_erase(options(tmp_path, unit))
    monkeypatch.setattr(hold, "LET_GO_S", 0.05)
    (state / "ronde.db-wal").unlink()
    with closing(open_database(state / "ronde.db")), pytest.raises(DatabaseFailed, match="does not let go"):
        run_erase(options(tmp_path, unit))
    assert len(holders(state)) == 8
    # And it lets go of everything itself.
    with only_one(state, "capture"), only_one(state, "sync"):
        folder = os.open(state, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(folder)


def test_it_asks_and_obeys(unit, tmp_path, capsys, monkeypatch):
    state = unit.unit.state
    with pytest.raises(EraseRefused, match="--yes erases without asking"):
        run_erase(options(tmp_path, unit, yes=False))
    monkeypatch.setattr(erasing.sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "")
    assert run_erase(options(tmp_path, unit, yes=False)) == 3
    assert "events that no backend has confirmed" in capsys.readouterr().err
    assert len(holders(state)) == 9
    monkeypatch.setattr("builtins.input", lambda _: "yes")
    assert run_erase(options(tmp_path, unit, yes=False, json=True)) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["erased"]["events_waiting"] == 4
    assert holders(state) == []


def test_a_database_that_cannot_be_read_goes_too(unit):
    state = unit.unit.state
    (state / "ronde.db").write_bytes(b"SQLite format 3\0" + PATTERN * 100)
    erased = erase(state)
    assert holders(state) == []
    assert (erased.contents.rounds, erased.contents.events_waiting) == (None, None)
    assert "?  events that no backend has confirmed" in erased.in_words()
    take_database(state / "ronde.db", look_over=True).close()


def test_files_that_are_not_ours_are_named_and_not_touched(unit):
    (unit.unit.state / "holiday.jpg").write_bytes(b"mine")
    assert erase(unit.unit.state).left == ("holiday.jpg",)
    assert (unit.unit.state / "holiday.jpg").read_bytes() == b"mine"


DISCARD = erasing.discard


class Cut(BaseException):
    """The power goes."""


@pytest.mark.parametrize("number", range(9))
def test_a_cut_at_any_point_leaves_a_unit_that_works_and_can_be_erased(unit, monkeypatch, number):
    state, unlink, seen = unit.unit.state, Path.unlink, iter(range(100))

    def cut(file, **options):
        if next(seen) == number:
            raise Cut
        unlink(file, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", cut)
        with suppress(Cut):
            erase(state)
    take_database(state / "ronde.db", look_over=True).close()
    with closing(sqlite3.connect(state / "ronde.db")) as db:
        assert db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()[0] >= 4
    erase(state)
    assert holders(state) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the folder is another user's")
def test_what_root_erases_the_service_goes_on_with(unit, tmp_path):
    state = unit.unit.state
    for file in (state, *state.rglob("*")):
        os.chown(file, 1234, 1234)
    for folder in (*tmp_path.parents, tmp_path):
        if folder.stat().st_uid == 0 and folder.stat().st_mode & 0o011 != 0o011 and str(folder).startswith("/tmp/pytest"):
            folder.chmod(0o755)
    assert run_erase(options(tmp_path, unit)) == 0
    assert {(file.name, file.stat().st_uid) for file in state.iterdir()} >= {
        (name, 1234) for name in ("ronde.db", "numbers.json", "capture.lock", "sync.lock")
    }
    assert (os.geteuid(), os.getegid()) == (0, 0)


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mkfs.ext4") is None, reason="needs root and mkfs.ext4 for a disk of its own"
)
def test_the_disk_is_told_to_forget(tmp_path):
    image, folder = tmp_path / "image", tmp_path / "disk"
    folder.mkdir()
    with image.open("wb") as out:
        out.truncate(32 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        (folder / "photo").write_bytes(PATTERN * 100_000)
        os.sync()
        assert PATTERN in image.read_bytes()
        (folder / "photo").unlink()
        os.sync()
        assert PATTERN in image.read_bytes(), "deleted, and still there"
        assert DISCARD(folder)
    finally:
        subprocess.run(["umount", folder], check=True)
    assert PATTERN not in image.read_bytes()
