"""The unit's database: the only thing two of its processes share.

SQLite with a write-ahead log and synchronous FULL, so that what was committed survives a power cut. Every transaction is
explicit (`transaction`), and takes the write lock at its start: a deferred one that reads first fails under load.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from sync.erasing import holds_up
from sync.failure import DatabaseDamaged, DatabaseFailed, DatabaseRefused, disk_failure, failure_of, named
from sync.hold import hold_folder, inode_of, is_marked, mark_damaged, mark_of
from sync.pages import PAGE
from sync.tables import MIGRATIONS
from sync.wal_index import Index, release, reserve

BUSY_S = 10.0
"""How long a process waits for the other's write lock."""

WAL_BYTES = 8 * 1024 * 1024
"""What the write-ahead log is cut back to after a checkpoint that a long reader had held up."""


class Held(Database):
    """The unit's database, open. Its folder is held (shared flock) as long as it is: nobody makes the database anew meanwhile."""

    def __init__(self, connection: sqlite3.Connection, file: Path, hold: int, index: Index | None) -> None:
        super().__init__(connection)
        self.file = file
        self._hold = hold
        self._index = index
        self._inode = inode_of(file)
        self._mark = mark_of(file)

    def mark_damaged(self) -> None:
        """Tells whoever else holds the file that it is damaged."""
        with suppress(OSError):  # where the disk takes nothing, nobody else can write either
            mark_damaged(self.file, self._inode)

    def look_up(self) -> None:
        """Raises `DatabaseDamaged` where another process asks to let go."""
        if holds_up(self.file.parent):
            raise DatabaseDamaged(f"{self.file} is to be erased", told=True)
        if self._mark.exists() and is_marked(self.file):
            raise DatabaseDamaged(f"{self.file} is damaged: another process has found it so", told=True)

    def close(self) -> None:
        """Closes the file and lets its folder go."""
        super().close()
        if self._hold >= 0:
            release(self._index)
            os.close(self._hold)
            self._hold = -1


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """Everything inside is committed together, or nothing is. Transactions do not nest.

    Raises:
        DatabaseFailed: another process held the write lock for `BUSY_S`, or the disk is full, read-only or broken.
        DatabaseDamaged: the file is damaged: close it, and open it with `sync.custody`.
    """
    if isinstance(db, Held):
        db.look_up()
    with named():
        db.conn.execute("BEGIN IMMEDIATE")
        try:
            yield
            db.conn.execute("COMMIT")
        except BaseException:
            if db.conn.in_transaction:  # some errors (disk full) have already rolled back
                db.conn.execute("ROLLBACK")
            raise


def open_database(file: Path) -> Held:
    """Opens the unit's database for reading and writing; creates it and brings its tables up to date where needed.

    The connection belongs to the calling thread.

    Raises:
        DatabaseRefused: it is a folder, no database, somebody else's, damaged, or written by a newer ronde.
        DatabaseFailed: it cannot be used now.
    """
    _need_folder(file)
    if holds_up(file.parent):
        raise DatabaseFailed("database_locked", f"{file} is being erased")
    hold = hold_folder(file.parent, fcntl.LOCK_SH)
    assert hold is not None
    db: Database | None = None
    try:
        db = open_tables(file, MIGRATIONS)
        index = reserve(file)
    except BaseException as error:
        _close(db)
        os.close(hold)
        if isinstance(error, OSError):
            raise disk_failure(f"{file} cannot be opened", error) from error
        raise
    return Held(db.conn, file, hold, index)


def open_tables(file: Path, migrations: Migrations) -> Database:
    """Opens `file` and applies what it lacks of `migrations`; two processes may do so at the same time.

    Raises:
        DatabaseRefused, DatabaseFailed: as `open_database`.
    """
    if file.is_dir():
        raise DatabaseRefused(f"{file} is a folder, not a database")
    _need_folder(file)
    db: Database | None = None
    try:
        db = Database(sqlite3.connect(file, timeout=BUSY_S, isolation_level=None))
        _set_up(db)
        _check(db, file, migrations)
        if migrations.pending(db):
            with transaction(db):
                migrations.apply(db)
    except (DatabaseRefused, DatabaseFailed):
        _close(db)
        raise
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        _close(db)
        raise _refusal(file, error) from error
    return db


def _need_folder(file: Path) -> None:
    if not file.parent.is_dir():
        raise DatabaseRefused(f"{file} cannot be created: there is no folder {file.parent}")


def _refusal(file: Path, error: Exception) -> DatabaseFailed | DatabaseRefused:
    """Why a file cannot be opened: what an error means, and a read-only disk by its name."""
    failure = failure_of(error)
    if isinstance(failure, DatabaseFailed):
        if failure.code == "disk_error" and os.statvfs(file.parent).f_flag & os.ST_RDONLY:
            return DatabaseFailed("disk_read_only", f"{file} cannot be opened: its disk is read-only")
        return DatabaseFailed(failure.code, f"{file}: {failure}")
    kind = DatabaseDamaged if failure is not None else DatabaseRefused
    return kind(f"{file} cannot be used as a database: {error}")


def _close(db: Database | None) -> None:
    if db is not None:
        db.close()


def _set_up(db: Database) -> None:
    # A flipped byte in a text must not end a process: what it belongs to is found wrong where it is used.
    db.conn.text_factory = partial(str, encoding="utf-8", errors="replace")
    for pragma in (
        f"page_size = {PAGE}",  # of a new file: what `sync.salvage` counts on
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
