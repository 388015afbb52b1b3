"""What comes before and after a round: its id, one process at a time, and what a power cut left."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from sqlite_utils import Database

from sync.database import transaction


class AlreadyRunning(Exception):
    """Another process does this very work on the state folder; the message names both."""


@contextmanager
def only_one(state: Path, work: Literal["capture", "sync"]) -> Iterator[None]:
    """Hold a piece of work on the state folder for this process.

    Raises:
        AlreadyRunning: another process holds it.
    """
    state.mkdir(parents=True, exist_ok=True)
    with (state / f"{work}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"{state} is in use by another ronde {work}") from None
        yield


def next_round_id(db: Database, boot: str) -> str:
    """First 8 hex digits of the boot id, a dash, and a counter of rounds since that boot."""
    prefix = f"{boot[:8]}-"
    taken = [
        int(round_id[len(prefix) :]) for (round_id,) in db.conn.execute("SELECT id FROM round WHERE id GLOB ?", [prefix + "*"])
    ]
    return f"{prefix}{max(taken, default=0) + 1}"


def close_rounds(db: Database) -> int:
    """End the rounds that a power cut left open, at their last frame. Returns how many."""
    with transaction(db):
        return db.conn.execute(
            "UPDATE round SET ended_at = coalesce((SELECT max(taken_at) FROM frame WHERE round_id = round.id), started_at) "
            "WHERE ended_at IS NULL"
        ).rowcount


def sweep(db: Database, state: Path) -> int:
    """Remove photos that have no row, and photos half written: what a power cut left. Returns how many."""
    known = {file for (file,) in db.conn.execute("SELECT file FROM frame")}
    stray = [file for file in (state / "frames").rglob("*") if file.is_file() and str(file.relative_to(state)) not in known]
    for file in stray:
        file.unlink()
    return len(stray)
