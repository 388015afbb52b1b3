"""kill -9 at each write call: strace ends the process as it enters the Nth call that changes a file."""

from pathlib import Path
from typing import Final

import numpy as np

from sync.faults.car import Car, one
from sync.faults.ground import until
from sync.faults.journal import audit_backend, audit_unit
from sync.faults.need import MOSQUITTO, STRACE
from sync.faults.row import Plan, Row, RowFailed, Tally
from sync.faults.town import Town

CALLS: Final = "pwrite64,fsync,fdatasync,ftruncate,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat"
"""Each call by which the unit's files change, but `write`: Python's own start-up uses it for other things. A photo's bytes are
written by one `write` between its `openat` and its `fsync`, both of which are reached."""

FRAMES = 12
EVENTS = 36
"""Commits of a run that is not killed, and what is sent in one: the kills are spread over its calls."""
WITHIN_S = 60.0
LATEST = 0.9
"""No kill comes in the last tenth of a run: the next one may have fewer calls."""


def run(plan: Plan, tally: Tally) -> None:
    """Kill each victim at its Nth call; N goes over all calls of a run."""
    town, car = one(plan)
    for victim, share in (("first start", 0.2), ("writer", 0.4), ("sync", 0.2), ("receiver", 0.2)):
        killer = _Killer(town, car, victim)
        wanted = max(1, round(share * plan.load)) if victim != "receiver" else plan.load - tally.injected
        took = _kill_all(killer, plan.rng, wanted)
        tally.injected += took
        tally.measured |= {f"{victim}: kills": took, f"{victim}: calls of a run": killer.calls}
        if car.journal.kept:
            audit_unit(car.journal, car.state, tally)
    _finish(town, car, tally)
    audit_unit(car.journal, car.state, tally)
    audit_backend(car.journal, car.unit, town, tally)


def _kill_all(killer: "_Killer", rng: np.random.Generator, wanted: int) -> int:
    """So many kills that take effect, spread over the calls of a run; at most twice as many attempts."""
    took = 0
    for number in rng.permutation(np.linspace(1, LATEST * killer.calls, 2 * wanted).round().astype(int)):
        if took == wanted:
            break
        took += killer.kill(max(1, int(number)))
    return took


def _finish(town: Town, car: Car, tally: Tally) -> None:
    if not town.receives():
        town.receive()
    last = car.write("--count", FRAMES)
    tally.check(last.ended(WITHIN_S) == 0, "the writer does not end in good order after the last kill")
    sync = car.sync()
    car.drained()
    sync.stop()


class _Killer:
    """Runs one victim under strace; `calls` is how many calls a run of it makes when it is left alone.

    Of the receiver, how many until all has arrived: those of its orderly end come in no run that is killed.
    """

    def __init__(self, town: Town, car: Car, victim: str) -> None:
        self._town, self._car, self._victim = town, car, victim
        self._runs = 0
        self._log = car.ground.folder / "strace.log"
        if victim == "sync":  # what the writer has left would make the first run longer than the others
            car.sync("--once").ended(WITHIN_S)
        self.calls = min(self._calls_of_a_run() for _ in range(2))  # into one of them may fall a checkpoint

    def kill(self, number: int) -> bool:
        """End it at its call `number`; whether it was ended there."""
        self._run(f"signal=SIGKILL:when={number}")
        return "SIGKILL" in self._log.read_text(encoding="utf-8", errors="replace")

    def _calls_of_a_run(self) -> int:
        self.calls = 0
        self._run(None)
        return self.calls or self._called()

    def _called(self) -> int:
        return len(self._log.read_text(encoding="utf-8", errors="replace").splitlines())

    def _run(self, inject: str | None) -> None:
        before = strace(self._log, inject)
        if self._victim == "sync":
            self._car.put(EVENTS)
            self._car.sync("--once", before=before).ended(WITHIN_S)
        elif self._victim == "receiver":
            self._receive(before, killed=inject is not None)
        elif self._victim == "writer":
            self._car.write("--count", FRAMES, before=before).ended(WITHIN_S)
        else:
            self._first_start(before)

    def _first_start(self, before: tuple[str, ...]) -> None:
        """A unit that never ran; what is left by the kill must serve the next start."""
        self._runs += 1
        new = Car(self._car.ground, self._town, f"new-{self._runs}")
        new.write("--count", 1, before=before).ended(WITHIN_S)
        again = new.write("--count", 1)
        if again.ended(WITHIN_S) != 0:
            raise RowFailed(f"a first start that was cut off leaves what the next cannot use: {again.last_words()}")

    def _receive(self, before: tuple[str, ...], *, killed: bool) -> None:
        """What the receiver leaves is what the next one begins with."""
        self._town.kill_receiver()
        self._car.put(EVENTS)
        receiver = self._town.receive(before=before, patient=False)
        sync = self._car.sync()
        until(lambda: not receiver.alive() or self._car.waiting() == 0, "the receiver is killed or has all", WITHIN_S)
        if receiver.alive() and not killed:
            self.calls = self._called()
            receiver.stop()
        sync.kill()


def strace(log: Path, inject: str | None, *, calls: str = CALLS) -> tuple[str, ...]:
    """A command's tracer: each of its `calls` becomes a line of `log`; `inject` is what `-e inject=` does to them."""
    faults = () if inject is None else ("-e", f"inject={calls}:{inject}")
    return ("strace", "-f", "-qq", "-y", "-o", str(log), "-e", f"trace={calls}", "-e", "signal=!SIGCHLD", *faults)


ROW = Row(
    "writes",
    "kill -9 at each call that changes a file",
    short=8,
    full=300,
    needs=(MOSQUITTO, STRACE),
    run=run,
)
