"""Reads a day out of `ronde.db`, with the town's file of streets where there is one. Changes nothing."""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from inference.streets import Photo, Streets
from provisioning.settings import Unit
from sync.event import iso
from sync.hazard import LABEL
from sync.patrol import Day, Drive, Frame, Marked, Missing, Paused, stretches_of

BUSY_S: Final = 5.0


class PatrolRefused(Exception):
    """There is no log of this day to be had: one sentence."""


def read_day(file: Path, unit: Unit, day: date, streets: Streets | None = None) -> Day:
    """The log of a day, by this machine's own clock.

    Raises:
        PatrolRefused: the database cannot be read.
    """
    if not file.is_file():
        raise PatrolRefused(f"{file}: there is no such database")
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as db:
            begin, end = day_of(day)
            rounds = db.execute(
                "SELECT id, started_at, ended_at FROM round WHERE started_at >= ? AND started_at < ? ORDER BY started_at, rowid",
                [iso(begin), iso(end)],
            ).fetchall()
            drives = [_drive(db, id_, began, ended, streets) for id_, began, ended in rounds]
            return Day(unit.fleet, unit.name, day, drives, _pauses(db, begin, end), streets is not None)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise PatrolRefused(f"{file} cannot be read: {error}") from error


def day_of(day: date) -> tuple[datetime, datetime]:
    """From its midnight to the next, where this machine is; 23 or 25 hours where the clock is changed."""
    begin = datetime(day.year, day.month, day.day).astimezone()
    after = day + timedelta(days=1)
    return begin, datetime(after.year, after.month, after.day).astimezone()


def _drive(db: sqlite3.Connection, round_id: str, began: str, ended: str | None, streets: Streets | None) -> Drive:
    frames, photos = _frames(db, round_id)
    missing = [
        Missing(*row)
        for row in db.execute("SELECT odometer_m, length_m, reason FROM gap WHERE round_id = ? ORDER BY odometer_m", [round_id])
    ]
    pieces = db.execute("SELECT from_m, to_m FROM track WHERE round_id = ? ORDER BY n", [round_id]).fetchall()
    ends_m = [to_m for _, to_m in pieces] + [frame.odometer_m for frame in frames]
    begins_m = [from_m for from_m, _ in pieces] + [frame.odometer_m for frame in frames]
    end_m, begin_m = max(ends_m, default=0.0), min(begins_m, default=0.0)
    cuts = _streets(streets, photos, begin_m) if streets is not None else [(from_m, None) for from_m, _ in pieces]
    digest = hashlib.sha256("".join(f"{each.frame_id} {each.sha256}\n" for each in frames).encode()).hexdigest()
    (findings,) = db.execute("SELECT count(*) FROM finding WHERE round_id = ? AND label != ?", [round_id, LABEL]).fetchone()
    return Drive(
        round_id=round_id,
        began_at=_moment(began),
        ended_at=None if ended is None else _moment(ended),
        length_m=end_m - begin_m,
        photos=len(frames),
        photos_sha256=digest,
        findings=findings,
        stretches=stretches_of(cuts or [(begin_m, None)], end_m, frames, missing),
        hazards=_hazards(db, round_id),
    )


def _frames(db: sqlite3.Connection, round_id: str) -> tuple[list[Frame], list[Photo]]:
    """The round's frames that have a place, in the order of the road; and the same as streets are asked."""
    frames, photos = [], []
    for id_, odometer_m, latitude_deg, longitude_deg, accuracy_m, heading_deg, at, sha256 in db.execute(
        "SELECT id, odometer_m, latitude_deg, longitude_deg, accuracy_m, heading_deg, taken_at, sha256 FROM frame "
        "WHERE round_id = ? AND latitude_deg IS NOT NULL ORDER BY odometer_m, id",
        [round_id],
    ):
        frames.append(Frame(id_, odometer_m, (latitude_deg, longitude_deg), None if at is None else _moment(at), sha256))
        photos.append(Photo(odometer_m, latitude_deg, longitude_deg, accuracy_m or 0.0, heading_deg))
    return frames, photos


def _streets(streets: Streets, photos: Sequence[Photo], begin_m: float) -> list[tuple[float, str | None]]:
    """From which metre on it is which street; before the first that is known it is none."""
    changes: list[tuple[float, str | None]] = [(change.odometer_m, change.street) for change in streets.changes(photos)]
    return changes if changes and changes[0][0] <= begin_m else [(begin_m, None), *changes]


def _hazards(db: sqlite3.Connection, round_id: str) -> list[Marked]:
    rows = db.execute(
        "SELECT id, seen_at, latitude_deg, longitude_deg, uncertainty_m, note FROM finding WHERE round_id = ? AND label = ? "
        "ORDER BY seen_at, id",
        [round_id, LABEL],
    )
    return [
        Marked(id_, None if at is None else _moment(at), (latitude_deg, longitude_deg), unsure_m, note)
        for id_, at, latitude_deg, longitude_deg, unsure_m, note in rows
    ]


def _pauses(db: sqlite3.Connection, begin: datetime, end: datetime) -> list[Paused]:
    """The pauses that reach into the day, by the unit's clock."""
    pauses: list[Paused] = []
    since: datetime | None = None
    words: list[Any] = db.execute(
        "SELECT kind, made_at FROM request WHERE kind IN ('pause', 'resume') AND made_at < ? ORDER BY id", [iso(end)]
    ).fetchall()
    for kind, made_at in words:
        at = _moment(made_at)
        if kind == "pause":
            since = since or at
        elif since is not None:
            pauses.append(Paused(since, at))
            since = None
    if since is not None:
        pauses.append(Paused(since, None))
    return [each for each in pauses if each.ended_at is None or each.ended_at > begin]


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(timezone.utc)
