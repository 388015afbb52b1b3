"""What a broker and a backend say to a publisher: each outcome once, into the ledger and the flight."""

from collections.abc import Callable

from provisioning.log import events
from provisioning.settings import Backend
from sync.answer import answer_of
from sync.batch import Packet, Trust
from sync.broker import FAILURES, NO_SUBSCRIBERS, SUCCESS, Lost, Outcome, Puback, Received
from sync.flight import Flight
from sync.ledger import Ledger

ABSENT_S = 1.0
"""An event for which the broker had no subscriber is tried again after this; each time twice as long, up to `again_s`."""

EVENTS_FAULT = frozenset({0x87, 0x90, 0x95, 0x99})
"""PUBACK codes that blame the event: not authorised, topic name invalid, packet too large, payload format invalid."""

log = events("sync")


class Hearing:
    """`trouble` is what the broker complains of, None where it does not. `commands` are those that nobody has looked at yet."""

    def __init__(
        self,
        backend: Backend,
        ack_topic: str,
        flight: Flight,
        ledger: Ledger,
        trust: Trust,
        *,
        clock: Callable[[], float],
        again_s: float,
    ) -> None:
        self._backend = backend
        self._ack_topic = ack_topic
        self._flight = flight
        self._ledger = ledger
        self._trust = trust
        self._clock = clock
        self._again_s = again_s
        self._absent_s = ABSENT_S
        self.trouble: str | None = None
        self.rubbish = 0
        self.commands: list[bytes] = []

    def take(self, outcomes: list[Outcome]) -> Lost | None:
        """Notes what was said; returns the end of the connection where it is among it."""
        lost = None
        for outcome in outcomes:
            if isinstance(outcome, Puback):
                self._puback(outcome)
            elif isinstance(outcome, Received):
                self._received(outcome)
            else:
                lost = lost or outcome
        return lost

    def confirmed(self) -> None:
        """The backend confirms: what was wrong is over."""
        self.trouble = None
        self._absent_s = ABSENT_S

    def unanswered(self) -> None:
        """Time went by without a confirmation: where nobody subscribes, ask more seldom."""
        self._absent_s = min(self._again_s, 2 * self._absent_s)

    def _puback(self, puback: Puback) -> None:
        packet = self._flight.answered(puback.mid)
        if packet is None:
            self._flight.greeted()
            return
        nobody = puback.code == NO_SUBSCRIBERS
        if packet.batched and (nobody or puback.code in EVENTS_FAULT):
            self._undo(packet, nobody=nobody)
            return
        for parcel in packet.parcels:
            again_s = self._absent_s if nobody else self._again_s
            self._flight.wait(parcel.seq, self._clock() + again_s, batched=packet.batched)
            if puback.code == SUCCESS and self._backend.confirm == "broker":
                self._ledger.confirm(parcel)
                continue
            self._ledger.taken(parcel)
            if puback.code in EVENTS_FAULT:
                self._ledger.fail(parcel, f"the broker answered: {puback.text}")
        if puback.code >= FAILURES:
            self.trouble = f"the broker of {self._backend.name} did not take an event: {puback.text}"
        elif nobody:
            self.trouble = f"nobody receives behind the broker of {self._backend.name}"

    def _undo(self, packet: Packet, *, nobody: bool) -> None:
        """A batch that nobody wants, or that the broker does not let through, says nothing against the events in it."""
        self._flight.alone(packet)
        if nobody:
            self._trust.nobody()
        else:
            self._trust.broken()
        log.warning("batch_refused", backend=self._backend.name, events=len(packet.parcels), nobody=nobody)

    def _received(self, received: Received) -> None:
        if received.topic != self._ack_topic:
            self.commands.append(received.payload)
            return
        said = answer_of(received.payload)
        if said is None:
            self.rubbish += 1
            log.warning("ack_unreadable", backend=self._backend.name, bytes=len(received.payload))
            return
        self._ledger.answer(said)
