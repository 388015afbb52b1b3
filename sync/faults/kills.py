"""kill -9 at random moments: of what drives, of what writes, of what sends and of what receives, each started again.

Two units: one drives with the real `ronde capture`, whose frames come at a car's pace; the other writes as fast as it is told, so
that a kill finds it in the middle of a commit.
"""

from typing import Final

from sync.faults.car import Car
from sync.faults.child import Child
from sync.faults.ground import pause, until
from sync.faults.journal import audit_backend, audit_unit, of_findings
from sync.faults.need import MOSQUITTO
from sync.faults.round import Round
from sync.faults.row import Plan, Row, Tally
from sync.faults.town import Town

VICTIMS: Final = ("capture", "writer", "sync", "receiver")
LONGEST_S = 0.6
"""A kill comes up to so long after the process has begun its work."""
TRIES = 2
"""Attempts for each kill that is to take effect: one that finds nothing at work does not count."""
WORKS_S = 60.0
SPEED_MPS, RATE_HZ, FPS = 20.0, 5.0, 15
EVERY_S = 0.1


def run(plan: Plan, tally: Tally) -> None:
    """Kill one of the four, start it again, and see at the end what came of the events."""
    line = _Line(plan)
    hit = dict.fromkeys(VICTIMS, 0)
    for number in range(TRIES * plan.load):
        if tally.injected >= plan.load:
            break
        victim = VICTIMS[number % len(VICTIMS)]
        took = line.kill(victim, float(plan.rng.uniform(0.0, LONGEST_S)))
        tally.injected += took
        hit[victim] += took
    line.end()
    tally.measured |= {f"{victim} killed": count for victim, count in hit.items()}
    line.driven.car.journal.events |= of_findings(line.driven.car.unit)
    tally.measured["frames of the capture"] = len(line.driven.car.journal.frames)
    for car in (line.car, line.driven.car):
        audit_unit(car.journal, car.state, tally)
    both = line.car.journal
    both.events |= line.driven.car.journal.events
    audit_backend(both, line.car.unit, line.town, tally)


class _Line:
    """Two units at work, and the receiver."""

    def __init__(self, plan: Plan) -> None:
        self.town = Town(plan.ground)
        self.driven = Round(plan.ground, self.town, "car-02", speed_mps=SPEED_MPS, rate_hz=RATE_HZ, fps=FPS)
        self.car = Car(plan.ground, self.town, "car-01")
        self._capture = self.driven.capture(verbose=True)
        self._writer = self._write()
        self._syncs = [car.sync() for car in (self.car, self.driven.car)]

    def kill(self, victim: str, after_s: float) -> bool:
        """Wait until it works, then so long, kill it, start it again; whether it was at work."""
        if victim == "capture":
            _await_frame(self.driven.car)
            pause(after_s)
            took = self._capture.kill()
            self._capture = self.driven.capture(verbose=True)
        elif victim == "writer":
            _await_frame(self.car)
            pause(after_s)
            took = self._writer.kill()
            self._writer = self._write()
        else:
            stored = self.town.count()
            until(lambda: self.town.count() > stored, "events arrive", WORKS_S)
            pause(after_s)
            took = self.car.waiting() > 0
            took &= self._kill_sync() if victim == "sync" else self._kill_receiver()
        return took

    def end(self) -> None:
        """No more kills: what writes stops, the rest is delivered."""
        self._capture.stop()
        self._writer.stop()
        self.car.drained()
        self.driven.car.drained()
        for sync in self._syncs:
            sync.stop()

    def _kill_sync(self) -> bool:
        took = self._syncs[0].kill()
        self._syncs[0] = self.car.sync()
        return took

    def _kill_receiver(self) -> bool:
        took = self.town.kill_receiver()
        self.town.receive()
        return took

    def _write(self) -> Child:
        return self.car.write("--every-s", EVERY_S)


def _await_frame(car: Car) -> None:
    kept = car.journal.kept
    until(lambda: car.journal.kept > kept, "a frame is kept", WORKS_S)


ROW = Row(
    "kills",
    "kill -9 of the capturing, writing, sending or receiving process at random moments, and a new start",
    short=8,
    full=200,
    needs=(MOSQUITTO,),
    run=run,
)
