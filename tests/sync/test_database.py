import fcntl
import os
import sqlite3
import subprocess
import sys

import pytest
from sqlite_utils import Database

from sync import hold
from sync.database import next_number, open_database, transaction
from sync.failure import DatabaseDamaged, DatabaseFailed, DatabaseRefused
from sync.hold import inode_of, mark_damaged, unmark
from sync.tables import MIGRATIONS

COLUMNS = {
    "round": ["id", "started_at", "ended_at", "software", "models", "settings"],
    "frame": [
        *("id", "round_id", "taken_at", "time_source", "latitude_deg", "longitude_deg", "accuracy_m", "heading_deg", "speed_mps"),
        *("odometer_m", "position_source", "source", "file", "sha256", "hidden"),
    ],
    "detection": ["frame_id", "label", "score", "left", "top", "right", "bottom"],
    "finding": [
        *("id", "round_id", "label", "score", "latitude_deg", "longitude_deg", "uncertainty_m", "frames", "best_frame_id"),
        *("seen_at", "area_m2", "severity"),
    ],
    "outbox": ["seq", "id", "backend", "stream", "priority", "created_at", "payload", "sent_at"],
    "refused": ["id", "backend", "stream", "reason", "payload"],
    "request": ["id", "kind", "note", "made_at", "taken_at"],
}
FRAME = "INSERT INTO frame (id, round_id, time_source, position_source, odometer_m, hidden, latitude_deg, longitude_deg) VALUES "


def fail_after(_written):
    raise ZeroDivisionError


@pytest.fixture
def db(tmp_path):
    opened = open_database(tmp_path / "ronde.db")
    yield opened
    opened.close()


def test_the_tables_of_the_contract_are_there(db):
    for table, columns in COLUMNS.items():
        found = [name for _, name, *_ in db.conn.execute(f"PRAGMA table_info({table})")]
        assert set(columns) <= set(found), table


def test_what_is_committed_survives_a_power_cut(db):
    pragmas = {name: db.conn.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")}
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


@pytest.mark.parametrize(
    "values",
    [
        "('a', 'r', 'satellite', 'filled', 0, 0, 1, 1)",
        "('a', 'r', 'gnss', 'guessed', 0, 0, 1, 1)",
        "('a', 'r', 'gnss', 'filled', 0, 0, 95, 1)",
        "('a', 'r', 'gnss', 'filled', 0, 0, 1, 300)",
        "('a', 'nowhere', 'gnss', 'filled', 0, 0, 1, 1)",
    ],
)
def test_a_frame_outside_the_closed_words_or_off_the_earth_is_not_stored(db, values):
    db.conn.execute("INSERT INTO round (id, software, models, settings) VALUES ('r', '', '{}', '{}')")
    with pytest.raises(sqlite3.IntegrityError):
        db.conn.execute(FRAME + values)
    db.conn.execute(FRAME + "('a', 'r', 'gnss', 'filled', 0, 0, 1, 1)")


def test_a_transaction_is_whole_or_nothing(db):
    with pytest.raises(ZeroDivisionError), transaction(db):
        fail_after(next_number(db, "round"))
    with transaction(db):
        assert next_number(db, "round") == 1
    with transaction(db):
        assert next_number(db, "round") == 2
    assert not db.conn.in_transaction


def test_transactions_do_not_nest(db):
    with pytest.raises(sqlite3.OperationalError), transaction(db), transaction(db):
        pass
    assert not db.conn.in_transaction


COUNT = """
import sys
from pathlib import Path
from sync.database import next_number, open_database, transaction
db = open_database(Path(sys.argv[1]))
for _ in range(15):
    with transaction(db):
        db.conn.execute("SELECT count(*) FROM setting").fetchone()  # reads first: what fails in a deferred transaction
        next_number(db, "shared")
"""


def test_processes_open_a_new_database_at_the_same_time_and_count_together(tmp_path):
    file = tmp_path / "ronde.db"
    running = [subprocess.Popen([sys.executable, "-c", COUNT, str(file)]) for _ in range(3)]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    db = open_database(file)
    with transaction(db):
        assert next_number(db, "shared") == 46
    db.close()


KILLED = """
import os, sys
from pathlib import Path
from sync.database import next_number, open_database, transaction
db = open_database(Path(sys.argv[1]))
with transaction(db):
    next_number(db, "kept")
db.conn.execute("BEGIN IMMEDIATE")
next_number(db, "begun")
os.kill(os.getpid(), 9)
"""


def test_a_kill_right_after_a_write_keeps_it_and_nothing_half_done(tmp_path):
    file = tmp_path / "ronde.db"
    assert subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False).returncode == -9
    db = open_database(file)
    assert list(db.conn.execute("SELECT key, value FROM setting")) == [("kept", 1)]
    db.close()


