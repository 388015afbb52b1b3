"""The forms of an export that are text: GeoJSON (RFC 7946) and CSV (RFC 4180). Features are written as they come."""

import csv
import json
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, Final, TextIO

from sync.layers import Feature, Geometry, Layer, Position, position

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "%", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A spreadsheet takes a text that begins like this for a formula, and may run it."""


def write_geojson(layer: Layer, out: TextIO) -> int:
    """A FeatureCollection, one feature a line; how many."""
    count = 0
    out.write('{"type": "FeatureCollection", "features": [')
    for feature in layer.features:
        out.write(",\n" if count else "\n")
        out.write(json.dumps(as_geojson(feature, layer.geometry), ensure_ascii=False, allow_nan=False))
        count += 1
    out.write("\n]}\n" if count else "]}\n")
    return count


def as_geojson(feature: Feature, geometry: Geometry) -> dict[str, Any]:
    """A feature as RFC 7946 wants it: longitude first, WGS 84, and no line across the 180th meridian."""
    return {
        "type": "Feature",
        "id": feature.id,
        "geometry": _geometry(feature.positions, geometry),
        "properties": dict(feature.values),
    }


def write_csv(layer: Layer, out: TextIO) -> int:
    """A table with a line for each feature; points have longitude and latitude, lines their WKT; how many."""
    table = csv.writer(out)
    place = ("longitude_deg", "latitude_deg") if layer.geometry == "Point" else ("wkt",)
    columns = [each for each in layer.columns if each not in place]
    table.writerow([*columns, *place])
    count = 0
    for feature in layer.features:
        where = feature.positions[0] if layer.geometry == "Point" else (wkt(feature.positions),)
        table.writerow([*(cell(feature.values[each]) for each in columns), *where])
        count += 1
    return count


def cell(value: Any) -> Any:
    """A value as it stands in a table. A text that a spreadsheet would take for a formula has an apostrophe before it."""
    if value is None or isinstance(value, bool):
        return "" if value is None else int(value)
    if isinstance(value, int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def wkt(positions: Sequence[Position]) -> str:
    """A line as well-known text."""
    return f"LINESTRING ({', '.join(f'{longitude} {latitude}' for longitude, latitude in positions)})"


def _geometry(positions: Sequence[Position], geometry: Geometry) -> dict[str, Any]:
    if geometry == "Point":
        return {"type": "Point", "coordinates": list(positions[0])}
    lines = [[list(each) for each in line] for line in _cut(positions)]
    if len(lines) == 1:
        return {"type": "LineString", "coordinates": lines[0]}
    return {"type": "MultiLineString", "coordinates": lines}


def _cut(positions: Sequence[Position]) -> Iterator[Sequence[Position]]:
    """The parts of a line between its crossings of the 180th meridian."""
    part = [positions[0]]
    for (from_deg, from_north), (to_deg, to_north) in pairwise(positions):
        if abs(to_deg - from_deg) > 180.0:
            edge = 180.0 if from_deg > 0.0 else -180.0
            whole = to_deg + 2.0 * edge - from_deg
            share = (edge - from_deg) / whole if whole else 0.0
            north = from_north + share * (to_north - from_north)
            yield [*part, position(edge, north)]
            part = [position(-edge, north)]
        part.append((to_deg, to_north))
    yield part
