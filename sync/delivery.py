"""`ronde sync`: one publisher for each backend, each in its thread, so that one backend's absence never delays another."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from functools import partial
from importlib.metadata import version
from typing import Any

from sqlite_utils import Database

from device.boot import boot_id
from provisioning.good import keep_good
from provisioning.log import events
from provisioning.settings import Backend, Settings
from sync.broker import Broker, Message, Session, address_of
from sync.budget import Meter, Spending
from sync.commands_erase import erase_where_asked
from sync.commands_obeyed import Leave, Obedience
from sync.crew import have_ended, started
from sync.custody import held
from sync.database import open_database
from sync.event import Event, birth_data, compact, payload, state_data, topic
from sync.evidence_wanted import Cutter
from sync.failure import DatabaseDamaged, DatabaseFailed, DatabaseRefused
from sync.mqtt import PahoBroker
from sync.outbox import Outbox
from sync.publisher import AGAIN_S, POLL_S, Publisher, Step
from sync.reasons import OfSync
from sync.rest import Rest
from sync.tending import DATABASE, Tending

GIVE_UP_S = 60.0
"""`--once` ends after this long without a confirmation."""

HEALTH_S = 60.0

SESSION_S = 24 * 3600
"""The broker keeps acknowledgements and commands this long for a unit that is away."""

log = events("sync")


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one backend's events. `left` are still in the outbox, `reason` says why."""

    backend: str
    delivered: int
    refused: int
    left: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class Deliveries:
    """What became of the whole outbox."""

    backends: tuple[Delivery, ...]

    @property
    def done(self) -> bool:
        """Nothing is left."""
        return not any(each.left for each in self.backends)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"done": self.done, "backends": [asdict(each) for each in self.backends]}

    def in_words(self) -> str:
        """One line for each backend."""
        return "\n".join(map(_in_words, self.backends)) or "no backend is configured"


def _in_words(delivery: Delivery) -> str:
    refused = f", {delivery.refused} refused" if delivery.refused else ""
    left = f", {delivery.left} left: {delivery.reason}" if delivery.left else ""
    return f"{delivery.backend}: {delivery.delivered} delivered{refused}{left}"


def deliver_once(
    settings: Settings, *, give_up_s: float = GIVE_UP_S, again_s: float = AGAIN_S, stop: threading.Event | None = None
) -> Deliveries:
    """Empties the outbox as far as it goes: until nothing is left, or a backend has confirmed nothing for `give_up_s`.

    Raises:
        DatabaseRefused: there is no usable database.
    """
    stop = stop or threading.Event()
    meter = Meter(settings.budget)
    with closing(open_database(settings.unit.state / DATABASE)) as db:
        meter.look(db, at_once=True)
        Cutter(db, settings.unit.state, settings.unit, settings.backends).cut_all(stop.is_set)
    if not settings.backends:
        return Deliveries(())
    with ThreadPoolExecutor(len(settings.backends), "deliver") as pool:
        empty = partial(_empty, settings, meter=meter, give_up_s=give_up_s, again_s=again_s, stop=stop)
        return Deliveries(tuple(pool.map(empty, settings.backends)))


def _empty(
    settings: Settings, backend: Backend, *, meter: Meter, give_up_s: float, again_s: float, stop: threading.Event
) -> Delivery:
    db = open_database(settings.unit.state / DATABASE)
    outbox = Outbox(db)
    door = partial(knock, settings, backend, db)
    publisher = Publisher(db, settings.unit, backend, door, again_s=again_s, spending=meter)
    given_up = False
    try:
        while publisher.waits() and not stop.is_set():
            if publisher.step(POLL_S) in (Step.RESTED, Step.REFUSED, Step.LOST, Step.FAILED):
                stop.wait(POLL_S / 5)
            given_up = time.monotonic() - publisher.confirmed_s > give_up_s
            if given_up:
                break
        left = outbox.size(backend.name).rows
        reason = None
        if left:
            seen = publisher.reason or f"{backend.name} has confirmed nothing"
            spent = "pictures wait, since [budget] is used up on this link" if meter.pictures_wait() else "told to stop"
            reason = f"{seen}; given up after {give_up_s:g} s without a confirmation" if given_up else spent
        return Delivery(backend.name, publisher.confirmed, publisher.refused, left, reason)
    finally:
        publisher.close()
        db.close()


