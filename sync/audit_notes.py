"""What the audit log is told of that happens elsewhere: pauses that were obeyed, photos and pictures that were handed over."""

from pathlib import Path
from typing import Final

from sqlite_utils import Database

from sync.audit import Audit
from sync.database import next_number, transaction
from sync.request import take_pauses

HANDED: Final = "evidence_handed"
NOTED: Final = "evidence_noted"
BY_COMMAND: Final = "command "


def obey_pauses(db: Database, state: Path) -> None:
    """Says of every pause and resume that it has been obeyed, here and in the log.

    Raises:
        DatabaseFailed, DatabaseDamaged: it is said once more later.
    """
    rows = db.conn.execute(
        "SELECT kind, note FROM request WHERE taken_at IS NULL AND kind IN ('pause', 'resume') ORDER BY id"
    ).fetchall()
    for kind, note in rows:
        by = note if note is not None and note.startswith(BY_COMMAND) else "the driver"
        Audit(state).append("paused" if kind == "pause" else "resumed", {"by": by})
    take_pauses(db)


def count_evidence(db: Database) -> None:
    """A picture was put into the outbox; called inside that transaction."""
    next_number(db, HANDED)


def note_evidence(db: Database, state: Path) -> None:
    """Says in the log how many pictures have gone since it was said last.

    Raises:
        DatabaseFailed, DatabaseDamaged: it is said once more later.
    """
    given = dict(db.conn.execute("SELECT key, value FROM setting WHERE key IN (?, ?)", [HANDED, NOTED]).fetchall())
    pictures = int(given.get(HANDED, 0)) - int(given.get(NOTED, 0))
    if pictures <= 0:
        return
    Audit(state).append("evidence_handed_over", {"pictures": pictures})
    with transaction(db):
        db.conn.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", [NOTED, given[HANDED]])


def note_export(folder: Path, photos: int) -> None:
    """So many photos are about to be copied out of a folder.

    Raises:
        AuditNotWritten: it cannot be noted, and must not happen.
    """
    Audit(folder).append("photos_exported", {"photos": photos})
