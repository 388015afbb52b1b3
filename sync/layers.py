"""What is exported, whatever the form: layers of features with their columns. Units stand in the columns' names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

DECIMALS: Final = 7
"""Of a coordinate in degrees: 1 cm."""

Geometry = Literal["Point", "LineString"]
Position = tuple[float, float]
"""Longitude and latitude in degrees."""


class ExportRefused(Exception):
    """What is asked for cannot be exported: one sentence that names the file and the reason."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A thing with its place: one position for a point, two at least for a line. `values` has a value for each column."""

    id: str
    positions: Sequence[Position]
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Layer:
    """Features of one kind; they are read as they are asked for, once."""

    name: str
    geometry: Geometry
    columns: Sequence[str]
    features: Iterable[Feature]


def position(longitude_deg: float, latitude_deg: float) -> Position:
    """A position as it is written."""
    return round(longitude_deg, DECIMALS), round(latitude_deg, DECIMALS)
