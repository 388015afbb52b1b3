"""`ronde capture` through what disks and databases do: it says so, and goes on by itself with another round."""

import json
import logging
import os
import sqlite3
import subprocess
from contextlib import closing, suppress

import pytest

from sync.aside import aside_files
from sync.database import inode_of, mark_damaged
from sync.rounds import AlreadyRunning, only_one


@pytest.fixture(autouse=True)
def _hear_everything(caplog):
    caplog.set_level(logging.INFO, "ronde")


def told(caplog, name):
    return [record.ronde_fields for record in list(caplog.records) if record.getMessage() == name]


@pytest.fixture
def frames(query):
    """The ids of the frames that have their place."""

    def read(state):
        with suppress(sqlite3.DatabaseError):
            return [each for (each,) in query(state, "SELECT id FROM frame WHERE position_source = 'between_fixes'")]
        return []

    return read


@pytest.fixture
def goes_on(frames, until):
    """Waits for frames of another round than those seen; gives all."""

    def wait(state, seen=()):
        rounds = {each.rsplit("-", 1)[0] for each in seen}
        until(lambda: len([each for each in frames(state) if each.rsplit("-", 1)[0] not in rounds]) >= 2)
        return frames(state)

    return wait


def all_is_in_order(query, state):
    """Each round is closed, each photo has its row and each row its photo."""
    assert query(state, "SELECT count(*) FROM round WHERE ended_at IS NULL") == [(0,)]
    assert sorted(str(each.relative_to(state)) for each in state.rglob("*.jpg")) == sorted(
        file for (file,) in query(state, "SELECT file FROM frame")
    )


def test_a_database_that_is_locked_ends_the_round_and_not_the_capture(
    tmp_path, driving, goes_on, until, query, monkeypatch, caplog
):
    monkeypatch.setattr("sync.database.BUSY_S", 0.3)
    with driving(tmp_path) as camera:
        seen = goes_on(tmp_path)
        with closing(sqlite3.connect(tmp_path / "ronde.db", isolation_level=None, timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            until(lambda: len(told(caplog, "database_failed")) >= 2)
            other.execute("ROLLBACK")
        goes_on(tmp_path, seen)
    assert camera.starts == 2
    assert {each["of"] for each in told(caplog, "database_failed")} == {"capture"}
    all_is_in_order(query, tmp_path)


def test_a_database_that_another_process_finds_damaged_is_let_go_and_made_anew(tmp_path, driving, goes_on, frames, query, caplog):
    with driving(tmp_path):
        seen = goes_on(tmp_path)
        mark_damaged(tmp_path / "ronde.db", inode_of(tmp_path / "ronde.db"))
        goes_on(tmp_path, seen)
    ids = frames(tmp_path)
    assert set(seen) <= set(ids)
    assert len(ids) == len(set(ids))
    assert [each.name for each in aside_files(tmp_path / "ronde.db")] == ["ronde.db.aside-1.salvaged"]
    assert told(caplog, "database_renewed")
    all_is_in_order(query, tmp_path)


def remount(folder, how):
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)


def test_a_disk_that_is_read_only_at_the_start_is_waited_for(own_disk, driving, goes_on, until, query, caplog):
    state = own_disk / "state"
    with driving(state):
        seen = goes_on(state)
    remount(own_disk, "ro")
    with driving(state) as camera:
        until(lambda: told(caplog, "database_failed"))
        assert camera.starts == 0
        with pytest.raises(AlreadyRunning), only_one(state, "capture"):
            pass
        remount(own_disk, "rw")
        goes_on(state, seen)
    assert "read-only" in told(caplog, "database_failed")[0]["reason"]
    all_is_in_order(query, state)


def test_a_full_disk_loses_marks_and_no_more(own_disk, driving, goes_on, frames, until, query, caplog):
    state = own_disk / "state"
    with driving(state):
        seen = goes_on(state)
        with (own_disk / "foreign").open("ab", buffering=0) as out, suppress(OSError):
            while True:
                out.write(os.urandom(4096))
        until(lambda: told(caplog, "photo_not_written") or told(caplog, "database_failed"))
        (own_disk / "foreign").unlink()
        until(lambda: len(frames(state)) >= len(seen) + 4)
    all_is_in_order(query, state)
    ((counters,),) = query(state, "SELECT counters FROM condition WHERE name = 'capture'")
    assert json.loads(counters)["dropped"].get("disk") or told(caplog, "database_failed")
