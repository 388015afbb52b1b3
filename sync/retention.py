"""How long photos, places and times stay: by confirmed time, which a jump of a clock does not move.

Once in an hour of confirmed time a milestone notes how far each round had come. A photo is as old as the first milestone at or
behind it. So no row carries a date that could be wrong, and nothing is written per photo.
"""

from datetime import datetime

from sqlite_utils import Database

from provisioning.settings import Keeping
from sync.album import OF_HAZARD, Album, Photo
from sync.calendar import DAY_S, Calendar, turn
from sync.database import transaction

MILESTONE_S = 3600.0
"""One milestone a round in so much time; a photo is at most this much older than is known."""

BATCH = 100
"""Photos in one transaction."""

KEYS = ("calendar/now_s", "calendar/far_s", "calendar/far_boot")


class Retention:
    """`told`: a backend gets the findings, so that they can be confirmed at all."""

    def __init__(self, db: Database, album: Album, keeping: Keeping, *, told: bool) -> None:
        self._db = db
        self._album = album
        self._keeping = keeping
        self._told = told

    def turn(self, boot: str) -> float | None:
        """Turns the calendar to what the satellites said last and sets milestones; returns confirmed time, if there is any."""
        with transaction(self._db):
            calendar = self._calendar()
            seen_s = self._seen_s()
            if seen_s is not None:
                turned = turn(calendar, seen_s, boot)
                if turned.shift_s:
                    self._db.conn.execute("UPDATE milestone SET at_s = at_s + ?", [turned.shift_s])
                    self._db.conn.execute("UPDATE finding SET confirmed_s = confirmed_s + ?", [turned.shift_s])
                if turned.calendar != calendar:
                    calendar = turned.calendar
                    self._write(calendar)
            if calendar.now_s is not None:
                self._set_milestones(calendar.now_s)
        return calendar.now_s

    def step(self, now_s: float) -> int:
        """Deletes at most `BATCH` photos whose time is over; returns how many, 0 where none is left."""
        expired = self._expired(now_s - self._keeping.photo_days * DAY_S + MILESTONE_S)
        if expired:
            self._album.forget(expired)
            return len(expired)
        done = self._done(now_s - self._keeping.confirmed_hours * 3600.0) if self._told else []
        if done:
            self._album.take_out(done)
            return len(done)
        self._forget_rounds()
        return 0

    def age_s(self, name: str, now_s: float) -> float:
        """How long something has been known by its name, in confirmed time; from now on where it was not."""
        with transaction(self._db):
            self._db.conn.execute("INSERT OR IGNORE INTO setting (key, value) VALUES (?, ?)", [f"since/{name}", now_s])
            return now_s - float(
                self._db.conn.execute("SELECT value FROM setting WHERE key = ?", [f"since/{name}"]).fetchone()[0]
            )

    def _calendar(self) -> Calendar:
        values = dict(self._db.conn.execute("SELECT key, value FROM setting WHERE key GLOB 'calendar/*'").fetchall())
        return Calendar(*(values.get(key) for key in KEYS))

    def _write(self, calendar: Calendar) -> None:
        self._db.conn.executemany(
            "INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)",
            zip(KEYS, (calendar.now_s, calendar.far_s, calendar.far_boot), strict=True),
        )

    def _seen_s(self) -> float | None:
        """The satellites' time of the newest photo of the newest round, in seconds since 1970."""
        row = self._db.conn.execute(
            "SELECT taken_at FROM frame WHERE round_id = (SELECT id FROM round ORDER BY rowid DESC LIMIT 1) "
            "AND time_source = 'gnss' AND taken_at IS NOT NULL ORDER BY odometer_m DESC LIMIT 1"
        ).fetchone()
        return _seconds(row[0]) if row else None

    def _set_milestones(self, now_s: float) -> None:
        """For each round from the last one that has a milestone on."""
        self._db.conn.execute("UPDATE finding SET confirmed_s = ? WHERE unconfirmed = 0 AND confirmed_s IS NULL", [now_s])
        latest_s = self._db.conn.execute("SELECT max(at_s) FROM milestone").fetchone()[0]
        rounds = self._db.conn.execute(
            "SELECT id FROM round WHERE rowid >= coalesce((SELECT max(marked.rowid) FROM round marked "
            "WHERE EXISTS (SELECT 1 FROM milestone WHERE round_id = marked.id)), 0) ORDER BY rowid"
        ).fetchall()
        for (round_id,) in rounds:
            last = self._db.conn.execute(
                "SELECT odometer_m, at_s FROM milestone WHERE round_id = ? ORDER BY odometer_m DESC LIMIT 1", [round_id]
            ).fetchone()
            come = self._come(round_id)
            if come is None or (last is not None and come[0] <= last[0]):
                continue
            if last is None or now_s - last[1] >= MILESTONE_S or round_id != rounds[-1][0]:
                taken_s = come[1]
                # Its own date, where it can be true: the car may have stood since.
                at_s = taken_s if taken_s is not None and latest_s is not None and latest_s <= taken_s <= now_s else now_s
                self._db.conn.execute("INSERT INTO milestone VALUES (?, ?, ?)", [round_id, come[0], at_s])

    def _come(self, round_id: str) -> tuple[float, float | None] | None:
        """How far a round has come, and when by the satellites."""
        row = self._db.conn.execute(
            "SELECT odometer_m, taken_at, time_source FROM frame WHERE round_id = ? ORDER BY odometer_m DESC LIMIT 1", [round_id]
        ).fetchone()
        if row is None:
            return None
        return row[0], _seconds(row[1]) if row[1] is not None and row[2] == "gnss" else None

    def _expired(self, before_s: float) -> list[Photo]:
        """Frames at or before the milestones of that time, with or without their photo."""
        found = self._db.conn.execute(
            "SELECT frame.id, coalesce(frame.file, '') FROM milestone JOIN frame ON frame.round_id = milestone.round_id "
            "AND frame.odometer_m <= milestone.odometer_m WHERE at_s <= ? LIMIT ?",
            [before_s, BATCH],
        )
        return [Photo(*row) for row in dict(found.fetchall()).items()]

    def _done(self, before_s: float) -> list[Photo]:
        """Photos as old, all of whose findings have been confirmed for as long."""
        found = self._db.conn.execute(
            "SELECT frame.id, frame.file FROM milestone JOIN frame ON frame.round_id = milestone.round_id "  # noqa: S608 - our own words
            f"AND frame.odometer_m <= milestone.odometer_m WHERE at_s <= ?1 AND frame.file IS NOT NULL AND NOT {OF_HAZARD} "
            "AND NOT EXISTS "
            "(SELECT 1 FROM finding WHERE best_frame_id = frame.id AND (confirmed_s IS NULL OR confirmed_s > ?1)) LIMIT ?2",
            [before_s, BATCH],
        )
        return [Photo(*row) for row in dict(found.fetchall()).items()]

    def _forget_rounds(self) -> None:
        """Rounds whose frames have all expired go with their track, gaps and findings, where every finding is confirmed."""
        with transaction(self._db):
            gone = self._db.conn.execute(
                "SELECT id FROM round WHERE ended_at IS NOT NULL AND EXISTS (SELECT 1 FROM milestone WHERE round_id = round.id) "
                "AND NOT EXISTS (SELECT 1 FROM frame WHERE round_id = round.id) AND NOT EXISTS "
                "(SELECT 1 FROM finding WHERE round_id = round.id AND coalesce(unconfirmed, 1) > 0)"
            ).fetchall()
            for (round_id,) in gone:
                self._album.drop_folder(round_id)
            for table in ("gap", "track", "finding", "milestone"):
                self._db.conn.executemany(f"DELETE FROM {table} WHERE round_id = ?", gone)  # noqa: S608 - our own names
            self._db.conn.executemany("DELETE FROM round WHERE id = ?", gone)


def _seconds(iso: str) -> float:
    return datetime.fromisoformat(iso.replace("Z", "+00:00")).timestamp()
