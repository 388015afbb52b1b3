"""The databases that joins are kept in: `open_joins` opens the one that an address names."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from sync.database import open_tables, transaction
from sync.event import iso
from sync.failure import DatabaseFailed, DatabaseRefused, named
from sync.receiver.databases import POSTGRES, database_file
from sync.receiver.join_store import JoinStore
from sync.receiver.postgres import Connection, Server
from sync.receiver.postgres_tables import migrate
from sync.receiver.sqlite_tables import MIGRATIONS


class SqliteJoins(JoinStore):
    """A SQLite file. The receiver writes beside it; each waits for the other's transaction."""

    def __init__(self, file: Path) -> None:
        """Opens the file.

        Raises:
            DatabaseRefused: the file cannot serve.
            DatabaseFailed: it cannot be used now.
        """
        self._db = open_tables(file, MIGRATIONS)

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def _rows(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        with named():
            rows: Sequence[Sequence[Any]] = self._db.conn.execute(sql, values).fetchall()
        return rows

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with transaction(self._db):
            yield

    def _many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        return self._db.conn.executemany(sql, rows).rowcount if rows else 0


class PostgresJoins(JoinStore):
    """A database at an address. A connection that fails is made anew."""

    def __init__(self, url: str) -> None:
        """Connects.

        Raises:
            DatabaseRefused: the address, PostGIS, a right or the driver is wrong or missing.
            DatabaseFailed: the server cannot be reached now.
        """
        self._server = Server(url, migrate, settings={}, attributes="read-write")
        with self._server.connected():
            pass

    def close(self) -> None:
        """Ends the connection."""
        self._server.close()

    def _rows(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        with self._connected() as connection:
            rows = connection.execute(_translated(sql), values).fetchall()
        return [[iso(value) if isinstance(value, datetime) else value for value in row] for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._connected() as connection, connection.transaction():
            self._connection = connection
            yield

    def _many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        if not rows:
            return 0
        with self._connection.cursor() as cursor:
            cursor.executemany(_translated(sql), rows)
            return int(cursor.rowcount)

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._server.connected() as connection:
                yield connection
        except DatabaseRefused as error:  # it served before: somebody may mend it
            raise DatabaseFailed("disk_error", str(error)) from error


def open_joins(url: str) -> JoinStore:
    """The database at `url`, to join what a receiver stores there.

    Raises:
        DatabaseRefused: it is no such address, or the database cannot serve.
        DatabaseFailed: it cannot be used now.
    """
    return PostgresJoins(url) if url.startswith(POSTGRES) else SqliteJoins(database_file(url))


@lru_cache(maxsize=64)
def _translated(sql: str) -> str:
    return sql.replace("?", "%s")
