"""The receiver's database in PostgreSQL with PostGIS: for any number of receivers and maps."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

from sync.failure import DatabaseFailed, DatabaseRefused
from sync.receiver.postgres import Connection, Server
from sync.receiver.postgres_tables import LOCK, migrate
from sync.receiver.reading import Arrived
from sync.receiver.store import Row, Store, Stored, columns

DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
"""What was committed survives a crash, whatever the database's own setting: an ack is a promise."""

ARRIVED = (
    "CREATE TEMPORARY TABLE IF NOT EXISTS arrived (source text, id text, type text, time timestamptz, subject text, data jsonb, "
    "picture bytea) ON COMMIT DELETE ROWS"
)
COPY = "COPY pg_temp.arrived (source, id, type, time, subject, data, picture) FROM STDIN"
PUT = (
    "INSERT INTO event (source, id, type, time, received_at, subject, data, picture) "
    "SELECT source, id, type, time, %s, subject, data, picture FROM pg_temp.arrived "
    "ON CONFLICT (source, id) DO NOTHING RETURNING seq, source, id"
)
"""COPY costs a fifteenth of what arrays of parameters cost here; it cannot leave out what is there already, INSERT can."""


class PostgresStore(Store):
    """A database at an address. A connection that fails is made anew by the next `keep`."""

    def __init__(self, url: str) -> None:
        """Connects, and makes the tables or brings them up to date.

        Raises:
            DatabaseRefused: the address, PostGIS, a right or the driver is wrong or missing.
            DatabaseFailed: the server cannot be reached now.
        """
        self._server = Server(url, self._prepare, settings={}, attributes="read-write")
        with self._server.connected():
            pass

    def close(self) -> None:
        """Ends the connection."""
        self._server.close()

    def _prepare(self, connection: Connection) -> None:
        connection.execute(DURABLE)
        migrate(connection)
        connection.execute(ARRIVED)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            with self._server.connected() as connection, connection.transaction():
                # One writer at a time: so `seq` grows in the order of the commits, and a map that asks for what is new
                # misses nothing. The lock is held for milliseconds; reading, checking and acknowledging go on beside it.
                connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
                self._connection = connection
                yield
        except DatabaseRefused as error:  # it served before: somebody may mend it
            raise DatabaseFailed("disk_error", str(error)) from error

    def _put(self, events: Sequence[Arrived], at: str) -> Sequence[Stored]:
        by_key = {(each.sender.source, each.id): each for each in events}
        with self._connection.cursor() as cursor:
            with cursor.copy(COPY) as copy:
                for (source, id_), each in by_key.items():
                    picture = isinstance(each.data, bytes)
                    data = (None, each.data) if picture else (each.data, None)
                    copy.write_row((source, id_, each.type, each.time, each.subject, *data))
            return [Stored(seq, at, by_key[source, id_]) for seq, source, id_ in cursor.execute(PUT, [at])]

    def _add(self, table: str, rows: Sequence[Row]) -> None:
        # Nobody else can have written rows of events that are new, so nothing can clash, and COPY costs the least.
        with self._connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns(table)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)

    def _many(self, sql: str, rows: Sequence[Row]) -> None:
        if rows:
            with self._connection.cursor() as cursor:
                cursor.executemany(_translated(sql), rows)


@lru_cache
def _translated(sql: str) -> str:
    return sql.replace("?", "%s")