def test_a_database_of_a_newer_ronde_is_refused_and_left_alone(tmp_path):
    file = tmp_path / "ronde.db"
    db = open_database(file)
    db.conn.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('ronde', 'm900_future', '')")
    db.close()
    with pytest.raises(DatabaseRefused, match=r"written by a newer ronde \(migration m900_future\); this is ronde .*: install"):
        open_database(file)


def test_what_is_no_database_of_ours_is_refused_in_one_sentence(tmp_path):
    (tmp_path / "text.db").write_text("no database " * 1000)
    foreign = sqlite3.connect(tmp_path / "foreign.db")
    foreign.execute("CREATE TABLE album (name TEXT)")
    foreign.close()
    (tmp_path / "folder.db").mkdir()
    cases = {
        "text.db": "cannot be used as a database: file is not a database",
        "foreign.db": "is another program's database",
        "folder.db": "is a folder, not a database",
        "none/ronde.db": "cannot be created: there is no folder",
    }
    for name, sentence in cases.items():
        with pytest.raises(DatabaseRefused, match=sentence):
            open_database(tmp_path / name)


def test_a_database_cut_in_the_middle_is_refused_or_opens(tmp_path):
    file = tmp_path / "ronde.db"
    open_database(file).close()
    whole = file.read_bytes()
    refused = 0
    for size in range(100, len(whole), len(whole) // 8):
        file.write_bytes(whole[:size])
        try:
            open_database(file).close()
        except DatabaseRefused:
            refused += 1
    assert refused


def test_a_transaction_that_reads_first_is_never_overtaken(tmp_path):
    first, second = open_database(tmp_path / "ronde.db"), open_database(tmp_path / "ronde.db")
    second.conn.execute("PRAGMA busy_timeout = 0")
    with transaction(first):
        first.conn.execute("SELECT count(*) FROM setting").fetchone()
        with pytest.raises(DatabaseFailed, match="another process does not let go") as failed, transaction(second):
            next_number(second, "shared")
        assert failed.value.code == "database_locked"
        assert next_number(first, "shared") == 1
    with transaction(second):
        assert next_number(second, "shared") == 2
    first.close()
    second.close()


def test_an_outbox_of_the_version_before_keeps_its_rows_and_its_numbers(tmp_path):
    file = tmp_path / "ronde.db"
    old = Database(sqlite3.connect(file, isolation_level=None))
    with transaction(old):
        MIGRATIONS.apply(old, stop_before="m004_delivery")
    old.conn.execute(
        "INSERT INTO outbox (seq, id, backend, stream, priority, created_at, topic, payload) "
        "VALUES (41, 'a', 'roads', 'finding', 1, 'then', 'ronde/v1/a/b/finding', '{}')"
    )
    old.conn.execute(
        "INSERT INTO outbox (id, backend, stream, priority, created_at, topic, payload) VALUES (7, 7, 7, 7, 7, 7, 7)"
    )
    old.conn.execute("DELETE FROM outbox WHERE seq = 42")
    old.close()
    db = open_database(file)
    assert list(db.conn.execute("SELECT seq, id, stream, sent_at, tries, about FROM outbox")) == [
        (41, "a", "finding", None, 0, None)
    ]
    assert list(db.conn.execute("SELECT seq FROM sqlite_sequence WHERE name LIKE 'outbox%'")) == [(42,)]
    db.close()


def test_damage_is_told_from_what_passes(tmp_path):
    file = tmp_path / "ronde.db"
    db = open_database(file)
    mark_damaged(file, inode_of(file))
    with pytest.raises(DatabaseDamaged, match="another process has found it so"), transaction(db):
        pass
    assert not db.conn.in_transaction
    db.close()
    unmark(file)
    file.write_bytes(b"x" * 9000)
    with pytest.raises(DatabaseDamaged, match="file is not a database"):
        open_database(file)
    file.unlink()
    db = open_database(file)
    db.conn.execute("PRAGMA max_page_count = 1")
    with pytest.raises(DatabaseFailed, match="the disk is full") as failed, transaction(db):
        db.conn.execute("INSERT INTO setting (key, value) VALUES ('fill', zeroblob(100000))")
    assert failed.value.code == "disk_full"
    db.close()


def test_a_folder_is_held_by_each_open_database_and_by_one_that_makes_it_anew(tmp_path, monkeypatch):
    monkeypatch.setattr(hold, "LET_GO_S", 0.05)
    first, second = open_database(tmp_path / "ronde.db"), open_database(tmp_path / "ronde.db")
    with pytest.raises(DatabaseFailed, match="another process does not let go of the database"):
        hold.hold_folder(tmp_path, fcntl.LOCK_EX)
    first.close()
    second.close()
    held = hold.hold_folder(tmp_path, fcntl.LOCK_EX)
    with pytest.raises(DatabaseFailed, match="another process does not let go"):
        open_database(tmp_path / "ronde.db")
    os.close(held)
    open_database(tmp_path / "ronde.db").close()
