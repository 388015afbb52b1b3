"""Delivers one backend's part of the outbox through its broker.

A daemon's `step` and its loop. SQLite is touched in the loop's thread alone. What is published is only what stands in the outbox
and is not on its way; a row leaves when it is confirmed, and all that is remembered here may be lost at any moment.
"""

import time
from collections.abc import Callable
from enum import Enum
from threading import Event as Signal

from sqlite_utils import Database

from device.backoff import Backoff
from provisioning.log import events
from provisioning.settings import Backend, Unit
from sync.batch import Trust
from sync.broker import IN_FLIGHT, Broker, Lost
from sync.budget import Free, Spending
from sync.commands_obeyed import Obeys, ObeysNobody
from sync.door import Door
from sync.event import topic
from sync.failure import DatabaseFailed, named
from sync.flight import Flight
from sync.hearing import Hearing
from sync.lanes import Lanes
from sync.ledger import Ledger
from sync.outbox import Outbox
from sync.reasons import OfSync
from sync.rest import Rest
from sync.sending import Sending
from sync.silence import Silence

GREETING = 2
"""Messages that each connection begins with: `state` and `birth`."""

AGAIN_S = 30.0
"""Without a confirmation this long after the broker's answer an event is published again."""

POLL_S = 0.5
"""How soon a new row is seen."""

log = events("sync")


class Step(Enum):
    """What one step did."""

    RESTED = "rested"
    REFUSED = "refused"
    CONNECTED = "connected"
    LOST = "lost"
    CONFIRMED = "confirmed"
    SENT = "sent"
    IDLE = "idle"
    FAILED = "failed"
    """The database could not be read or written; it is tried again after a rest, and nothing is forgotten."""


