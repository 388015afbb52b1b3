"""Which street a photo was taken in, by a town's own file of streets, and where one street ends and the next begins.

The file is GeoJSON: lines with a `name`, as every town exports them. A street that the file does not know ends none.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from device.earth import east_north_m

NAMES: Final = ("name", "nom", "nom_voie", "street", "id")
"""Properties that may hold a street's name, the first that is there."""
REACH_M = 20.0
"""A street whose axis is farther away is another: half a wide street and a receiver's error."""
ASKEW_DEG = 35.0
"""A street that runs so much aside of the car is crossed, not driven."""
HOLDS_M = 12.0
"""A street is another when so much road of it has been driven: at a junction two axes are near."""
CELL_M = 50.0

Spot = tuple[float, float]


class StreetsRefused(Exception):
    """The file of streets cannot be used; one sentence that names it."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A kept frame: where on the round and in the world it was taken, and why it grades nothing, if it does not."""

    odometer_m: float
    latitude_deg: float
    longitude_deg: float
    accuracy_m: float
    heading_deg: float | None
    reasons: tuple[str, ...] = ()


class Change(NamedTuple):
    """From here on it is this street."""

    odometer_m: float
    street: str


@dataclass(frozen=True, slots=True, eq=False)
class Streets:
    """The axes of a town's streets, in metres east and north of `origin` (latitude, longitude), by cells of `CELL_M`."""

    origin: Spot
    cells: dict[tuple[int, int], list[tuple[str, Spot, Spot]]]

    def at(self, photo: Photo) -> str | None:
        """The street of a photo: the nearest axis that runs as the car does."""
        if photo.heading_deg is None:
            return None
        east_m, north_m = east_north_m(*self.origin, photo.latitude_deg, photo.longitude_deg)
        column, row = math.floor(east_m / CELL_M), math.floor(north_m / CELL_M)
        best: tuple[float, str] | None = None
        for x in (column - 1, column, column + 1):
            for y in (row - 1, row, row + 1):
                for name, one, other in self.cells.get((x, y), ()):
                    away_m = _away_m((east_m, north_m), one, other)
                    if away_m <= REACH_M and _askew_deg(one, other, photo.heading_deg) <= ASKEW_DEG:
                        best = min(best or (away_m, name), (away_m, name))
        return best[1] if best else None

    def changes(self, photos: Sequence[Photo]) -> tuple[Change, ...]:
        """The streets along photos in the order of the road; the first one begins with the first photo."""
        changes: list[Change] = []
        since: tuple[str, float] | None = None
        before_m = photos[0].odometer_m if photos else 0.0
        for photo in photos:
            street = self.at(photo)
            if street is None or (changes and changes[-1].street == street):
                since = None
            elif since is None or since[0] != street:
                since = (street, photo.odometer_m if not changes else (before_m + photo.odometer_m) / 2.0)
            if since is not None and (not changes or photo.odometer_m - since[1] >= HOLDS_M):
                changes.append(Change(since[1], since[0]))
                since = None
            before_m = photo.odometer_m
        return tuple(changes)


def read_streets(file: Path) -> Streets:
    """The streets of a GeoJSON file (LineString and MultiLineString, WGS 84).

    Raises:
        StreetsRefused: it cannot be read, or holds no street with a name.
    """
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise StreetsRefused(f"{file}: the streets cannot be read: {error}") from error
    try:
        lines = [(name, line) for name, line in _lines(document) if len(line) >= 2]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StreetsRefused(f"{file}: is no GeoJSON feature collection of lines: {error!r}") from error
    if not lines:
        raise StreetsRefused(f"{file}: holds no line with a name (one of {', '.join(NAMES)})")
    origin = lines[0][1][0]
    streets = Streets(origin, {})
    for name, line in lines:
        spots = [east_north_m(*origin, *point) for point in line]
        for one, other in pairwise(spots):
            for cell in _cells_along(one, other):
                streets.cells.setdefault(cell, []).append((name, one, other))
    return streets


def _lines(document: Any) -> Iterator[tuple[str, list[Spot]]]:
    """Name and points (latitude, longitude) of each line that has a name."""
    for feature in document["features"]:
        geometry, properties = feature["geometry"], feature.get("properties") or {}
        name = next((str(properties[key]) for key in NAMES if properties.get(key)), None)
        if geometry is None or name is None:
            continue
        kind, coordinates = geometry["type"], geometry.get("coordinates")
        parts = [coordinates] if kind == "LineString" else coordinates if kind == "MultiLineString" else []
        for part in parts:
            yield name, [(_degrees(point[1], 90.0), _degrees(point[0], 180.0)) for point in part]


def _degrees(value: Any, most: float) -> float:
    degrees = float(value)
    if not abs(degrees) <= most:
        raise ValueError(f"{degrees} is no coordinate in degrees")
    return degrees


def _cells_along(one: Spot, other: Spot) -> set[tuple[int, int]]:
    steps = max(1, math.ceil(math.hypot(other[0] - one[0], other[1] - one[1]) / (CELL_M / 2.0)))
    spots = ((one[0] + (other[0] - one[0]) * n / steps, one[1] + (other[1] - one[1]) * n / steps) for n in range(steps + 1))
    return {(math.floor(east_m / CELL_M), math.floor(north_m / CELL_M)) for east_m, north_m in spots}


def _away_m(spot: Spot, one: Spot, other: Spot) -> float:
    """From a spot to a straight piece."""
    along = other[0] - one[0], other[1] - one[1]
    squared = along[0] ** 2 + along[1] ** 2
    share = 0.0 if squared == 0.0 else ((spot[0] - one[0]) * along[0] + (spot[1] - one[1]) * along[1]) / squared
    share = min(1.0, max(0.0, share))
    return math.hypot(spot[0] - one[0] - share * along[0], spot[1] - one[1] - share * along[1])


def _askew_deg(one: Spot, other: Spot, heading_deg: float) -> float:
    """By how much a piece runs aside of a heading, whichever way it was drawn."""
    turned = (math.degrees(math.atan2(other[0] - one[0], other[1] - one[1])) - heading_deg) % 180.0
    return min(turned, 180.0 - turned)
