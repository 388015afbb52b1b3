"""What an event tells, one row a thing: the columns of the receiver's tables beside `event`. Pure.

Both databases have these columns. A line is kept as GeoJSON text, beside the numbers that a search needs.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sync.receiver.kinds import COUNT, MOMENT, NUMBER, SHARE, TEXT, Kind, is_position, moment

LONGEST_LINE = 10_000
MOST_STRETCHES = 1_000

Value = str | float | int | None

HEAD: Final = ("seq", "source", "id", "time", "received_at")
"""What each of the tables begins with: the event that told it."""

TABLES: Final = ("finding", "track", "grade", "evidence")

PROPERTIES: Final[Mapping[str, Mapping[str, Kind]]] = MappingProxyType(
    {
        "finding": {
            "finding_id": TEXT,
            "round_id": TEXT,
            "label": TEXT,
            "score": SHARE,
            "uncertainty_m": NUMBER,
            "area_m2": NUMBER,
            "severity": COUNT,
            "frames": COUNT,
            "seen_at": MOMENT,
            "model": TEXT,
            "position_source": TEXT,
            "photo_sha256": TEXT,
        },
        "track": {
            "round_id": TEXT,
            "from": MOMENT,
            "to": MOMENT,
            "length_m": NUMBER,
            "frames": COUNT,
            "filled_m": NUMBER,
        },
        "grade": {
            "round_id": TEXT,
            "from_m": NUMBER,
            "to_m": NUMBER,
            "grade": NUMBER,
            "low": NUMBER,
            "high": NUMBER,
            "coverage": SHARE,
            "cells": COUNT,
        },
    }
)
NEEDED: Final = frozenset({"finding_id", "label"})
"""Without these a thing is none; the others may be missing or null."""

HEALTH: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "state": TEXT,
        "uptime_s": NUMBER,
        "fix_age_s": NUMBER,
        "frames": COUNT,
        "refused": COUNT,
        "disk_free_bytes": COUNT,
        "temperature_c": NUMBER,
        "time_source": TEXT,
    }
)
OUTBOX: Final[Mapping[str, Kind]] = MappingProxyType({"rows": COUNT, "oldest_s": NUMBER})

COLUMNS: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        "finding": (*PROPERTIES["finding"], "latitude_deg", "longitude_deg", "heading_deg"),
        "track": (*PROPERTIES["track"], "gaps", "west_deg", "south_deg", "east_deg", "north_deg", "geojson"),
        "grade": ("n", *PROPERTIES["grade"], "reasons", "west_deg", "south_deg", "east_deg", "north_deg", "geojson"),
        "evidence": ("finding_id",),
        "health": ("health_at", *(f"health_{name}" for name in HEALTH), "reasons", "outbox_rows", "outbox_oldest_s"),
    }
)
"""Of each table after its `HEAD`; `health` is a part of the table `unit`."""


class Misfit(Exception):
    """An event is not of its form: the message says how."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A row of `table`: the values of its `COLUMNS`, in order."""

    table: str
    values: tuple[Value, ...]

    def __getitem__(self, column: str) -> Value:
        return self.values[COLUMNS[self.table].index(column)]


def things_of(stream: str, time: str, data: Mapping[str, Any]) -> tuple[Thing, ...]:
    """The rows that an event of a stream adds; `time` is the event's.

    Raises:
        Misfit: the event is not of the stream's form.
    """
    return READERS[stream](time, data)


def _finding(_time: str, data: Mapping[str, Any]) -> tuple[Thing, ...]:
    properties, place = _feature("Point", data)
    camera = properties.get("camera")
    heading_deg = camera.get("heading_deg") if isinstance(camera, dict) else None
    values = (*_values("finding", properties), place[1], place[0], heading_deg if NUMBER.fits(heading_deg) else None)
    return (Thing("finding", values),)


def _track(_time: str, data: Mapping[str, Any]) -> tuple[Thing, ...]:
    properties, line = _feature("LineString", data)
    gaps = properties.get("gaps")
    return (Thing("track", (*_values("track", properties), _list(gaps), *_extent(line), _line(line))),)


