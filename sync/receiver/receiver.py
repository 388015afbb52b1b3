"""The reference receiver: MQTT in, a database out, an acknowledgement back after each commit.

The broker is told that a message was taken (PUBACK), and the unit that its event is stored (`ack`), only after the transaction
that stored it. Whatever ends this process, nothing that was acknowledged is missing, and what was not comes again.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import Enum
from itertools import islice
from typing import TypeVar

from device.backoff import Backoff
from provisioning.log import events
from sync.broker import Broker, Lost, Message, Received
from sync.door import Door
from sync.event import compact
from sync.failure import DatabaseFailed
from sync.receiver.batches import read_all
from sync.receiver.reading import Arrived, Reading, Refused, Sender
from sync.receiver.store import Store
from sync.rest import Rest

MOST_WAITING = 200
"""So many messages may be here and not stored yet; the broker sends no more before some are accepted."""

MOST_IDS = 500
"""In one `ack`."""

POLL_S = 0.5

T = TypeVar("T")

log = events("receiver")


class Step(Enum):
    """What one step did."""

    RESTED = "rested"
    REFUSED = "refused"
    CONNECTED = "connected"
    LOST = "lost"
    KEPT = "kept"
    IDLE = "idle"
    FAILED = "failed"
    """The database could not be written; what has arrived waits, unanswered."""


class Receiver:
    """`knock` connects and raises `BrokerRefused`; `clock` gives seconds that never jump."""

    def __init__(
        self,
        store: Store,
        knock: Callable[[], Broker],
        *,
        clock: Callable[[], float] = time.monotonic,
        backoff: Backoff | None = None,
    ) -> None:
        self._store = store
        self._door = Door("receiver", knock, log, clock=clock, backoff=backoff)
        self._rest = Rest("receiver", log, clock)
        self._unstored: list[Received] = []
        self.stored = 0
        self.duplicates = 0
        self.refused = 0
        self.dropped = 0

    def run(self, stop: threading.Event, listening: Callable[[], None] = lambda: None) -> None:
        """Step until told to stop; `listening` is called at each connection, once the broker keeps events for us."""
        try:
            while not stop.is_set():
                step = self.step(POLL_S)
                if step is Step.CONNECTED:
                    listening()
                if step in (Step.RESTED, Step.REFUSED, Step.LOST, Step.FAILED):
                    stop.wait(min(POLL_S, max(self._rest.left_s(), 0.0 if self._door.broker else self._door.rest_s())))
        finally:
            self.close()

    def close(self) -> None:
        """Ends the connection; the broker keeps the session."""
        self._door.close()

    def step(self, patience_s: float = 0.0) -> Step:
        """Stores and acknowledges what has arrived; waits at most `patience_s` for the first message."""
        broker, resting = self._door.broker, self._rest.left_s() > 0
        if broker is None:
            return Step.RESTED if resting else Step(self._door.knock().value)
        outcomes = broker.take(0.0 if self._unstored or resting else patience_s)
        self._gather([each for each in outcomes if isinstance(each, Received)])
        lost = next((each for each in outcomes if isinstance(each, Lost)), None)
        step = Step.RESTED if resting else self._keep(broker) if self._unstored else Step.IDLE
        if lost is None:
            return step
        self._unstored.clear()  # what is not stored was not accepted either: the broker brings it again
        self._door.lost(lost)
        return Step.LOST

    def _gather(self, arrived: Sequence[Received]) -> None:
        """What arrived waits to be stored. QoS 0 knows no bound and promises nothing: what is too much of it is dropped."""
        dropped = 0
        for each in arrived:
            if each.mid > 0 or len(self._unstored) < MOST_WAITING:
                self._unstored.append(each)
            else:
                dropped += 1
        if dropped:
            self.dropped += dropped
            log.warning("messages_dropped", messages=dropped)

    def _keep(self, broker: Broker) -> Step:
        """Stores what has arrived, then answers the broker and the units; where it cannot be stored it waits."""
        readings = [reading for received in self._unstored for reading in read_all(received)]
        try:
            kept = self._store.keep(readings)
        except DatabaseFailed as error:
            self._rest.begin(error)
            return Step.FAILED
        self._rest.over()
        broker.accept([each.mid for each in self._unstored if each.mid > 0])  # QoS 0 is not answered
        self._unstored.clear()
        for message in acknowledgements(readings):
            broker.publish(message)
        self._door.proven()
        self.stored += kept.stored
        self.duplicates += kept.duplicates
        self.refused += kept.refused
        if kept.refused:
            log.warning("events_refused", events=kept.refused)
        return Step.KEPT


def acknowledgements(readings: Iterable[Reading]) -> Iterator[Message]:
    """What to tell the units about stored and refused events: each its own, at most `MOST_IDS` ids a message."""
    by_sender: dict[Sender, list[Arrived | Refused]] = {}
    for reading in readings:
        if isinstance(reading, Arrived | Refused) and reading.sender is not None and reading.id:
            by_sender.setdefault(reading.sender, []).append(reading)
    for sender, answered in by_sender.items():
        for some in _parts(answered, MOST_IDS):
            acked = [each.id for each in some if isinstance(each, Arrived)]
            refused = [{"id": each.id, "reason": each.reason} for each in some if isinstance(each, Refused)]
            yield Message(sender.ack_topic, compact({"acked": acked, "refused": refused}))


def _parts(whole: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(whole)
    while part := list(islice(rest, size)):
        yield part
