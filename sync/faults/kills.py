"""kill -9 at random moments: of what writes, of what sends and of what receives, each started again."""

from typing import Final

from sync.faults.car import Car, one
from sync.faults.child import Child
from sync.faults.ground import pause, until
from sync.faults.journal import audit_backend, audit_unit
from sync.faults.need import MOSQUITTO
from sync.faults.row import Plan, Row, Tally
from sync.faults.town import Town

VICTIMS: Final = ("writer", "sync", "receiver")
LONGEST_S = 0.6
"""A kill comes up to so long after the process has begun its work."""
TRIES = 2
"""Attempts for each kill that is to take effect: one that finds nothing at work does not count."""


def run(plan: Plan, tally: Tally) -> None:
    """Kill one of the three, start it again, and see at the end what came of the events."""
    town, car = one(plan)
    line = _Line(town, car)
    hit = dict.fromkeys(VICTIMS, 0)
    for _ in range(TRIES * plan.load):
        if tally.injected >= plan.load:
            break
        victim = str(plan.rng.choice(VICTIMS))
        took = line.kill(victim, float(plan.rng.uniform(0.0, LONGEST_S)))
        tally.injected += took
        hit[victim] += took
    line.end()
    tally.measured |= {f"{victim} killed": count for victim, count in hit.items()}
    audit_unit(car.journal, car.state, tally)
    audit_backend(car.journal, car.unit, town, tally)


class _Line:
    """A writer, a sync and a receiver at work."""

    def __init__(self, town: Town, car: Car) -> None:
        self._town, self._car = town, car
        self._writer = self._write()
        self._sync = car.sync()

    def kill(self, victim: str, after_s: float) -> bool:
        """Wait until it works, then so long, kill it, start it again; whether it was at work."""
        journal, before, stored = self._car.journal, self._car.journal.kept, self._town.count()
        if victim == "writer":
            until(lambda: journal.kept > before, "a frame is kept")
        else:
            until(lambda: self._town.count() > stored, "events arrive", 20.0)
        pause(after_s)
        if victim == "writer":
            took = self._writer.kill()
            self._writer = self._write()
        elif victim == "sync":
            took = self._car.waiting() > 0 and self._sync.kill()
            self._sync.kill()
            self._sync = self._car.sync()
        else:
            took = self._car.waiting() > 0 and self._town.kill_receiver()
            self._town.kill_receiver()
            self._town.receive()
        return took

    def end(self) -> None:
        """No more kills: the writer stops, the rest is delivered."""
        self._writer.stop()
        self._car.drained()
        self._sync.stop()

    def _write(self) -> Child:
        return self._car.write("--every-s", 0.1)


ROW = Row(
    "kills",
    "kill -9 of the writing, the sending or the receiving process at random moments, and a new start",
    short=6,
    full=200,
    needs=(MOSQUITTO,),
    run=run,
)
