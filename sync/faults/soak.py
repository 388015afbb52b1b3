"""Eight hours in forty-eight minutes: the real capture, sync and receiver under ten times a town's load. Nothing may grow.

Ten times is ten times the photos and ten times the fixes: 50 m/s with a photo every 4 m is 12.5 photos/s, as many as 18 km/h (the
mean of a town) give in ten times the time; fixes come at 10 Hz. The clocks are the true ones.
"""

import re
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sync.faults.car import Car
from sync.faults.child import Child
from sync.faults.ground import pause
from sync.faults.journal import audit_unit, of_findings
from sync.faults.need import MOSQUITTO
from sync.faults.round import Round
from sync.faults.row import Plan, Row, RowFailed, Tally
from sync.faults.town import Town, rows

SPEED_MPS, RATE_HZ, FPS = 50.0, 10.0, 30
SPACING_M = 4.0
FRAMES: Final = round(8 * 3600 / 10 * SPEED_MPS / SPACING_M)
LOOK_S = 2.0
"""Between two looks at the processes."""
PATIENCE = 3.0
"""The row takes at most so many times as long as it should: a busy machine drops photos, and as many have to be kept."""
MORE_S = 90.0

GROWS_MIB = 16.0
GROWS_SHARE = 0.1
"""From the second quarter of the time to the last: memory may differ by so much, threads and files by nothing."""
PLACE: Final = re.compile(r"\b43\.5\d\d|\b7\.0\d{3}")
"""A latitude or longitude of the drive (`sync.faults.satellites`)."""
WAL_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Look:
    """What a process holds at one moment."""

    rss_mib: float
    threads: int
    files: int


def run(plan: Plan, tally: Tally) -> None:
    """Drive until so many frames are kept, look at the processes all the while, and at what came of it."""
    town = Town(plan.ground)
    driven = Round(plan.ground, town, "car-01", speed_mps=SPEED_MPS, rate_hz=RATE_HZ, fps=FPS)
    car = driven.car
    processes = {"capture": driven.capture(), "sync": car.sync()}
    looks, wal = _watch(plan, car, processes)
    frames = _frames(car)
    written = _written(processes["capture"].pid)
    tally.injected = frames
    tally.check(processes["capture"].stop() == 0, f"the capture did not end in good order: {processes['capture'].last_words()}")
    car.drained()
    processes["sync"].stop()
    for name, child in processes.items():
        _read_log(name, child, tally)
    for name, seen in looks.items():
        _judge(name, seen, tally)
    tally.check(wal < WAL_BYTES, f"the write-ahead log took {wal / 2**20:.1f} MiB")
    tally.measured |= {"largest log MiB": round(wal / 2**20, 1), "bytes written a frame": round(written / max(1, frames))}
    _audit(car, town, tally)


def _watch(plan: Plan, car: Car, processes: dict[str, Child]) -> tuple[dict[str, list[Look]], int]:
    """Looks at the processes until the frames are kept; and the largest that the log ever was."""
    looks: dict[str, list[Look]] = {name: [] for name in processes}
    wal, latest_s = 0, time.monotonic() + PATIENCE * plan.load * SPACING_M / SPEED_MPS + MORE_S
    while _frames(car) < plan.load and time.monotonic() < latest_s:
        pause(LOOK_S)
        for name, child in processes.items():
            if not child.alive():
                raise RowFailed(f"{name} ended: {child.last_words()}")
            looks[name].append(_look(child.pid))
        log = car.state / "ronde.db-wal"
        wal = max(wal, log.stat().st_size if log.exists() else 0)
    return looks, wal


def _look(pid: int) -> Look:
    told = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines())
    files = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Look(int(told["VmRSS"].split()[0]) / 1024, int(told["Threads"]), files)


def _judge(name: str, looks: Sequence[Look], tally: Tally) -> None:
    """Whether a process holds at the end what it held when it had settled."""
    quarter = max(1, len(looks) // 4)
    early, late = looks[quarter : 2 * quarter] or looks, looks[-quarter:]
    before, after = (statistics.median(look.rss_mib for look in part) for part in (early, late))
    tally.check(after - before <= max(GROWS_MIB, GROWS_SHARE * before), f"{name} grew from {before:.0f} to {after:.0f} MiB")
    for what in ("threads", "files"):
        # The least of each quarter: what leaks stays open, a photo in the hand does not.
        first, last = (min(getattr(look, what) for look in part) for part in (early, late))
        tally.check(last <= first, f"{name} has {last} {what} where it had {first}")
    tally.measured[name] = f"{before:.0f} to {after:.0f} MiB, {late[-1].threads} threads, {late[-1].files} files"


def _read_log(name: str, child: Child, tally: Tally) -> None:
    """Nobody who reads a log learns where the car was."""
    places = [line for line in child.stderr if PLACE.search(line)]
    tally.check(not places, f"{name} has said where the car was: {places[:1]}")


def _audit(car: Car, town: Town, tally: Tally) -> None:
    """Every photo is what its row says, every finding is at the backend once."""
    audit_unit(car.journal, car.state, tally)
    committed, stored = of_findings(car.unit), town.stored()
    tally.committed = len(committed)
    tally.lost += len(committed - set(stored))
    tally.twice += len(stored) - len(set(stored)) + len(town.things())
    tally.check(set(stored) <= committed, "the backend has events that nobody committed")


def _frames(car: Car) -> int:
    found = rows(car.state / "ronde.db", "SELECT count(*) FROM frame")
    return int(found[0][0]) if found else 0


def _written(pid: int) -> int:
    """Bytes of files that a process has dirtied, in whole pages, as the kernel counts them for the disk."""
    told = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text(encoding="ascii").splitlines())
    return int(told["write_bytes"])


ROW = Row("soak", "8 h of driving at ten times a town's load, in frames", short=200, full=FRAMES, needs=(MOSQUITTO,), run=run)
