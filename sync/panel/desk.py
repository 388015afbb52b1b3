"""Takes what the driver presses, on the page or on a button, to the capture: a row of `request`, and nothing else."""

from dataclasses import dataclass
from pathlib import Path

from provisioning.log import events
from sync.ballast import Ballast
from sync.custody import take_database
from sync.failure import DatabaseFailed, DatabaseRefused
from sync.request import Kind, Request, add_note, put_request

log = events("panel")


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a press: the request, or the reason (a code of health) why there is none."""

    request: Request | None
    reason: str | None = None


class Desk:
    """Of one state folder. May be used from several threads: each call opens the database for itself."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def press(self, kind: Kind, note: str | None = None) -> Taken:
        """Ask the capture for something. A full disk has a last place for it: a pause must not depend on the disk."""
        taken = self._put(kind, note)
        if taken.reason == "disk_full":
            Ballast(self._state).drop()
            taken = self._put(kind, note)
        if taken.request is None:
            log.error("press_not_taken", kind=kind, reason=taken.reason)
        return taken

    def note(self, hazard: int, text: str) -> bool | None:
        """Say something of a hazard that was pressed before; False where it has been told already, None where that fails."""
        try:
            db = take_database(self._state / "ronde.db")
            try:
                return add_note(db, hazard, text)
            finally:
                db.close()
        except (DatabaseFailed, DatabaseRefused) as error:
            log.error("press_not_taken", kind="note", reason=str(error))
            return None

    def _put(self, kind: Kind, note: str | None) -> Taken:
        try:
            db = take_database(self._state / "ronde.db")
            try:
                return Taken(put_request(db, kind, note))
            finally:
                db.close()
        except DatabaseFailed as error:
            return Taken(None, error.code)
        except DatabaseRefused:
            return Taken(None, "database_damaged")
