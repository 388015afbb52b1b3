"""The page reader against SQLite itself: what both read is the same, and nothing that is broken makes it fail."""

import random
import sqlite3
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.pages import PAGE, Pages

VALUE = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text(max_size=40).filter(lambda text: "\0" not in text)
    | st.binary(max_size=60)
    | st.integers(3900, 20_000).map(lambda size: b"\xa5" * size)
)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "any.db"


def all_records(file, columns):
    with closing(Pages(file)) as pages:
        return [
            (rowid, *values)
            for number in range(1, pages.count + 1)
            for rowid, values in pages.records(number)
            if len(values) == columns
        ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.tuples(VALUE, VALUE, VALUE), max_size=60), deleted=st.integers(0, 60))
def test_what_sqlite_reads_is_read(file, rows, deleted):
    for each in file.parent.glob("any.db*"):
        each.unlink()
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        for pragma in ("page_size = 4096", "journal_mode = WAL", "wal_autocheckpoint = 0"):
            db.execute(f"PRAGMA {pragma}")
        db.execute("CREATE TABLE kept (a, b, c)")
        db.executemany("INSERT INTO kept VALUES (?, ?, ?)", rows[: len(rows) // 2])
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.executemany("INSERT INTO kept VALUES (?, ?, ?)", rows[len(rows) // 2 :])  # these stand in the log
        db.execute("DELETE FROM kept WHERE rowid % 60 < ?", [deleted])
        expected = db.execute("SELECT rowid, * FROM kept ORDER BY rowid").fetchall()
        assert sorted(all_records(file, 3), key=lambda row: row[0]) == expected


def test_nothing_that_is_broken_makes_it_fail(file):
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA page_size = 4096")
        db.execute("CREATE TABLE kept (a, b, c)")
        db.executemany("INSERT INTO kept VALUES (?, ?, ?)", [(n, "text" * (n % 50), b"x" * (n % 11 * 900)) for n in range(200)])
        db.execute("DELETE FROM kept WHERE a % 3 = 0")
    whole = file.read_bytes()
    source = random.Random(5)
    least = 200
    for _ in range(300):
        content = bytearray(whole)
        for _ in range(source.choice([1, 30, 3000])):
            content[source.randrange(len(content))] = source.randrange(256)
        file.write_bytes(content[: source.choice([len(content), source.randrange(len(content))])])
        least = min(least, len(all_records(file, 3)))
    assert least < 133  # some of the damage was felt


def test_a_loop_of_overflow_pages_ends(file):
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("PRAGMA page_size = 4096")
        db.execute("CREATE TABLE kept (a)")
        db.execute("INSERT INTO kept VALUES (zeroblob(3000000))")
    content = bytearray(file.read_bytes())
    for start in range(PAGE * 2, len(content), PAGE):
        content[start : start + 4] = (start // PAGE + 1).to_bytes(4, "big")  # each page says that it follows itself
    file.write_bytes(content)
    assert len(all_records(file, 1)) <= 1
