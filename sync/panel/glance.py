"""What the unit does now, as far as its database tells: read fresh each time, and old news are called old."""

import fcntl
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final, get_args

from device.boot import boot_id, now_s
from sync.contact import CONTACT_KEY
from sync.failure import DatabaseFailed, failure_of
from sync.hazard import LABEL
from sync.reasons import State

SILENT_S: Final = 12.0
"""The capture tells its condition at least every 5 s; what is older is no news any more."""

STARTS_S: Final = 60.0
"""So long after the boot a capture that has not said anything yet is only waited for."""

BUSY_S: Final = 1.0
"""How long a look waits for a database that is busy."""

MOST_WAITING: Final = 10_000
"""More are not counted: a look is to cost the same however much waits."""

STATES: Final = get_args(State)


@dataclass(frozen=True, slots=True)
class Today:
    """What was done since midnight."""

    distance_m: float = 0.0
    frames: int = 0
    findings: int = 0
    hazards: int = 0


@dataclass(frozen=True, slots=True)
class Glance:
    """One look. `told_s` is how long ago the capture told its state, None where it has told none in this boot.

    `asked` is a pause or resume that the capture has not obeyed yet. `today`, `waiting` and `contact_at` are None where nothing
    could be read.
    """

    state: State
    reasons: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    told_s: float | None = None
    paused_at: str | None = None
    asked: str | None = None
    today: Today | None = None
    waiting: int | None = None
    contact_at: str | None = None
    looked_s: float = field(default=0.0, compare=False)


def look(file: Path, midnight: datetime, today: Today | None = None) -> Glance:
    """A look at the database; whatever is wrong with it is told as a state, and nothing is raised.

    `today` was counted a moment ago; where it is given, nothing is counted.
    """
    looked_s, boot = now_s(), boot_id()
    if not file.exists():
        return Glance("fault", ("capture_not_running",), looked_s=looked_s)
    try:
        with _reading(file) as db:
            return _glance(db, boot, looked_s, today or _today(db, midnight))
    except DatabaseFailed as error:
        return Glance("fault", (error.code,), looked_s=looked_s)
    except (sqlite3.Error, OSError, ValueError) as error:
        return Glance("fault", (_code(file, error),), looked_s=looked_s)


def _code(file: Path, error: Exception) -> str:
    """The reason that an error stands for."""
    if isinstance(error, OSError):
        return "disk_error"
    if str(error).startswith("no such table"):
        return "capture_not_running"  # which makes them
    failure = failure_of(error)
    if failure is not None and failure.code == "disk_error" and os.statvfs(file.parent).f_flag & os.ST_RDONLY:
        return "disk_read_only"
    return failure.code if failure is not None else "database_damaged"


@contextmanager
def _reading(file: Path) -> Iterator[sqlite3.Connection]:
    """The database for the length of the block; nobody makes it anew meanwhile, and a look that finds it taken does not wait."""
    hold = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(hold, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatabaseFailed("database_locked", f"{file} is being made anew") from None
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=BUSY_S)) as db:
            yield db
    finally:
        os.close(hold)


def _glance(db: sqlite3.Connection, boot: str, now: float, today: Today) -> Glance:
    state, reasons, told_s = _capture(db, boot, now)
    word = db.execute(
        "SELECT kind, made_at, taken_at FROM request WHERE kind IN ('pause', 'resume') ORDER BY id DESC LIMIT 1"
    ).fetchone()
    asked = word[0] if word is not None and word[2] is None else None
    # A pause that holds is one even where the capture is dead; "paused" is told by the capture alone.
    paused_at = word[1] if word is not None and word[0] == "pause" else None
    row = db.execute("SELECT reasons FROM condition WHERE name = 'sync' AND boot = ?", [boot]).fetchone()
    alarms = json.loads(row[0]) if row else []
    contact = db.execute("SELECT value FROM setting WHERE key = ?", [CONTACT_KEY]).fetchone()
    return Glance(
        state=state,
        reasons=reasons,
        also=tuple(each for each in dict.fromkeys(alarms) if each not in reasons),
        told_s=told_s,
        paused_at=paused_at,
        asked=asked,
        today=today,
        waiting=int(db.execute("SELECT count(*) FROM (SELECT 1 FROM outbox LIMIT ?)", [MOST_WAITING]).fetchone()[0]),
        contact_at=contact[0] if contact else None,
        looked_s=now,
    )


def _capture(db: sqlite3.Connection, boot: str, now: float) -> tuple[State, tuple[str, ...], float | None]:
    row = db.execute("SELECT boot, at_boot_s, state, reasons FROM condition WHERE name = 'capture'").fetchone()
    if row is None or row[0] != boot:
        return ("waiting" if now < STARTS_S else "fault"), ("capture_not_running",), None
    told_s = max(0.0, now - row[1])
    if told_s > SILENT_S:
        return "fault", ("capture_silent",), told_s
    reasons = tuple(each for each in json.loads(row[3]) if isinstance(each, str))
    return (row[2] if row[2] in STATES else "fault"), reasons, told_s


def _today(db: sqlite3.Connection, midnight: datetime) -> Today:
    """Of the rounds that began or ended since midnight: searches in indexes, however much is stored."""
    since = midnight.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    rounds = [
        round_id
        for (round_id,) in db.execute(
            "SELECT id FROM round WHERE started_at >= ?1 OR ended_at >= ?1 OR (ended_at IS NULL AND started_at IS NULL)", [since]
        )
    ]
    driven_m = sum(_first(db, "SELECT max(odometer_m) FROM frame WHERE round_id = ?", each) for each in rounds)
    frames = sum(_first(db, "SELECT count(*) FROM frame WHERE round_id = ?", each) for each in rounds)
    found: dict[bool, int] = {False: 0, True: 0}
    for each in rounds:
        for label, count in db.execute("SELECT label, count(*) FROM finding WHERE round_id = ? GROUP BY label", [each]):
            found[label == LABEL] += count
    return Today(driven_m, int(frames), found[False], found[True])


def _first(db: sqlite3.Connection, sql: str, value: Any) -> float:
    return float(db.execute(sql, [value]).fetchone()[0] or 0.0)
