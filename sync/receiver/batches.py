"""Reads a batch: several events in one message, deflated. It comes from outside, and a few bytes may claim to be many."""

import json
import zlib
from collections.abc import Iterator
from typing import Any, Final

from sync.batch import CONTENT_TYPE, DEFLATE, LARGEST_BYTES, MOST_EVENTS
from sync.broker import Received
from sync.receiver.reading import TOPIC, Reading, Refused, Sender, read, sender_of

TOGETHER: Final = frozenset({"finding", "grade", "track", "health", "alert"})
"""Streams whose events travel in batches."""


def read_all(received: Received) -> tuple[Reading, ...]:
    """What a message says: one reading, those of a batch, or none for a topic that only the backend writes."""
    place = TOPIC.fullmatch(received.topic)
    if place is None or place[3] != "batch" or received.content_type != CONTENT_TYPE:
        reading = read(received)
        return () if reading is None else (reading,)
    sender = sender_of(place)
    try:
        return tuple(_readings(sender, received))
    except _Unreadable as error:
        return (Refused(sender, "", str(error)),)


class _Unreadable(Exception):
    """Not even the ids of the events can be read: one sentence."""


def _readings(sender: Sender, received: Received) -> Iterator[Reading]:
    """Each event as if it had come alone, on the topic of its own stream."""
    for event in _events(received):
        stream = _stream(event)
        if stream not in TOGETHER:
            id_ = event.get("id") if isinstance(event, dict) else None
            yield Refused(sender, id_ if isinstance(id_, str) else "", "no event of a stream that travels in batches")
            continue
        topic = f"ronde/v1/{sender.fleet}/{sender.unit}/{stream}"
        try:
            alone = json.dumps(event).encode("ascii")  # escapes stay escapes: what is no character is found by `read`
        except RecursionError:
            raise _Unreadable("an event of the batch is nested too deep") from None
        reading = read(Received(topic, alone, received.mid))
        if reading is not None:
            yield reading


def _events(received: Received) -> list[Any]:
    if dict(received.properties) != DEFLATE:
        raise _Unreadable("a batch has the content-encoding deflate")
    try:
        events = json.loads(_inflated(received.payload).decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _Unreadable("the batch is no JSON") from None
    if not isinstance(events, list) or not 1 <= len(events) <= MOST_EVENTS:
        raise _Unreadable(f"a batch is a list of 1 to {MOST_EVENTS} events")
    return events


def _inflated(payload: bytes) -> bytes:
    """Never more than a batch may be, and one byte: whatever else it would become stays deflated."""
    inflater = zlib.decompressobj()
    try:
        text = inflater.decompress(payload, LARGEST_BYTES + 1)
    except zlib.error:
        raise _Unreadable("the batch is not deflated") from None
    if len(text) > LARGEST_BYTES:
        raise _Unreadable(f"the batch is larger than {LARGEST_BYTES} bytes")
    if not inflater.eof or inflater.unused_data:
        raise _Unreadable("the batch is cut off, or something follows it")
    return text


def _stream(event: Any) -> str | None:
    kind = event.get("type") if isinstance(event, dict) else None
    return kind.removeprefix("ronde.").removesuffix(".v1") if isinstance(kind, str) else None


def _no_number(constant: str) -> float:
    raise ValueError(constant)
