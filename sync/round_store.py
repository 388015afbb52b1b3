"""One round in the unit's database: each kept frame with its photo, detections, findings and events, or none of them.

The photo is durable before its row exists, and the row, its findings and their events are one transaction: a power cut leaves
at most a photo without a row, which `sync.rounds.sweep` removes at the next start.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from device.frame import Pixels, Place
from device.spacing import Gap
from inference.detect import Detection
from inference.finding import Finding
from inference.look import Looked
from provisioning.settings import Backend, Stream, Unit
from sync.database import transaction
from sync.event import Event, event_id, finding_data, iso
from sync.evidence_wanted import Wish, box_of, want
from sync.failure import disk_failure
from sync.finder import Finder, Found
from sync.grader import Grader
from sync.outbox import Outbox
from sync.photo import write_photo
from sync.rows import detection_columns, finding_columns, insert, iso_or_none, place_columns, track_event_data
from sync.track import Piece
from sync.windscreen import Windscreen, write_reasons

Timed = Callable[[str], AbstractContextManager[None]]
"""Adds the time of a block to the stage that it names."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of one frame."""

    frame_id: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Recipients:
    """Who sends, and to whom; no unit where there is nobody to tell."""

    unit: Unit | None = None
    backends: tuple[Backend, ...] = ()

    def want(self, stream: Stream) -> bool:
        """Whether anybody gets this stream."""
        return self.unit is not None and any(stream in backend.streams for backend in self.backends)


