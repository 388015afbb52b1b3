"""The last step of the line: the detections of a frame that has its place become findings, in the frame's own transaction.

What a frame leads to is worked out first (`take`), written inside the transaction (`write`), and believed when that has been
committed (`done`): a transaction that fails leaves the state as it was.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlite_utils import Database

from device.frame import Place
from inference.detect import Detection
from inference.finding import Finding, finding_of
from inference.lens import Lens, lens_of
from inference.merge import Merge, Thing, View
from inference.merge import Taken as Merged
from inference.survey import nearest_seen_m
from sync.in_view import forget_in_view, read_in_view, write_in_view

Size = tuple[int, int]
"""Width and height of a picture in pixels."""

Put = Callable[[Finding, Place, int], None]
"""Stores a new finding with its event; the place is that of the camera in its best frame, the number its detection's there."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a frame, or the end of the round, leads to: the state after it, and findings with what `Put` wants."""

    merged: Merged
    findings: tuple[tuple[Finding, Place, int], ...]
    last: bool = False


class Finder:
    """Finds the things of one round. `model` is the sha256 of the model that detects."""

    def __init__(self, db: Database, round_id: str, model: str) -> None:
        self._db = db
        self._round_id = round_id
        self._model = model
        self._geometry: dict[str, float] = {}
        self._size: Size | None = None
        self._lenses: dict[Size, Lens] = {}
        self._merge = Merge()
        self._findings = 0

    def begin(self) -> None:
        """The round's row stands: it tells the camera's geometry, the same whenever the round goes on."""
        row = self._db.conn.execute("SELECT settings FROM round WHERE id = ?", [self._round_id]).fetchone()
        camera = json.loads(row[0]).get("camera", {}) if row else {}
        self._geometry = {key: value for key, value in camera.items() if isinstance(value, int | float)}
        self._lenses.clear()

    def go_on(self) -> None:
        """Take up a round that was cut off: what was in view, and how many findings it has."""
        self.begin()
        self._merge = read_in_view(self._db, self._round_id)
        (last,) = self._db.conn.execute(
            "SELECT max(CAST(substr(id, length(round_id) + 3) AS INTEGER)) FROM finding WHERE round_id = ? AND label != 'hazard'",
            [self._round_id],
        ).fetchone()
        self._findings = last or 0

    def saw(self, size: Size) -> None:
        """A frame of this size was kept; those whose size is not known later are taken for like it."""
        self._size = size

    @property
    def near_m(self) -> float:
        """How far ahead the road begins that a frame shows."""
        return nearest_seen_m(self.lens)

    def take(self, frame_id: str, place: Place, detections: Sequence[Detection]) -> Found:
        """What a frame that has its place leads to."""
        return self._found(self._merge.take(View(frame_id, place, self.lens, detections)))

    def finish(self) -> Found:
        """What the end of the round leads to."""
        found = self._found(self._merge.finish())
        return Found(found.merged, found.findings, last=True)

    def write(self, found: Found, put: Put) -> None:
        """Write it, inside the caller's transaction. What a replay that was cut off has found before is left as it is."""
        for finding, place, number in found.findings:
            if self._db.conn.execute("SELECT 1 FROM finding WHERE id = ?", [finding.id]).fetchone() is None:
                put(finding, place, number)
        if found.last:
            forget_in_view(self._db, self._round_id)
        else:
            write_in_view(self._db, self._round_id, self._merge, found.merged.merge)

    def done(self, found: Found) -> tuple[Finding, ...]:
        """It has been committed: the findings."""
        self._merge = found.merged.merge
        self._findings += len(found.findings)
        return tuple(finding for finding, *_ in found.findings)

    def _found(self, merged: Merged) -> Found:
        findings = tuple(
            (
                finding_of(thing, round_id=self._round_id, number=number, model=self._model),
                thing.best.place,
                _in_best_frame(thing),
            )
            for number, thing in enumerate(merged.settled, self._findings + 1)
        )
        return Found(merged, findings)

    @property
    def lens(self) -> Lens:
        """Of the frames' size: that of the last one kept, else the one that the round's row tells."""
        told = self._geometry.get("width", 0), self._geometry.get("height", 0)
        size = self._size or (int(told[0]), int(told[1]))
        if 0 in size:
            size = (640, 480)
        if size not in self._lenses:
            self._lenses[size] = lens_of(self._geometry, *size)
        return self._lenses[size]


def _in_best_frame(thing: Thing) -> int:
    """The number of its detection in the frame that shows it best."""
    return next(number for frame_id, number in thing.seen if frame_id == thing.best.frame_id)
