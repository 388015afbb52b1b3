"""Opens the unit's database whatever has become of it: one that cannot serve is set aside, and a new one goes on in its place.

What can be read of the old one is salvaged: at once as far as `SALVAGE_S` goes, the rest by `ronde sync` (`sync.salvage`).
Whoever holds the database open has to let go first: see `sync.database.Held`.
"""

import fcntl
import json
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

from sqlite_utils import Database

from device.boot import boot_id
from provisioning.durable import sync_folder
from provisioning.log import events
from sync import numbers
from sync.aside import next_aside, spent_files, unsalvaged_files
from sync.database import Held, open_database, open_tables, transaction
from sync.failure import DatabaseDamaged, DatabaseRefused, disk_failure, named
from sync.hold import hold_folder, inode_of, is_marked, mark_damaged, unmark
from sync.salvage import Salvage
from sync.tables import MIGRATIONS

CHECK_S = 1.0
"""How long the file is looked over at the start. A large one is not read to its end: what is found later has the same way out."""

SALVAGE_S = 2.0
"""How long the new database waits for what can be salvaged."""

LONG_AGO = "1970-01-01T00:00:00.000Z"
"""When a round ended of which only the name is kept."""

KEPT = 3
"""So many old databases stay at most, once they are salvaged."""

CHECK_EVERY_STEPS = 20_000

log = events("database")


@contextmanager
def held(file: Path, *, look_over: bool = False) -> Iterator[Held]:
    """The unit's database for the length of the block. Damage found in it is told to whoever else holds it open.

    Raises:
        DatabaseRefused, DatabaseFailed: as `take_database`.
        DatabaseDamaged: take it again, and a new one is made.
    """
    db = take_database(file, look_over=look_over)
    try:
        yield db
    except DatabaseDamaged as error:
        if not error.told:
            db.mark_damaged()
        raise
    finally:
        db.close()


def take_database(file: Path, *, look_over: bool = False) -> Held:
    """Opens the unit's database; where it is damaged or somebody else's, a new one in its place.

    `look_over`: search the file for damage for `CHECK_S`, as the first of a process does.

    Raises:
        DatabaseRefused: there is no such folder.
        DatabaseFailed: it cannot be opened or set aside now: locked, or the disk is full, read-only or broken.
    """
    if not file.parent.is_dir():
        raise DatabaseRefused(f"{file} cannot be created: there is no folder {file.parent}")
    found = inode_of(file)
    try:
        return _open(file, look_over=look_over)
    except DatabaseRefused as error:
        _renew(file, found, str(error))
    return _open(file, look_over=False)


def _open(file: Path, *, look_over: bool) -> Held:
    if is_marked(file):
        raise DatabaseDamaged(f"{file} was found damaged")
    if _size(file) == 0 and _size(file.with_name(file.name + "-wal")) > 0:
        raise DatabaseDamaged(f"{file} is gone, and its log is left")  # which SQLite would throw away
    db = open_database(file)
    try:
        if look_over:
            _look_over(db)
        with named():
            behind = numbers.is_behind(db, file.parent)
        if behind:
            with transaction(db):
                numbers.go_on(db, file.parent)
            log.error("numbers_continued", reason="the database had given less than was noted: a newer one, or its log, was lost")
    except BaseException:
        db.close()
        raise
    return db


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _look_over(db: Held) -> None:
    """Raises `DatabaseDamaged` where damage is found in `CHECK_S`."""
    until_s = time.monotonic() + CHECK_S
    db.conn.set_progress_handler(lambda: int(time.monotonic() > until_s), CHECK_EVERY_STEPS)
    try:
        with named():
            found = db.conn.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if str(error) != "interrupted":
            raise
        found = "ok"
    finally:
        db.conn.set_progress_handler(None, 0)
    if found == "ok" and _layout(db) != _wanted_layout():
        found = "its tables are not those that it says it has"
    if found != "ok":
        raise DatabaseDamaged(f"{db.file} is damaged: {found.splitlines()[-1]}")


def _layout(db: Database) -> dict[str, list[str]]:
    """The columns of each table and index of a database."""
    names = [name for (name,) in db.conn.execute("SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name")]
    return {
        name: [
            str(row)
            for row in db.conn.execute(
                "SELECT name FROM pragma_table_xinfo(?1) UNION ALL SELECT name FROM pragma_index_xinfo(?1)", [name]
            )
        ]
        for name in names
    }


@cache
def _wanted_layout() -> dict[str, list[str]]:
    db = Database(memory=True)
    try:
        MIGRATIONS.apply(db)
        return _layout(db)
    finally:
        db.close()


def _renew(file: Path, found: int | None, reason: str) -> None:
    """Sets the database with the inode `found` aside and makes a new one, once everybody has let go of it."""
    started_s = time.monotonic()
    try:
        hold = _hold_alone(file, found)
    except OSError as error:
        raise disk_failure(f"{file} is damaged and cannot be set aside", error) from error
    if hold is None:
        return
    try:
        if inode_of(file) != found:
            return
        aside = _set_aside(file)
        log.error("database_set_aside", file=aside.name, reason=reason)
        _begin(file, aside, reason)
        log.info("database_renewed", seconds=round(time.monotonic() - started_s, 2), salvaged=not unsalvaged_files(file))
    except OSError as error:
        raise disk_failure(f"{file} is damaged and cannot be set aside", error) from error
    finally:
        os.close(hold)


def _hold_alone(file: Path, found: int | None) -> int | None:
    """The folder for us alone, once the others have let go; None where somebody else has made the database anew meanwhile."""
    mark_damaged(file, found)
    return hold_folder(file.parent, fcntl.LOCK_EX, needless=lambda: inode_of(file) != found)


def _begin(file: Path, aside: Path, reason: str) -> None:
    """A new database, above all numbers of the old one, with what can be salvaged at once."""
    with closing(open_tables(file, MIGRATIONS)) as db:
        told = json.dumps({"reason": reason, "boot": boot_id()})
        with transaction(db):
            numbers.go_on(db, file.parent)
            _keep_round_ids(db, file.parent)
            db.conn.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", [f"aside/{aside.name}", told])
        if aside.is_file():
            with closing(Salvage(db, aside, file.parent)) as salvage:
                salvage.run(SALVAGE_S)


def _set_aside(file: Path) -> Path:
    """Renames the database and its log, and takes the mark away; durable when this returns."""
    for spent in spent_files(file)[: -KEPT + 1]:
        spent.unlink()
    aside = next_aside(file)
    log_file = file.with_name(file.name + "-wal")
    if log_file.exists():
        log_file.rename(aside.with_name(aside.name + "-wal"))
    if file.exists():
        file.rename(aside)
    else:
        aside.touch()
    file.with_name(file.name + "-shm").unlink(missing_ok=True)
    unmark(file)
    sync_folder(file.parent)
    return aside


def _keep_round_ids(db: Database, state: Path) -> None:
    """Rounds of this boot that have photos keep their names, or a new round would take one again with the ids of its events.

    They count as ended long ago, so that nobody closes them; what is salvaged of them takes their place.
    """
    rounds = [each.name for each in (state / "frames").glob(f"{boot_id()[:8]}-*") if each.is_dir()]
    db.conn.executemany(
        "INSERT OR IGNORE INTO round (id, ended_at, software, models, settings) VALUES (?, ?, '', '{}', '{}')",
        [(name, LONG_AGO) for name in rounds],
    )
