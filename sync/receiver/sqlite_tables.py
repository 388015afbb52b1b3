"""The tables of the receiver's SQLite file, as migrations: one of an earlier version is brought up to date when it is opened."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import Final

from sqlite_utils import Database
from sqlite_utils.migrations import Migrations

from sync.receiver.kinds import moment
from sync.receiver.reading import Arrived, Sender
from sync.receiver.store import DIAGNOSE, HEAR, Row, Stored, columns, healths, rounds, told
from sync.receiver.thing_tables import sqlite_statements
from sync.receiver.things import READERS, Misfit, things_of

MIGRATIONS: Final = Migrations("ronde-receiver")


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


@MIGRATIONS()
def m002_views(_db: Database) -> None:
    """Once it made views over the events; the next one makes tables."""


HEAD: Final = (
    "seq INTEGER {key} REFERENCES event (seq) ON DELETE CASCADE, source TEXT NOT NULL, id TEXT NOT NULL, time TEXT NOT NULL, "
    "received_at TEXT NOT NULL"
)
ONE: Final = HEAD.format(key="PRIMARY KEY")
EXTENT: Final = "west_deg REAL NOT NULL, south_deg REAL NOT NULL, east_deg REAL NOT NULL, north_deg REAL NOT NULL"
TABLES: Final = (
    # The same columns and key as before, and a number that grows, by which a map asks for what is new.
    """
    CREATE TABLE event_numbered (
        source TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, time TEXT NOT NULL, received_at TEXT NOT NULL,
        seq INTEGER NOT NULL UNIQUE, subject TEXT, data NOT NULL,
        PRIMARY KEY (source, id)
    )""",
    """
    INSERT INTO event_numbered (source, id, type, time, received_at, seq, data)
    SELECT source, id, type, time, received_at, rowid, data FROM event ORDER BY rowid""",
    "DROP TABLE event",
    "ALTER TABLE event_numbered RENAME TO event",
    "CREATE INDEX event_by_type ON event (type)",
    f"""
    CREATE TABLE finding (
        {ONE}, finding_id TEXT NOT NULL, round_id TEXT, label TEXT NOT NULL, score REAL, uncertainty_m REAL, area_m2 REAL,
        severity INTEGER, frames INTEGER, seen_at TEXT, model TEXT, position_source TEXT, photo_sha256 TEXT,
        latitude_deg REAL NOT NULL, longitude_deg REAL NOT NULL, heading_deg REAL
    )""",
    "CREATE INDEX finding_by_place ON finding (latitude_deg, longitude_deg)",
    f"""
    CREATE TABLE track (
        {ONE}, {EXTENT}, round_id TEXT, "from" TEXT, "to" TEXT, length_m REAL, frames INTEGER, filled_m REAL,
        gaps TEXT NOT NULL, geojson TEXT NOT NULL
    )""",
    f"""
    CREATE TABLE grade (
        {HEAD.format(key="NOT NULL")}, {EXTENT}, n INTEGER NOT NULL, round_id TEXT, from_m REAL, to_m REAL, grade REAL, low REAL,
        high REAL, coverage REAL, cells INTEGER, reasons TEXT NOT NULL, geojson TEXT NOT NULL,
        PRIMARY KEY (seq, n)
    )""",
    f"CREATE TABLE evidence ({ONE}, finding_id TEXT)",
    "CREATE INDEX evidence_by_finding ON evidence (finding_id)",
    """
    CREATE TABLE round (
        source TEXT NOT NULL, round_id TEXT NOT NULL, began_at TEXT NOT NULL, ended_at TEXT NOT NULL, findings INTEGER NOT NULL,
        length_m REAL NOT NULL,
        PRIMARY KEY (source, round_id)
    )""",
    """
    CREATE TABLE unit (
        source TEXT PRIMARY KEY, heard_at TEXT NOT NULL, connection TEXT, boot TEXT, software TEXT, connection_at TEXT,
        health_at TEXT, health_state TEXT, health_uptime_s REAL, health_fix_age_s REAL, health_frames INTEGER,
        health_refused INTEGER, health_disk_free_bytes INTEGER, health_temperature_c REAL, health_time_source TEXT,
        reasons TEXT, outbox_rows INTEGER, outbox_oldest_s REAL
    )""",
)
PRESENCE: Final = (
    "INSERT INTO unit (source, heard_at, connection, boot, software, connection_at) "
    "SELECT source, received_at, state, boot, software, received_at FROM presence WHERE true "
    "ON CONFLICT (source) DO UPDATE SET heard_at = max(heard_at, excluded.heard_at), connection = excluded.connection, "
    "boot = excluded.boot, software = excluded.software, connection_at = excluded.connection_at"
)
HEALTH: Final = "CREATE VIEW health AS SELECT * FROM unit WHERE health_at IS NOT NULL"
ROUND: Final = (
    "INSERT INTO round (source, round_id, began_at, ended_at, findings, length_m) VALUES (?, ?, ?, ?, ?, ?) "
    "ON CONFLICT (source, round_id) DO UPDATE SET findings = findings + excluded.findings, "
    "length_m = length_m + excluded.length_m, began_at = min(began_at, excluded.began_at), "
    "ended_at = max(ended_at, excluded.ended_at)"
)
"""As the table was at that step."""
SOME: Final = 1000


@MIGRATIONS()
def m003_things(db: Database) -> None:
    """What the events tell, as tables instead of views."""
    for view in ("unit", "health", "grade", "track", "finding"):
        db.conn.execute(f"DROP VIEW IF EXISTS {view}")
    for statement in TABLES:
        db.conn.execute(statement)
    events = _events(db)
    while some := list(islice(events, SOME)):
        for table, rows in told(some).items():
            add_rows(db, table, rows)
        db.conn.executemany(ROUND, [row[:6] for row in rounds(some)])
        db.conn.executemany(HEAR, [(each.event.sender.source, each.received_at) for each in some])
        db.conn.executemany(DIAGNOSE, healths(some))
    for statement in (PRESENCE, "DROP TABLE presence", HEALTH):
        db.conn.execute(statement)


@MIGRATIONS()
def m004_joined(db: Database) -> None:
    """The things that were joined from findings, and which rounds are still to be joined."""
    for statement in sqlite_statements():
        db.conn.execute(statement)


def add_rows(db: Database, table: str, rows: Sequence[Row]) -> None:
    """Writes new rows of a table."""
    places = ", ".join("?" * len(rows[0]))
    db.conn.executemany(f"INSERT INTO {table} ({columns(table)}) VALUES ({places})", rows)  # noqa: S608 - constants


def _events(db: Database) -> Iterator[Stored]:
    """The events that stand there, with what they tell. One of an unknown form tells nothing."""
    for seq, source, id_, type_, time, received_at, data in db.conn.execute(
        "SELECT seq, source, id, type, time, received_at, data FROM event ORDER BY seq"
    ):
        _, _, fleet, unit = source.split("/")
        event = Arrived(Sender(fleet, unit), id_, type_, moment(time) or time, data)
        stream = type_.split(".")[1]
        if stream in READERS:
            with suppress(Misfit):
                event = replace(event, things=things_of(stream, event.time, json.loads(data)))
        yield Stored(seq, received_at, event)
