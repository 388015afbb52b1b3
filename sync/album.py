"""The photos of the unit by their rows: which there are, which may go, and how one goes."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from sync.database import transaction

# Findings that were told to nobody have `unconfirmed` NULL: nobody has them, so their photos are unconfirmed too.
UNCONFIRMED: Final = "EXISTS (SELECT 1 FROM finding WHERE best_frame_id = frame.id AND (unconfirmed IS NULL OR unconfirmed > 0))"
OF_HAZARD: Final = (
    "EXISTS (SELECT 1 FROM finding marked WHERE marked.round_id = frame.round_id AND marked.label = 'hazard' "
    "AND frame.id BETWEEN marked.first_frame_id AND marked.last_frame_id)"
)
"""Photos of what the driver has marked: they go when their time is over, and not because they are confirmed."""
QUEUED: Final = (
    "(EXISTS (SELECT 1 FROM evidence WHERE evidence.frame_id = frame.id) OR "
    "round.ended_at IS NULL AND (frame.position_source = 'ahead_of_fix' OR frame.odometer_m >= coalesce("
    "(SELECT recent.odometer_m FROM frame recent WHERE recent.round_id = round.id AND recent.file IS NOT NULL "
    "ORDER BY recent.odometer_m DESC LIMIT 1 OFFSET 99), -1e9)))"
)
"""Photos that are queued for work, in a query over `round` and `frame`, never go: those of which a picture is still to be cut,
those that wait for their place, and the newest 100 of a round that is being driven, which is about 400 m."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo on disk; `file` is the path below the state folder."""

    frame_id: str
    file: str


class Album:
    """The table `frame` of an open database, and the folder below which its files lie."""

    def __init__(self, db: Database, state: Path) -> None:
        self._db = db
        self._state = state

    def confirmed(self, limit: int) -> list[Photo]:
        """The oldest photos about which nothing waits for a confirmation."""
        found = self._db.conn.execute(
            "SELECT frame.id, frame.file FROM round JOIN frame ON frame.round_id = round.id "  # noqa: S608 - our own words
            f"WHERE frame.file IS NOT NULL AND NOT {UNCONFIRMED} AND NOT {OF_HAZARD} AND NOT {QUEUED} "
            "ORDER BY round.rowid, frame.odometer_m LIMIT ?",
            [limit],
        )
        return [Photo(*row) for row in found]

    def every_second(self) -> tuple[str, list[Photo]] | None:
        """Every second photo of the oldest round that was thinned least, with the round's id; None where no round has two."""
        found = self._db.conn.execute(
            "SELECT round.id FROM round WHERE 2 <= (SELECT count(*) FROM (SELECT 1 FROM frame "  # noqa: S608 - our own words
            f"WHERE frame.round_id = round.id AND frame.file IS NOT NULL AND NOT {QUEUED} LIMIT 2)) "
            "ORDER BY thinned, rowid LIMIT 1"
        ).fetchone()
        if found is None:
            return None
        photos = self._db.conn.execute(
            "SELECT frame.id, frame.file FROM round JOIN frame ON frame.round_id = round.id "  # noqa: S608 - our own words
            f"WHERE round.id = ? AND frame.file IS NOT NULL AND NOT {QUEUED} ORDER BY frame.odometer_m",
            [found[0]],
        ).fetchall()
        return found[0], [Photo(*row) for row in photos[1::2]]

    def take_out(self, photos: Sequence[Photo], *, thinned: str | None = None) -> int:
        """Deletes photos; their rows stay, with `file` NULL. Returns the bytes that came free.

        The row goes first: a power cut between leaves a photo without a row, which the next start of the capture removes,
        and never a row without its photo. `thinned`: the round that was thinned by this.
        """
        with transaction(self._db):
            self._db.conn.executemany("UPDATE frame SET file = NULL WHERE id = ?", [(photo.frame_id,) for photo in photos])
            if thinned is not None:
                self._db.conn.execute("UPDATE round SET thinned = thinned + 1 WHERE id = ?", [thinned])
        return self.unlink(photos)

    def forget(self, photos: Sequence[Photo]) -> int:
        """Deletes photos with their rows and detections: the places and times of the car go too. Returns the bytes freed."""
        with transaction(self._db):
            self._db.conn.executemany("DELETE FROM frame WHERE id = ?", [(photo.frame_id,) for photo in photos])
        return self.unlink([photo for photo in photos if photo.file])

    def drop_folder(self, round_id: str) -> None:
        """Removes the folder of a round that has no photo any more; it had kept the round's name from being taken again."""
        with suppress(OSError):
            (self._state / "frames" / round_id).rmdir()

    def unlink(self, photos: Iterable[Photo]) -> int:
        """Deletes the files alone; returns the bytes that came free."""
        freed = 0
        for photo in photos:
            path = self._state / photo.file
            try:
                freed += path.stat().st_size
                path.unlink()
            except OSError:  # gone already; or it stays without a row, and the next start of the capture tries again
                continue
        return freed
