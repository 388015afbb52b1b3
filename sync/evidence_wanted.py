"""Which pictures of findings are still to be cut, and the cutting: by `ronde sync`, out of the photos on disk.

Capture only notes what is wanted, in the transaction of the finding: its time belongs to the next photo, and the photo that shows
the thing best was taken long before. Sync cuts within a second or so; until then the photo is queued for work, and stays. The
crop and its event are one transaction with the end of the wish, so each is made once.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from inference.detect import Box
from provisioning.log import events
from provisioning.settings import Backend, Stream, Unit
from sync.audit_notes import count_evidence
from sync.database import transaction
from sync.event import Event, event_id, iso
from sync.evidence import CropRefused, cut
from sync.outbox import Outbox

AT_ONCE: Final = 20
"""Crops of one turn: on a small computer less than a second, so that the rest of sync is not kept waiting."""

ALERT: Final = re.compile(r".+-a[0-9]+")
"""The id of an alert; the others are findings'."""

log = events("evidence")


@dataclass(frozen=True, slots=True)
class Wish:
    """A crop that is wanted: of which frame, and where in it. `subject` is the finding or the alert.

    The event's id is made of `round_id`, which is another for alerts, and `n`.
    """

    subject: str
    round_id: str
    n: int
    frame_id: str
    box: Box
    seen_at: datetime

    @property
    def told_in(self) -> Stream:
        """The stream that tells of the subject."""
        return "alert" if ALERT.fullmatch(self.subject) else "finding"


def want(db: Database, wish: Wish) -> None:
    """Notes it, inside the transaction that stores the finding: its photo counts as unconfirmed from now on."""
    db.conn.execute(
        'INSERT INTO evidence (subject, round_id, n, frame_id, "left", "top", "right", "bottom", seen_at) '
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [wish.subject, wish.round_id, wish.n, wish.frame_id, *wish.box, iso(wish.seen_at)],
    )
    db.conn.execute("UPDATE finding SET unconfirmed = coalesce(unconfirmed, 0) + 1 WHERE id = ?", [wish.subject])


def box_of(db: Database, frame_id: str, number: int) -> Box | None:
    """The box of a frame's detection, by its number; None where there is none."""
    row = db.conn.execute(
        'SELECT "left", "top", "right", "bottom" FROM detection WHERE frame_id = ? ORDER BY rowid LIMIT 1 OFFSET ?',
        [frame_id, number],
    ).fetchone()
    return None if row is None else (row[0], row[1], row[2], row[3])


class Cutter:
    """Cuts what is wanted, alerts first, then the oldest. `unit` and `backends`: who sends, and to whom.

    A backend gets the pictures of what it is told: of findings, of alerts, or of both.
    """

    def __init__(self, db: Database, state: Path, unit: Unit, backends: Sequence[Backend]) -> None:
        self._db = db
        self._state = state
        self._unit = unit
        self._backends = tuple(backends)
        self._outbox = Outbox(db)

    def cut(self, most: int = AT_ONCE) -> int:
        """At most so many; returns how many wishes are settled, 0 where there is none left.

        Raises:
            DatabaseFailed, DatabaseDamaged: the crop in hand was not stored, and is still wanted.
        """
        rows = self._db.conn.execute(
            'SELECT subject, round_id, n, frame_id, "left", "top", "right", "bottom", seen_at FROM evidence '
            "ORDER BY subject NOT GLOB '*-a*', rowid LIMIT ?",
            [most],
        ).fetchall()
        for subject, round_id, n, frame_id, left, top, right, bottom, seen_at in rows:
            at = datetime.fromisoformat(seen_at.replace("Z", "+00:00"))
            self._settle(Wish(subject, round_id, n, frame_id, (left, top, right, bottom), at))
        return len(rows)

    def cut_all(self, over: Callable[[], bool] = lambda: False) -> None:
        """All of them, unless it is over before."""
        while not over() and self.cut():
            pass

    def _settle(self, wish: Wish) -> None:
        wanted = tuple(each for each in self._backends if {"evidence", wish.told_in} <= set(each.streams))
        picture = self._picture(wish) if wanted else None
        with transaction(self._db):
            if picture is not None:
                # The picture of an alert says whether to send the fire brigade: it does not wait for all other pictures.
                self._outbox.put(self._event(wish, picture), wanted, "finding" if wish.told_in == "alert" else None)
                count_evidence(self._db)
            self._db.conn.execute("DELETE FROM evidence WHERE subject = ?", [wish.subject])
            self._db.conn.execute(
                "UPDATE finding SET unconfirmed = unconfirmed - 1 WHERE id = ? AND unconfirmed > 0", [wish.subject]
            )

    def _event(self, wish: Wish, picture: bytes) -> Event:
        id_ = event_id(self._unit, "evidence", wish.round_id, wish.n)
        return Event(self._unit, "evidence", id_, wish.seen_at, {}, wish.subject, picture)

    def _picture(self, wish: Wish) -> bytes | None:
        """The crop; None where there can be none."""
        try:
            return cut(self._photo(wish.frame_id), wish.box)
        except CropRefused as error:
            log.warning("evidence_left_out", finding_id=wish.subject, reason=str(error))
            return None

    def _photo(self, frame_id: str) -> bytes:
        """The photo of a frame, if it is the very one that was kept."""
        row = self._db.conn.execute("SELECT file, sha256 FROM frame WHERE id = ?", [frame_id]).fetchone()
        if row is None or row[0] is None:
            raise CropRefused("its photo has gone")
        try:
            photo = Path(self._state / row[0]).read_bytes()
        except OSError as error:
            raise CropRefused(f"its photo cannot be read: {error.strerror}") from error
        if hashlib.sha256(photo).hexdigest() != row[1]:
            raise CropRefused("its photo is not the one that was kept")
        return photo
