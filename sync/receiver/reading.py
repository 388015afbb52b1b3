"""Reads what arrives from the broker. It comes from outside: whatever it is, the answer is a value and never an exception."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sync.broker import Received
from sync.receiver.kinds import is_text, moment
from sync.receiver.things import READERS, Misfit, Thing, things_of

LARGEST_BYTES = 256 * 1024
LARGEST_PICTURE_BYTES = 1024 * 1024
DEEPEST = 16
"""Levels of nesting in an event. SQLite refuses to look into a thousand of them."""

NAME: Final = "[a-z0-9][a-z0-9-]{0,30}"
TOPIC: Final = re.compile(rf"ronde/v1/({NAME})/({NAME})/([a-z]+)")
ID: Final = re.compile(r"[!-~]{1,200}")
WRITTEN_ID: Final = re.compile(rb'"id":"([!#-~]{1,200})"')
STRANGE: Final = re.compile(rb"\\u(0000|[dD][89a-fA-F])")
"""Escapes of what may be no character. PostgreSQL takes neither NUL nor half a pair."""
OURS: Final = frozenset({"ack", "command"})
"""Topics that the backend itself writes."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A unit, by the topic on which it may write."""

    fleet: str
    unit: str

    @property
    def source(self) -> str:
        """Its CloudEvents source."""
        return f"/ronde/{self.fleet}/{self.unit}"

    @property
    def ack_topic(self) -> str:
        """Where it is answered."""
        return f"ronde/v1/{self.fleet}/{self.unit}/ack"


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event that can be stored: `data` is JSON text, or the bytes of a picture; `things` is what it tells."""

    sender: Sender
    id: str
    type: str
    time: str
    data: str | bytes
    subject: str | None = None
    things: tuple[Thing, ...] = ()


@dataclass(frozen=True, slots=True)
class Presence:
    """A unit is connected, or is not."""

    sender: Sender
    state: str
    boot: str
    software: str


@dataclass(frozen=True, slots=True)
class Refused:
    """What cannot be stored. `id` is empty where not even that can be read, `sender` None where the topic names none."""

    sender: Sender | None
    id: str
    reason: str


Reading = Arrived | Presence | Refused


def read(received: Received) -> Reading | None:
    """What a message says; None for a topic that only the backend writes."""
    place = TOPIC.fullmatch(received.topic)
    if place is None:
        return Refused(None, "", "the topic is not ronde/v1/<fleet>/<unit>/<stream>")
    sender, stream = sender_of(place), place[3]
    if stream in OURS:
        return None
    known = {"id": ""}
    try:
        if stream == "state":
            return _presence(sender, received.payload, known)
        if stream == "evidence":
            return _picture(sender, received, known)
        return _event(sender, stream, received.payload, known)
    except Misfit as error:
        return Refused(sender, known["id"], str(error))


def sender_of(place: re.Match[str]) -> Sender:
    """Who writes on a topic that matches `TOPIC`."""
    return Sender(place[1], place[2])


def _presence(sender: Sender, payload: bytes, known: dict[str, str]) -> Presence:
    document = _json(payload, known)
    values = [document.get(key) for key in ("state", "boot", "software")]
    if values[0] not in ("online", "lost") or not all(isinstance(value, str) and ID.fullmatch(value) for value in values):
        raise Misfit("no state: it has state (online or lost), boot and software")
    return Presence(sender, *(str(value) for value in values))


def _event(sender: Sender, stream: str, payload: bytes, known: dict[str, str]) -> Arrived:
    document = _json(payload, known)
    known["id"] = _text(document, "id", ID)
    if stream not in READERS:
        raise Misfit("this backend stores no such stream")
    _attributes(document, sender, stream)
    data = document.get("data")
    if not isinstance(data, dict):
        raise Misfit("data is no object")
    time = _time(document)
    things = things_of(stream, time, data)
    return Arrived(sender, known["id"], f"ronde.{stream}.v1", time, _written(data), _subject(document), things)


def _picture(sender: Sender, received: Received, known: dict[str, str]) -> Arrived:
    """CloudEvents in binary mode: the attributes are user properties, the payload is the picture."""
    known["id"] = _text(received.properties, "id", ID)
    _attributes(received.properties, sender, "evidence")
    if received.content_type != "image/jpeg" or not received.payload.startswith(b"\xff\xd8"):
        raise Misfit("the evidence is no JPEG")
    if len(received.payload) > LARGEST_PICTURE_BYTES:
        raise Misfit(f"the picture is larger than {LARGEST_PICTURE_BYTES} bytes")
    time, subject = _time(received.properties), _subject(received.properties)
    things = () if subject is None else (Thing("evidence", (subject,)),)
    return Arrived(sender, known["id"], "ronde.evidence.v1", time, received.payload, subject, things)


def _json(payload: bytes, known: dict[str, str]) -> dict[str, Any]:
    """The JSON object of a payload; its id is `known` before anything else is found wrong with it."""
    if len(payload) > LARGEST_BYTES:
        # A unit must hear of it, or it sends it for ever: in ronde's own form the event's id is the last one of that name.
        known["id"] = next((found[1].decode() for found in reversed(list(WRITTEN_ID.finditer(payload)))), "")
        raise Misfit(f"the event is larger than {LARGEST_BYTES} bytes")
    try:
        document = json.loads(payload.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Misfit("the event is no JSON") from None
    if not isinstance(document, dict):
        raise Misfit("the event is no JSON object")
    if isinstance(document.get("id"), str) and ID.fullmatch(document["id"]):
        known["id"] = document["id"]
    if _depth(document) > DEEPEST:
        raise Misfit(f"the event is nested deeper than {DEEPEST} levels")
    if STRANGE.search(payload) and not all(map(_is_sound, _texts(document))):
        raise Misfit("the event holds a text with half a character, or with a NUL")
    return document


def _no_number(constant: str) -> float:
    raise ValueError(constant)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        if isinstance(value, dict):
            yield from value
        for inner in _inner(value):
            yield from _texts(inner)


def _is_sound(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _written(data: Mapping[str, Any]) -> str:
    try:
        return json.dumps(data, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise Misfit("a number is too large") from None


def _depth(document: Any) -> int:
    level, depth = [document], 0
    while level and depth <= DEEPEST:
        depth += 1
        level = [inner for each in level for inner in _inner(each) if isinstance(inner, dict | list)]
    return depth


def _inner(value: Any) -> Iterator[Any]:
    return iter(value.values() if isinstance(value, dict) else value)


def _attributes(document: Mapping[str, Any], sender: Sender, stream: str) -> None:
    if document.get("specversion") != "1.0":
        raise Misfit("specversion is not 1.0")
    if document.get("source") != sender.source:
        raise Misfit("the source is not the unit whose topic this is")
    if document.get("type") != f"ronde.{stream}.v1":
        raise Misfit("the type is not the one of this stream")


def _text(document: Mapping[str, Any], key: str, allowed: re.Pattern[str]) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not allowed.fullmatch(value):
        raise Misfit(f"{key} is missing or not of its form")
    return value


def _time(document: Mapping[str, Any]) -> str:
    value = document.get("time")
    time = moment(value) if isinstance(value, str) else None
    if time is None:
        raise Misfit("time is missing or not of its form")
    return time


def _subject(document: Mapping[str, Any]) -> str | None:
    """What an event is about; a text that is none says nothing."""
    value = document.get("subject")
    return value if is_text(value) else None
