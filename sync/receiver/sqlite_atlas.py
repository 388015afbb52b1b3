"""What a receiver's SQLite file shows. The receiver writes meanwhile; neither waits for the other (write-ahead log)."""

import sqlite3
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sync.database import BUSY_S
from sync.failure import DatabaseFailed, DatabaseRefused, failure_of
from sync.receiver.asking import Condition
from sync.receiver.atlas import Atlas
from sync.receiver.seen import Box

FEW: Final = 20_000
"""Where a box holds no more findings than this they are found by their place, else by their number."""

INSIDE: Final = "latitude_deg BETWEEN ? AND ? AND longitude_deg BETWEEN ? AND ?"


class SqliteAtlas(Atlas):
    """An open file. It is made by a receiver; until then every question raises `DatabaseFailed`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _rows(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        with self._lock:
            try:
                return self._open().execute(sql, values).fetchall()
            except sqlite3.DatabaseError as error:
                self._forget()
                raise self._failure(error) from error

    def _points(self, box: Box, table: str) -> tuple[str, Condition]:
        values = [box.south_deg, box.north_deg, box.west_deg, box.east_deg]
        count = f"SELECT count(*) FROM (SELECT 1 FROM {table} INDEXED BY {table}_by_place WHERE {INSIDE} LIMIT ?)"  # noqa: S608 - constants
        few = self._rows(count, [*values, FEW])[0][0] < FEW
        return f"{table} {f'INDEXED BY {table}_by_place' if few else 'NOT INDEXED'}", (INSIDE, values)

    def _lines(self, box: Box) -> Condition:
        inside = "west_deg <= ? AND east_deg >= ? AND south_deg <= ? AND north_deg >= ?"
        return inside, [box.east_deg, box.west_deg, box.north_deg, box.south_deg]

    def _picture(self, seq: int) -> bytes | None:
        rows = self._rows("SELECT data FROM event WHERE seq = ?", [seq])
        return rows[0][0] if rows and isinstance(rows[0][0], bytes) else None

    def _open(self) -> sqlite3.Connection:
        if self._db is None:
            if not self._file.is_file():
                raise DatabaseFailed("disk_error", f"{self._file} is not there yet: a receiver makes it")
            # The lock makes it one thread at a time.
            where = f"{self._file.resolve().as_uri()}?mode=ro"
            self._db = sqlite3.connect(where, uri=True, timeout=BUSY_S, check_same_thread=False)
        return self._db

    def _forget(self) -> None:
        """The next question opens the file anew: it may be another one."""
        if self._db is not None:
            with suppress(sqlite3.Error):
                self._db.close()
            self._db = None

    def _failure(self, error: sqlite3.DatabaseError) -> Exception:
        if str(error).startswith(("no such table", "no such column")):
            return DatabaseFailed("disk_error", f"{self._file} is no receiver's database of this version, or not yet: {error}")
        failure = failure_of(error)
        return DatabaseRefused(f"{self._file} cannot be read: {error}") if failure is None else failure
