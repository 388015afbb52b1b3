"""Grades of a round: each time that enough road is settled, its stretches become rows and one event, in the frame's transaction.

All that it goes by stands in the database: how far it has come, the photos, the findings. So it goes on after a power cut.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from sqlite_utils import Database

from inference.grade import Damage
from inference.merge import FORGOTTEN_M, Merge
from inference.scale import FAMILY_OF, PIECE_M, STRETCHES_M, Scale, scale_of
from inference.streets import Photo, Streets, StreetsRefused, read_streets
from inference.survey import Road, Stretch, damage_of, damages_in_view, survey
from provisioning.log import events
from sync.event import position
from sync.rows import insert

LATE_M: Final = FORGOTTEN_M + 5.0
"""Behind the car all things are told by then."""
AROUND_M: Final = 40.0
"""Photos so far before and after a piece tell in which street it begins and ends, and show its last cells."""
LONGEST_M: Final = 300.0
"""Findings whose middle lies so far from a piece may still reach into it."""

Tell = Callable[[str, int, datetime, Mapping[str, Any]], None]
"""Stream, number, time and data of an event."""

PHOTOS: Final = """
    SELECT odometer_m, latitude_deg, longitude_deg, accuracy_m, heading_deg, reasons, taken_at FROM frame
    WHERE round_id = :round AND latitude_deg IS NOT NULL
    AND odometer_m >= coalesce((SELECT max(odometer_m) FROM frame WHERE round_id = :round AND odometer_m <= :from), :from)
    AND odometer_m <= coalesce((SELECT min(odometer_m) FROM frame WHERE round_id = :round AND odometer_m >= :to), :to)
    ORDER BY odometer_m, id"""

log = events("grade")


class Piece(NamedTuple):
    """Road between two readings of the odometer; pieces are numbered from 0 on."""

    from_m: float
    to_m: float
    number: int


class Grader:
    """Grades one round."""

    def __init__(self, db: Database, round_id: str, tell: Tell) -> None:
        self._db = db
        self._round_id = round_id
        self._tell = tell
        self.scale = Scale()
        self._streets: Streets | None = None

    def begin(self) -> None:
        """The round's row tells the town's scale and streets, the same whenever the round goes on."""
        row = self._db.conn.execute("SELECT settings FROM round WHERE id = ?", [self._round_id]).fetchone()
        told: Mapping[str, Any] = json.loads(row[0]).get("grade", {}) if row else {}
        self.scale = scale_of(told)
        self._streets = _streets(told.get("streets"))

    def write(self, odometer_m: float, merge: Merge, near_m: float) -> None:
        """The car is here: grade what is settled behind it, inside the caller's transaction.

        Photos show the road from `near_m` ahead.
        """
        while odometer_m >= (piece := self._next()).to_m + LATE_M:
            self._grade(piece, damages_in_view(merge), near_m)

    def finish(self, near_m: float) -> None:
        """No photo will come: grade the rest, inside the caller's transaction. What is shorter than a cell is left."""
        (to_m,) = self._db.conn.execute(
            "SELECT coalesce(max(odometer_m), 0.0) FROM frame WHERE round_id = ? AND latitude_deg IS NOT NULL", [self._round_id]
        ).fetchone()
        while to_m - (piece := self._next()).from_m >= self.scale.cell_m:
            self._grade(piece._replace(to_m=min(to_m, piece.to_m)), (), near_m)

    def _next(self) -> Piece:
        """The first piece that is not graded; the round's first begins with its first photo."""
        row = self._db.conn.execute(
            "SELECT to_m, piece FROM grade WHERE round_id = ? AND stretch_m = ? ORDER BY from_m DESC LIMIT 1",
            [self._round_id, STRETCHES_M[0]],
        ).fetchone()
        if row is not None:
            return Piece(row[0], row[0] + PIECE_M, row[1] + 1)
        first = self._db.conn.execute(
            "SELECT odometer_m FROM frame WHERE round_id = ? AND latitude_deg IS NOT NULL ORDER BY odometer_m LIMIT 1",
            [self._round_id],
        ).fetchone()
        begin_m = max(0.0, first[0]) if first else 0.0
        return Piece(begin_m, begin_m + PIECE_M, 0)

    def _grade(self, piece: Piece, in_view: Sequence[Damage], near_m: float) -> None:
        photos, at = self._photos(piece)
        damages = [*self._damages(piece), *in_view]
        stretches = survey(Road(piece.from_m, piece.to_m, photos, damages, near_m, self._streets), self.scale)
        for stretch in stretches:
            insert(self._db, "grade", round_id=self._round_id, piece=piece.number, **grade_columns(stretch))
        if at is not None:
            self._tell("grade", piece.number, at, grade_data(self._round_id, stretches))

    def _photos(self, piece: Piece) -> tuple[list[Photo], datetime | None]:
        """The photos that show a piece, and when its end was passed."""
        ends = {"round": self._round_id, "from": piece.from_m - AROUND_M, "to": piece.to_m + AROUND_M}
        rows = self._db.conn.execute(PHOTOS, ends).fetchall()
        photos = [
            Photo(odometer_m, latitude_deg, longitude_deg, accuracy_m, heading_deg, tuple((reasons or "").split()))
            for odometer_m, latitude_deg, longitude_deg, accuracy_m, heading_deg, reasons, _ in rows
        ]
        timed = [(odometer_m, at) for odometer_m, *_, at in rows if at is not None]
        times = [at for odometer_m, at in timed if odometer_m <= piece.to_m] or [at for _, at in timed]
        return photos, datetime.fromisoformat(times[-1].replace("Z", "+00:00")) if times else None

    def _damages(self, piece: Piece) -> list[Damage]:
        rows = self._db.conn.execute(
            "SELECT label, odometer_m, right_m, width_m, length_m FROM finding WHERE round_id = ? "
            "AND odometer_m BETWEEN ? AND ? AND width_m IS NOT NULL",
            [self._round_id, piece.from_m - LONGEST_M, piece.to_m + LONGEST_M],
        )
        return [damage_of(*row) for row in rows if row[0] in FAMILY_OF]