def run_sync(
    settings: Settings, stop: threading.Event, *, health_s: float = HEALTH_S, alive: Callable[[], None] = lambda: None
) -> None:
    """Delivers until told to stop, makes a health event every `health_s` seconds, looks after the disk; calls `alive` between.

    A database that fails is tried again, a damaged one made anew: neither ends this.

    Raises:
        DatabaseRefused: there is no state folder.
    """
    if not settings.unit.state.is_dir():
        raise DatabaseRefused(f"there is no folder {settings.unit.state}")
    if settings.fallback is not None:
        log.error("settings_fell_back", reason=settings.fallback)
    elif settings.source is not None:
        keep_good(settings.source)
    leave = Leave()
    while not (stop.is_set() or leave.restart.is_set()):
        leave = Leave()
        erase_where_asked(settings)
        _deliver(settings, stop, leave, health_s, alive)


def _deliver(settings: Settings, stop: threading.Event, leave: Leave, health_s: float, alive: Callable[[], None]) -> None:
    """Delivers until told to stop, or a command ends it."""
    meter = Meter(settings.budget)
    servings = [Serving(settings, backend, leave, meter) for backend in settings.backends]
    tending = Tending(settings, lambda: {code for serving in servings for code in serving.alarms()}, health_s, meter)
    tending.look_over()
    running = [started(partial(serving.run, leave.over), f"sync_{number}") for number, serving in enumerate(servings)]
    try:
        tending.run(partial(_over, stop, leave, running, alive))
    finally:
        leave.over.set()
        have_ended(running, at_once=stop.is_set())


def _over(stop: threading.Event, leave: Leave, running: Sequence[Future[None]], alive: Callable[[], None]) -> bool:
    """Waits a little; whether to stop. A thread that ended by a bug ends everything."""
    alive()
    if running:
        for ended in wait(running, timeout=POLL_S, return_when=FIRST_EXCEPTION).done:
            ended.result()
    else:
        stop.wait(POLL_S)
    return stop.is_set() or leave.over.is_set()


class Serving:
    """One backend, with a database connection that is made again whenever the database was."""

    def __init__(self, settings: Settings, backend: Backend, leave: Leave, spending: Spending) -> None:
        self._settings = settings
        self._spending = spending
        self._backend = backend
        self._leave = leave
        self._rest = Rest(backend.name, log, time.monotonic)
        self._publisher: Publisher | None = None

    def alarms(self) -> frozenset[OfSync]:
        """What is wrong now, as codes of health. Called by other threads."""
        publisher, failure = self._publisher, self._rest.failure
        return frozenset({failure.code}) if failure else publisher.alarms() if publisher else frozenset()

    def run(self, stop: threading.Event) -> None:
        """Deliver until told to stop."""
        while not stop.is_set():
            self._serve(stop)
            stop.wait(self._rest.left_s())

    def _serve(self, stop: threading.Event) -> None:
        """Deliver until told to stop, or the database has to be opened again."""
        settings, backend = self._settings, self._backend
        try:
            with held(settings.unit.state / DATABASE) as db:
                self._rest.over()
                obeys = Obedience(settings, db, self._leave)
                door = partial(knock, settings, backend, db)
                self._publisher = Publisher(db, settings.unit, backend, door, obeys=obeys, spending=self._spending)
                self._publisher.run(stop)
        except (DatabaseFailed, DatabaseDamaged) as error:
            self._rest.begin(error)


def knock(settings: Settings, backend: Backend, db: Database) -> Broker:
    """Connects as the unit, and says who has come.

    Raises:
        BrokerRefused: the broker is not reached, or does not let us in.
    """
    unit, models = settings.unit, _models(db)
    boot, software = boot_id(), version("ronde")
    session = Session(
        client_id=f"{unit.fleet}.{unit.name}",
        user=f"{unit.fleet}/{unit.name}",
        subscriptions=(topic(unit, "ack"), topic(unit, "command")),
        expiry_s=SESSION_S,
        will=Message(topic(unit, "state"), compact(state_data("lost", boot, software)), retain=True),
    )
    broker = PahoBroker(address_of(backend), session)
    birth = birth_data(unit, boot=boot, software=software, models=models, camera=settings.camera, streams=backend.streams)
    event = Event(unit, "birth", str(uuid.uuid4()), datetime.now(timezone.utc), birth)
    broker.publish(Message(topic(unit, "state"), compact(state_data("online", boot, software)), retain=True))
    broker.publish(Message(topic(unit, "birth"), payload(event, None)))
    return broker


def _models(db: Database) -> dict[str, Any]:
    """The models of the latest round: sync loads none itself."""
    row = db.conn.execute("SELECT models FROM round ORDER BY rowid DESC LIMIT 1").fetchone()
    models: dict[str, Any] = json.loads(row[0]) if row else {}
    return models
