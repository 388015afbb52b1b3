"""What SQLite's errors mean: the world failed for now, the file is damaged, or a bug."""

import errno
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
    """The file is damaged, or another process has found it so (`told`): close it, and open it again with `sync.custody`."""

    code: Final = "database_damaged"

    def __init__(self, sentence: str, *, told: bool = False) -> None:
        super().__init__(sentence)
        self.told = told


class DatabaseFailed(Exception):
    """The database cannot be used now and may work again by itself: one sentence; `code` is one of health's reasons."""

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def disk_failure(what: str, error: OSError) -> DatabaseFailed:
    """What an error of the file system means; `what` could not be done."""
    codes: dict[int | None, Code] = {errno.ENOSPC: "disk_full", errno.EDQUOT: "disk_full", errno.EROFS: "disk_read_only"}
    return DatabaseFailed(codes.get(error.errno, "disk_error"), f"{what}: {error.strerror or error}")


@contextmanager
def named() -> Iterator[None]:
    """What SQLite raises inside leaves as `DatabaseFailed` or `DatabaseDamaged`; a bug stays as it is."""
    try:
        yield
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        failure = failure_of(error)
        if failure is None:
            raise
        raise failure from error


def failure_of(error: Exception) -> DatabaseFailed | DatabaseDamaged | None:
    """What an error of SQLite means; None where it is a bug."""
    said = str(error)
    if said.startswith(DAMAGES) or isinstance(error, UnicodeDecodeError):  # SQLite names what is broken in what is broken
        return DatabaseDamaged(f"the database is damaged: {said}")
    for begin, code, meaning in FAILURES:
        if said.startswith(begin):
            return DatabaseFailed(code, f"the database cannot be used: {meaning} ({said})")
    return None
