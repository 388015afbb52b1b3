"""The receiver's database as one SQLite file: for one receiver and its map."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sync.database import open_tables, transaction
from sync.receiver.reading import Arrived
from sync.receiver.sqlite_tables import MIGRATIONS, add_rows
from sync.receiver.store import Row, Store, Stored

CACHE_KIB: Final = 64 * 1024
CHECKPOINT_PAGES: Final = 10_000
LOG_BYTES: Final = 64 * 1024 * 1024
"""Ids have no order, so each event touches another page of the index of ids. So many pages (40 MB) are gathered before they are
written to their places; a commit waits for the log alone."""


class SqliteStore(Store):
    """An open file."""

    def __init__(self, file: Path) -> None:
        """Opens `file`, and creates it where it is missing.

        Raises:
            DatabaseRefused: the file cannot serve.
            DatabaseFailed: it cannot be used now.
        """
        self.file = file
        self._db = open_tables(file, MIGRATIONS)
        for pragma in (
            f"cache_size = -{CACHE_KIB}",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            f"journal_size_limit = {LOG_BYTES}",
        ):
            self._db.conn.execute(f"PRAGMA {pragma}")

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with transaction(self._db):
            yield

    def _put(self, events: Sequence[Arrived], at: str) -> Sequence[Stored]:
        stored = []
        seq = self._db.conn.execute("SELECT COALESCE(max(seq), 0) FROM event").fetchone()[0]
        for each in events:
            added = self._db.conn.execute(
                "INSERT INTO event (seq, source, id, type, time, received_at, subject, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT (source, id) DO NOTHING",
                [seq + 1, each.sender.source, each.id, each.type, each.time, at, each.subject, each.data],
            ).rowcount
            if added:
                seq += 1
                stored.append(Stored(seq, at, each))
        return stored

    def _add(self, table: str, rows: Sequence[Row]) -> None:
        add_rows(self._db, table, rows)

    def _many(self, sql: str, rows: Sequence[Row]) -> None:
        self._db.conn.executemany(sql, rows)
