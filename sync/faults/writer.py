"""`python -m sync.faults.writer`: what `ronde capture` writes, without a camera, a model or a receiver of positions.

It writes through the same RoundStore and Outbox, as fast as it is told, and says on stdout what it is about to commit and what it
has committed. Whoever reads that holds the truth outside of the file system that is about to be hurt.

    ready                               it has opened the database and begun a round
    try FRAME [EVENT,...]               next comes the transaction
    kept FRAME FILE SHA256 EVENT,...    the transaction is durable (FILE and SHA256 are - where there is no photo)
    failed FRAME REASON                 the disk did not take it
"""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
from sqlite_utils import Database

from device.boot import boot_id
from device.frame import Frame, Place
from inference.anonymise import hide
from inference.detect import Detection
from inference.finding import Finding
from inference.look import Looked
from provisioning.settings import Settings, Unit, read_settings
from sync.custody import held
from sync.database import transaction
from sync.event import Event, event_id, finding_data, now
from sync.failure import DatabaseDamaged, DatabaseFailed
from sync.outbox import Outbox
from sync.photo import PhotoNotWritten
from sync.round_store import Recipients, RoundStore
from sync.rounds import close_rounds, next_round_id, only_one, sweep
from sync.storage import Outcome, Storage
from sync.tally import Tally

HEIGHT, WIDTH = 480, 640
LABELS: Final = ("pothole", "crack_transverse", "manhole")
MODEL: Final = "ab" * 32
EVERY_M = 4.0
RETRY_S = 0.2
"""Before a database that cannot be used is tried again."""


