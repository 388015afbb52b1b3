"""The unit's database: the only thing two of its processes share.

SQLite with a write-ahead log and synchronous FULL, so that what was committed survives a power cut. Every transaction is
explicit (`transaction`), and takes the write lock at its start: a deferred one that reads first fails under load.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

BUSY_S = 10.0
"""How long a process waits for the other's write lock."""

WAL_BYTES = 8 * 1024 * 1024
"""What the write-ahead log is cut back to after a checkpoint that a long reader had held up."""

MIGRATIONS = Migrations("ronde")


class DatabaseRefused(Exception):
    """The file cannot serve as a database of ronde: one sentence that names it and the reason."""


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """Everything inside is committed together, or nothing is. Transactions do not nest.

    Raises:
        sqlite3.OperationalError: another process held the write lock for `BUSY_S`, or the disk is full.
    """
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.conn.execute("COMMIT")
    except BaseException:
        if db.conn.in_transaction:  # some errors (disk full) have already rolled back
            db.conn.execute("ROLLBACK")
        raise


def open_database(file: Path) -> Database:
    """Opens the unit's database for reading and writing; creates it and brings its tables up to date where needed.

    The connection belongs to the calling thread.

    Raises:
        DatabaseRefused: it is a folder, no database, somebody else's, damaged, or written by a newer ronde.
    """
    return open_tables(file, MIGRATIONS)


def open_tables(file: Path, migrations: Migrations) -> Database:
    """Opens `file` and applies what it lacks of `migrations`; two processes may do so at the same time."""
    if file.is_dir():
        raise DatabaseRefused(f"{file} is a folder, not a database")
    if not file.parent.is_dir():
        raise DatabaseRefused(f"{file} cannot be created: there is no folder {file.parent}")
    db: Database | None = None
    try:
        db = Database(sqlite3.connect(file, timeout=BUSY_S, isolation_level=None))
        _set_up(db)
        _check(db, file, migrations)
        if migrations.pending(db):
            with transaction(db):
                migrations.apply(db)
    except DatabaseRefused:
        _close(db)
        raise
    except sqlite3.DatabaseError as error:
        _close(db)
        raise DatabaseRefused(f"{file} cannot be used as a database: {error}") from error
    return db


def _close(db: Database | None) -> None:
    if db is not None:
        db.close()


def _set_up(db: Database) -> None:
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        f"journal_size_limit = {WAL_BYTES}",
    ):
        db.conn.execute(f"PRAGMA {pragma}").fetchall()


def _check(db: Database, file: Path, migrations: Migrations) -> None:
    """Refuse a database with migrations that this version does not know, and one that another program made."""
    applied = [each.name for each in migrations.applied(db)]
    known = {each.name for each in migrations.pending(db)} | set(_names(migrations))
    newer = [name for name in applied if name not in known]
    if newer:
        raise DatabaseRefused(
            f"{file} was written by a newer ronde (migration {newer[-1]}); this is ronde {version('ronde')}: "
            "install the newer one or move the file away"
        )
    if not applied and (strange := [name for name in db.table_names() if name != migrations.migrations_table]):
        raise DatabaseRefused(f"{file} is another program's database (it has a table {strange[0]})")


def _names(migrations: Migrations) -> list[str]:
    empty = Database(memory=True)
    try:
        return [each.name for each in migrations.pending(empty)]
    finally:
        empty.close()


def next_number(db: Database, key: str) -> int:
    """Counts `setting` `key` up by one and returns it; 1 the first time. Called inside a transaction."""
    row = db.conn.execute(
        "INSERT INTO setting (key, value) VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET value = value + 1 RETURNING value", [key]
    ).fetchone()
    return int(row[0])


