"""What a unit or a replay found, as layers: findings, rounds, grades and tasks.

Reads `ronde.db` and changes nothing in it, so it may run beside the unit.
"""

import json
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from sync.forms import as_geojson
from sync.layers import ExportRefused, Feature, Layer, Position, position
from sync.tasks import TASK_COLUMNS, Work, task_of

__all__ = ["ExportRefused", "export_findings", "reading", "unit_layer"]

FINDING_COLUMNS: Final = (
    "id", "round_id", "label", "score", "uncertainty_m", "frames", "best_frame_id", "seen_at", "area_m2", "severity", "width_m",
    "length_m",
)  # fmt: skip
TRACK_COLUMNS: Final = ("round_id", "started_at", "ended_at", "frames", "length_m")
GRADE_COLUMNS: Final = (
    "round_id", "stretch_m", "from_m", "to_m", "grade", "low", "high", "coverage", "cells", "reasons", "street",
)  # fmt: skip
UNIT_LAYERS: Final = ("findings", "tracks", "grades", "tasks")

Placed = tuple[float, float, float]
"""Odometer, longitude and latitude."""


def unit_layer(db: sqlite3.Connection, name: str) -> Layer:
    """A layer of the unit's database, one of `UNIT_LAYERS`."""
    if name == "findings":
        return Layer(name, "Point", FINDING_COLUMNS, _findings(db))
    if name == "tracks":
        return Layer(name, "LineString", TRACK_COLUMNS, _tracks(db))
    if name == "grades":
        return Layer(name, "LineString", GRADE_COLUMNS, _grades(db))
    return Layer(name, "Point", TASK_COLUMNS, _tasks(db))


def export_findings(db_file: Path) -> dict[str, Any]:
    """Each finding as a Point of a GeoJSON FeatureCollection: the thing, not the car.

    Raises:
        ExportRefused: there is no such database, or it is not ronde's.
    """
    with reading(db_file) as db:
        layer = unit_layer(db, "findings")
        return {"type": "FeatureCollection", "features": [as_geojson(each, layer.geometry) for each in layer.features]}


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


def _findings(db: sqlite3.Connection) -> Iterator[Feature]:
    """Each finding; one of an earlier version has fewer columns."""
    there = _there(db, "finding")
    columns = ", ".join(column if column in there else f"NULL AS {column}" for column in FINDING_COLUMNS)
    for row in db.execute(f"SELECT {columns}, longitude_deg, latitude_deg FROM finding ORDER BY seen_at, rowid"):  # noqa: S608 - constants
        yield Feature(row[0], [position(*row[-2:])], dict(zip(FINDING_COLUMNS, row, strict=False)))


def _tracks(db: sqlite3.Connection) -> Iterator[Feature]:
    """Each round through the places of its frames; a round of fewer than two placed frames has no line."""
    frames = db.execute(
        "SELECT round_id, started_at, ended_at, odometer_m, longitude_deg, latitude_deg FROM frame JOIN round "
        "ON round.id = frame.round_id WHERE longitude_deg IS NOT NULL ORDER BY started_at, round_id, odometer_m"
    )
    for (round_id, started_at, ended_at), group in groupby(frames, key=lambda row: row[:3]):
        rows = list(group)
        if len(rows) >= 2:
            values = (round_id, started_at, ended_at, len(rows), round(rows[-1][3] - rows[0][3], 1))
            yield Feature(round_id, [position(*row[-2:]) for row in rows], dict(zip(TRACK_COLUMNS, values, strict=True)))


def _grades(db: sqlite3.Connection) -> Iterator[Feature]:
    """Each graded stretch, along the places of its round's frames; the longest stretches first."""
    if not _there(db, "grade"):
        return
    columns = ", ".join(GRADE_COLUMNS)
    rows = db.execute(f"SELECT {columns} FROM grade ORDER BY round_id, stretch_m DESC, from_m")  # noqa: S608 - constants
    for round_id, group in groupby(rows.fetchall(), key=lambda row: row[0]):
        path = db.execute(
            "SELECT odometer_m, longitude_deg, latitude_deg FROM frame WHERE round_id = ? AND longitude_deg IS NOT NULL "
            "ORDER BY odometer_m",
            [round_id],
        ).fetchall()
        for row in group:
            values = dict(zip(GRADE_COLUMNS, row, strict=True)) | {"reasons": json.loads(row[GRADE_COLUMNS.index("reasons")])}
            line = between(path, values["from_m"], values["to_m"])
            if len(line) >= 2:
                yield Feature(f"{round_id}-{values['stretch_m']:g}-{values['from_m']:g}", line, values)


def between(path: Sequence[Placed], from_m: float, to_m: float) -> list[Position]:
    """The line between two readings of the odometer, as far as the path reaches."""
    odometers = [each[0] for each in path]
    if not path or odometers[-1] <= from_m or odometers[0] >= to_m:
        return []
    from_m, to_m = max(from_m, odometers[0]), min(to_m, odometers[-1])
    inside = path[bisect_right(odometers, from_m) : bisect_left(odometers, to_m)]
    return [_at(path, odometers, from_m), *(position(*each[1:]) for each in inside), _at(path, odometers, to_m)]


def _at(path: Sequence[Placed], odometers: Sequence[float], at_m: float) -> Position:
    after = min(max(bisect_left(odometers, at_m), 1), len(path) - 1)
    here, there = path[after - 1], path[after]
    share = (at_m - here[0]) / (there[0] - here[0]) if there[0] > here[0] else 0.0
    return position(here[1] + share * (there[1] - here[1]), here[2] + share * (there[2] - here[2]))


def _tasks(db: sqlite3.Connection) -> Iterator[Feature]:
    for finding in _findings(db):
        values = finding.values
        work = Work(
            finding.id, values["label"], values["severity"], values["area_m2"], values["uncertainty_m"], values["frames"], 1,
            values["seen_at"], values["seen_at"],
        )  # fmt: skip
        columns = task_of(work, finding.positions[0])
        if columns is not None:
            yield Feature(finding.id, finding.positions, columns)


def _there(db: sqlite3.Connection, table: str) -> set[str]:
    """The columns that a table has; none where there is no such table."""
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