def main(argv: Sequence[str] | None = None) -> int:
    """Write until told to stop, or `--count` times."""
    parser = argparse.ArgumentParser(prog="python -m sync.faults.writer", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--every-s", type=float, default=0.0, help="seconds between two commits (0: as fast as it goes)")
    parser.add_argument("--count", type=int, default=0, help="commits, then end (0: until SIGTERM)")
    parser.add_argument("--findings", type=int, default=3, help="findings in each commit")
    parser.add_argument("--bare", action="store_true", help="no photos and no frames: events alone")
    args = parser.parse_args(argv)
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    settings = read_settings(args.config)
    with only_one(settings.unit.state, "capture"):
        work = _Work(settings, args)
        while not stop.is_set() and not work.done:
            work.serve(stop)
    return 0


class _Work:
    """Commits one after the other, over any number of openings of the database."""

    def __init__(self, settings: Settings, args: argparse.Namespace) -> None:
        self._settings, self._args = settings, args
        self._number = 0

    @property
    def done(self) -> bool:
        """As many commits as were asked for have been tried."""
        return bool(0 < self._args.count <= self._number)

    def serve(self, stop: threading.Event) -> None:
        """Open the database and write, until told to stop, done, or the database cannot be used: then rest for a moment."""
        try:
            self._serve(stop)
        except (DatabaseFailed, DatabaseDamaged) as error:
            say("failed", "database", str(error))
            stop.wait(RETRY_S)

    def _serve(self, stop: threading.Event) -> None:
        state = self._settings.unit.state
        with held(state / "ronde.db", look_over=True) as db:
            sweep(db, state)
            close_rounds(db, state, Recipients(self._settings.unit, self._settings.backends))
            writer = _Bare(db, self._settings) if self._args.bare else _Photos(db, self._settings)
            storage = Storage(db, state, self._settings.keeping, told=bool(self._settings.backends))
            say("ready")
            while not stop.wait(self._args.every_s) and not self.done:
                self._number += 1
                writer.write(self._args.findings)
                _make_room(storage)


def _make_room(storage: Storage) -> None:
    """As much as there is to do, as the unit does it beside its round."""
    try:
        while storage.step() in (Outcome.EVICTED, Outcome.EXPIRED):
            pass
    except DatabaseFailed as error:
        say("failed", "room", str(error))


def say(*words: str) -> None:
    """One line, in one write, past every buffer."""
    os.write(sys.stdout.fileno(), (" ".join(words) + "\n").encode())


class _Photos:
    """Frames with their photos and findings, as the line stores them."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db, self._unit, self._tally = db, settings.unit, Tally()
        self._round_id = next_round_id(db, boot_id())
        self._store = RoundStore(db, settings.unit.state, self._round_id, Recipients(settings.unit, settings.backends), MODEL)
        self._store.begin(datetime.now(timezone.utc), version("ronde"), {"roads": MODEL}, {})
        self._rng = np.random.default_rng(0)
        self._frames = 0

    def write(self, findings: int) -> None:
        """One frame."""
        self._frames += 1
        number = self._frames
        frame_id = f"{self._round_id}-{number:06d}"
        say("try", frame_id)
        try:
            kept = self._store.keep(self._looked(number, findings), self._tally.timed)
        except (PhotoNotWritten, DatabaseFailed) as error:
            say("failed", frame_id, str(error))
            return
        file, sha256 = self._db.conn.execute("SELECT file, sha256 FROM frame WHERE id = ?", [kept.frame_id]).fetchone()
        say("kept", kept.frame_id, file, sha256, _ids([self._event(each) for each in kept.findings]))

    def _event(self, finding: Finding) -> str:
        return event_id(self._unit, "finding", self._round_id, int(finding.id.rsplit("-f", 1)[1]))

    def _looked(self, number: int, findings: int) -> Looked:
        """A frame of noise of a car that drives north; no two are alike."""
        pixels = self._rng.integers(0, 256, (HEIGHT // 8, WIDTH // 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        detections = [Detection(LABELS[k % len(LABELS)], 0.8, (10.0 + k, 300.0, 90.0 + k, 340.0)) for k in range(findings)]
        frame = Frame(pixels, EVERY_M * number, place(number))
        return Looked(hide(frame, []), tuple(detections), {})


class _Bare:
    """Events alone, put into the outbox as the line puts them."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self._db, self._unit, self._backends = db, settings.unit, settings.backends
        self._outbox = Outbox(db)
        self._round_id = next_round_id(db, boot_id())
        with transaction(db):
            db.conn.execute(
                "INSERT INTO round (id, started_at, software, models, settings) VALUES (?, ?, ?, '{}', '{}')",
                [self._round_id, now(), version("ronde")],
            )
        self._made = self._written = 0

    def write(self, findings: int) -> None:
        """One transaction."""
        self._written += 1
        number = self._written
        events = [bare_event(self._unit, self._round_id, self._made + k, number) for k in range(findings)]
        self._made += findings
        name = f"{self._round_id}-e{number}"
        say("try", name, _ids([event.id for event in events]))
        try:
            with transaction(self._db):
                for event in events:
                    self._outbox.put(event, self._backends)
        except DatabaseFailed as error:
            say("failed", name, str(error))
            return
        say("kept", name, "-", "-", _ids([event.id for event in events]))


def bare_event(unit: Unit, round_id: str, n: int, number: int = 1) -> Event:
    """A finding's event of about 900 bytes."""
    where = place(number)
    finding = Finding(
        id=f"{round_id}-f{n}",
        round_id=round_id,
        label=LABELS[n % len(LABELS)],
        score=0.81,
        latitude_deg=where.latitude_deg,
        longitude_deg=where.longitude_deg,
        uncertainty_m=2.4,
        frames=3,
        best_frame_id=f"{round_id}-{number:06d}",
        seen_at=where.taken_at,
        model=MODEL,
    )
    now = datetime.now(timezone.utc)
    return Event(
        unit, "finding", event_id(unit, "finding", round_id, n), now, finding_data(finding, where, "cd" * 32), finding.id
    )


def place(number: int) -> Place:
    """A car that drives north at 14.4 km/h, a frame a second."""
    at = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=number)
    return Place(43.55 + number * EVERY_M / 111_320, 7.01, 2.0, 0.0, EVERY_M, EVERY_M * number, "between_fixes", at, "gnss")


def _ids(ids: Sequence[str]) -> str:
    return ",".join(ids) or "-"


if __name__ == "__main__":
    sys.exit(main())
