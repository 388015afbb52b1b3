"""The receiver's database: every event once, by its source and id."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from sync.database import open_tables, transaction
from sync.event import now
from sync.failure import DatabaseRefused
from sync.receiver.reading import Arrived, Presence, Reading, Refused

MIGRATIONS: Final = Migrations("ronde-receiver")
SCHEME: Final = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Kept:
    """How many events of a batch were new, were there already, and were refused."""

    stored: int
    duplicates: int
    refused: int


def database_file(url: str) -> Path:
    """The file of `sqlite:///FILE` (with four slashes for an absolute path).

    Raises:
        DatabaseRefused: it is no such address.
    """
    if url.startswith(("postgresql:", "postgres:")):
        raise DatabaseRefused("postgresql:// is not supported by this version: use sqlite:///FILE")
    if not url.startswith(SCHEME) or len(url) == len(SCHEME):
        raise DatabaseRefused(f"{url} is no database's address: it is sqlite:///FILE")
    return Path(url.removeprefix(SCHEME))


class Store:
    """An open database of a receiver; it belongs to the thread that opened it."""

    def __init__(self, file: Path) -> None:
        """Opens `file`, and creates it where it is missing.

        Raises:
            DatabaseRefused: the file cannot serve.
        """
        self.file = file
        self._db = open_tables(file, MIGRATIONS)

    def close(self) -> None:
        """Closes the file."""
        self._db.close()

    def keep(self, readings: Iterable[Reading]) -> Kept:
        """Stores a batch in one transaction: when this returns, it is on the disk."""
        at = now()
        stored = duplicates = refused = 0
        with transaction(self._db):
            for reading in readings:
                if isinstance(reading, Arrived):
                    new = self._event(reading, at)
                    stored, duplicates = stored + new, duplicates + 1 - new
                elif isinstance(reading, Refused):
                    refused += 1
                    self._refusal(reading, at)
                else:
                    self._presence(reading, at)
        return Kept(stored, duplicates, refused)

    def _event(self, event: Arrived, at: str) -> int:
        return self._db.conn.execute(
            "INSERT OR IGNORE INTO event (source, id, type, time, received_at, data) VALUES (?, ?, ?, ?, ?, ?)",
            [event.sender.source, event.id, event.type, event.time, at, event.data],
        ).rowcount

    def _refusal(self, refused: Refused, at: str) -> None:
        source = refused.sender.source if refused.sender else ""
        # What is refused again and again stands there once, with the time of its last arrival.
        self._db.conn.execute(
            "INSERT OR REPLACE INTO refused (source, id, reason, received_at) VALUES (?, ?, ?, ?)",
            [source, refused.id, refused.reason, at],
        )

    def _presence(self, presence: Presence, at: str) -> None:
        self._db.conn.execute(
            "INSERT OR REPLACE INTO presence (source, state, boot, software, received_at) VALUES (?, ?, ?, ?, ?)",
            [presence.sender.source, presence.state, presence.boot, presence.software, at],
        )


@MIGRATIONS()
def m001_events(db: Database) -> None:
    """Events, and what was refused."""
    for statement in (
        """
        CREATE TABLE event (
            source TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, time TEXT NOT NULL, received_at TEXT NOT NULL,
            data NOT NULL,
            PRIMARY KEY (source, id)
        )""",
        "CREATE INDEX event_by_type ON event (type, source, time)",
        """
        CREATE TABLE refused (
            source TEXT NOT NULL, id TEXT NOT NULL, reason TEXT NOT NULL, received_at TEXT NOT NULL,
            PRIMARY KEY (source, id, reason)
        )""",
        """
        CREATE TABLE presence (
            source TEXT PRIMARY KEY, state TEXT NOT NULL, boot TEXT NOT NULL, software TEXT NOT NULL, received_at TEXT NOT NULL
        )""",
    ):
        db.conn.execute(statement)


FINDING: Final = (
    "finding_id",
    "round_id",
    "label",
    "score",
    "uncertainty_m",
    "area_m2",
    "severity",
    "frames",
    "seen_at",
    "model",
    "position_source",
    "photo_sha256",
)
TRACK: Final = ("round_id", "from", "to", "length_m", "frames", "filled_m")
HEALTH: Final = ("state", "uptime_s", "fix_age_s", "frames", "refused", "disk_free_bytes", "temperature_c", "time_source")


@MIGRATIONS()
def m002_views(db: Database) -> None:
    """What the events tell, one row a thing."""
    head = "SELECT source, id, time, received_at,"
    place = "json_extract(data, '$.geometry.coordinates"
    point = f"{place}[1]') AS latitude_deg, {place}[0]') AS longitude_deg"
    line = "json_extract(data, '$.properties.gaps') AS gaps, json_extract(data, '$.geometry') AS geometry"
    outbox = "json_extract(data, '$.outbox.rows') AS outbox_rows, json_extract(data, '$.outbox.oldest_s') AS outbox_oldest_s"
    views = {
        "finding": [head, f"{_columns(FINDING, '$.properties.')}, {point}", "FROM event WHERE type = 'ronde.finding.v1'"],
        "track": [head, f"{_columns(TRACK, '$.properties.')}, {line}", "FROM event WHERE type = 'ronde.track.v1'"],
        "grade": [head, "data AS features", "FROM event WHERE type = 'ronde.grade.v1'"],
        # With max() SQLite takes the other columns from the same, latest row.
        "health": [
            f"SELECT source, max(time) AS health_at, {_columns(HEALTH, '$.', 'health_')},",
            f"json_extract(data, '$.reasons') AS reasons, {outbox}",
            "FROM event WHERE type = 'ronde.health.v1' GROUP BY source",
        ],
        "unit": [
            "SELECT source, presence.state AS connection, presence.boot, presence.software, health.*",
            "FROM (SELECT source FROM presence UNION SELECT source FROM event)",
            "LEFT JOIN presence USING (source) LEFT JOIN health USING (source)",
        ],
    }
    for name, parts in views.items():
        db.conn.execute(f"CREATE VIEW {name} AS {' '.join(parts)}")


def _columns(names: Iterable[str], path: str, prefix: str = "") -> str:
    return ", ".join(f"json_extract(data, '{path}{name}') AS \"{prefix}{name}\"" for name in names)
