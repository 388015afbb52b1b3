"""`ronde bench fleet`: a town's fleet against a real mosquitto and one or two receivers: events a second, lag, and what is lost.

Everything runs on this machine and its cores: the units (simulated, one thread), the broker with mutual TLS, the receivers, and
PostgreSQL with its own defaults. Nothing leaves it.
"""

import argparse
import json
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median, quantiles
from typing import Any, Final

from provisioning.settings import Backend, Unit
from sync.bench_outbox import BenchRefused
from sync.exit import DONE, OUR_FAULT
from sync.faults.child import Child, ronde
from sync.faults.ground import Ground, TooLate, ground, until
from sync.faults.mosquitto import Mosquitto
from sync.faults.need import MOSQUITTO
from sync.faults.writer import bare_event
from sync.publisher import AGAIN_S
from sync.scratch_postgres import PostgresMissing, scratch_postgres
from sync.simulated_fleet import SimulatedFleet, Tally

FLEET: Final = "fleet"
WARM: Final = 2
SOON_S: Final = 0.5
ROUND: Final = "00000000-1"
LATEST_S: Final = 120.0
KILLED_AFTER: Final = 0.3
"""Of the events, when one of the two receivers is killed."""

BROKER: Final = "max_queued_messages 0\nmax_inflight_messages 0\n"
"""As docs/cluster.md says: with its stock settings mosquitto sends 20 messages at once and drops what waits behind 1,000."""

