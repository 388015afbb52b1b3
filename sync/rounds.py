"""What comes before and after a round: its id, one process at a time, and what a power cut left."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlite_utils import Database

from sync.alert import close_alerts
from sync.aside import unsalvaged_files
from sync.database import transaction
from sync.failure import disk_failure
from sync.round_store import Recipients, RoundStore
from sync.rows import PLACE_COLUMNS, place_of

UNSETTLED = (
    f"SELECT id, {', '.join(PLACE_COLUMNS)} FROM frame WHERE round_id = ? AND position_source = 'ahead_of_fix' ORDER BY id"  # noqa: S608 - our own names
)


class AlreadyRunning(Exception):
    """Another process does this very work on the state folder; the message names both."""


@contextmanager
def only_one(state: Path, work: Literal["capture", "sync"]) -> Iterator[None]:
    """Hold a piece of work on the state folder for this process.

    Raises:
        AlreadyRunning: another process holds it.
        DatabaseFailed: the disk does not let the folder or the file be made.
    """
    lock = _open_lock(state / f"{work}.lock")
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"{state} is in use by another ronde {work}") from None
        yield
    finally:
        os.close(lock)


def _open_lock(file: Path) -> int:
    """A file to lock. One that is there is opened for reading: a read-only disk must not hide that another process has it."""
    try:
        if file.exists():
            return os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise disk_failure(f"{file} cannot be opened", error) from error


def next_round_id(db: Database, boot: str) -> str:
    """First 8 hex digits of the boot id, a dash, and a counter of rounds since that boot."""
    prefix = f"{boot[:8]}-"
    taken = [
        int(round_id[len(prefix) :]) for (round_id,) in db.conn.execute("SELECT id FROM round WHERE id GLOB ?", [prefix + "*"])
    ]
    return f"{prefix}{max(taken, default=0) + 1}"


def close_rounds(db: Database, state: Path, recipients: Recipients) -> int:
    """End the rounds that a power cut left open, at their last frame. Returns how many.

    What was kept ahead of a fix that now never comes is settled first: a frame with a predicted place stays there, and tells what
    is seen in it; one without any place goes, and so does a round that never had a fix.
    """
    close_alerts(db, recipients)
    rounds = db.conn.execute("SELECT id, settings FROM round WHERE ended_at IS NULL").fetchall()
    for round_id, settings in rounds:
        store = RoundStore(db, state, round_id, recipients, json.loads(settings).get("roads", ""))
        store.go_on()
        for frame_id, *columns in db.conn.execute(UNSETTLED, [round_id]).fetchall():
            place = place_of(columns)
            if place is not None:
                store.place(frame_id, place)
            else:
                store.remove(frame_id)
        store.finish()
        with transaction(db):
            db.conn.execute(
                "UPDATE round SET ended_at = coalesce((SELECT max(taken_at) FROM frame WHERE round_id = round.id), started_at) "
                "WHERE id = ?",
                [round_id],
            )
            db.conn.execute(
                "DELETE FROM round WHERE id = :id AND started_at IS NULL "
                "AND NOT EXISTS (SELECT 1 FROM frame WHERE round_id = :id)",
                {"id": round_id},
            )
    return len(rounds)


def sweep(db: Database, state: Path) -> int:
    """Remove photos that have no row, and photos half written: what a power cut left. Returns how many.

    None while a database that was set aside is not salvaged yet: their rows may still be in it.

    Raises:
        DatabaseFailed: the disk does not let them go.
    """
    if unsalvaged_files(state / "ronde.db"):
        return 0
    known = {file for (file,) in db.conn.execute("SELECT file FROM frame")}
    stray = [file for file in (state / "frames").rglob("*") if file.is_file() and str(file.relative_to(state)) not in known]
    try:
        for file in stray:
            file.unlink()
    except OSError as error:
        raise disk_failure(f"{error.filename} cannot be removed", error) from error
    return len(stray)
