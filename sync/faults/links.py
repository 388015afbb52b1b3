"""Twelve bad lines between a unit and its broker, all at once: each unit has its own, and all of them go on driving."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sync.faults.car import Car
from sync.faults.child import Child
from sync.faults.ground import pause
from sync.faults.journal import audit_backend
from sync.faults.need import MOSQUITTO
from sync.faults.proxy import Line, Proxy, Way
from sync.faults.row import Plan, Row, Tally
from sync.faults.town import Town

SHORT_S, FULL_S = 12.0, 120.0
"""How long a line is bad."""
HEALED_S = 240.0
"""How long afterwards until all has arrived: the longest rest of a unit, and what a dead line takes to be noticed."""
EVERY_S = 0.5
LATE_S = 1.5
"""Between two commits of a writer at most, whatever the line does: nothing on the road waits for it."""
MOST_CONNECTS = 10
"""In any minute."""
NO_NAME: Final = "mqtts://no-such-broker.invalid:8883"
PORTAL: Final = b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\nContent-Length: 0\r\n\r\n"

LINES: Final[Mapping[str, Line]] = {
    "half open": Line(dead_after_s=1.0),
    "reset in mid-publish": Line(reset_after=12_000),
    "10 kB/s": Line(bytes_s=10_000, piece=1_000),
    "stalls, 4 s in 8": Line(open_at=lambda at_s: at_s % 8 < 4),
    "captive portal": Line(answer=PORTAL),
    "refused": Line(refuses=True),
    "accepts and is silent": Line(mute=True),
    "accepts and closes": Line(answer=b""),
    "acknowledgements vanish": Line(dead_after_s=2.0, swallows=Way.DOWN),
    "0.6 s each way": Line(delay_s=0.6),
    "cut 1 s in 3": Line(open_at=lambda at_s: at_s % 3 < 2, cuts=True),
}
"""By a proxy; the twelfth is a name that does not resolve."""
NO_DNS = "no DNS"


@dataclass(slots=True)
class _Driven:
    """A unit on a bad line."""

    name: str
    car: Car
    proxy: Proxy | None
    writer: Child
    sync: Child


def run(plan: Plan, tally: Tally) -> None:
    """Drive on bad lines, heal them, and wait until all has arrived."""
    town = Town(plan.ground)
    names = [*LINES, NO_DNS][: plan.load]
    units = [_begin(plan, town, number, name) for number, name in enumerate(names)]
    pause(FULL_S if plan.full else SHORT_S)
    tally.injected = sum(_hurt(unit) for unit in units)
    for unit in units:
        unit.writer.stop()
        _heal(unit)
    slowest = _arrive(units, tally)
    for unit in units:
        _judge(unit, town, tally)
    tally.measured |= {"last to arrive": slowest, "events a unit": max(len(unit.car.journal.events) for unit in units)}
    most = max((most_in_a_minute(unit.proxy.connects), unit.name) for unit in units if unit.proxy is not None)
    tally.measured["most connects a minute"] = f"{most[0]} ({most[1]})"


def _begin(plan: Plan, town: Town, number: int, name: str) -> _Driven:
    proxy = None
    if name in LINES:
        proxy = Proxy(town.broker.port, LINES[name])
        plan.ground.at_end(proxy.close)
    url = NO_NAME if proxy is None else f"mqtts://127.0.0.1:{proxy.port}"
    car = Car(plan.ground, town, f"car-{number:02d}", url=url)
    writer = car.write("--bare", "--every-s", EVERY_S, "--findings", 5)
    return _Driven(name, car, proxy, writer, car.sync())


def _hurt(unit: _Driven) -> bool:
    """Whether the line did something to the unit."""
    return unit.proxy.hurt > 0 if unit.proxy is not None else unit.sync.heard("broker_refused")


def _heal(unit: _Driven) -> None:
    """The line is good; where the name did not resolve, somebody corrects the configuration."""
    if unit.proxy is not None:
        unit.proxy.heal()
        return
    unit.sync.stop()
    unit.car.configure(unit.car.town.broker.url)
    unit.sync = unit.car.sync()


def _arrive(units: list[_Driven], tally: Tally) -> str:
    """Waits for all outboxes together; the last of them and how long it took."""
    began_s, last = time.monotonic(), ""
    waiting = list(units)
    while waiting:
        if time.monotonic() - began_s > HEALED_S:
            tally.wrong += [f"{unit.name}: {unit.car.waiting()} events still wait: {unit.sync.last_words()}" for unit in waiting]
            break
        pause(0.1)
        for unit in [each for each in waiting if each.car.waiting() == 0]:
            waiting.remove(unit)
            last = f"{unit.name}, {time.monotonic() - began_s:.0f} s after it was healed"
    return last


def _judge(unit: _Driven, town: Town, tally: Tally) -> None:
    one = Tally()
    audit_backend(unit.car.journal, unit.car.unit, town, one)
    tally.committed, tally.lost, tally.twice = tally.committed + one.committed, tally.lost + one.lost, tally.twice + one.twice
    gap_s = unit.car.journal.longest_s
    tally.check(gap_s <= LATE_S, f"{unit.name}: {gap_s:.1f} s between two commits")
    tally.check(not unit.car.journal.failed, f"{unit.name}: {unit.car.journal.failed[:1]}")
    if unit.proxy is not None:
        most = most_in_a_minute(unit.proxy.connects)
        tally.check(most < MOST_CONNECTS, f"{unit.name}: {most} connects in a minute")
    unit.sync.stop()


def most_in_a_minute(at_s: list[float]) -> int:
    """The most moments that lie within one minute."""
    return max((sum(first <= each < first + 60.0 for each in at_s) for first in at_s), default=0)


ROW = Row("links", "twelve bad lines, from half open to cut 1 s in 3", short=12, full=12, needs=(MOSQUITTO,), run=run)
