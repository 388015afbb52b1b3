"""Errors of the disk at the Nth write or fsync: strace answers for the kernel. Nothing may be told to be durable after that."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sync.faults.car import Car
from sync.faults.journal import audit_unit
from sync.faults.need import MOSQUITTO, STRACE
from sync.faults.row import Plan, Rng, Row, RowFailed, Tally
from sync.faults.town import Town
from sync.faults.writes import WITHIN_S

CALLS: Final = ("pwrite64", "fsync", "fdatasync", "write", "rename", "ftruncate", "mkdir")
ERRORS: Final = ("EIO", "ENOSPC")
FRAMES = 8
BURST = 12
"""A disk that fails for a while fails so often in a row; half of the cases fail once."""

LINE: Final = re.compile(r"^\d+ +(\w+)\((?:(\d+)<([^>]*)>|\"([^\"]*)\")?(.*)$")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that strace saw: `number` counts the calls of this name, `path` is what it is about, `said` what it writes."""

    name: str
    number: int
    path: str
    said: str
    injected: bool


def run(plan: Plan, tally: Tally) -> None:
    """A fresh unit for each error, whose calls are the same as those of one that was left alone."""
    town = Town(plan.ground)
    log = plan.ground.folder / "strace.log"
    targets = list(_targets(town, plan, log))
    burst_hits = alarms = 0
    for number in range(plan.load):
        target = _choice(targets, plan.rng)
        burst = bool(number % 2)
        car = Car(plan.ground, town, f"car-{number + 1:03d}")
        ended = _hurt(car, target, log, plan.rng, burst=burst)
        calls = list(calls_of(log, car.state))
        hit = any(call.injected for call in calls)
        tally.injected += hit
        burst_hits += hit and burst
        alarms += hit and bool(ended or car.journal.failed)
        wrong = told_in_spite(calls)
        tally.check(not wrong, f"{target.name} {target.number} of {target.path}: a frame is told to be kept after it")
        _go_on(car, town, tally, f"{target.name} {target.number} of {target.path}")
    tally.measured |= {"calls to choose from": len(targets), "in bursts": burst_hits, "alarms": alarms}


def _targets(town: Town, plan: Plan, log: Path) -> Iterator[Call]:
    """The calls of a run that is left alone, on files of the unit."""
    car = Car(plan.ground, town, "car-000")
    child = car.write("--count", FRAMES, before=_strace(log, None))
    if child.ended(WITHIN_S) != 0:
        raise RowFailed(f"a run under strace did not end: {child.last_words()}")
    for call in calls_of(log, car.state):
        if call.path.startswith("/") and not call.said.startswith(SAYS):
            yield call


def _choice(targets: Sequence[Call], rng: Rng) -> Call:
    """Each kind of call on each kind of file as often as the others: most calls write to the database's log."""
    kinds = sorted({_kind(call) for call in targets})
    kind = kinds[int(rng.integers(len(kinds)))]
    of_kind = [call for call in targets if _kind(call) == kind]
    return of_kind[int(rng.integers(len(of_kind)))]


def _kind(call: Call) -> tuple[str, str]:
    return call.name, Path(call.path).suffix


SAYS: Final = ("ready", "try", "kept", "failed")


def _hurt(car: Car, target: Call, log: Path, rng: Rng, *, burst: bool) -> int:
    error = ERRORS[int(rng.integers(2))]
    when = f"{target.number}..{target.number + BURST}" if burst else str(target.number)
    if target.name == "write":  # the writer's own lines are writes, too: one failure at most
        when = str(target.number)
    return car.write("--count", FRAMES, before=_strace(log, (target.name, f"error={error}:when={when}"))).ended(WITHIN_S)


def _go_on(car: Car, town: Town, tally: Tally, what: str) -> None:
    """The disk is well again: the next start has all that was told, goes on, and delivers it."""
    kept = car.journal.kept
    again = car.write("--count", 1)
    tally.check(again.ended(WITHIN_S) == 0 and car.journal.kept == kept + 1, f"{what}: it does not go on: {again.last_words()}")
    sync = car.sync()
    car.drained()
    sync.stop()
    audit_unit(car.journal, car.state, tally)
    events = car.journal.events - set(town.stored())
    tally.committed += len(car.journal.events)
    tally.lost += len(events)


def _strace(log: Path, inject: tuple[str, str] | None) -> Sequence[str]:
    faults = () if inject is None else ("-e", f"inject={inject[0]}:{inject[1]}")
    return ("strace", "-f", "-qq", "-y", "-o", str(log), "-e", f"trace={','.join(CALLS)}", "-e", "signal=none", *faults)


def calls_of(log: Path, state: Path) -> Iterator[Call]:
    """The calls on files below `state`, and the writer's own lines, in their order."""
    numbers: dict[str, int] = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        found = LINE.match(line)
        if found is None:
            continue
        name, handle, opened, named, rest = found.groups()
        numbers[name] = numbers.get(name, 0) + 1
        path, said = opened or named or "", rest.lstrip(', "')
        if path.startswith(str(state)) or (name == "write" and handle == "1"):
            below = path.removeprefix(str(state))
            yield Call(name, numbers[name], below if path.startswith(str(state)) else "", said, "(INJECTED)" in rest)


def told_in_spite(calls: Sequence[Call]) -> bool:
    """Whether a frame is told to be kept though a call for it failed.

    A checkpoint, which copies the log into the database after the commit, may fail: the log stays. What is removed from the
    log's end may stay, too.
    """
    failed = False
    for call in calls:
        if call.name == "write" and not call.path:
            if call.said.startswith("kept") and failed:
                return True
            failed = failed and not call.said.startswith(("try", "failed"))
        elif call.injected and call.path != "/ronde.db" and call.name != "ftruncate":
            failed = True
    return False


ROW = Row("io_errors", "EIO and ENOSPC at the Nth write or fsync", short=6, full=60, needs=(MOSQUITTO, STRACE), run=run)
