"""Delivers one backend's part of the outbox through its broker.

A daemon's `step` and its loop. SQLite is touched in the loop's thread alone. What is published is only what stands in the outbox
and is not on its way; a row leaves when it is confirmed, and all that is remembered here may be lost at any moment.
"""

import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from threading import Event as Signal

from sqlite_utils import Database

from device.backoff import Backoff
from provisioning.log import events
from provisioning.settings import Backend, Unit
from sync.answer import Answer, answer_of
from sync.broker import FAILURES, IN_FLIGHT, NO_SUBSCRIBERS, SUCCESS, Broker, Lost, Message, Outcome, Puback, Received
from sync.database import transaction
from sync.door import Door
from sync.event import now, topic
from sync.flight import Flight
from sync.health import count_bytes
from sync.outbox import Outbox, Parcel

GREETING = 2
"""Messages that each connection begins with: `state` and `birth`."""

AGAIN_S = 30.0
"""Without a confirmation this long after the broker's answer an event is published again."""

ABSENT_S = 1.0
"""An event for which the broker had no subscriber is tried again after this; each time twice as long, up to `AGAIN_S`."""

TRIES = 5
"""An event that fails so often for its own sake goes to the table `refused`."""

EVENTS_FAULT = frozenset({0x87, 0x90, 0x95, 0x99})
"""PUBACK codes that blame the event: not authorised, topic name invalid, packet too large, payload format invalid."""

SILENCE_S = 30.0
SLOWEST_BYTES_S = 2000.0
"""A broker that answers nothing for `SILENCE_S`, and the time that what is on its way takes at this rate, is gone."""

LATELY = 200
"""The newest rows go before the backlog of an outage, so that what happens now arrives now."""

HEADER_BYTES = 32
"""Of an MQTT packet around topic and payload, at most."""

