"""The tables of the receiver in PostgreSQL with PostGIS, as migrations. Receivers that start together make them once."""

from collections.abc import Mapping
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final

from sync.failure import DatabaseRefused
from sync.receiver.postgres import Connection
from sync.receiver.thing_tables import postgres_statements

EXTENSION: Final = "postgis"

LOCK: Final = 0x726F6E6465
"""The number under which receivers lock each other out (an advisory lock of PostgreSQL), "ronde" in letters."""

HEAD: Final = (
    "seq bigint {key} REFERENCES event (seq) ON DELETE CASCADE, source text NOT NULL, id text NOT NULL, "
    "time timestamptz NOT NULL, received_at timestamptz NOT NULL"
)
ONE: Final = HEAD.format(key="PRIMARY KEY")
LINE: Final = (
    "west_deg double precision NOT NULL, south_deg double precision NOT NULL, east_deg double precision NOT NULL, "
    "north_deg double precision NOT NULL, geojson text NOT NULL, line geometry(LineString, 4326) "
    "GENERATED ALWAYS AS (ST_Force2D(ST_SetSRID(ST_GeomFromGeoJSON(geojson), 4326))) STORED"
)

M001: Final = f"""
CREATE TABLE event (
    source text NOT NULL, id text NOT NULL, type text NOT NULL, time timestamptz NOT NULL, received_at timestamptz NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE, subject text, data jsonb, picture bytea,
    PRIMARY KEY (source, id),
    CHECK (num_nonnulls(data, picture) = 1)
);
ALTER TABLE event ALTER picture SET STORAGE EXTERNAL;
CREATE TABLE refused (
    source text NOT NULL, id text NOT NULL, reason text NOT NULL, received_at timestamptz NOT NULL,
    PRIMARY KEY (source, id, reason)
);
CREATE TABLE finding (
    {ONE}, finding_id text NOT NULL, round_id text, label text NOT NULL, score double precision, uncertainty_m double precision,
    area_m2 double precision, severity bigint, frames bigint, seen_at timestamptz, model text, position_source text,
    photo_sha256 text, latitude_deg double precision NOT NULL, longitude_deg double precision NOT NULL,
    heading_deg double precision, place geometry(Point, 4326)
    GENERATED ALWAYS AS (ST_SetSRID(ST_MakePoint(longitude_deg, latitude_deg), 4326)) STORED
);
CREATE INDEX finding_by_place ON finding USING gist (place);
CREATE TABLE track (
    {ONE}, {LINE}, round_id text, "from" timestamptz, "to" timestamptz, length_m double precision, frames bigint,
    filled_m double precision, gaps jsonb NOT NULL
);
CREATE INDEX track_by_place ON track USING gist (line);
CREATE TABLE grade (
    {HEAD.format(key="NOT NULL")}, {LINE}, n integer NOT NULL, round_id text, from_m double precision, to_m double precision,
    grade double precision, low double precision, high double precision, coverage double precision, cells bigint,
    reasons jsonb NOT NULL,
    PRIMARY KEY (seq, n)
);
CREATE INDEX grade_by_place ON grade USING gist (line);
CREATE TABLE evidence ({ONE}, finding_id text);
CREATE INDEX evidence_by_finding ON evidence (finding_id);
CREATE TABLE round (
    source text NOT NULL, round_id text NOT NULL, began_at timestamptz NOT NULL, ended_at timestamptz NOT NULL,
    findings bigint NOT NULL, length_m double precision NOT NULL,
    PRIMARY KEY (source, round_id)
);
CREATE TABLE unit (
    source text PRIMARY KEY, heard_at timestamptz NOT NULL, connection text, boot text, software text, connection_at timestamptz,
    health_at timestamptz, health_state text, health_uptime_s double precision, health_fix_age_s double precision,
    health_frames bigint, health_refused bigint, health_disk_free_bytes bigint, health_temperature_c double precision,
    health_time_source text, reasons jsonb, outbox_rows bigint, outbox_oldest_s double precision
);
CREATE VIEW health AS SELECT * FROM unit WHERE health_at IS NOT NULL;
"""  # noqa: S608 - constants

MIGRATIONS: Final[Mapping[str, str]] = MappingProxyType({"m001_tables": M001, "m002_joined": ";\n".join(postgres_statements())})
"""Each by its name; one that was released is never changed."""

HISTORY: Final = (
    "CREATE TABLE IF NOT EXISTS ronde_migration (name text PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())"
)


def migrate(connection: Connection, extension: str = EXTENSION) -> None:
    """Brings the tables up to date; two receivers may do so at the same time.

    Raises:
        DatabaseRefused: PostGIS or a right is missing, the tables are another program's or of a newer ronde.
    """
    from psycopg import errors  # noqa: PLC0415 - of the extra [postgres]

    try:
        if not _pending(connection):
            return
        with connection.transaction():
            connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
            _need_postgis(errors, connection, extension)
            connection.execute(HISTORY)
            for name in _pending(connection):
                connection.execute(MIGRATIONS[name])
                connection.execute("INSERT INTO ronde_migration (name) VALUES (%s)", [name])
    except errors.InsufficientPrivilege as error:
        raise DatabaseRefused(
            f"the role {_role(connection)} may not make ronde's tables in {_database(connection)}: GRANT CREATE ON SCHEMA public "
            f"TO {_role(connection)} ({error.diag.message_primary})"
        ) from error
    except errors.DuplicateTable as error:
        raise DatabaseRefused(f"{_database(connection)} has tables of another program: {error.diag.message_primary}") from error


def _pending(connection: Connection) -> list[str]:
    """What has not been applied yet."""
    there = connection.execute("SELECT to_regclass('ronde_migration') IS NOT NULL").fetchone()[0]
    applied = [name for (name,) in connection.execute("SELECT name FROM ronde_migration ORDER BY name")] if there else []
    newer = [name for name in applied if name not in MIGRATIONS]
    if newer:
        raise DatabaseRefused(
            f"{_database(connection)} was written by a newer ronde (migration {newer[-1]}); this is ronde {version('ronde')}: "
            "install the newer one"
        )
    return [name for name in MIGRATIONS if name not in applied]


def _need_postgis(errors: Any, connection: Connection, extension: str) -> None:
    if connection.execute("SELECT 1 FROM pg_extension WHERE extname = %s", [extension]).fetchone():
        return
    try:
        connection.execute(f"CREATE EXTENSION {extension}")
    except (errors.UndefinedFile, errors.FeatureNotSupported) as error:
        raise DatabaseRefused(
            "PostGIS is not installed on the server (Debian: apt-get install postgresql-15-postgis-3): "
            f"{error.diag.message_primary}"
        ) from error
    except errors.InsufficientPrivilege as error:
        raise DatabaseRefused(
            f"{_database(connection)} has no PostGIS, and the role {_role(connection)} may not add it: "
            "a superuser has to run CREATE EXTENSION postgis in it"
        ) from error


def _database(connection: Connection) -> str:
    return f"the database {connection.info.dbname}"


def _role(connection: Connection) -> str:
    return str(connection.info.user)
