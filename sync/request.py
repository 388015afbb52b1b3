"""What the driver asks of the capture, through the table `request`: the panel writes it, the capture obeys.

A pause holds until the driver resumes, also when the capture is started anew; it ends with the boot: who turns the key drives.
"""

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Literal

from sqlite_utils import Database

from device.boot import boot_id, now_s
from sync.database import transaction
from sync.event import iso

Kind = Literal["pause", "resume", "hazard"]

LAST_WORD = "SELECT kind, made_boot_s FROM request WHERE boot = ? AND kind IN ('pause', 'resume') ORDER BY id DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Request:
    """One press. `made_boot_s` is its moment on the boot clock."""

    id: int
    kind: Kind
    note: str | None
    made_boot_s: float


def put_request(db: Database, kind: Kind, note: str | None = None) -> Request:
    """Ask the capture for something; it obeys within its next step."""
    made_boot_s = now_s()
    with transaction(db):
        row = db.conn.execute(
            "INSERT INTO request (kind, note, made_at, boot, made_boot_s) VALUES (?, ?, ?, ?, ?) RETURNING id",
            [kind, note, iso(datetime.now(timezone.utc)), boot_id(), made_boot_s],
        ).fetchone()
    return Request(row[0], kind, note, made_boot_s)


def paused_since_s(db: Database, boot: str) -> float | None:
    """When (boot clock) the driver paused it in this boot; None where it is not paused."""
    row = db.conn.execute(LAST_WORD, [boot]).fetchone()
    return row[1] if row is not None and row[0] == "pause" else None


def take_pauses(db: Database, boot: str) -> None:
    """Say of every pause and resume of this boot that it has been obeyed."""
    with transaction(db):
        db.conn.execute(
            "UPDATE request SET taken_at = ? WHERE taken_at IS NULL AND boot = ? AND kind IN ('pause', 'resume')",
            [iso(datetime.now(timezone.utc)), boot],
        )
