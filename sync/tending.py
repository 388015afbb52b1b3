"""What `ronde sync` looks after beside the delivery: health, room on the disk, the rest of a salvage, and what is wrong."""

import json
import time
from collections.abc import Callable, Collection
from contextlib import closing
from datetime import datetime, timezone
from typing import Final

from sqlite_utils import Database

from device.boot import boot_id, now_s
from provisioning.log import events
from provisioning.settings import Settings
from sync import numbers
from sync.aside import unsalvaged_files
from sync.audit_notes import note_evidence
from sync.ballast import Ballast
from sync.budget import Meter
from sync.custody import held
from sync.database import Held, open_database, transaction
from sync.event import iso
from sync.evidence_wanted import Cutter
from sync.failure import DatabaseDamaged, DatabaseFailed, disk_failure, named
from sync.health import put_health
from sync.reasons import OfSync
from sync.rest import Rest
from sync.salvage import Salvage
from sync.storage import Outcome, Storage
from sync.tls import validity

STORAGE_S = 5.0
"""How often the disk is looked at."""

SALVAGE_SLICE_S = 0.3
"""How much of each turn goes into a salvage."""

CERTIFICATE_S: Final = 14 * 86400.0
"""A certificate that runs out sooner is an alarm."""

DATABASE: Final = "ronde.db"

log = events("sync")


class Tending:
    """`alarms` gives what the publishers find wrong, as codes of health. `turn` is called every half second or so."""

    def __init__(
        self, settings: Settings, alarms: Callable[[], Collection[OfSync]], health_s: float, meter: Meter | None = None
    ) -> None:
        self._settings = settings
        self._state = settings.unit.state
        self._file = self._state / DATABASE
        self._alarms_of_publishers = alarms
        self._health_s = health_s
        self._meter = meter or Meter(settings.budget)
        self._rest = Rest("health and storage", log, time.monotonic)
        self._health_due_s = self._storage_due_s = time.monotonic()
        self._storage: Storage | None = None
        self._told: tuple[OfSync, ...] | None = None

    def run(self, wait: Callable[[], bool]) -> None:
        """Turns until `wait`, which is called between, says that it is over. Whatever the disk does, it goes on by itself."""
        over = False
        while not over:
            if self._rest.left_s() > 0:
                over = wait()
                continue
            try:
                with held(self._file, look_over=self._rest.failure is not None) as db:
                    over = self._serve(db, wait)
            except (DatabaseFailed, DatabaseDamaged) as error:
                self._failed(error)

    def look_over(self) -> None:
        """Looks for damage before anybody else uses the database; what is wrong then is met again, and handled, in `run`."""
        try:
            with held(self._file, look_over=True):
                pass
        except (DatabaseFailed, DatabaseDamaged) as error:
            self._failed(error)

    def _serve(self, db: Held, wait: Callable[[], bool]) -> bool:
        """Turns as long as the database works."""
        told = any("finding" in backend.streams for backend in self._settings.backends)
        self._storage = Storage(db, self._state, self._settings.keeping, told=told)
        over = False
        while not over:
            with named():
                self.turn(db)
            self._rest.over()
            over = wait()
        return True

    def turn(self, db: Database) -> None:
        """Does what is due."""
        now = time.monotonic()
        self._meter.look(db)
        # Before the disk is looked at: a photo whose picture has been cut may go.
        Cutter(db, self._state, self._settings.unit, self._settings.backends).cut()
        if self._storage is not None and now >= self._storage_due_s:
            outcome = self._storage.step()
            busy = outcome in (Outcome.EVICTED, Outcome.EXPIRED)
            self._storage_due_s = now if busy else time.monotonic() + STORAGE_S
        self._salvage()
        self._tell(db, due=now >= self._health_due_s)
        if now >= self._health_due_s:
            self._health_due_s = now + self._health_s
            put_health(db, self._settings.unit, self._settings.backends)
            self._note(db)

    def alarms(self, db: Database) -> tuple[OfSync, ...]:
        """Everything that is wrong now, as codes of health."""
        found = set(self._alarms_of_publishers())
        if self._storage is not None:
            found |= self._storage.alarms()
        if self._settings.fallback is not None:
            found.add("settings_fallback")
        rows = db.conn.execute("SELECT value FROM setting WHERE key GLOB 'aside/*'").fetchall()
        if any(json.loads(value)["boot"] == boot_id() for (value,) in rows):
            found.add("database_renewed")
        now = datetime.now(timezone.utc)
        for backend in self._settings.backends:
            dates = validity(backend.cert) if backend.cert is not None else None
            if dates is not None and (dates[1] - now).total_seconds() < CERTIFICATE_S:
                found.add("certificate_expired" if dates[1] < now else "certificate_expires")
        return tuple(sorted(found))

    def _tell(self, db: Database, *, due: bool) -> None:
        """Writes what is wrong into `condition`, for health and whoever asks: where it has changed, or health is due."""
        if not due and self._told == tuple(sorted(self._alarms_of_publishers())):
            return
        self._told = tuple(sorted(self._alarms_of_publishers()))
        reasons = self.alarms(db)
        with transaction(db):
            before = db.conn.execute("SELECT reasons FROM condition WHERE name = 'sync' AND boot = ?", [boot_id()]).fetchone()
            db.conn.execute(
                "INSERT OR REPLACE INTO condition (name, boot, at_boot_s, at, state, reasons) VALUES ('sync', ?, ?, ?, ?, ?)",
                [boot_id(), now_s(), iso(datetime.now(timezone.utc)), "fault" if reasons else "ok", json.dumps(reasons)],
            )
        if reasons != tuple(json.loads(before[0]) if before else ()):
            log.warning("alarms_changed", reasons=list(reasons))

    def _note(self, db: Database) -> None:
        note_evidence(db, self._state)
        try:
            numbers.note(db, self._state)
        except OSError as error:
            raise disk_failure(f"{self._state / numbers.FILE} cannot be written", error) from error

    def _salvage(self) -> None:
        """The next pages of a database that was set aside, with a connection of its own."""
        for aside in unsalvaged_files(self._file)[:1]:
            with closing(open_database(self._file)) as db, closing(Salvage(db, aside, self._state)) as salvage:
                salvage.run(SALVAGE_SLICE_S)

    def _failed(self, error: DatabaseFailed | DatabaseDamaged) -> None:
        """A rest; and where the disk is full, a little room first."""
        if error.code == "disk_full":
            Ballast(self._state).drop()
        self._rest.begin(error)
