"""A day without a network: what a day makes waits in the outbox, then all of it goes while the car drives on.

The day itself is not waited for: its events are put in as fast as they go, many in a transaction. What follows is at full size.
"""

import time
from pathlib import Path
from typing import Final

from sync.event import event_id
from sync.faults.car import ROUND, Car
from sync.faults.child import Child
from sync.faults.ground import until
from sync.faults.journal import audit_backend
from sync.faults.need import MOSQUITTO
from sync.faults.row import Plan, Row, RowFailed, Tally
from sync.faults.town import Town, rows

DAY: Final = 24 * 3600 * 9
"""Events of 24 h at 9 a second."""
LIVE_EVERY_S = 1 / 9

LEAST_PER_S = 500.0
MOST_RSS_MIB = 150
MOST_OUTBOX_BYTES = 1_000_000_000
LATEST_S = 5.0
"""The promises: the rate, sync's memory, the outbox's size, and how late a live event may be."""

SLOWEST_PER_S = 150.0
MORE_S = 120.0


def run(plan: Plan, tally: Tally) -> None:
    """Fill, connect, drive on, and wait until all is there."""
    town = Town(plan.ground)
    car = Car(plan.ground, town)
    car.fill(plan.load)
    tally.injected = car.waiting()
    outbox_bytes = _size(car.state)
    writer = car.write("--bare", "--findings", 1, "--every-s", LIVE_EVERY_S)
    until(lambda: car.journal.kept > 0, "the car drives on", MORE_S)
    began_s = time.monotonic()
    sync = car.sync()
    until(
        lambda: _all_stored(town, plan.load + car.journal.kept, sync), "all events are stored", plan.load / SLOWEST_PER_S + MORE_S
    )
    took_s = time.monotonic() - began_s
    outbox_bytes = max(outbox_bytes, _size(car.state))
    rss_mib = peak_rss_mib(sync.pid)
    writer.stop()
    car.drained(MORE_S)
    sync.stop()
    car.journal.events |= {event_id(car.unit, "finding", ROUND, n) for n in range(plan.load)}
    audit_backend(car.journal, car.unit, town, tally)
    rate = plan.load / took_s
    late_s = _latest_s(town)
    tally.check(rate >= LEAST_PER_S, f"{rate:.0f} events/s, at least {LEAST_PER_S:g} are wanted")
    tally.check(rss_mib <= MOST_RSS_MIB, f"sync takes {rss_mib} MiB, allowed are {MOST_RSS_MIB}")
    tally.check(outbox_bytes <= MOST_OUTBOX_BYTES, f"the outbox takes {outbox_bytes / 1e6:.0f} MB")
    tally.check(late_s <= LATEST_S, f"a live event came {late_s:.1f} s late, allowed are {LATEST_S:g}")
    tally.measured |= {"events/s": round(rate), "memory MiB": rss_mib, "outbox MB": round(outbox_bytes / 1e6)}
    tally.measured["latest live event s"] = round(late_s, 1)


def _all_stored(town: Town, events: int, sync: Child) -> bool:
    if not sync.alive() or not town.receives():
        raise RowFailed(f"sync or the receiver ended: {sync.last_words()}")
    return town.newest() >= events


def _size(state: Path) -> int:
    """Bytes of the database and its log."""
    return sum(file.stat().st_size for file in state.glob("ronde.db*"))


def _latest_s(town: Town) -> float:
    """How long the slowest live event took from its making to the backend's table.

    Live is what was made once the first event had arrived: what was made before the connection belongs to the day.
    """
    query = (
        "SELECT max(julianday(received_at) - julianday(time)) * 86400 FROM finding "
        "WHERE round_id != ? AND time > (SELECT min(received_at) FROM finding)"
    )
    found = rows(town.file, query, ROUND)
    return float(found[0][0] or 0.0)


def peak_rss_mib(pid: int) -> int:
    """The most memory that a process ever held, in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0


ROW = Row("outage", "24 h without a network at 9 events/s", short=5_000, full=DAY, needs=(MOSQUITTO,), run=run)
