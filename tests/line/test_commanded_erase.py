"""A unit is erased by a command while it drives: everybody lets go, nothing of the drive is left, and it drives on."""

import fcntl
import json
import os
import threading
from contextlib import closing, contextmanager

import pytest

from device.boot import boot_id, now_s
from provisioning.settings import Settings, Unit
from sync import commands_erase, erasing, hold
from sync.audit_check import examine
from sync.commands import Command
from sync.commands_book import Book, answers
from sync.database import open_database
from sync.delivery import run_sync
from sync.request import put_request


@contextmanager
def syncing(state):
    """`run_sync` in a thread, ended with the block; an error in it is raised."""
    stop, errors = threading.Event(), []

    def serve():
        try:
            run_sync(Settings(Unit("cannes", "car-07", state)), stop)
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not errors, errors


def ask(state, sequence):
    """What a command does: its number, then the mark."""
    with closing(open_database(state / "ronde.db")) as db:
        Book(db, state).begin(Command("cannes/car-07", sequence, None, "erase", {}))
    erasing.ask(state, sequence)


def told(state):
    with closing(open_database(state / "ronde.db")) as db:
        return answers(db)


@pytest.fixture
def frames(query):
    return lambda state: [each for (each,) in query(state, "SELECT id FROM frame WHERE file IS NOT NULL")]


def test_it_is_erased_while_it_drives_and_drives_on(tmp_path, driving, query, until, frames):
    open_database(tmp_path / "ronde.db").close()
    with driving(tmp_path) as camera:
        until(lambda: len(frames(tmp_path)) >= 3)
        ask(tmp_path, 5)
        with syncing(tmp_path):
            until(lambda: not (tmp_path / erasing.ASKED).exists())
            until(lambda: len(frames(tmp_path)) >= 3)
        assert camera.closes >= 1, "the round has ended, and another has begun"
    assert told(tmp_path) == [{"sequence": 5, "do": "erase", "outcome": "done"}]
    assert not (tmp_path / "frames" / f"{boot_id()[:8]}-1").exists(), "the round of before is gone with its photos"
    assert query(tmp_path, f"SELECT count(*) FROM frame WHERE round_id = '{boot_id()[:8]}-1'") == [(0,)]
    lines = examine(tmp_path)
    assert lines.wrong == ()
    erased = next(each for each in lines.entries if each["what"] == "erased")
    assert erased["about"]["by"] == "command 5"
    assert erased["about"]["photos"] >= 3
    assert lines.entries[-1]["what"] == "command_obeyed"
    health = query(tmp_path, "SELECT count(*) FROM outbox")
    assert health == [(0,)], "nobody is configured who would be told"


def test_a_pause_is_a_pause_afterwards(tmp_path, driving, query, until):
    with closing(open_database(tmp_path / "ronde.db")) as db:
        put_request(db, "pause")
    with driving(tmp_path):
        until(lambda: query(tmp_path, "SELECT state FROM condition WHERE name = 'capture'") == [("paused",)])
        ask(tmp_path, 5)
        with syncing(tmp_path):
            until(lambda: not (tmp_path / erasing.ASKED).exists())
            until(lambda: query(tmp_path, "SELECT state FROM condition WHERE name = 'capture'") == [("paused",)])
    assert query(tmp_path, "SELECT count(*) FROM round WHERE started_at IS NOT NULL") == [(0,)]
    assert [each["outcome"] for each in told(tmp_path)] == ["done"]


def test_where_somebody_does_not_let_go_nothing_is_erased_and_the_answer_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(hold, "LET_GO_S", 0.05)
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "1.jpg").write_bytes(b"a photo")
    ask(tmp_path, 5)
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_SH)
    commands_erase.erase_where_asked(Settings(Unit("cannes", "car-07", tmp_path)))
    os.close(folder)
    assert told(tmp_path) == [{"sequence": 5, "do": "erase", "outcome": "not_let_go"}]
    assert (tmp_path / "frames" / "1.jpg").exists()
    assert not (tmp_path / erasing.ASKED).exists()
    assert examine(tmp_path).entries[-1]["what"] == "command_failed"


def test_one_that_a_power_cut_interrupted_is_done_at_the_next_start(tmp_path):
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "1.jpg").write_bytes(b"a photo")
    ask(tmp_path, 5)
    mark = {"sequence": 5, "boot": "f" * 32, "boot_s": now_s()}
    (tmp_path / erasing.ASKED).write_text(json.dumps(mark))
    commands_erase.erase_where_asked(Settings(Unit("cannes", "car-07", tmp_path)))
    assert not (tmp_path / "frames").exists()
    assert [each["outcome"] for each in told(tmp_path)] == ["done"]
    commands_erase.erase_where_asked(Settings(Unit("cannes", "car-07", tmp_path)))
    assert len(told(tmp_path)) == 1
