"""Databases for the receiver's tests: SQLite files, and databases of one real PostgreSQL with PostGIS; and what units send."""

import itertools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sync.broker import Received
from sync.receiver.databases import open_atlas, open_store
from sync.receiver.postgres_tables import LOCK
from sync.scratch_postgres import PostgresMissing, ScratchPostgres, scratch_postgres

NUMBERS = itertools.count()
TOWN = "town"
"""The database with PostGIS. Each test has a schema of its own in it, since to drop a database takes a checkpoint."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[ScratchPostgres]:
    with cluster_or_skip() as server:
        admin(server.url(), f"CREATE DATABASE {TOWN}")
        admin(server.url(TOWN), "CREATE EXTENSION postgis")
        yield server


@contextmanager
def cluster_or_skip() -> Iterator[ScratchPostgres]:
    try:
        with scratch_postgres() as server:
            yield server
    except PostgresMissing as error:
        pytest.skip(str(error))


def admin(url: str, sql: str) -> list[tuple]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []


@dataclass
class SqliteFile:
    """A SQLite file."""

    file: Path
    kind: str = "sqlite"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.file}"

    def ask(self, sql: str) -> list[tuple]:
        with closing(sqlite3.connect(self.file, timeout=10)) as db, db:
            return db.execute(sql).fetchall()

    @contextmanager
    def busy(self, store) -> Iterator[None]:
        """Somebody else writes, and the store waits for no time."""
        store._db.conn.execute("PRAGMA busy_timeout = 0")
        with closing(sqlite3.connect(self.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")


@dataclass
class PostgresDatabase:
    """A schema in a database of the cluster, or a database."""

    cluster: ScratchPostgres
    url: str
    kind: str = "postgresql"

    def ask(self, sql: str) -> list[tuple]:
        return admin(self.url, sql)

    @contextmanager
    def busy(self, store) -> Iterator[None]:
        """Another receiver writes, and the store waits for a moment."""
        import psycopg

        with store._server.connected() as connection:
            connection.execute("SET lock_timeout = '50ms'")
        with psycopg.connect(self.url) as other:
            other.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            yield


@pytest.fixture
def postgres(cluster: ScratchPostgres) -> Iterator[PostgresDatabase]:
    """A place in a database with PostGIS, empty."""
    yield from _schema(cluster)


@pytest.fixture(scope="module")
def lasting_postgres(cluster: ScratchPostgres) -> Iterator[PostgresDatabase]:
    """The same, for all tests of a module."""
    yield from _schema(cluster)


def _schema(cluster: ScratchPostgres) -> Iterator[PostgresDatabase]:
    name = f"test{next(NUMBERS)}"
    admin(cluster.url(TOWN), f"CREATE SCHEMA {name}")
    yield PostgresDatabase(cluster, f"{cluster.url(TOWN)}&options=-csearch_path%3D{name},public")
    admin(cluster.url(TOWN), f"DROP SCHEMA {name} CASCADE")


@pytest.fixture
def bare_postgres(cluster: ScratchPostgres) -> PostgresDatabase:
    """A database without any table or extension; it goes with the cluster."""
    name = f"bare{next(NUMBERS)}"
    admin(cluster.url(), f"CREATE DATABASE {name}")
    return PostgresDatabase(cluster, cluster.url(name))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """A database of each kind."""
    if request.param == "sqlite":
        return SqliteFile(tmp_path / "town.db")
    return request.getfixturevalue("postgres")


@pytest.fixture
def store(database):
    opened = open_store(database.url)
    yield opened
    opened.close()


@pytest.fixture
def atlas(database):
    opened = open_atlas(database.url)
    yield opened
    opened.close()


@dataclass
class Speech:
    """What a unit sends, as it arrives."""

    fleet: str = "cannes"
    unit: str = "car-07"
    round_id: str = "0123abcd-1"
    said: int = field(default=0)

    @property
    def source(self) -> str:
        return f"/ronde/{self.fleet}/{self.unit}"

    def topic(self, stream: str) -> str:
        return f"ronde/v1/{self.fleet}/{self.unit}/{stream}"

    def event(self, stream: str, data: dict, *, time: str = "2026-03-04T05:06:07.890Z", **attributes) -> Received:
        self.said += 1
        document = {
            "specversion": "1.0",
            "id": f"{self.unit}-{stream}-{self.said}",
            "source": self.source,
            "type": f"ronde.{stream}.v1",
            "time": time,
            "data": data,
            **attributes,
        }
        return Received(self.topic(stream), json.dumps(document).encode(), self.said)

    def finding(self, n: int, *, place=(7.0123456, 43.5512345), label="pothole", time="2026-03-04T05:06:07.890Z", **more):
        properties = {"finding_id": f"{self.round_id}-f{n}", "round_id": self.round_id, "label": label, "score": 0.81}
        properties |= {"uncertainty_m": 2.4, "frames": 3, "seen_at": time, "camera": {"heading_deg": 12.5}, **more}
        geometry = {"type": "Point", "coordinates": list(place)}
        data = {"type": "Feature", "geometry": geometry, "properties": properties}
        return self.event("finding", data, id=f"{self.unit}-{self.round_id}-{n}", time=time)

    def track(self, line, **properties):
        data = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": line}}
        return self.event("track", {**data, "properties": {"round_id": self.round_id, **properties}})

    def grade(self, *stretches):
        features = [
            {"type": "Feature", "geometry": {"type": "LineString", "coordinates": line}, "properties": properties}
            for line, properties in stretches
        ]
        return self.event("grade", {"type": "FeatureCollection", "features": features})

    def health(self, time: str, **data):
        return self.event("health", data, time=time)

    def state(self, state: str) -> Received:
        document = {"state": state, "boot": "b" * 32, "software": "0.1.0"}
        return Received(self.topic("state"), json.dumps(document).encode(), 1)

    def evidence(self, finding_id: str | None, picture: bytes = b"\xff\xd8 a drawn picture", **changes) -> Received:
        self.said += 1
        properties = {"specversion": "1.0", "id": f"{self.unit}-e-{self.said}", "source": self.source}
        properties |= {"type": "ronde.evidence.v1", "time": "2026-03-04T05:06:08.000Z", **changes}
        if finding_id is not None:
            properties["subject"] = finding_id
        return Received(self.topic("evidence"), picture, self.said, properties, "image/jpeg")


@pytest.fixture
def car_07() -> Speech:
    return Speech()


@pytest.fixture(scope="session")
def speech() -> type[Speech]:
    return Speech