class Publisher:
    """One backend, one broker. `knock` connects and raises `BrokerRefused`; `clock` gives seconds that never jump.

    `again_s`: how long after the broker's answer an event without a confirmation is published again.
    """

    def __init__(
        self,
        db: Database,
        unit: Unit,
        backend: Backend,
        knock: Callable[[], Broker],
        *,
        clock: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
        again_s: float = AGAIN_S,
        obeys: Obeys | None = None,
        spending: Spending | None = None,
    ) -> None:
        self._obeys = obeys or ObeysNobody()
        self._backend = backend
        self._clock = clock
        self._door = Door(backend.name, knock, log, clock=clock, backoff=backoff)
        outbox, trust = Outbox(db), Trust(clock, ever=backend.confirm == "backend")
        self._flight = flight = Flight(IN_FLIGHT, clock)
        self._lanes = lanes = Lanes(outbox, backend.name, clock)
        self._ledger = ledger = Ledger(db, backend.name, flight, clock)
        self._hearing = Hearing(backend, topic(unit, "ack"), flight, ledger, trust, clock=clock, again_s=again_s)
        self._sending = Sending(
            unit, outbox, lanes=lanes, flight=flight, ledger=ledger, trust=trust, spending=spending or Free(), clock=clock
        )
        self._rest = Rest(backend.name, log, clock)
        self._silence = Silence(self._flight, clock)
        self.confirmed = 0
        self.confirmed_s = clock()
        self.refused = 0
        self.commands_refused = 0

    @property
    def connected(self) -> bool:
        """Whether there is a connection that has not been seen to end."""
        return self._door.broker is not None

    @property
    def reason(self) -> str | None:
        """Why something is left, as far as it is known."""
        failure = self._rest.failure
        return str(failure) if failure else self._hearing.trouble or self._door.reason

    @property
    def rubbish(self) -> int:
        """How many acknowledgements could not be read."""
        return self._hearing.rubbish

    def alarms(self) -> frozenset[OfSync]:
        """What is wrong now, as codes for health."""
        found: set[OfSync] = set() if self._door.alarm is None else {self._door.alarm}
        if self._rest.failure is not None:
            found.add(self._rest.failure.code)
        return frozenset(found)

    def rest_s(self) -> float:
        """How long nothing is to be done: the database has failed, or the broker is not to be asked yet."""
        return max(self._rest.left_s(), 0.0 if self.connected else self._door.rest_s())

    def run(self, stop: Signal) -> None:
        """Step until told to stop.

        Raises:
            DatabaseDamaged: the database has to be made anew.
        """
        try:
            while not stop.is_set():
                if self.step(POLL_S) in (Step.RESTED, Step.REFUSED, Step.LOST, Step.FAILED):
                    stop.wait(min(POLL_S, self.rest_s()))
        finally:
            self.close()

    def close(self) -> None:
        """Ends the connection; what is not confirmed stays in the outbox."""
        self._door.close()
        self._flight.lose()

    def step(self, patience_s: float = 0.0) -> Step:
        """Does what can be done now; waits at most `patience_s` for the broker to say something.

        Raises:
            DatabaseDamaged: the database has to be made anew.
        """
        if self._rest.left_s() > 0:
            return Step.RESTED
        try:
            with named():
                done = self._connect() if self._door.broker is None else self._serve(self._door.broker, patience_s)
                self._obey()
        except DatabaseFailed as error:
            self._rest.begin(error)
            return Step.FAILED
        self._rest.over()
        return done

    def _obey(self) -> None:
        """What was commanded. A command that the database keeps from being obeyed is looked at again."""
        while self._hearing.commands:
            if not self._obeys.take(self._hearing.commands[0]):
                self.commands_refused += 1
            self._hearing.commands.pop(0)
        self._obeys.turn()

    def _connect(self) -> Step:
        self._book()  # what the last connection left, where it could not be booked
        came = self._door.knock()
        if self._door.broker is not None:
            takes = self._door.broker.receive_maximum
            self._flight.lose(min(IN_FLIGHT, takes), at_first=max(1, takes - GREETING))
            self._silence.begin()
            self._hearing.trouble = None
            self._lanes.begin()
            self._send(self._door.broker)
        return Step(came.value)

    def _serve(self, broker: Broker, patience_s: float) -> Step:
        outcomes = broker.take(min(patience_s, self._ledger.can_wait_s()))
        lost = self._hearing.take(outcomes) or self._silence.lost(heard=bool(outcomes))
        if lost is not None:
            self._drop(lost)
            self._book()
            return Step.LOST
        # While there is more to send, the line is not kept waiting for the disk at each answer.
        later = self._sending.busy and not self._flight.crowded() and self._ledger.can_wait_s() > 0
        confirmed = 0 if later else self._book()
        sent = self._send(broker)
        return Step.CONFIRMED if confirmed else Step.SENT if sent else Step.IDLE

    def _book(self) -> int:
        """Books what was noted; returns how many rows were confirmed."""
        booked = self._ledger.book()
        self.refused += len(booked.refused)
        if booked.refused:
            log.error("events_refused", backend=self._backend.name, events=len(booked.refused))
        if booked.confirmed:
            self.confirmed += len(booked.confirmed)
            self.confirmed_s = self._clock()
            self._door.proven()
            self._hearing.confirmed()
            if self._flight.widen():
                self._lanes.begin()
        return len(booked.confirmed)

    def waits(self) -> bool:
        """Whether there is anything that may be sent."""
        return self._sending.waits(self._backend.name)

    def _drop(self, lost: Lost) -> None:
        """The connection is over; `lost.blamed` with one suspect on its way proves that it was the cause."""
        gone = self._flight.lose()
        if gone.alone is not None and lost.blamed:
            self._ledger.fail(gone.alone, f"it broke the connection: {lost.reason}")
        self._hearing.trouble = None
        self._door.lost(lost)

    def _send(self, broker: Broker) -> int:
        """Publishes what there is room for; returns how many events."""
        if self._sending.expire().parcels:
            self._hearing.unanswered()
        sent = self._sending.send(broker)
        if not sent and not self._flight.outstanding:
            self._book()  # what was too large for this broker is refused at once
        return sent
