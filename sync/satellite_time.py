"""What the satellites say the time is, from the process that hears them to those that do not.

`ronde capture` notes a fix's time and the boot clock at that moment; whoever reads it adds what has gone by on the boot clock,
which no jump of the wall clock moves. It holds for the boot in which it was noted.
"""

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
        with transaction(self._db):
            self._db.conn.execute(
                "INSERT OR REPLACE INTO condition (name, boot, at_boot_s, at, state) VALUES (?, ?, ?, ?, 'gnss')",
                [CLOCK, self._boot, fix.boot_s, iso(fix.taken_at)],
            )
        self._noted_s = fix.boot_s


def satellite_time(db: Database) -> datetime | None:
    """UTC now; None where no fix came since the boot."""
    row = db.conn.execute("SELECT at, at_boot_s FROM condition WHERE name = ? AND boot = ?", [CLOCK, boot_id()]).fetchone()
    if row is None:
        return None
    at = datetime.fromisoformat(row[0].replace("Z", "+00:00")).astimezone(timezone.utc)
    return at + timedelta(seconds=now_s() - row[1])
