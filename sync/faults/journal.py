"""The oracle: what was committed, as it was told at the time, against what the unit and the backend hold afterwards."""

import hashlib
import io
import re
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from provisioning.settings import Unit
from sync.event import event_id
from sync.faults.row import Tally
from sync.faults.town import Town, rows

FINDING_ID = re.compile(r"(.+)-f(\d+)")


@dataclass(slots=True)
class Journal:
    """What a writer said (`sync.faults.writer`), kept in this process's memory: no fault of the unit's disk reaches it."""

    ready: int = 0
    tried: set[str] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    order: list[str] = field(default_factory=list)
    photos: dict[str, tuple[str, str]] = field(default_factory=dict)
    frames: set[str] = field(default_factory=set)
    kept: int = 0
    failed: list[str] = field(default_factory=list)
    in_hand: str | None = None
    longest_s: float = 0.0
    _last_s: float | None = None

    def line(self, said: str) -> None:
        """Take a line of the writer's."""
        word, _, rest = said.partition(" ")
        if word == "ready":
            self.ready += 1
        elif word == "try":
            name, _, ids = rest.partition(" ")
            self.in_hand = name
            self.tried.update(_ids(ids))
        elif word == "kept":
            frame_id, file, sha256, ids = rest.split(" ")
            self._time()
            self.in_hand = None
            self.kept += 1
            self.events.update(_ids(ids))
            self.order += _ids(ids)
            if file != "-":
                self.photos[frame_id] = (file, sha256)
        elif word == "failed":
            self.in_hand = None
            self.failed.append(rest)

    def frame(self, frame_id: str) -> None:
        """A frame that the real capture tells to be kept."""
        self.kept += 1
        self.frames.add(frame_id)

    def _time(self) -> None:
        """Note the longest time between two commits."""
        now_s = time.monotonic()
        if self._last_s is not None:
            self.longest_s = max(self.longest_s, now_s - self._last_s)
        self._last_s = now_s


def _ids(told: str) -> list[str]:
    return [each for each in told.split(",") if each not in ("", "-")]


def audit_backend(journal: Journal, unit: Unit, town: Town, tally: Tally) -> None:
    """Committed minus backend, and backend minus committed, are empty; each thing is there once.

    The one commit in hand at each fault may have been made without being told: what the unit's own tables hold, or what was
    tried, counts as committed where the backend has it.
    """
    stored = Counter(town.stored())
    again = len(journal.order) - len(set(journal.order))
    tally.check(not again, f"{again} events have an id that was given before: the backend takes them for duplicates")
    missing = journal.events - stored.keys()
    tally.committed += len(journal.events)
    tally.lost += len(missing)
    strange = stored.keys() - journal.events - journal.tried - of_findings(unit)
    tally.check(not strange, f"the backend has {len(strange)} events that nobody committed")
    twice = town.things()
    tally.twice += len(twice) + sum(count - 1 for count in stored.values())


def of_findings(unit: Unit) -> set[str]:
    """The event ids of the findings that the unit's database holds."""
    found = set()
    for (finding_id,) in rows(unit.state / "ronde.db", "SELECT id FROM finding"):
        parts = FINDING_ID.fullmatch(finding_id)
        assert parts
        found.add(event_id(unit, "finding", parts[1], int(parts[2])))
    return found


def audit_unit(journal: Journal, state: Path, tally: Tally, *, evicted: bool = False) -> None:
    """Each frame that was told has its row and its photo, each row has its photo, and the database is whole."""
    file = state / "ronde.db"
    whole = [text for (text,) in rows(file, "PRAGMA integrity_check")]
    tally.check(whole == ["ok"], f"integrity_check says {whole[:1]}")
    held = {frame_id: (name, sha256) for frame_id, name, sha256 in rows(file, "SELECT id, file, sha256 FROM frame")}
    gone = [frame_id for frame_id in journal.frames | journal.photos.keys() if frame_id not in held]
    tally.lost += len(gone)
    tally.check(not gone, f"{len(gone)} frames that were kept have no row, {gone[:1]}")
    for frame_id, (name, sha256) in held.items():
        if not (evicted and (name is None or not (state / name).exists())):
            problem = photo_problem(state / name, sha256)
            tally.check(problem is None, f"the photo of {frame_id}: {problem}")


def photo_problem(file: Path, sha256: str) -> str | None:
    """What is wrong with a photo, None where it opens and is the very file that its row describes."""
    try:
        content = file.read_bytes()
    except OSError as error:
        return error.strerror or str(error)
    if hashlib.sha256(content).hexdigest() != sha256:
        return f"{len(content)} bytes whose sha256 differs"
    try:
        with Image.open(io.BytesIO(content)) as image:
            image.load()
    except OSError as error:
        return f"does not open: {error}"
    return None


def waiting(state: Path) -> int:
    """How many rows the unit's outbox holds."""
    found = rows(state / "ronde.db", "SELECT count(*) FROM outbox")
    return int(found[0][0]) if found else 0


def damaged(file: Path) -> bool:
    """Whether SQLite itself cannot read the file."""
    try:
        return rows(file, "PRAGMA integrity_check") != [("ok",)]
    except sqlite3.DatabaseError:
        return True
