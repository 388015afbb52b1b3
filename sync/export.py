"""What a unit or a replay found, as GeoJSON (RFC 7946) for the roads department's map: findings as points, rounds as lines.

Reads `ronde.db` and changes nothing in it, so it may run beside the unit.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

DECIMALS = 7
"""Of a coordinate in degrees: 1 cm."""

FINDING_COLUMNS = (
    "id", "round_id", "label", "score", "uncertainty_m", "frames", "best_frame_id", "seen_at", "area_m2", "severity",
)  # fmt: skip
TRACK_COLUMNS = ("round_id", "started_at", "ended_at", "frames", "length_m")


class ExportRefused(Exception):
    """The database cannot be exported: one sentence that names the file and the reason."""


def export_findings(db_file: Path) -> dict[str, Any]:
    """Each finding as a Point: the thing, not the car. Properties are the table's columns.

    Raises:
        ExportRefused: there is no such database, or it is not ronde's.
    """
    columns = ", ".join(FINDING_COLUMNS)
    with reading(db_file) as db:
        rows = db.execute(f"SELECT {columns}, longitude_deg, latitude_deg FROM finding ORDER BY seen_at, rowid")  # noqa: S608 - constants
        return _collection(
            [
                _feature(dict(zip(FINDING_COLUMNS, row, strict=False)), "Point", _position(*row[-2:]), row[0])
                for row in rows.fetchall()
            ]
        )


def export_tracks(db_file: Path) -> dict[str, Any]:
    """Each round as a LineString through the places of its frames; a round of fewer than two placed frames has none.

    Raises:
        ExportRefused: there is no such database, or it is not ronde's.
    """
    with reading(db_file) as db:
        frames = db.execute(
            "SELECT round_id, started_at, ended_at, odometer_m, longitude_deg, latitude_deg FROM frame JOIN round "
            "ON round.id = frame.round_id WHERE longitude_deg IS NOT NULL ORDER BY started_at, round_id, odometer_m"
        ).fetchall()
    features = []
    for (round_id, started_at, ended_at), group in groupby(frames, key=lambda row: row[:3]):
        rows = list(group)
        if len(rows) < 2:
            continue
        values = (round_id, started_at, ended_at, len(rows), round(rows[-1][3] - rows[0][3], 1))
        line = [_position(*row[-2:]) for row in rows]
        features.append(_feature(dict(zip(TRACK_COLUMNS, values, strict=True)), "LineString", line, round_id))
    return _collection(features)


@contextmanager
def reading(db_file: Path) -> Iterator[sqlite3.Connection]:
    """The database, read only; what is wrong with it becomes one sentence."""
    if not db_file.is_file():
        raise ExportRefused(f"{db_file}: there is no such file; it is made by ronde replay or ronde capture")
    try:
        with closing(sqlite3.connect(f"{db_file.resolve().as_uri()}?mode=ro", uri=True)) as db:
            _check(db_file, db)
            yield db
    except sqlite3.Error as error:
        raise ExportRefused(f"{db_file}: cannot be read as a database: {error}") from error


def _check(db_file: Path, db: sqlite3.Connection) -> None:
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    missing = sorted({"round", "frame", "finding"} - tables)
    if missing:
        raise ExportRefused(f"{db_file}: is no database of ronde: it has no table {', '.join(missing)}")


def _position(longitude_deg: float, latitude_deg: float) -> list[float]:
    return [round(longitude_deg, DECIMALS), round(latitude_deg, DECIMALS)]


def _feature(properties: dict[str, Any], kind: str, coordinates: list[Any], identity: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": identity,
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": properties,
    }


def _collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "FeatureCollection", "features": features}