@MIGRATIONS()
def m001_rounds(db: Database) -> None:
    """Rounds and what was seen in them."""
    _run(
        db,
        """
        CREATE TABLE round (
            id TEXT PRIMARY KEY, started_at TEXT, ended_at TEXT, software TEXT NOT NULL, models TEXT NOT NULL,
            settings TEXT NOT NULL
        )""",
        """
        CREATE TABLE frame (
            id TEXT PRIMARY KEY, round_id TEXT NOT NULL REFERENCES round (id), taken_at TEXT,
            time_source TEXT NOT NULL CHECK (time_source IN ('gnss', 'system', 'unset')),
            latitude_deg REAL CHECK (latitude_deg BETWEEN -90 AND 90),
            longitude_deg REAL CHECK (longitude_deg BETWEEN -180 AND 180),
            accuracy_m REAL, heading_deg REAL, speed_mps REAL, odometer_m REAL NOT NULL,
            position_source TEXT NOT NULL CHECK (position_source IN ('between_fixes', 'ahead_of_fix', 'filled')),
            source TEXT, file TEXT, sha256 TEXT, hidden INTEGER NOT NULL, shutter_boot_s REAL
        )""",
        "CREATE INDEX frame_by_round ON frame (round_id, odometer_m)",
        """
        CREATE TABLE detection (
            frame_id TEXT NOT NULL REFERENCES frame (id) ON DELETE CASCADE, label TEXT NOT NULL,
            score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
            "left" REAL NOT NULL, "top" REAL NOT NULL, "right" REAL NOT NULL, "bottom" REAL NOT NULL
        )""",
        "CREATE INDEX detection_by_frame ON detection (frame_id)",
        # best_frame_id is no foreign key: findings outlive photos.
        """
        CREATE TABLE finding (
            id TEXT PRIMARY KEY, round_id TEXT NOT NULL REFERENCES round (id), label TEXT NOT NULL,
            score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
            latitude_deg REAL NOT NULL CHECK (latitude_deg BETWEEN -90 AND 90),
            longitude_deg REAL NOT NULL CHECK (longitude_deg BETWEEN -180 AND 180),
            uncertainty_m REAL NOT NULL, frames INTEGER NOT NULL, best_frame_id TEXT NOT NULL, seen_at TEXT,
            area_m2 REAL, severity INTEGER CHECK (severity BETWEEN 1 AND 3)
        )""",
        "CREATE INDEX finding_by_round ON finding (round_id)",
        """
        CREATE TABLE gap (
            round_id TEXT NOT NULL REFERENCES round (id), odometer_m REAL NOT NULL, length_m REAL NOT NULL, reason TEXT NOT NULL
        )""",
        "CREATE INDEX gap_by_round ON gap (round_id, odometer_m)",
        """
        CREATE TABLE track (
            round_id TEXT NOT NULL REFERENCES round (id), n INTEGER NOT NULL, from_m REAL NOT NULL, to_m REAL NOT NULL,
            from_at TEXT, to_at TEXT, points TEXT NOT NULL, frames INTEGER NOT NULL DEFAULT 0, filled_m REAL NOT NULL DEFAULT 0,
            PRIMARY KEY (round_id, n)
        )""",
    )


@MIGRATIONS()
def m002_outbox(db: Database) -> None:
    """Events on their way to the backends, and what was refused of them."""
    _run(
        db,
        # AUTOINCREMENT: a number is never used twice, even when the table has been emptied.
        """
        CREATE TABLE outbox (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, backend TEXT NOT NULL, stream TEXT NOT NULL,
            priority INTEGER NOT NULL, created_at TEXT NOT NULL, topic TEXT NOT NULL, payload BLOB NOT NULL, sent_at TEXT,
            tries INTEGER NOT NULL DEFAULT 0,
            UNIQUE (backend, id)
        )""",
        "CREATE INDEX outbox_by_priority ON outbox (backend, priority, seq)",
        """
        CREATE TABLE refused (
            id TEXT NOT NULL, backend TEXT NOT NULL, stream TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL,
            refused_at TEXT NOT NULL,
            PRIMARY KEY (backend, id)
        )""",
    )


@MIGRATIONS()
def m003_condition(db: Database) -> None:
    """What the processes tell and ask each other, and counters."""
    _run(
        db,
        """
        CREATE TABLE request (
            id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL CHECK (kind IN ('pause', 'resume', 'hazard')),
            note TEXT, made_at TEXT NOT NULL, taken_at TEXT
        )""",
        "CREATE INDEX request_waiting ON request (id) WHERE taken_at IS NULL",
        """
        CREATE TABLE condition (
            name TEXT PRIMARY KEY, boot TEXT NOT NULL, at_boot_s REAL NOT NULL, at TEXT, state TEXT NOT NULL,
            reasons TEXT NOT NULL DEFAULT '[]', counters TEXT NOT NULL DEFAULT '{}'
        )""",
        "CREATE TABLE setting (key TEXT PRIMARY KEY, value)",
    )


def _run(db: Database, *statements: str) -> None:
    for statement in statements:
        db.conn.execute(statement)
