"""The disk is full: of the unit's own photos, of somebody else's file, or of a log that grows; and then there is room again.

What has to go goes in the written order (confirmed photos, the oldest first; then every second unconfirmed one), never an event;
and when there is room again the unit photographs again by itself.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sync.faults.car import Car
from sync.faults.child import Child
from sync.faults.ground import Disk, pause, until
from sync.faults.journal import audit_backend, audit_unit
from sync.faults.need import EXT4, LOOP, MOSQUITTO, ROOT
from sync.faults.row import Plan, Row, Tally
from sync.faults.town import Town, rows

IMAGE_MIB = 24
PIECE_BYTES = 64 * 1024
FULL_S = 2.0
"""How long a disk stays as full as it gets."""
RECOVERS_S = 10.0
"""From the moment there is room again to the next frame."""
FILLS_S = 120.0
EVERY_S = 0.02


def run(plan: Plan, tally: Tally) -> None:
    """Fill the disk in one way after the other while a round is driven and delivered."""
    town = Town(plan.ground)
    disk = Disk(plan.ground, "card", IMAGE_MIB)
    car = Car(plan.ground, town, state=disk.mount_point / "state")
    car.state.mkdir()
    writer = car.write("--every-s", EVERY_S)
    sync: Child | None = car.sync()
    names = list(WAYS)
    for number in range(plan.load):
        name = names[number % len(names)]
        if name.endswith("nothing confirmed") and sync is not None:
            sync.stop()
            sync = None
        elif not name.endswith("nothing confirmed") and sync is None:
            sync = car.sync()
        before, gone = len(car.journal.failed), _gone(car)
        WAYS[name](car, disk.mount_point / "filler")
        recovered_s = _recovers(car, writer, tally, name)
        evicted, failed = _gone(car) - gone, len(car.journal.failed) - before
        tally.injected += evicted + failed > 0
        tally.measured[name] = f"{evicted} photos gone, {failed} refused, {recovered_s:.1f} s to the next frame"
        if number == 0:  # later on, photos are missing that went while nothing was confirmed
            _judge_order(car, tally)
    writer.stop()
    sync = sync or car.sync()
    car.drained()
    sync.stop()
    audit_unit(car.journal, car.state, tally, evicted=True)
    audit_backend(car.journal, car.unit, town, tally)


def _of_photos(car: Car, _filler: Path) -> None:
    """The round itself fills the disk."""
    gone = _gone(car)
    until(lambda: _gone(car) > gone, "photos have to go since the disk is full of them", FILLS_S)


def _of_a_file(_car: Car, filler: Path) -> None:
    """All that is free is taken at once, and given back after a while."""
    with filler.open("wb") as out:
        _pour(out.fileno())
        pause(FULL_S)
        _pour(out.fileno())
        pause(FULL_S / 2)
    filler.unlink()


def _of_a_log(_car: Car, filler: Path) -> None:
    """A file that grows whenever there is room, as a log does that nobody turns."""
    with filler.open("wb") as out:
        for _ in range(round(FULL_S / EVERY_S)):
            _pour(out.fileno(), pieces=8)
            pause(EVERY_S)
    filler.unlink()


def _pour(handle: int, pieces: int = 1_000_000) -> None:
    """Write until the disk takes no more, or so many pieces."""
    piece = bytes(PIECE_BYTES)
    try:
        for _ in range(pieces):
            os.write(handle, piece)
    except OSError:
        return


def _recovers(car: Car, writer: Child, tally: Tally, name: str) -> float:
    """Seconds to the next frame; the writer is the same process as before."""
    kept = car.journal.kept
    took_s = until(lambda: car.journal.kept > kept or not writer.alive(), f"{name}: a frame is kept again", RECOVERS_S)
    tally.check(writer.alive(), f"{name}: the writer ended: {writer.last_words()}")
    return took_s


def _gone(car: Car) -> int:
    """How many frames have no photo any more. What is kept while the question is asked is not missing."""
    kept = car.journal.kept
    held = {name for (name,) in rows(car.state / "ronde.db", "SELECT file FROM frame WHERE file IS NOT NULL")}
    return kept - len(held & {name for name, _ in list(car.journal.photos.values())})


def _judge_order(car: Car, tally: Tally) -> None:
    """While all is confirmed, the oldest photos go: those that are missing are older than each that is there."""
    files = [name for (name,) in rows(car.state / "ronde.db", "SELECT file FROM frame ORDER BY rowid")]
    there = [name is not None and (car.state / name).exists() for name in files]
    first = there.index(True) if True in there else len(there)
    tally.check(first > 0 and all(there[first:]), f"{there[first:].count(False)} photos went before older ones")


WAYS: Final[Mapping[str, Callable[[Car, Path], None]]] = {
    "of its own photos": _of_photos,
    "of another's file": _of_a_file,
    "of a log": _of_a_log,
    "of another's file, nothing confirmed": _of_a_file,
}

ROW = Row("disks", "full disks, and room again", short=4, full=20, needs=(MOSQUITTO, EXT4, ROOT, LOOP), run=run)