def _grade(_time: str, data: Mapping[str, Any]) -> tuple[Thing, ...]:
    features = data.get("features")
    if data.get("type") != "FeatureCollection" or not isinstance(features, list):
        raise Misfit("data is no GeoJSON feature collection")
    if len(features) > MOST_STRETCHES:
        raise Misfit(f"more than {MOST_STRETCHES} stretches in one event")
    return tuple(_stretch(n, feature) for n, feature in enumerate(features))


def _stretch(n: int, feature: Any) -> Thing:
    if not isinstance(feature, dict):
        raise Misfit("data is no GeoJSON feature collection")
    properties, line = _feature("LineString", feature)
    return Thing("grade", (n, *_values("grade", properties), _counts(properties.get("reasons")), *_extent(line), _line(line)))


def _health(time: str, data: Mapping[str, Any]) -> tuple[Thing, ...]:
    """A unit in trouble may say strange things: what is not of its kind is left out, and the rest is shown."""
    outbox = data.get("outbox")
    values = (*_fitting(HEALTH, data), _list(data.get("reasons")), *_fitting(OUTBOX, outbox if isinstance(outbox, dict) else {}))
    return (Thing("health", (time, *values)),)


def _nothing(_time: str, _data: Mapping[str, Any]) -> tuple[Thing, ...]:
    return ()


def _alert(_time: str, data: Mapping[str, Any]) -> tuple[Thing, ...]:
    _feature("Point", data)
    return ()


READERS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], tuple[Thing, ...]]]] = MappingProxyType(
    {"finding": _finding, "alert": _alert, "track": _track, "grade": _grade, "health": _health, "birth": _nothing}
)


def _feature(geometry_type: str, data: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Any]]:
    """The properties and the coordinates of a GeoJSON feature."""
    geometry, properties = data.get("geometry"), data.get("properties")
    if data.get("type") != "Feature" or not isinstance(geometry, dict) or not isinstance(properties, dict):
        raise Misfit("data is no GeoJSON feature")
    coordinates = geometry.get("coordinates")
    if geometry.get("type") != geometry_type or not isinstance(coordinates, list):
        raise Misfit(f"the geometry is no {geometry_type}")
    positions = [coordinates] if geometry_type == "Point" else coordinates
    if not all(is_position(each) for each in positions):
        raise Misfit("a position is not on earth: longitude first, then latitude, in degrees")
    if geometry_type == "LineString" and not 2 <= len(positions) <= LONGEST_LINE:
        raise Misfit(f"a line has 2 to {LONGEST_LINE} positions")
    return properties, coordinates


def _values(table: str, properties: Mapping[str, Any]) -> Iterable[Value]:
    for name, kind in PROPERTIES[table].items():
        value = properties.get(name)
        if (value is not None and not kind.fits(value)) or (value is None and name in NEEDED):
            raise Misfit(f"{name} is not {kind.named}")
        yield moment(value) if kind is MOMENT and value is not None else value


def _fitting(kinds: Mapping[str, Kind], document: Mapping[str, Any]) -> Iterable[Value]:
    return (document.get(name) if kind.fits(document.get(name)) else None for name, kind in kinds.items())


def _list(value: Any) -> str:
    """A list as JSON text; whatever else it is, an empty one."""
    return json.dumps(value if isinstance(value, list) else [], separators=(",", ":"))


def _counts(value: Any) -> str:
    """How many of each as JSON text; what is no count is left out."""
    pairs = value.items() if isinstance(value, dict) else ()
    return json.dumps({name: count for name, count in pairs if TEXT.fits(name) and COUNT.fits(count)}, separators=(",", ":"))


def _extent(line: Sequence[Sequence[float]]) -> tuple[float, float, float, float]:
    """West, south, east and north end in degrees."""
    longitudes, latitudes = [each[0] for each in line], [each[1] for each in line]
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def _line(line: Sequence[Sequence[float]]) -> str:
    return json.dumps({"type": "LineString", "coordinates": [each[:2] for each in line]}, separators=(",", ":"))
