"""What SQLite's errors mean: the world failed for now, the file is damaged, or a bug."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

Code = Literal["database_locked", "disk_full", "disk_read_only", "disk_error"]
"""As it stands among the reasons of health."""

FAILURES: Final[tuple[tuple[str, Code, str], ...]] = (
    ("database is locked", "database_locked", "another process does not let go of it"),
    ("database table is locked", "database_locked", "another connection does not let go of it"),
    ("locking protocol", "database_locked", "another process does not let go of it"),
    ("database or disk is full", "disk_full", "the disk is full"),
    ("attempt to write a readonly database", "disk_read_only", "it is read-only"),
    ("unable to open database file", "disk_error", "it cannot be opened or made"),
    ("disk I/O error", "disk_error", "the disk fails"),
)
"""How SQLite's message begins, health's code, and what a person reads. (Python 3.10 shows no error codes.)"""

DAMAGES: Final = ("database disk image is malformed", "malformed database schema", "file is not a database")


class DatabaseRefused(Exception):
    """The file cannot serve as a database of ronde: one sentence that names it and the reason."""


class DatabaseDamaged(DatabaseRefused):
    """The file is damaged, or another process has found it so: close it, and open it again with `sync.custody`."""


class DatabaseFailed(Exception):
    """The database cannot be used now and may work again by itself: one sentence; `code` is one of health's reasons."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@contextmanager
def named() -> Iterator[None]:
    """What SQLite raises inside leaves as `DatabaseFailed` or `DatabaseDamaged`; a bug stays as it is."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        failure = failure_of(error)
        if failure is None:
            raise
        raise failure from error


def failure_of(error: sqlite3.DatabaseError) -> DatabaseFailed | DatabaseDamaged | None:
    """What an error of SQLite means; None where it is a bug."""
    said = str(error)
    if said.startswith(DAMAGES):
        return DatabaseDamaged(f"the database is damaged: {said}")
    for begin, code, meaning in FAILURES:
        if said.startswith(begin):
            return DatabaseFailed(code, f"the database cannot be used: {meaning} ({said})")
    return None