MARK_S = 1.0
"""`sent_at` is written for what is not confirmed by then: most rows have left, and are spared a write."""

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
    ) -> None:
        self._db = db
        self._outbox = Outbox(db)
        self._backend = backend
        self._ack_topic = topic(unit, "ack")
        self._clock = clock
        self._door = Door(backend.name, knock, log, clock=clock, backoff=backoff)
        self._again_s = again_s
        self._flight = Flight(IN_FLIGHT)
        self._heard_s = clock()
        self._unmarked: deque[tuple[float, int]] = deque()
        self._absent_s = ABSENT_S
        self._bytes = 0
        self._trouble: str | None = None
        self.confirmed = 0
        self.confirmed_s = clock()
        self.refused = 0
        self.rubbish = 0
        self.commands_refused = 0

    @property
    def connected(self) -> bool:
        """Whether there is a connection that has not been seen to end."""
        return self._door.broker is not None

    @property
    def reason(self) -> str | None:
        """Why something is left, as far as it is known."""
        return self._trouble or self._door.reason

    def run(self, stop: Signal) -> None:
        """Step until told to stop."""
        try:
            while not stop.is_set():
                if self.step(POLL_S) in (Step.RESTED, Step.REFUSED, Step.LOST):
                    stop.wait(min(POLL_S, self._door.rest_s()))
        finally:
            self.close()

    def close(self) -> None:
        """Ends the connection; what is not confirmed stays in the outbox."""
        self._door.close()
        self._flight.lose()

    def step(self, patience_s: float = 0.0) -> Step:
        """Does what can be done now; waits at most `patience_s` for the broker to say something."""
        broker = self._door.broker
        if broker is None:
            return self._connect()
        outcomes = broker.take(patience_s)
        confirmed = self._settle(outcomes)
        lost = next((each for each in outcomes if isinstance(each, Lost)), None) or self._silence(heard=bool(outcomes))
        if lost is not None:
            self._drop(lost)
            return Step.LOST
        sent = self._send(broker)
        return Step.CONFIRMED if confirmed else Step.SENT if sent else Step.IDLE

    def _connect(self) -> Step:
        came = self._door.knock()
        if self._door.broker is not None:
            self._flight.lose(max(1, min(IN_FLIGHT, self._door.broker.receive_maximum - GREETING)))
            self._heard_s = self._clock()
            self._trouble = None
            self._send(self._door.broker)
        return Step(came.value)

    def _settle(self, outcomes: list[Outcome]) -> int:
        """Takes over what the broker and the backend said; returns how many rows were confirmed."""
        answer = Answer()
        failed: list[tuple[Parcel, str]] = []
        for outcome in outcomes:
            if isinstance(outcome, Puback):
                self._puback(outcome, answer, failed)
            elif isinstance(outcome, Received):
                self._received(outcome, answer)
        return self._write(answer, failed)

    def _puback(self, puback: Puback, answer: Answer, failed: list[tuple[Parcel, str]]) -> None:
        parcel = self._flight.answered(puback.mid)
        if parcel is None:  # the greeting's
            return
        if puback.code == SUCCESS and self._backend.confirm == "broker":
            answer.acked.append(parcel.id)
            return
        now_s = self._clock()
        self._flight.wait(parcel.seq, now_s + (self._absent_s if puback.code == NO_SUBSCRIBERS else self._again_s))
        self._unmarked.append((now_s + MARK_S, parcel.seq))
        if puback.code in EVENTS_FAULT:
            failed.append((parcel, f"the broker answered: {puback.text}"))
        if puback.code >= FAILURES:
            self._trouble = f"the broker of {self._backend.name} did not take an event: {puback.text}"
        elif puback.code == NO_SUBSCRIBERS:
            self._trouble = f"nobody receives behind the broker of {self._backend.name}"

    def _received(self, received: Received, answer: Answer) -> None:
        if received.topic != self._ack_topic:
            self.commands_refused += 1
            log.warning("command_refused", backend=self._backend.name, reason="this version obeys no commands")
            return
        said = answer_of(received.payload)
        if said is None:
            self.rubbish += 1
            log.warning("ack_unreadable", backend=self._backend.name, bytes=len(received.payload))
            return
        answer.acked.extend(said.acked)
        answer.refused.extend(said.refused)

    def _write(self, answer: Answer, failed: list[tuple[Parcel, str]]) -> int:
        """Everything that the outcomes change in SQLite, in one transaction, or none where nothing changes."""
        now_s = self._clock()
        marked = []
        while self._unmarked and self._unmarked[0][0] <= now_s:
            marked.append(self._unmarked.popleft()[1])
        marked = [seq for seq in marked if self._flight.awaits(seq)]
        if not (answer.acked or answer.refused or failed or marked):
            return 0
        with transaction(self._db):
            confirmed = self._outbox.acknowledge(self._backend.name, answer.acked)
            refused = [seq for id_, reason in answer.refused for seq in self._outbox.refuse(self._backend.name, id_, reason)]
            for parcel, reason in failed:
                refused.extend(self._fail(parcel, reason))
            self._outbox.mark_sent(marked, now())
            count_bytes(self._db, self._bytes)
        self._bytes = 0
        self._flight.left([*confirmed, *refused])
        self.refused += len(refused)
        if refused:
            log.error("events_refused", backend=self._backend.name, events=len(refused))
        if confirmed:
            self.confirmed += len(confirmed)
            self.confirmed_s = now_s
            self._door.proven()
            self._trouble = None
            self._absent_s = ABSENT_S
            self._flight.widen()
        return len(confirmed)

    def _fail(self, parcel: Parcel, reason: str) -> list[int]:
        if self._outbox.count_try(parcel.seq) < TRIES:
            return []
        return self._outbox.refuse(self._backend.name, parcel.id, f"{reason} ({TRIES} times)")

    def _silence(self, *, heard: bool) -> Lost | None:
        """A link can be dead without saying so: an answer is due for what is on its way."""
        now_s = self._clock()
        if heard or not self._flight.outstanding:
            self._heard_s = now_s
            return None
        silent_s = now_s - self._heard_s
        if silent_s < SILENCE_S + self._flight.outstanding_bytes / SLOWEST_BYTES_S:
            return None
        return Lost(f"no answer for {silent_s:.0f} s")

    def _drop(self, lost: Lost) -> None:
        """The connection is over; `lost.blamed` with one suspect on its way proves that it was the cause."""
        gone = self._flight.lose()
        if gone.alone is not None and lost.blamed:
            self._write(Answer(), [(gone.alone, f"it broke the connection: {lost.reason}")])
        self._trouble = None
        self._door.lost(lost)

    def _send(self, broker: Broker) -> int:
        """Publishes what there is room for; returns how many."""
        if self._flight.expire(self._clock()):
            self._absent_s = min(self._again_s, 2 * self._absent_s)
        sent = 0
        for parcel in self._choose(self._flight.room()):
            if len(parcel.payload) + len(parcel.topic) + HEADER_BYTES > broker.largest_packet:
                self._write(Answer(refused=[(parcel.id, f"larger than the broker takes ({broker.largest_packet} bytes)")]), [])
                continue
            if not self._flight.fits(parcel):
                break
            mid = broker.publish(Message(parcel.topic, parcel.payload))
            if mid is None:  # the connection has just ended; the next step is told
                break
            self._flight.sent(mid, parcel)
            self._bytes += len(parcel.payload) + len(parcel.topic) + HEADER_BYTES
            sent += 1
        return sent

    def _choose(self, room: int) -> list[Parcel]:
        """At most `room` parcels: alerts, then what came lately, then the backlog; suspects alone and last."""
        if not room:
            return []
        suspects = self._flight.suspects()
        skip = self._flight.known() | set(suspects)
        name = self._backend.name
        queued = self._outbox.next_parcels(name, room, skip)
        if not queued:
            return [] if self._flight.outstanding else self._outbox.parcels(suspects[:1])
        lately = self._outbox.next_parcels(name, room, skip, above=max(0, self._outbox.newest() - LATELY))
        alerts = [parcel for parcel in queued if parcel.stream == "alert"]
        return list({parcel.seq: parcel for parcel in (*alerts, *lately, *queued)}.values())[:room]