def grade_columns(stretch: Stretch) -> dict[str, Any]:
    """A stretch as the columns of `grade`."""
    grade = stretch.grade
    return {
        "stretch_m": stretch.most_m,
        "from_m": grade.from_m,
        "to_m": grade.to_m,
        "grade": grade.grade,
        "low": grade.low,
        "high": grade.high,
        "coverage": grade.coverage,
        "cells": grade.cells,
        "reasons": json.dumps(dict(sorted(grade.reasons.items()))),
        "street": stretch.street,
    }


def grade_data(round_id: str, stretches: Sequence[Stretch]) -> dict[str, Any]:
    """Stretches as the GeoJSON FeatureCollection of the event `grade`; `street` is there where a street file knows it."""
    return {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "geometry": {"type": "LineString", "coordinates": [position(*point) for point in stretch.line]},
                "properties": {"round_id": round_id, **_told(grade_columns(stretch))},
            }
            for stretch in stretches
        ],
    }


def grades_of(db: Database, round_id: str) -> list[dict[str, Any]]:
    """The stretches of a round as `report.json` tells them: by length, in the order of the road."""
    columns = ("stretch_m", "from_m", "to_m", "grade", "low", "high", "coverage", "cells", "reasons", "street")
    rows = db.conn.execute(
        f"SELECT {', '.join(columns)} FROM grade WHERE round_id = ? ORDER BY stretch_m DESC, from_m",  # noqa: S608 - our own names
        [round_id],
    )
    return [_told(dict(zip(columns, row, strict=True))) for row in rows]


def reasons_of(db: Database, round_id: str) -> dict[str, int]:
    """How many photos of a round grade nothing, by what is wrong with them."""
    rows = db.conn.execute("SELECT reasons FROM frame WHERE round_id = ? AND reasons <> ''", [round_id])
    return dict(sorted(Counter(reason for (reasons,) in rows for reason in reasons.split()).items()))


def _told(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns as people and programs are told them: rounded, counts as an object, no street where none is known."""
    told = dict(columns) | {"reasons": json.loads(columns["reasons"])}
    told |= {key: round(told[key], 1) for key in ("from_m", "to_m")}
    told |= {key: None if told[key] is None else round(told[key], 2) for key in ("grade", "low", "high", "coverage")}
    if told["street"] is None:
        del told["street"]
    return told


def _streets(file: str | None) -> Streets | None:
    """The streets of a file. One that cannot be used cuts nothing: the road is photographed and graded all the same."""
    if file is None:
        return None
    try:
        path = Path(file)
        return _read(path, path.stat().st_mtime_ns)
    except (OSError, StreetsRefused) as error:
        log.error("streets_refused", reason=str(error))
        return None


@lru_cache(maxsize=1)
def _read(file: Path, _changed_ns: int) -> Streets:
    return read_streets(file)
