"""Commands that nobody may obey, thrown at a real `ronde sync` through a real broker; strace sees whether it starts a program."""

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed25519

from device.boot import boot_id, now_s
from device.fix import Fix
from provisioning.certificate import public_pem
from sync.broker import Message, Puback, Session, address
from sync.commands_book import answers, refused
from sync.database import open_database, transaction
from sync.event import topic
from sync.faults.car import FLEET, Car, one
from sync.faults.commands_made import BY_HAND, LAST, Signer, at_random, by_hand
from sync.faults.ground import until
from sync.faults.need import MOSQUITTO, STRACE
from sync.faults.row import Plan, Row, RowFailed, Tally
from sync.faults.town import Town, rows
from sync.faults.writes import strace
from sync.mqtt import PahoBroker
from sync.satellite_time import Noting

BATCH: Final = 100
"""Sent at a time: a stock mosquitto drops what is beyond 1,000 for one client."""
WITHIN_S: Final = 60.0
BEFORE: Final = LAST
AFTER: Final = LAST + 10
"""The two that are in order: the first makes the others' numbers old or new, the second shows that it still listens."""


def run(plan: Plan, tally: Tally) -> None:
    """A good command, all the bad ones, and a good one again."""
    town, car = one(plan)
    key = ed25519.Ed25519PrivateKey.generate()
    _prepare(car, key)
    log = plan.ground.folder / "strace.log"
    sync = car.sync(before=strace(log, None, calls="execve,execveat"))
    until(lambda: sync.heard("broker_connected"), "the unit is connected", WITHIN_S)
    signer = Signer(key, f"{FLEET}/{car.unit.name}", datetime.now(timezone.utc))
    sender = _Sender(town, car)
    sender.send([signer.payload(do="pause", sequence=BEFORE)])
    until(lambda: _answered(car, BEFORE) == "done", "a command that is in order is obeyed", WITHIN_S)
    hand = by_hand(signer, len(BY_HAND) if plan.full else max(1, plan.load // 2))
    bad = [*hand, *at_random(signer, plan.rng, plan.load - len(hand))]
    for first in range(0, len(bad), BATCH):
        sender.send([payload for _, payload in bad[first : first + BATCH]])
        sent = min(len(bad), first + BATCH)
        until(lambda sent=sent: _refused(car) >= sent, f"{sent} commands are judged", WITHIN_S)  # type: ignore[misc]
    tally.injected = _refused(car)
    sender.send([signer.payload(do="resume", sequence=AFTER)])
    until(lambda: _answered(car, AFTER) == "done", "it still obeys what is in order", WITHIN_S)
    _judge(car, town, tally)
    tally.check(sync.alive(), "ronde sync has ended")
    sync.stop()
    started = _started(log)
    tally.check(started == 1, f"{started - 1} programs were started")
    tally.measured |= {"by hand": len(hand), "at random": len(bad) - len(hand), "programs started": started - 1}
    sender.close()


def _prepare(car: Car, key: ed25519.Ed25519PrivateKey) -> None:
    """The unit trusts the key, has the satellites' time, and has photos and events that an erasure would take."""
    folder = car.config.parent / "tls"
    folder.mkdir(exist_ok=True)
    (folder / "command.pem").write_bytes(public_pem(key.public_key()))
    car.streams = ("finding", "track", "health")
    car.configure(car.town.broker.url)
    db = open_database(car.state / "ronde.db")
    try:
        Noting(db, boot_id()).note(Fix(43.55, 7.01, 3.0, 0.0, None, datetime.now(timezone.utc), now_s()))
        with transaction(db):
            db.conn.execute("INSERT INTO round (id, software, models, settings) VALUES ('kept', '', '{}', '{}')")
    finally:
        db.close()


def _judge(car: Car, town: Town, tally: Tally) -> None:
    """What the unit has done, by its own tables and by what it told the backend."""
    db = open_database(car.state / "ronde.db")
    try:
        obeyed = [(each["sequence"], each["do"], each["outcome"]) for each in answers(db)]
        pressed = db.conn.execute("SELECT kind FROM request ORDER BY id").fetchall()
        kept = db.conn.execute("SELECT count(*) FROM round WHERE id = 'kept'").fetchone()[0]
        tally.measured["refused as"] = ", ".join(f"{reason} {number}" for reason, number in refused(db).items())
    finally:
        db.close()
    good = [(BEFORE, "pause", "done"), (AFTER, "resume", "done")]
    tally.check(obeyed == good, f"obeyed were {obeyed}, not the two that are in order")
    tally.check(pressed == [("pause",), ("resume",)], f"the requests are {pressed}")
    tally.check(kept == 1, "the unit was erased")
    tally.committed = len(good)
    until(lambda: _told(town) == [{"sequence": n, "do": do, "outcome": out} for n, do, out in good], "health answers", WITHIN_S)


def _told(town: Town) -> list[object]:
    """The commands in the last health event that the backend has."""
    found = rows(town.file, "SELECT data FROM event WHERE type = 'ronde.health.v1' ORDER BY rowid DESC LIMIT 1")
    told: list[object] = json.loads(found[0][0]).get("commands", []) if found else []
    return told


def _answered(car: Car, sequence: int) -> str | None:
    found = rows(car.state / "ronde.db", "SELECT outcome FROM command WHERE sequence = ?", sequence)
    return str(found[0][0]) if found else None


def _refused(car: Car) -> int:
    found = rows(car.state / "ronde.db", "SELECT coalesce(sum(value), 0) FROM setting WHERE key GLOB 'command_refused/*'")
    return int(found[0][0]) if found else 0


def _started(log: Path) -> int:
    """How many programs were started, `ronde` itself among them."""
    return sum("execve" in line and "= 0" in line for line in log.read_text(encoding="utf-8", errors="replace").splitlines())


class _Sender:
    """Whoever may write on the topic `command`."""

    def __init__(self, town: Town, car: Car) -> None:
        paper = town.broker.authority.issue("receiver", "sender")
        where = address(town.broker.url, town.broker.authority.ca, paper.cert, paper.key)
        self._broker = PahoBroker(where, Session("sender", (), 0))
        self._topic = topic(car.unit, "command")

    def send(self, payloads: list[bytes]) -> None:
        """Hands them to the broker, and waits until it has them.

        Raises:
            RowFailed: it does not take them.
        """
        waiting = {self._broker.publish(Message(self._topic, payload)) for payload in payloads}
        if None in waiting:
            raise RowFailed("the broker has hung up on the sender")

        def taken() -> bool:
            waiting.difference_update(each.mid for each in self._broker.take(0.1) if isinstance(each, Puback))
            return not waiting

        until(taken, "the broker has the commands", WITHIN_S)

    def close(self) -> None:
        """No more."""
        self._broker.close()


ROW = Row(
    "commands",
    "commands: unsigned, forged, replayed, misdirected, expired, out of range, noise",
    short=120,
    full=1_000 + len(BY_HAND),
    needs=(MOSQUITTO, STRACE),
    run=run,
)
