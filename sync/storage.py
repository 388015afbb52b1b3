"""Room on the disk: the reserve, what goes when it is short, and what goes when its time is over.

In this order, and only as far as the reserve needs: databases that were set aside and are salvaged; confirmed photos, the
oldest first; every second unconfirmed photo, the oldest round first, then again. Never: an event, a finding, and what is queued
for work.
"""

import os
import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from sqlite_utils import Database

from device.boot import boot_id
from provisioning.log import events
from provisioning.settings import Keeping
from sync.album import Album, Photo
from sync.aside import spent_files
from sync.ballast import BALLAST_BYTES, Ballast
from sync.calendar import DAY_S
from sync.failure import DatabaseFailed, named
from sync.reasons import OfSync
from sync.retention import BATCH, Retention

RETENTION_S = 600.0
"""How often the calendar is turned and old photos are looked for."""

WAL_ALARM_BYTES = 64 * 1024 * 1024
"""A write-ahead log so large has a reader that does not let go."""

log = events("storage")


class Outcome(Enum):
    """What one step did."""

    WELL = "well"
    """There is room, and nothing whose time is over."""
    EVICTED = "evicted"
    """Photos went since room was short; there may be more to do."""
    EXPIRED = "expired"
    """Photos went since their time was over; there may be more to do."""
    SHORT = "short"
    """Room is short and nothing is left that may go."""
    READ_ONLY = "read_only"
    """The disk takes nothing."""


class Storage:
    """The state folder's. `told`: a backend gets the findings. `clock` gives seconds that never jump."""

    def __init__(
        self,
        db: Database,
        state: Path,
        keeping: Keeping,
        *,
        told: bool,
        boot: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._state = state
        self._keeping = keeping
        self._told = told
        self._boot = boot or boot_id()
        self._clock = clock
        self._album = Album(db, state)
        self._ballast = Ballast(state)
        self._retention = Retention(db, self._album, keeping, told=told)
        self._retention_s = clock()
        self._thinning: deque[Photo] = deque()
        self._alarms: frozenset[OfSync] = frozenset()

    def alarms(self) -> frozenset[OfSync]:
        """What was wrong at the last step, as codes for health."""
        return self._alarms

    def step(self) -> Outcome:
        """Does one thing that is due. Anything but `EVICTED` and `EXPIRED` can wait for a while.

        Raises:
            DatabaseFailed, DatabaseDamaged: a row could not be changed; no photo of a row that stands was deleted.
        """
        disk = os.statvfs(self._state)
        free = disk.f_bavail * disk.f_frsize
        if disk.f_flag & os.ST_RDONLY:
            self._alarms = frozenset({"disk_read_only"})
            return Outcome.READ_ONLY
        alarms: set[OfSync] = {"wal_large"} if self._wal_bytes() > WAL_ALARM_BYTES else set()
        if free < 2 * BALLAST_BYTES:
            self._ballast.drop()
        if free < self._keeping.reserve_bytes(disk.f_blocks * disk.f_frsize):
            evicted = self._evict_safely()
            if not evicted and "disk_low" not in self._alarms:
                log.error("nothing_may_go", free_bytes=free)
            self._alarms = frozenset(alarms if evicted else alarms | {"disk_low"})
            return Outcome.EVICTED if evicted else Outcome.SHORT
        self._alarms = frozenset(alarms)
        if not self._ballast.is_there():
            self._restore()
        return self._expire()

    def _wal_bytes(self) -> int:
        try:
            return (self._state / "ronde.db-wal").stat().st_size
        except OSError:
            return 0

    def _restore(self) -> None:
        try:
            self._ballast.restore()
        except OSError as error:
            log.warning("ballast_not_restored", reason=error.strerror)

    def _evict_safely(self) -> bool:
        """One batch; where the database has no room to note it, after the ballast is gone, and then after a first photo is."""
        try:
            return self._evict()
        except DatabaseFailed as error:
            if error.code != "disk_full":
                raise
        self._ballast.drop()
        try:
            return self._evict()
        except DatabaseFailed as error:
            if error.code != "disk_full":
                raise
        # Somebody else has taken the ballast's room at once. The rows follow when the photos have made some.
        return self._evict(files_first=True)

    def _evict(self, *, files_first: bool = False) -> bool:
        with named():
            return self._evict_aside() or self._evict_confirmed(files_first) or self._thin(files_first)

    def _evict_aside(self) -> bool:
        spent = spent_files(self._state / "ronde.db")
        for file in spent[:1]:
            freed = file.stat().st_size
            file.unlink()
            log.warning("aside_evicted", freed_bytes=freed)
        return bool(spent)

    def _evict_confirmed(self, files_first: bool) -> bool:
        photos = self._album.confirmed(BATCH) if self._told else []
        if photos:
            self._take_out(photos, files_first, "confirmed")
        return bool(photos)

    def _thin(self, files_first: bool) -> bool:
        """A batch of every second photo; which ones is decided once for a whole round."""
        thinned = None
        if not self._thinning:
            found = self._album.every_second()
            if found is None:
                return False
            thinned, photos = found
            self._thinning.extend(photos)
        batch = [self._thinning.popleft() for _ in range(min(BATCH, len(self._thinning)))]
        try:
            self._take_out(batch, files_first, "every second unconfirmed", thinned)
        except BaseException:
            self._thinning.extendleft(reversed(batch))
            if thinned is not None:
                self._thinning.clear()
            raise
        return True

    def _take_out(self, photos: list[Photo], files_first: bool, which: str, thinned: str | None = None) -> None:
        freed = self._album.unlink(photos) if files_first else 0
        freed += self._album.take_out(photos, thinned=thinned)
        log.warning("photos_evicted", photos=len(photos), which=which, freed_bytes=freed)

    def _expire_asides(self, now_s: float) -> None:
        """Places and times stand in an old database too: once it is salvaged it goes when the photos of its time do."""
        for file in spent_files(self._state / "ronde.db"):
            if self._retention.age_s(file.name, now_s) > self._keeping.photo_days * DAY_S:
                file.unlink()
                log.info("aside_expired", file=file.name)

    def _expire(self) -> Outcome:
        """Every `RETENTION_S`, and on from there until nothing is left."""
        if self._clock() < self._retention_s:
            return Outcome.WELL
        with named():
            now_s = self._retention.turn(self._boot)
            gone = 0 if now_s is None else self._retention.step(now_s)
            if now_s is not None:
                self._expire_asides(now_s)
        if gone:
            log.info("photos_expired", photos=gone)
            return Outcome.EXPIRED
        self._retention_s = self._clock() + RETENTION_S
        return Outcome.WELL
