"""What people say of things: a connection of its own that writes this and nothing else. The same for each database.

    judge = open_judge("sqlite:///town.db")
    judge.say("6f0c12ab34cd56ef", "rejected", by="a.martin", note="a shadow")

Whatever later rounds find, what a person said stays until a person takes it back.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from sync.database import open_tables, transaction
from sync.event import now
from sync.failure import DatabaseFailed, DatabaseRefused
from sync.receiver.databases import POSTGRES, database_file
from sync.receiver.postgres import Connection, Server
from sync.receiver.seen import Judged, Judgement
from sync.receiver.sqlite_tables import MIGRATIONS

LONGEST_NOTE: Final = 500
LONGEST_NAME: Final = 100
NUMBER: Final = "SELECT number FROM thing WHERE id = ?"
SAY: Final = (
    'INSERT INTO judgement (thing, n, judgement, "by", note, at) '
    "SELECT ?, coalesce(max(n), 0) + 1, ?, ?, ?, ? FROM judgement WHERE thing = ?"
)
KEEP: Final = "UPDATE thing SET judgement = ?, judged_by = ?, note = ?, judged_at = ? WHERE number = ?"


class NoSuchThing(Exception):
    """There is no thing with this id: one sentence."""


class Judge(ABC):
    """May be used from several threads; their calls wait for each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @abstractmethod
    def close(self) -> None:
        """Ends the connection."""

    @abstractmethod
    def _write(self, thing: str, said: Judged) -> bool:
        """Writes it in one transaction; False where no thing has this id."""

    def say(self, thing: str, judgement: Judgement | None, *, by: str, note: str | None = None) -> Judged:
        """Keeps what a person says of a thing, and that it was said; None takes back what was said before.

        Raises:
            NoSuchThing: no thing has this id.
            DatabaseFailed: it cannot be written now.
        """
        said = Judged(judgement, by, note, now())
        with self._lock:
            if not self._write(thing, said):
                raise NoSuchThing(f"there is no thing {thing}")
        return said


class SqliteJudge(Judge):
    """A SQLite file; it is opened for each judgement, for these are few."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def close(self) -> None:
        """Nothing is open."""

    def _write(self, thing: str, said: Judged) -> bool:
        if not self._file.is_file():
            raise DatabaseFailed("disk_error", f"{self._file} is not there yet: a receiver makes it")
        db = open_tables(self._file, MIGRATIONS)
        try:
            with transaction(db):
                row = db.conn.execute(NUMBER, [thing]).fetchone()
                for sql, values in _statements(row, said):
                    db.conn.execute(sql, values)
        finally:
            db.close()
        return row is not None


class PostgresJudge(Judge):
    """A database at an address; a role that may update `thing` and insert into `judgement` is enough."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._server = Server(url, _nothing, settings={}, attributes="read-write")

    def close(self) -> None:
        """Ends the connection."""
        with self._lock:
            self._server.close()

    def _write(self, thing: str, said: Judged) -> bool:
        try:
            with self._server.connected() as connection, connection.transaction():
                row = connection.execute(f"{NUMBER} FOR UPDATE".replace("?", "%s"), [thing]).fetchone()
                for sql, values in _statements(row, said):
                    connection.execute(sql.replace("?", "%s"), values)
        except DatabaseRefused as error:  # somebody may mend it while the map is open
            raise DatabaseFailed("disk_error", str(error)) from error
        return row is not None


def open_judge(url: str) -> Judge:
    """Who writes judgements into the database at `url`; it connects when there is something to write.

    Raises:
        DatabaseRefused: it is no such address.
    """
    return PostgresJudge(url) if url.startswith(POSTGRES) else SqliteJudge(database_file(url))


def _statements(row: Sequence[Any] | None, said: Judged) -> Iterator[tuple[str, Sequence[Any]]]:
    """What writes a judgement of the thing whose number a row holds; nothing without a row."""
    if row is not None:
        values = (said.judgement, said.by, said.note, said.at)
        yield SAY, (row[0], *values, row[0])
        yield KEEP, (*values, row[0])


def _nothing(_connection: Connection) -> None:
    """The receiver makes the tables."""
