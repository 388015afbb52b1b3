"""A parcel as the MQTT message that carries it, and how large that is. Pure."""

from typing import Final

from sync.broker import Message
from sync.outbox import Parcel

HEADER_BYTES: Final = 32
"""Of an MQTT packet around topic and payload, at most."""

PROPERTY_BYTES: Final = 5
"""Of a user property around its name and its value."""

JPEG: Final = "image/jpeg"


def message_of(parcel: Parcel) -> Message:
    """An event; one with headers is a picture (CloudEvents in binary mode)."""
    if parcel.headers is None:
        return Message(parcel.topic, parcel.payload)
    return Message(parcel.topic, parcel.payload, properties=parcel.headers, content_type=JPEG)


def size_of(message: Message) -> int:
    """In bytes, at most."""
    named = sum(PROPERTY_BYTES + len(name) + len(value) for name, value in message.properties.items())
    kind = 0 if message.content_type is None else 3 + len(message.content_type)
    return len(message.payload) + len(message.topic) + HEADER_BYTES + named + kind