CASES: Final[Mapping[str, tuple[str, int, bool]]] = {
    "sqlite, 1 receiver": ("sqlite", 1, False),
    "postgresql, 1 receiver": ("postgresql", 1, False),
    "postgresql, 2 receivers": ("postgresql", 2, False),
    "postgresql, 2, one killed": ("postgresql", 2, True),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How much: units; seconds in which each tells one event, while the lag is measured; events of each while the rate is.

    One event a second is a busy town: a unit finds less. `again_s`: how long a unit waits for an acknowledgement.
    """

    units: int = 200
    steady_s: int = 10
    events: int = 60
    again_s: float = AGAIN_S


FULL: Final = Scale()


@dataclass(frozen=True, slots=True)
class Place:
    """Where the receivers of a case write; `ask` gives one number."""

    url: str
    ask: Callable[[str], int]


def run(args: argparse.Namespace) -> int:
    """Runs the bench for the command line; 1 where something was lost or came twice."""
    result = bench_fleet()
    print(json.dumps(result) if args.json else in_words(result))
    return OUR_FAULT if result["wrong"] else DONE


def bench_fleet(scale: Scale = FULL, cases: Sequence[str] = tuple(CASES)) -> dict[str, Any]:
    """All numbers, each measured here and now; `wrong` says what was lost, came twice or was refused.

    Raises:
        BenchRefused: mosquitto or PostgreSQL is missing, or does not keep up at all.
    """
    missing = MOSQUITTO.missing()
    if missing is not None:
        raise BenchRefused(missing)
    try:
        rows = {name: _case(scale, *CASES[name]) for name in cases}
    except (TooLate, PostgresMissing) as error:
        raise BenchRefused(str(error)) from error
    wrong = [f"{name}: {each}" for name, row in rows.items() for each in row["wrong"]]
    return {"software": version("ronde"), "units": scale.units, "cases": rows, "wrong": wrong}


def in_words(result: Mapping[str, Any]) -> str:
    """The result for a person."""
    head = f"{'':<26}{'events/s':>9}{'lag median':>12}{'95 %':>9}{'longest':>9}{'sent again':>12}{'stored':>9}"
    told = [f"{result['units']} units, one process of each kind on this machine", head]
    for name, row in result["cases"].items():
        lags = f"{row['lag_median_ms']:>9,} ms{row['lag_p95_ms']:>6,} ms{row['lag_longest_ms']:>6,} ms"
        told.append(f"{name:<26}{row['events_per_s']:>9,}{lags}{row['sent_again']:>12,}{row['stored']:>9,}")
    wrong = result["wrong"]
    return "\n".join([*told, *wrong] if wrong else [*told, "nothing lost, nothing twice"])


def _case(scale: Scale, kind: str, receivers: int, killing: bool) -> dict[str, Any]:
    """One broker, one database, so many receivers and all units."""
    with ExitStack() as stack:
        place = stack.enter_context(ground())
        database = stack.enter_context(_database(kind, place))
        broker = Mosquitto(place, BROKER)
        children = [_receiver(place, broker, database.url, f"receiver-{n + 1}", receivers > 1) for n in range(receivers)]
        fleet = SimulatedFleet(_units(broker, scale.units), scale.again_s)
        stack.callback(fleet.close)
        load = Load(fleet)
        load.put(WARM)
        load.drain()
        times = _killed(load, scale, children[-1]) if killing else _at_leisure_and_in_haste(load, scale)
        return {
            **times,
            "sent_again": fleet.tally.again,
            "stored": database.ask("SELECT count(*) FROM event"),
            "wrong": list(wrongs(load.sent, fleet.tally, database)),
        }


class Load:
    """What the units are given to tell."""

    def __init__(self, fleet: SimulatedFleet) -> None:
        self.fleet = fleet
        self.sent: set[str] = set()
        self._seq = 0

    def put(self, each: int, *, a_second: bool = False) -> int:
        """Gives each unit so many events, at once or one a second, the units one after the other; how many they are together."""
        units, first = self.fleet.units, self._seq
        events = [[(seq, bare_event(unit.unit, ROUND, seq)) for unit in units] for seq in range(first, first + each)]
        begin_s = time.monotonic() + SOON_S
        for second, row in enumerate(events):
            for number, (unit, (seq, event)) in enumerate(zip(units, row, strict=True)):
                unit.put(event, seq, begin_s + second + number / len(units) if a_second else 0.0)
                self.sent.add(event.id)
        self._seq += each
        return each * len(self.fleet.units)

    def drain(self) -> float:
        """Until all are acknowledged; the seconds it took.

        Raises:
            TooLate: it took too long.
        """
        took_s = self.fleet.serve(lambda: self.fleet.left == 0, LATEST_S)
        if self.fleet.left:
            raise TooLate(f"{self.fleet.left} events are not acknowledged after {took_s:.0f} s")
        return took_s


def _at_leisure_and_in_haste(load: Load, scale: Scale) -> dict[str, Any]:
    tally = load.fleet.tally
    tally.lags_s.clear()
    load.put(scale.steady_s, a_second=True)
    load.drain()
    lags = _lags(tally)
    count = load.put(scale.events)
    return {"events_per_s": round(count / load.drain()), **lags}


def _killed(load: Load, scale: Scale, doomed: Child) -> dict[str, Any]:
    """In haste, and in the middle of it one receiver is killed."""
    tally = load.fleet.tally
    tally.lags_s.clear()
    count = load.put(scale.events)
    mark = len(tally.acked) + round(KILLED_AFTER * count)
    took_s = load.fleet.serve(lambda: len(tally.acked) >= mark, LATEST_S)
    doomed.kill()
    took_s += load.drain()
    return {"events_per_s": round(count / took_s), **_lags(tally)}


def _lags(tally: Tally) -> dict[str, int]:
    return {
        "lag_median_ms": round(median(tally.lags_s) * 1000),
        "lag_p95_ms": round(quantiles(tally.lags_s, n=20, method="inclusive")[-1] * 1000),
        "lag_longest_ms": round(max(tally.lags_s) * 1000),
    }


def wrongs(sent: set[str], tally: Tally, database: Place) -> Iterator[str]:
    """What is not as it has to be: of the events, their acknowledgements, and the rows that they became."""
    if missing := len(sent - tally.acked):
        yield f"{missing} events were never acknowledged"
    if tally.refused:
        yield f"{len(tally.refused)} events were refused, the first {tally.refused[0]}"
    counts = {
        "SELECT count(*) FROM event": "events are stored",
        "SELECT count(*) FROM finding": "findings are stored",
        "SELECT count(*) FROM (SELECT DISTINCT source, finding_id FROM finding) AS one": "different findings are stored",
        "SELECT sum(findings) FROM round": "findings are counted in the rounds",
    }
    for sql, what in counts.items():
        if (found := database.ask(sql)) != len(sent):
            yield f"{found} {what}, {len(sent)} were sent"


def _units(broker: Mosquitto, count: int) -> Iterator[tuple[Unit, Backend]]:
    for number in range(1, count + 1):
        name = f"car-{number:03d}"
        paper = broker.authority.issue(f"{FLEET}/{name}", name)
        yield Unit(FLEET, name), Backend("town", broker.url, broker.authority.ca, paper.cert, paper.key)


def _receiver(place: Ground, broker: Mosquitto, db_url: str, name: str, shares: bool) -> Child:
    """A running `ronde receive` that the broker has let in."""
    paper = broker.authority.issue("receiver", name)
    options = ["--ca", broker.authority.ca, "--cert", paper.cert, "--key", paper.key, "--name", name]
    options += ["--share", "town"] if shares else []
    child = Child(place, ronde("receive", "--broker", broker.url, "--db", db_url, *options))
    until(lambda: child.heard("broker_connected") or not child.alive(), f"{name} is connected", LATEST_S)
    if not child.alive():
        raise TooLate(child.last_words())
    return child


@contextmanager
def _database(kind: str, place: Ground) -> Iterator[Place]:
    if kind == "sqlite":
        file = place.folder / "town.db"

        def ask(sql: str) -> int:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=LATEST_S)) as db:
                return int(db.execute(sql).fetchone()[0] or 0)

        yield Place(f"sqlite:///{file}", ask)
        return
    import psycopg  # noqa: PLC0415 - of the extra [postgres]

    with scratch_postgres() as server:

        def ask_server(sql: str) -> int:
            with psycopg.connect(server.url()) as db:
                row = db.execute(sql).fetchone()
                return int(row[0] or 0) if row else 0

        yield Place(server.url(), ask_server)
