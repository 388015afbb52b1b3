"""What a receiver's PostgreSQL database shows. It may be a replica, and a role that may only read is enough."""

import threading
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from sync.event import iso
from sync.failure import DatabaseFailed, DatabaseRefused
from sync.receiver.asking import Condition
from sync.receiver.atlas import Atlas
from sync.receiver.postgres import Connection, Server
from sync.receiver.seen import Box

READ_ONLY: Final = {"default_transaction_read_only": "on", "statement_timeout": "20s"}


class PostgresAtlas(Atlas):
    """A database at an address. It connects at the first question, and anew after a failure."""

    def __init__(self, url: str) -> None:
        """Reads the address.

        Raises:
            DatabaseRefused: it is none, or the driver is missing.
        """
        self._server = Server(url, _nothing, settings=READ_ONLY, attributes="any")
        self._lock = threading.Lock()

    def close(self) -> None:
        """Ends the connection."""
        with self._lock:
            self._server.close()

    def _rows(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        with self._lock:
            try:
                with self._server.connected() as connection:
                    rows = connection.execute(_translated(sql), values).fetchall()
            except DatabaseRefused as error:  # somebody may mend it while the map is open
                raise DatabaseFailed("disk_error", str(error)) from error
        return [[iso(value) if isinstance(value, datetime) else value for value in row] for row in rows]

    def _points(self, box: Box, table: str) -> tuple[str, Condition]:
        # An index of PostGIS knows corners as 32-bit numbers, so it finds a few metres more.
        inside = "longitude_deg BETWEEN ? AND ? AND latitude_deg BETWEEN ? AND ?"
        return table, (f"place && {ENVELOPE} AND {inside}", [*_corners(box), *_sides(box)])

    def _lines(self, box: Box) -> Condition:
        touched = "east_deg >= ? AND west_deg <= ? AND north_deg >= ? AND south_deg <= ?"
        return f"line && {ENVELOPE} AND {touched}", [*_corners(box), *_sides(box)]

    def _picture(self, seq: int) -> bytes | None:
        rows = self._rows("SELECT picture FROM event WHERE seq = ?", [seq])
        return bytes(rows[0][0]) if rows and rows[0][0] is not None else None


ENVELOPE: Final = "ST_MakeEnvelope(?, ?, ?, ?, 4326)"


def _corners(box: Box) -> Sequence[float]:
    return [box.west_deg, box.south_deg, box.east_deg, box.north_deg]


def _sides(box: Box) -> Sequence[float]:
    return [box.west_deg, box.east_deg, box.south_deg, box.north_deg]


def _nothing(_connection: Connection) -> None:
    """The receiver makes the tables."""


@lru_cache(maxsize=64)
def _translated(sql: str) -> str:
    return sql.replace("?", "%s")
