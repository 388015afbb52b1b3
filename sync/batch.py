"""Several events in one message, for links that are slow or cost money: a `batch` of the contract, deflated.

A batch is only a way to travel: each event keeps its id and its number, is confirmed by itself, and goes alone where its batch
did not arrive.
"""

import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from provisioning.settings import Unit
from sync.broker import Message
from sync.event import topic
from sync.outbox import Parcel
from sync.packet import message_of, size_of

MOST_EVENTS: Final = 50
LARGEST_BYTES: Final = 64 * 1024
"""Of a batch before it is deflated."""
CONTENT_TYPE: Final = "application/cloudevents-batch+json"
DEFLATE: Final = {"content-encoding": "deflate"}
LEVEL: Final = 9

NOBODY_S: Final = 60.0
"""Where nobody subscribes to batches: the backend may be away altogether, or come back with a newer receiver."""
REFUSED_S: Final = 3600.0
"""Where a batch was refused, or nothing of it was confirmed in time."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One message and the parcels that it carries. `size` in bytes, header included."""

    parcels: tuple[Parcel, ...]
    message: Message
    size: int

    @property
    def batched(self) -> bool:
        """Whether it is a batch."""
        return self.message.content_type == CONTENT_TYPE


def alone(parcel: Parcel) -> Packet:
    """The packet of one event, as it is."""
    message = message_of(parcel)
    return Packet((parcel,), message, size_of(message))


def batch_of(unit: Unit, parcels: Sequence[Parcel]) -> Packet:
    """The packet of several events."""
    text = b"[" + b",".join(parcel.payload for parcel in parcels) + b"]"
    message = Message(topic(unit, "batch"), zlib.compress(text, LEVEL), properties=DEFLATE, content_type=CONTENT_TYPE)
    return Packet(tuple(parcels), message, size_of(message))


def joins(unit: Unit, parcel: Parcel) -> bool:
    """Whether it may travel with others: no alert, which waits for nobody, no picture, nothing very large, nothing of others."""
    if parcel.stream == "alert" or parcel.headers is not None or len(parcel.payload) > LARGEST_BYTES // 2:
        return False
    return parcel.topic == topic(unit, parcel.stream)


def packed(unit: Unit, parcels: Sequence[Parcel], single: Collection[int], *, least: int) -> Iterator[Packet]:
    """The packets of parcels, in their order; those in `single` travel alone.

    `least`: so many events make a batch.
    """
    together: list[Parcel] = []
    size = 2
    for parcel in parcels:
        if parcel.seq in single or not joins(unit, parcel):
            yield alone(parcel)
            continue
        if len(together) == MOST_EVENTS or size + len(parcel.payload) + 1 > LARGEST_BYTES:
            yield batch_of(unit, together)
            together, size = [], 2
        together.append(parcel)
        size += len(parcel.payload) + 1
    if len(together) >= least:
        yield batch_of(unit, together)
    else:
        yield from map(alone, together)


class Trust:
    """Whether the backend takes batches, as far as it is known. `ever`: it confirms by itself what it has read."""

    def __init__(self, clock: Callable[[], float], *, ever: bool) -> None:
        self._clock = clock
        self._ever = ever
        self._until_s = clock()

    def holds(self) -> bool:
        """Whether a batch may be tried now."""
        return self._ever and self._clock() >= self._until_s

    def nobody(self) -> None:
        """No one subscribes to batches."""
        self._until_s = self._clock() + NOBODY_S

    def broken(self) -> None:
        """A batch was refused, or not confirmed in time."""
        self._until_s = self._clock() + REFUSED_S
