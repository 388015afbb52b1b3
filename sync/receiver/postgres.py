"""A connection to PostgreSQL: how it is made, and what its errors mean. The driver, psycopg 3, is imported where it is used."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from sync.failure import Code, DatabaseFailed, DatabaseRefused

Connection = Any
"""A `psycopg.Connection`."""

CONNECT_S = 10
SILENT_MS = 20_000
STATEMENT_S = 60
LOCK_S = 30

LIBPQ: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_S,
    # A server that vanished without a word is given up in seconds, not in hours.
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": SILENT_MS,
    "application_name": "ronde",
}
SESSION: Final = {
    "TimeZone": "UTC",
    "statement_timeout": f"{STATEMENT_S}s",
    "lock_timeout": f"{LOCK_S}s",
    # A receiver whose machine dies in a transaction holds the lock of the writers no longer than this.
    "idle_in_transaction_session_timeout": f"{LOCK_S}s",
    "client_encoding": "UTF8",
}

FAILURES: Final[dict[str, tuple[Code, str]]] = {
    "40001": ("database_locked", "another connection came in between"),
    "40P01": ("database_locked", "two connections waited for each other"),
    "55P03": ("database_locked", "another connection does not let go of it"),
    "57014": ("database_locked", "it took too long"),
    "53100": ("disk_full", "the server's disk is full"),
    "25006": ("disk_read_only", "it is read-only, as a replica is"),
    "42501": ("disk_read_only", "our role may not do this"),
    "42P01": ("disk_error", "a table is missing"),
    "42703": ("disk_error", "a column is missing"),
    "42P07": ("disk_error", "a table is there that is not ronde's"),
}
"""SQLSTATE, the code as among the reasons of health, and what a person reads."""
CLASSES: Final = ("08", "53", "57", "58", "XX", "25")
"""Classes of SQLSTATE in which the server or the connection fails, not the statement."""

PASSING: Final = (
    "starting up",
    "shutting down",
    "recovery",
    "too many",
    "remaining connection slots",
    "not accepting connections",
)
"""Words of a server that turns us away for now. What else it answers while we connect is about our name, password or database."""


class Server:
    """A database by its address, and at most one connection to it, made anew after a failure; for one thread."""

    def __init__(self, url: str, prepare: Callable[[Connection], None], *, settings: Mapping[str, str], attributes: str) -> None:
        """Reads the address. `prepare` is given each new connection; `settings` are the session's.

        `attributes` says which of several hosts is wanted, where the address does not (libpq's target_session_attrs).

        Raises:
            DatabaseRefused: the driver is missing, or cannot read the address.
        """
        self._psycopg = _driver()
        try:
            given = self._psycopg.conninfo.conninfo_to_dict(url)
        except self._psycopg.ProgrammingError as error:
            raise DatabaseRefused(f"{shown(url)} is no address of PostgreSQL: {shown(_first_line(error))}") from None
        self.name = f"the database {given.get('dbname', '')} at {given.get('host', 'localhost')}".replace("  ", " ")
        self.role = str(given.get("user") or "")
        self._address = {**LIBPQ, "target_session_attrs": attributes, **given}
        self._settings = {**SESSION, **settings}
        self._prepare = prepare
        self._connection: Connection | None = None

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """The connection; whatever PostgreSQL's error ends the block, the next one begins with a new one.

        Raises:
            DatabaseFailed: the server, the connection or our rights fail; it may work again by itself.
            DatabaseRefused: while connecting, the server answers what only a person can change.
        """
        try:
            yield self._open()
        except self._psycopg.Error as error:
            self.close()
            failure = self._failure(error)
            if failure is None:
                raise
            raise failure from error

    def close(self) -> None:
        """Ends the connection where there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            try:
                connection = self._psycopg.connect(**self._address, autocommit=True)
            except self._psycopg.OperationalError as error:
                raise self._turned_away(error) from error
            try:
                for name, value in self._settings.items():
                    connection.execute("SELECT set_config(%s, %s, false)", [name, value])
                self._prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _turned_away(self, error: Exception) -> DatabaseFailed | DatabaseRefused:
        said = str(error)
        sentence = f"{self.name} cannot be reached: {_first_line(error)}"
        if "FATAL" in said and not any(words in said for words in PASSING):
            return DatabaseRefused(sentence)
        return DatabaseFailed("disk_error", sentence)

    def _failure(self, error: Any) -> DatabaseFailed | None:
        """What an error means; None where it is a bug."""
        state = error.sqlstate
        if state in FAILURES:
            code, meaning = FAILURES[state]
            return DatabaseFailed(code, f"{self.name} cannot be used: {meaning} ({_first_line(error)})")
        if (state is None and isinstance(error, self._psycopg.OperationalError)) or str(state).startswith(CLASSES):
            return DatabaseFailed("disk_error", f"{self.name} cannot be used: {_first_line(error)}")
        return None


def _driver() -> Any:
    try:
        import psycopg  # noqa: PLC0415 - of the extra [postgres]; a unit needs none
        import psycopg.conninfo  # noqa: PLC0415
    except ImportError as error:
        raise DatabaseRefused(f"postgresql:// needs psycopg: pip install 'ronde[postgres]' ({error})") from error
    return psycopg


def _first_line(error: Exception) -> str:
    """What PostgreSQL or libpq says, without its hints and without where in a statement it is."""
    lines = str(error).strip().splitlines()
    return lines[0].removeprefix("connection failed: ").removeprefix("connection is bad: ") if lines else type(error).__name__


def shown(url: str) -> str:
    """An address without its password."""
    return re.sub(r"//([^/@:]*):[^/@]*@", r"//\1:...@", url)
