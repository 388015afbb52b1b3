"""What the driver asks of the capture, through the table `request`: the panel writes it, the capture obeys.

A pause holds until the driver resumes: through a restart, a power cut and any number of starts of the car (docs/adr/0013).
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Final, Literal

from sqlite_utils import Database

from device.boot import boot_id, now_s
from sync.database import transaction
from sync.event import iso

Kind = Literal["pause", "resume", "hazard"]

LAST_WORD: Final = (
    "SELECT kind, boot, made_boot_s, made_at FROM request WHERE kind IN ('pause', 'resume') ORDER BY id DESC LIMIT 1"
)

COMMANDED: Final = "command "
"""How the note of a pause or resume begins that a backend asked for; the number of its command follows."""
BY_DRIVER: Final = f"(note IS NULL OR note NOT LIKE '{COMMANDED}%')"

LONGEST_NOTE: Final = 200
"""Characters: what a receiver takes as one text."""

NOTE_WAIT_S: Final = 20.0
"""So long a hazard waits for what the driver may still say of it."""

ONE_PRESS_S: Final = 2.0
"""A button that is hit several times within so long means one thing."""

KEPT_ROWS: Final = 5_000
"""Requests that were obeyed long ago are forgotten; so many stay for the patrol log."""


@dataclass(frozen=True, slots=True)
class Request:
    """One press. `made_boot_s` is its moment on the clock of the boot `boot`."""

    id: int
    kind: Kind
    note: str | None
    made_boot_s: float
    boot: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """The unit is paused. `since_s` on this boot's clock, 0 for a pause of an earlier boot; `since_at` by the wall clock."""

    since_s: float
    since_at: str


def put_request(db: Database, kind: Kind, note: str | None = None) -> Request:
    """Ask the capture for something; it obeys within its next step. What was asked for just now is not asked twice.

    Raises:
        DatabaseFailed: the database does not take it; nothing was asked.
    """
    made_boot_s, boot, note = now_s(), boot_id(), clean_note(note)
    with transaction(db):
        same = _same(db, kind, note, boot, made_boot_s)
        if same is not None:
            if note is not None:
                db.conn.execute("UPDATE request SET note = ? WHERE id = ? AND taken_at IS NULL", [note, same.id])
            return same
        row = db.conn.execute(
            "INSERT INTO request (kind, note, made_at, boot, made_boot_s) VALUES (?, ?, ?, ?, ?) RETURNING id",
            [kind, note, iso(datetime.now(timezone.utc)), boot, made_boot_s],
        ).fetchone()
        _forget_old(db, row[0])
    return Request(row[0], kind, note, made_boot_s, boot)


def add_note(db: Database, id_: int, note: str | None) -> bool:
    """Say something of a hazard that was pressed before; False where it has been told already, or nothing is said."""
    note = clean_note(note)
    if note is None:
        return False
    with transaction(db):
        changed = db.conn.execute(
            "UPDATE request SET note = ? WHERE id = ? AND kind = 'hazard' AND taken_at IS NULL", [note, id_]
        ).rowcount
    return changed > 0


def clean_note(note: str | None) -> str | None:
    """A note as one line of at most `LONGEST_NOTE` printable characters; None where nothing is left of it."""
    if note is None:
        return None
    shown = "".join(each if each.isprintable() else " " for each in unicodedata.normalize("NFC", note))
    return " ".join(shown.split())[:LONGEST_NOTE].strip() or None


def paused(db: Database, boot: str) -> Pause | None:
    """Since when the driver has paused it; None where it is not paused."""
    row = db.conn.execute(LAST_WORD).fetchone()
    if row is None or row[0] != "pause":
        return None
    return Pause(row[2] if row[1] == boot else 0.0, row[3])


def paused_since_s(db: Database, boot: str) -> float | None:
    """When (boot clock) the driver paused it, 0 where that was in an earlier boot; None where it is not paused."""
    pause = paused(db, boot)
    return None if pause is None else pause.since_s


def paused_by_driver(db: Database) -> bool:
    """Whether the driver has paused it since it was last resumed: then nobody else resumes it."""
    row = db.conn.execute(
        f"SELECT 1 FROM request WHERE kind = 'pause' AND {BY_DRIVER} AND id > "  # noqa: S608 - our own words
        "(SELECT coalesce(max(id), 0) FROM request WHERE kind = 'resume') LIMIT 1"
    ).fetchone()
    return row is not None


def take_pauses(db: Database) -> None:
    """Say of every pause and resume that it has been obeyed."""
    with transaction(db):
        db.conn.execute(
            "UPDATE request SET taken_at = ? WHERE taken_at IS NULL AND kind IN ('pause', 'resume')",
            [iso(datetime.now(timezone.utc))],
        )


def hazards_waiting(db: Database) -> Sequence[Request]:
    """The hazards that no finding has been made of yet, the oldest first."""
    rows = db.conn.execute(
        "SELECT id, kind, note, made_boot_s, boot FROM request WHERE taken_at IS NULL AND kind = 'hazard' ORDER BY id LIMIT 100"
    ).fetchall()
    return [Request(*row) for row in rows]


def was_paused(db: Database, hazard: Request) -> bool:
    """Whether the driver had paused it when this was pressed."""
    row = db.conn.execute(
        "SELECT kind FROM request WHERE kind IN ('pause', 'resume') AND id < ? ORDER BY id DESC LIMIT 1", [hazard.id]
    ).fetchone()
    return row is not None and row[0] == "pause"


def take(db: Database, request: Request) -> None:
    """Say of one request that it has been obeyed; called inside the transaction that obeys it."""
    db.conn.execute("UPDATE request SET taken_at = ? WHERE id = ?", [iso(datetime.now(timezone.utc)), request.id])


def _same(db: Database, kind: Kind, note: str | None, boot: str, made_boot_s: float) -> Request | None:
    """The request that this one only repeats. What the driver asks does not repeat what a backend asked."""
    if kind == "hazard":
        row = db.conn.execute(
            "SELECT id, kind, note, made_boot_s, boot FROM request WHERE id = (SELECT max(id) FROM request) AND kind = 'hazard' "
            "AND boot = ? AND made_boot_s > ?",
            [boot, made_boot_s - ONE_PRESS_S],
        ).fetchone()
    else:
        row = db.conn.execute(
            "SELECT id, kind, note, made_boot_s, boot FROM request WHERE id = "  # noqa: S608 - our own words
            f"(SELECT max(id) FROM request WHERE kind IN ('pause', 'resume')) AND kind = ? AND {BY_DRIVER} = ?",
            [kind, note is None or not note.startswith(COMMANDED)],
        ).fetchone()
    return Request(*row) if row is not None else None


def _forget_old(db: Database, newest: int) -> None:
    """The last pause or resume stays, however long ago it was."""
    db.conn.execute(
        "DELETE FROM request WHERE id < ?1 AND taken_at IS NOT NULL AND id IS NOT "
        "(SELECT max(id) FROM request WHERE kind IN ('pause', 'resume'))",
        [newest - KEPT_ROWS],
    )
