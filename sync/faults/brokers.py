"""The broker is killed every three seconds while events flow, with its stock settings, which keep nothing, and with autosave."""

import time
from typing import Final

from sync.faults.car import Car
from sync.faults.ground import pause, until
from sync.faults.journal import audit_backend
from sync.faults.need import MOSQUITTO
from sync.faults.row import Plan, Row, Tally
from sync.faults.town import AUTOSAVE, STOCK, Town

EVERY_S = 3.0
EVENTS_PER_KILL = 60
"""2,400 events for 40 kills."""
LATEST_S = 90.0
"""A kill waits so long for a broker that somebody is connected to: of another one nothing can be lost."""
PARTIES = 2
"""Who is connected while all is well: the unit and the receiver."""
CONFIGURATIONS: Final = {"stock": STOCK, "autosave 1": AUTOSAVE}


def run(plan: Plan, tally: Tally) -> None:
    """Half of the kills with each configuration."""
    for number, (name, more) in enumerate(CONFIGURATIONS.items(), 1):
        town = Town(plan.ground, more, name=f"town-{number}")
        car = Car(plan.ground, town, f"car-{number}")
        kills = plan.load // 2 if number == 1 else plan.load - plan.load // 2
        events = kills * EVENTS_PER_KILL
        began_s = time.monotonic()
        writer = car.write("--bare", "--findings", 1, "--every-s", EVERY_S / EVENTS_PER_KILL, "--count", events)
        sync = car.sync()
        tally.injected += _kill(town, kills)
        tally.check(writer.ended(LATEST_S) == 0, f"the writer did not end in good order: {writer.last_words()}")
        car.drained(2 * LATEST_S)
        sync.stop()
        before = tally.committed
        audit_backend(car.journal, car.unit, town, tally)
        stored = f"{town.count()} of {tally.committed - before} in {time.monotonic() - began_s:.0f} s"
        tally.measured[name] = stored
        town.kill_receiver()
        town.broker.kill()


def _kill(town: Town, kills: int) -> int:
    """Kill the broker so often, each time while unit and receiver are connected; how many times they were."""
    hit = 0
    for _ in range(kills):
        pause(EVERY_S)
        until(lambda: town.broker.connected() >= PARTIES, "unit and receiver are connected again", LATEST_S)
        hit += town.broker.kill()
        town.broker.start()
    return hit


ROW = Row(
    "brokers",
    "kill -9 of the broker every 3 s, with stock settings and with autosave_interval 1",
    short=4,
    full=80,
    needs=(MOSQUITTO,),
    run=run,
)
