"""What the satellites say the time is, from the process that hears them to those that do not.

`ronde capture` notes a fix's time and the boot clock at that moment; whoever reads it adds what has gone by on the boot clock,
which no jump of the wall clock moves. It holds for the boot in which it was noted.
"""

import json
from datetime import datetime, timedelta, timezone
from typing import Final

from sqlite_utils import Database

from device.boot import boot_id, now_s
from device.fix import Fix
from sync.database import transaction
from sync.event import iso

NOTED_EVERY_S: Final = 600.0
"""A boot clock that is off by 50 in a million is wrong by 0.03 s after so long."""
CLOCK: Final = "clock"
"""The key in `setting`."""


class Noting:
    """Notes the time of fixes, seldom."""

    def __init__(self, db: Database, boot: str) -> None:
        self._db = db
        self._boot = boot
        self._noted_s: float | None = None

    def note(self, fix: Fix) -> None:
        """The newest fix.

        Raises:
            DatabaseFailed, DatabaseDamaged: as any transaction.
        """
        if self._noted_s is not None and fix.boot_s - self._noted_s < NOTED_EVERY_S:
            return
        said = {"boot": self._boot, "boot_s": fix.boot_s, "at": iso(fix.taken_at)}
        with transaction(self._db):
            self._db.conn.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", [CLOCK, json.dumps(said)])
        self._noted_s = fix.boot_s


def satellite_time(db: Database) -> datetime | None:
    """UTC now; None where no fix came since the boot."""
    row = db.conn.execute("SELECT value FROM setting WHERE key = ?", [CLOCK]).fetchone()
    try:
        said = json.loads(row[0]) if row else {}
        if said.get("boot") != boot_id():
            return None
        at = datetime.fromisoformat(said["at"].replace("Z", "+00:00")).astimezone(timezone.utc)
        return at + timedelta(seconds=now_s() - said["boot_s"])
    except (ValueError, KeyError, TypeError, AttributeError):  # a byte of it has flipped: no time is better than a wrong one
        return None
