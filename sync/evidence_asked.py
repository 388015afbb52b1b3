"""The picture of a finding, asked for by a command: it is cut and sent once more, if its photo is still there."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlite_utils import Database

from provisioning.settings import Backend
from sync.commands_book import Outcome
from sync.database import transaction
from sync.evidence_wanted import Wish, want

NUMBER: Final = re.compile(r".+-f(\d{1,9})")
"""The number at the end of a finding's id: its picture has the event id that is made of it, the same each time."""

BEST_BOX: Final = (
    'SELECT "left", "top", "right", "bottom" FROM detection WHERE frame_id = ? AND label = ? ORDER BY score DESC, rowid LIMIT 1'
)


def ask_evidence(db: Database, backends: Sequence[Backend], finding_id: str) -> Outcome:
    """Wants the picture of a finding; what became of it.

    Raises:
        DatabaseFailed, DatabaseDamaged: as any transaction.
    """
    if not any("evidence" in backend.streams for backend in backends):
        return "no_backend"
    with transaction(db):
        row = db.conn.execute(
            "SELECT finding.round_id, label, best_frame_id, seen_at, frame.file FROM finding "
            "LEFT JOIN frame ON frame.id = best_frame_id WHERE finding.id = ?",
            [finding_id],
        ).fetchone()
        number = NUMBER.fullmatch(finding_id)
        if row is None or number is None:
            return "unknown_finding"
        round_id, label, frame_id, seen_at, file = row
        box = db.conn.execute(BEST_BOX, [frame_id, label]).fetchone()
        if file is None or box is None or seen_at is None:
            return "no_photo"
        if db.conn.execute("SELECT 1 FROM evidence WHERE subject = ?", [finding_id]).fetchone() is None:
            at = datetime.fromisoformat(seen_at.replace("Z", "+00:00"))
            want(db, Wish(finding_id, round_id, int(number[1]), frame_id, tuple(box), at))
    return "asked"
