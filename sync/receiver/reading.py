"""Reads what arrives from the broker. It comes from outside: whatever it is, the answer is a value and never an exception."""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sync.broker import Received

LARGEST_BYTES = 256 * 1024
LARGEST_PICTURE_BYTES = 1024 * 1024
DEEPEST = 16
"""Levels of nesting in an event. SQLite refuses to look into a thousand of them."""

NAME: Final = "[a-z0-9][a-z0-9-]{0,30}"
TOPIC: Final = re.compile(rf"ronde/v1/({NAME})/({NAME})/([a-z]+)")
ID: Final = re.compile(r"[!-~]{1,200}")
WRITTEN_ID: Final = re.compile(rb'"id":"([!#-~]{1,200})"')
TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z")
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
    """An event that can be stored: `data` is JSON text, or the bytes of a picture."""

    sender: Sender
    id: str
    type: str
    time: str
    data: str | bytes


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


class _WrongError(Exception):
    """What is wrong with an event; the message is the reason."""


def read(received: Received) -> Reading | None:
    """What a message says; None for a topic that only the backend writes."""
    place = TOPIC.fullmatch(received.topic)
    if place is None:
        return Refused(None, "", "the topic is not ronde/v1/<fleet>/<unit>/<stream>")
    sender, stream = Sender(place[1], place[2]), place[3]
    if stream in OURS:
        return None
    known = {"id": ""}
    try:
        if stream == "state":
            return _presence(sender, received.payload, known)
        if stream == "evidence":
            return _picture(sender, received, known)
        return _event(sender, stream, received.payload, known)
    except _WrongError as error:
        return Refused(sender, known["id"], str(error))


def _presence(sender: Sender, payload: bytes, known: dict[str, str]) -> Presence:
    document = _json(payload, known)
    values = [document.get(key) for key in ("state", "boot", "software")]
    if values[0] not in ("online", "lost") or not all(isinstance(value, str) and ID.fullmatch(value) for value in values):
        raise _WrongError("no state: it has state (online or lost), boot and software")
    return Presence(sender, *(str(value) for value in values))


def _event(sender: Sender, stream: str, payload: bytes, known: dict[str, str]) -> Arrived:
    document = _json(payload, known)
    known["id"] = _text(document, "id", ID)
    if stream not in CHECKS:
        raise _WrongError("this backend stores no such stream")
    _attributes(document, sender, stream)
    data = document.get("data")
    if not isinstance(data, dict):
        raise _WrongError("data is no object")
    CHECKS[stream](data)
    return Arrived(
        sender, known["id"], f"ronde.{stream}.v1", _text(document, "time", TIME), json.dumps(data, separators=(",", ":"))
    )


def _picture(sender: Sender, received: Received, known: dict[str, str]) -> Arrived:
    """CloudEvents in binary mode: the attributes are user properties, the payload is the picture."""
    known["id"] = _text(received.properties, "id", ID)
    _attributes(received.properties, sender, "evidence")
    if received.content_type != "image/jpeg" or not received.payload.startswith(b"\xff\xd8"):
        raise _WrongError("the evidence is no JPEG")
    if len(received.payload) > LARGEST_PICTURE_BYTES:
        raise _WrongError(f"the picture is larger than {LARGEST_PICTURE_BYTES} bytes")
    return Arrived(sender, known["id"], "ronde.evidence.v1", _text(received.properties, "time", TIME), received.payload)


def _json(payload: bytes, known: dict[str, str]) -> dict[str, Any]:
    """The JSON object of a payload; its id is `known` before anything else is found wrong with it."""
    if len(payload) > LARGEST_BYTES:
        # A unit must hear of it, or it sends it for ever: in ronde's own form the event's id is the last one of that name.
        known["id"] = next((found[1].decode() for found in reversed(list(WRITTEN_ID.finditer(payload)))), "")
        raise _WrongError(f"the event is larger than {LARGEST_BYTES} bytes")
    try:
        document = json.loads(payload.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise _WrongError("the event is no JSON") from None
    if not isinstance(document, dict):
        raise _WrongError("the event is no JSON object")
    if isinstance(document.get("id"), str) and ID.fullmatch(document["id"]):
        known["id"] = document["id"]
    if _depth(document) > DEEPEST:
        raise _WrongError(f"the event is nested deeper than {DEEPEST} levels")
    return document


def _no_number(constant: str) -> float:
    raise ValueError(constant)


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
        raise _WrongError("specversion is not 1.0")
    if document.get("source") != sender.source:
        raise _WrongError("the source is not the unit whose topic this is")
    if document.get("type") != f"ronde.{stream}.v1":
        raise _WrongError("the type is not the one of this stream")


def _text(document: Mapping[str, Any], key: str, allowed: re.Pattern[str]) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not allowed.fullmatch(value):
        raise _WrongError(f"{key} is missing or not of its form")
    return value


def _feature(geometry_type: str, data: Mapping[str, Any]) -> None:
    geometry = data.get("geometry")
    if data.get("type") != "Feature" or not isinstance(geometry, dict) or not isinstance(data.get("properties"), dict):
        raise _WrongError("data is no GeoJSON feature")
    coordinates = geometry.get("coordinates")
    if geometry.get("type") != geometry_type or not isinstance(coordinates, list):
        raise _WrongError(f"the geometry is no {geometry_type}")
    positions = [coordinates] if geometry_type == "Point" else coordinates
    if not positions or not all(_is_position(each) for each in positions):
        raise _WrongError("a position is not on earth: longitude first, then latitude, in degrees")


def _is_position(value: Any) -> bool:
    if not isinstance(value, list) or len(value) not in (2, 3) or not all(_is_number(each) for each in value):
        return False
    return bool(abs(value[0]) <= 180 and abs(value[1]) <= 90)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _point(data: Mapping[str, Any]) -> None:
    _feature("Point", data)


def _line(data: Mapping[str, Any]) -> None:
    _feature("LineString", data)


def _lines(data: Mapping[str, Any]) -> None:
    features = data.get("features")
    if data.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise _WrongError("data is no GeoJSON feature collection")
    for feature in features:
        if not isinstance(feature, dict):
            raise _WrongError("data is no GeoJSON feature collection")
        _line(feature)


def _anything(_data: Mapping[str, Any]) -> None:
    """Health and birth: read field by field where they are shown."""


CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any]], None]]] = MappingProxyType(
    {"finding": _point, "alert": _point, "track": _line, "grade": _lines, "health": _anything, "birth": _anything}
)
