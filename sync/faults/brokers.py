"""The broker is killed again and again while events flow, with its stock settings, which keep nothing, and with autosave."""

import time
from typing import Final

from sync.faults.car import Car
from sync.faults.ground import pause, until
from sync.faults.journal import audit_backend
from sync.faults.mosquitto import AUTOSAVE, STOCK
from sync.faults.need import MOSQUITTO
from sync.faults.row import Plan, Row, RowFailed, Tally
from sync.faults.town import Town

EVERY_S = 3.0
EVENTS_PER_KILL = 60
"""2,400 events for 40 kills: they are put in the seconds in which the kill comes."""
LATEST_S = 180.0
"""A kill waits so long for a broker that somebody is connected to, since of another one nothing can be lost. A unit rests up to
two minutes where its connections break again and again."""
CONFIGURATIONS: Final = {"stock": STOCK, "autosave 1": AUTOSAVE}


def run(plan: Plan, tally: Tally) -> None:
    """Half of the kills with each configuration."""
    for number, (name, more) in enumerate(CONFIGURATIONS.items(), 1):
        town = Town(plan.ground, more, name=f"town-{number}")
        car = Car(plan.ground, town, f"car-{number}")
        kills = plan.load // 2 if number == 1 else plan.load - plan.load // 2
        began_s, before = time.monotonic(), tally.committed
        sync = car.sync()
        for _ in range(kills):
            tally.injected += _kill(town, car, float(plan.rng.uniform(0.0, EVERY_S)))
        car.drained(2 * LATEST_S)
        sync.stop()
        audit_backend(car.journal, car.unit, town, tally)
        tally.measured[name] = f"{town.count()} of {tally.committed - before} in {time.monotonic() - began_s:.0f} s"
        town.kill_receiver()
        town.broker.kill()


def _kill(town: Town, car: Car, after_s: float) -> bool:
    """Kill the broker while events are put; whether unit or receiver were connected to it."""
    until(lambda: town.broker.connected() > 0, "unit or receiver are connected again", LATEST_S)
    writer = car.write("--bare", "--findings", 1, "--every-s", EVERY_S / EVENTS_PER_KILL, "--count", EVENTS_PER_KILL)
    kept = car.journal.kept
    until(lambda: car.journal.kept > kept, "an event is put", LATEST_S)
    pause(after_s)
    hit = town.broker.connected() > 0 and town.broker.kill()
    town.broker.kill()
    town.broker.start()
    if writer.ended(LATEST_S) != 0:
        raise RowFailed(f"the writer did not end in good order: {writer.last_words()}")
    return hit


ROW = Row(
    "brokers",
    "kill -9 of the broker every 3 s, with stock settings and with autosave_interval 1",
    short=4,
    full=80,
    needs=(MOSQUITTO,),
    run=run,
)