class RoundStore:
    """Writes one round. All calls come from the thread that opened the database."""

    def __init__(self, db: Database, state: Path, round_id: str, recipients: Recipients, roads_sha256: str) -> None:
        self._db = db
        self._state = state
        self._round_id = round_id
        self._recipients = recipients
        self._outbox = Outbox(db)
        self._finder = Finder(db, round_id, roads_sha256)
        self._grader = Grader(db, round_id, self._tell)
        self.windscreen = Windscreen(db, round_id)
        self._frames = 0

    def begin(self, started_at: datetime | None, software: str, models: Mapping[str, str], settings: Mapping[str, Any]) -> None:
        """Write the round's row; beginning a round again that was cut off goes on with it."""
        with transaction(self._db):
            self._db.conn.execute(
                "INSERT OR IGNORE INTO round (id, started_at, software, models, settings) VALUES (?, ?, ?, ?, ?)",
                [self._round_id, iso_or_none(started_at), software, _json(models), _json(settings)],
            )
        self._finder.begin()
        self._grader.begin()
        self.windscreen.scale = self._grader.scale

    def start(self, started_at: datetime) -> None:
        """The first fix says when the round began."""
        with transaction(self._db):
            self._db.conn.execute("UPDATE round SET started_at = ? WHERE id = ?", [iso(started_at), self._round_id])

    def go_on(self) -> None:
        """Take up a round that was cut off: with what was in view, and its findings counted on."""
        self._finder.go_on()
        self._grader.begin()
        self.windscreen.scale = self._grader.scale

    def discard(self) -> None:
        """Remove a round that never had a fix; its frames have gone before."""
        with transaction(self._db):
            self._db.conn.execute("DELETE FROM round WHERE id = ?", [self._round_id])

    def keep(self, looked: Looked, timed: Timed, shutter_boot_s: float | None = None) -> Kept:
        """Make a looked-at frame durable: photo first, then its rows and events in one transaction, and what it settles.

        A frame that a cut-off replay had kept already is left as it is.

        Raises:
            PhotoNotWritten: the disk did not take the photo; nothing was stored.
        """
        frame_id = self._next_frame_id()
        place = looked.frame.place
        if place is None:
            raise ValueError(f"frame {frame_id} has no place: it can only be kept ahead of its fix")
        self._finder.saw(_size(looked))
        with timed("merge"):
            found = self._finder.take(frame_id, place, looked.detections)
        self._store(frame_id, looked, timed, shutter_boot_s, found)
        return Kept(frame_id, self._finder.done(found))

    def keep_ahead(self, looked: Looked, timed: Timed, shutter_boot_s: float | None = None) -> str:
        """Make a frame durable whose place is only predicted; its findings wait for `place`. Returns its id.

        Raises:
            PhotoNotWritten: the disk did not take the photo; nothing was stored.
        """
        frame_id = self._next_frame_id()
        self._finder.saw(_size(looked))
        self._store(frame_id, looked, timed, shutter_boot_s)
        return frame_id

    def watch(self, pixels: Pixels, place: Place) -> None:
        """The photo that was kept last, as it was before people were hidden; nothing of it is stored."""
        self.windscreen.watch(pixels, place, self._finder.lens)

    def place(self, frame_id: str, place: Place) -> tuple[Finding, ...]:
        """Give a frame that was kept ahead its place; the findings that it settles."""
        detections = [
            Detection(label, score, (left, top, right, bottom))
            for label, score, left, top, right, bottom in self._db.conn.execute(
                'SELECT label, score, "left", "top", "right", "bottom" FROM detection WHERE frame_id = ? ORDER BY rowid',
                [frame_id],
            )
        ]
        found = self._finder.take(frame_id, place, detections)
        columns = place_columns(place)
        with transaction(self._db):
            self._db.conn.execute(
                f"UPDATE frame SET {', '.join(f'{column} = ?' for column in columns)} WHERE id = ?",  # noqa: S608 - our own names
                [*columns.values(), frame_id],
            )
            self._settle(found, place)
        return self._finder.done(found)

    def finish(self) -> tuple[Finding, ...]:
        """No frame will come: the findings that were still in view."""
        found = self._finder.finish()
        with transaction(self._db):
            self._finder.write(found, self._insert_finding)
            self._grader.finish(self._finder.near_m)
            self.windscreen.save()
        return self._finder.done(found)

    def remove(self, frame_id: str) -> None:
        """Remove a frame that was kept ahead and serves no mark; what a power cut leaves of it is swept at the next start.

        Raises:
            DatabaseFailed: the disk fails; the photo is swept at the next start.
        """
        with transaction(self._db):
            (file,) = self._db.conn.execute("DELETE FROM frame WHERE id = ? RETURNING file", [frame_id]).fetchone()
        if file is not None:  # evicted where room was short
            try:
                (self._state / file).unlink(missing_ok=True)
            except OSError as error:
                raise disk_failure(f"{file} cannot be removed", error) from error

    def put_gap(self, gap: Gap) -> None:
        """Store road without a photo."""
        with transaction(self._db):
            self._db.conn.execute(
                "INSERT INTO gap (round_id, odometer_m, length_m, reason) "
                "SELECT :round, :start, :length, :reason WHERE NOT EXISTS "
                "(SELECT 1 FROM gap WHERE round_id = :round AND odometer_m = :start AND reason = :reason)",
                {"round": self._round_id, "start": gap.odometer_m, "length": gap.length_m, "reason": gap.reason},
            )

    def put_track(self, piece: Piece) -> None:
        """Store a piece of track with its event."""
        points = [[longitude_deg, latitude_deg] for latitude_deg, longitude_deg in piece.points]
        with transaction(self._db):
            stored = self._db.conn.execute(
                "INSERT OR IGNORE INTO track (round_id, n, from_m, to_m, from_at, to_at, points, frames, filled_m) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    self._round_id,
                    piece.n,
                    piece.start_m,
                    piece.end_m,
                    iso(piece.started_at),
                    iso(piece.ended_at),
                    json.dumps(points),
                    piece.frames,
                    piece.filled_m,
                ],
            ).rowcount
            if stored:
                self._tell("track", piece.n, piece.ended_at, track_event_data(self._round_id, piece))

    def end(self, ended_at: datetime | None) -> None:
        """Close the round."""
        with transaction(self._db):
            self._db.conn.execute("UPDATE round SET ended_at = ? WHERE id = ?", [iso_or_none(ended_at), self._round_id])

    def _next_frame_id(self) -> str:
        self._frames += 1
        return self._frame_id(self._frames)

    def _frame_id(self, number: int) -> str:
        return f"{self._round_id}-{number:06d}"

    def _store(
        self, frame_id: str, looked: Looked, timed: Timed, shutter_boot_s: float | None, found: Found | None = None
    ) -> None:
        with timed("quality"):
            judged = self.windscreen.take(looked, self._finder.lens)
        if self._has(frame_id):
            return
        file = f"frames/{self._round_id}/{self._frames:06d}.jpg"
        with timed("photo"):
            sha256 = write_photo(self._state / file, looked.frame)
        with timed("database"), transaction(self._db):
            self._insert_frame(frame_id, looked, file, sha256, shutter_boot_s)
            write_reasons(self._db, judged, lambda back: self._frame_id(self._frames - back))
            for detection in looked.detections:
                insert(self._db, "detection", frame_id=frame_id, **detection_columns(detection))
            if found is not None and looked.frame.place is not None:
                self._settle(found, looked.frame.place)

    def _settle(self, found: Found, place: Place) -> None:
        """What a frame at this place leads to: findings, and grades of the road behind it."""
        self._finder.write(found, self._insert_finding)
        self._grader.write(place.odometer_m, found.merged.merge, self._finder.near_m)

    def _has(self, frame_id: str) -> bool:
        return self._db.conn.execute("SELECT 1 FROM frame WHERE id = ?", [frame_id]).fetchone() is not None

    def _insert_frame(self, frame_id: str, looked: Looked, file: str, sha256: str, shutter_boot_s: float | None) -> None:
        insert(
            self._db,
            "frame",
            id=frame_id,
            round_id=self._round_id,
            source=looked.frame.source,
            file=file,
            sha256=sha256,
            hidden=len(looked.frame.hidden),
            shutter_boot_s=shutter_boot_s,
            **place_columns(looked.frame.place),
        )

    def _insert_finding(self, finding: Finding, camera: Place, detection: int) -> None:
        """A finding, its event, and the wish for its picture; the photo of its best frame may have gone where room was short."""
        insert(self._db, "finding", **finding_columns(finding))
        number = int(finding.id.rsplit("-f", 1)[1])
        row = self._db.conn.execute("SELECT sha256 FROM frame WHERE id = ?", [finding.best_frame_id]).fetchone()
        self._tell("finding", number, finding.seen_at, finding_data(finding, camera, row[0] if row else None))
        box = box_of(self._db, finding.best_frame_id, detection)
        if self._recipients.want("evidence") and box is not None and finding.seen_at is not None:
            want(self._db, Wish(finding.id, self._round_id, number, finding.best_frame_id, box, finding.seen_at))

    def _tell(self, stream: Any, n: int, time: datetime | None, data: Mapping[str, Any]) -> None:
        """Put an event into the outbox of every backend that wants it."""
        unit = self._recipients.unit
        if unit is None:
            return
        if time is None:
            raise ValueError(f"the {stream} event {n} has no time yet")
        event = Event(unit, stream, event_id(unit, stream, self._round_id, n), time, data)
        self._outbox.put(event, self._recipients.backends)


def _size(looked: Looked) -> tuple[int, int]:
    height, width = looked.frame.pixels.shape[:2]
    return width, height


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)
