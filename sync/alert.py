"""The last step for what cannot wait: fire and smoke in a frame become an alert, its picture, and its end.

Each is written in a transaction of its own, right after the frame's: a frame without an alert costs nothing more.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from sqlite_utils import Database

from inference import alert as rule
from inference.anonymise import AnonymousFrame
from inference.detect import Detection
from inference.lens import lens_of
from provisioning.log import events
from sync.alert_event import AlertTeller
from sync.database import transaction
from sync.round_store import Recipients
from sync.safety import SafetyWatch

log = events("alert")


class Lookout(Protocol):
    """Looks for fire and smoke in frames whose people are hidden already."""

    @property
    def sha256(self) -> str | None:
        """Of the model that looks; None while nobody does."""
        ...

    def look(self, frame: AnonymousFrame) -> Sequence[Detection]:
        """What is seen, in pixels of the frame."""
        ...


class SafetyLookout:
    """The `Lookout` of a unit: its safety model, as long as that is allowed."""

    def __init__(self, watch: SafetyWatch) -> None:
        self._watch = watch

    @property
    def sha256(self) -> str | None:
        """Of the safety model; None while none is loaded."""
        model = self._watch.model
        return None if model is None else model.manifest.sha256

    def look(self, frame: AnonymousFrame) -> Sequence[Detection]:
        """What is seen, in pixels of the frame."""
        return self._watch.look(frame)


class Alerts:
    """The alerts of one round. All calls come from the thread that opened the database."""

    def __init__(self, db: Database, round_id: str, recipients: Recipients, lookout: Lookout) -> None:
        self._db = db
        self._round_id = round_id
        self._teller = AlertTeller(db, round_id, recipients)
        self._lookout = lookout
        self._geometry: dict[str, Any] | None = None
        self._watch = rule.Watch()
        self.begun = 0

    def take(self, frame_id: str, frame: AnonymousFrame) -> None:
        """A frame that was just stored: what is seen in it may begin an alert, or end one.

        Raises:
            DatabaseFailed, DatabaseDamaged: nothing was written; what the frame showed counts at the next one.
        """
        if frame.place is None:
            return
        sha256 = self._lookout.sha256
        if sha256 is None:
            self._write(self._watch.end("not_allowed"), frame.place.taken_at, "")
            return
        height, width = frame.pixels.shape[:2]
        lens = lens_of(self._camera(), width, height)
        told = self._watch.take(rule.Looked(frame_id, frame.place, lens, self._lookout.look(frame)))
        self._write(told, frame.place.taken_at, sha256)

    def end(self) -> None:
        """The round is over, and with it all that was told."""
        self._write(self._watch.end("round_ended"), None, "")

    def _write(self, told: rule.Told, at: datetime | None, sha256: str) -> None:
        if told.begun or told.over:
            with transaction(self._db):
                for incident in told.begun:
                    self._teller.begin(incident, sha256)
                for incident, why in told.over:
                    self._teller.end(incident, why, at)
        self._watch = told.watch
        self.begun += len(told.begun)
        for incident in told.begun:
            log.warning("alert_began", alert_id=self._teller.id_of(incident), label=incident.label, frames=incident.frames)
        for incident, why in told.over:
            log.info("alert_ended", alert_id=self._teller.id_of(incident), why=why, frames=incident.frames)

    def _camera(self) -> dict[str, Any]:
        """The camera's geometry, as the round's row tells it."""
        if self._geometry is None:
            row = self._db.conn.execute("SELECT settings FROM round WHERE id = ?", [self._round_id]).fetchone()
            self._geometry = json.loads(row[0]).get("camera", {}) if row else {}
        return self._geometry


def close_alerts(db: Database, recipients: Recipients) -> int:
    """Ends the alerts that a power cut left open; how many."""
    left = db.conn.execute("SELECT id, round_id FROM alert WHERE ended_at IS NULL").fetchall()
    for id_, round_id in left:
        with transaction(db):
            AlertTeller(db, round_id, recipients).close(id_, "unit_stopped", None)
        log.info("alert_ended", alert_id=id_, why="unit_stopped", frames=None)
    return len(left)
