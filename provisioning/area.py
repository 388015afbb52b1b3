"""An area on the map: GeoJSON polygons (RFC 7946), and whether a place lies inside with all that it may be off."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

METRES_PER_DEGREE: Final = 111_195.0
"""Of latitude, on a sphere of 6371 km: within 0.6 % of any place on the ellipsoid."""
LONGEST_SIDE_M: Final = 100_000.0
"""An area that is wider or higher is no town's."""
MOST_CORNERS: Final = 2000

Corner = tuple[float, float]
"""(longitude_deg, latitude_deg), as GeoJSON has it."""
Ring = tuple[Corner, ...]


class AreaRefused(Exception):
    """What should be an area is none: half a sentence that follows its name."""


@dataclass(frozen=True, slots=True)
class Area:
    """Polygons; of each the first ring is its outline and the others are holes."""

    polygons: tuple[tuple[Ring, ...], ...]

    def holds(self, latitude_deg: float, longitude_deg: float, radius_m: float) -> bool:
        """Whether the whole circle lies inside one of the polygons. What touches an edge does not."""
        if not (math.isfinite(latitude_deg) and math.isfinite(longitude_deg) and math.isfinite(radius_m) and radius_m >= 0.0):
            return False
        return any(
            _inside(polygon, latitude_deg, longitude_deg) and _to_edge_m(polygon, latitude_deg, longitude_deg) > radius_m
            for polygon in self.polygons
        )


def area_of(geometry: object) -> Area:
    """The area that a GeoJSON Polygon or MultiPolygon describes.

    Raises:
        AreaRefused: it is something else, damaged, or larger than a town.
    """
    if not isinstance(geometry, dict) or set(geometry) != {"type", "coordinates"}:
        raise AreaRefused("is not a GeoJSON geometry with type and coordinates alone")
    match geometry["type"]:
        case "Polygon":
            polygons = [geometry["coordinates"]]
        case "MultiPolygon":
            polygons = _list(geometry["coordinates"], "its coordinates")
        case _:
            raise AreaRefused("is neither a Polygon nor a MultiPolygon")
    area = Area(tuple(tuple(_ring(ring) for ring in _list(polygon, "a polygon")) for polygon in polygons))
    _check_size([corner for polygon in area.polygons for ring in polygon for corner in ring])
    return area


def _ring(value: object) -> Ring:
    ring = tuple(_corner(each) for each in _list(value, "a ring"))
    if len(ring) < 4 or ring[0] != ring[-1]:
        raise AreaRefused("has a ring that is not closed, or of fewer than four positions")
    if abs(_twice_enclosed(ring)) < 1e-12:
        raise AreaRefused("has a ring that encloses nothing")
    return ring


def _corner(value: object) -> Corner:
    if not isinstance(value, list) or len(value) != 2 or not all(_is_number(each) for each in value):
        raise AreaRefused("has a position that is not [longitude, latitude]")
    longitude_deg, latitude_deg = float(value[0]), float(value[1])
    if abs(longitude_deg) > 180.0 or abs(latitude_deg) > 85.0:
        raise AreaRefused("has a position that no town has; longitude comes first, and latitude is at most 85")
    return longitude_deg, latitude_deg


def _check_size(corners: Sequence[Corner]) -> None:
    if len(corners) > MOST_CORNERS:
        raise AreaRefused(f"has {len(corners)} corners; allowed are {MOST_CORNERS}")
    west, east = min(each[0] for each in corners), max(each[0] for each in corners)
    south, north = min(each[1] for each in corners), max(each[1] for each in corners)
    wide_m = (east - west) * METRES_PER_DEGREE * math.cos(math.radians(min(abs(south), abs(north))))
    if max(wide_m, (north - south) * METRES_PER_DEGREE) > LONGEST_SIDE_M:
        raise AreaRefused(f"is more than {LONGEST_SIDE_M / 1000:g} km wide or high")


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise AreaRefused(f"is damaged: {what} is not a list with something in it")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _twice_enclosed(ring: Ring) -> float:
    """Twice the enclosed area in square degrees, signed by the direction."""
    (x, y), *_ = ring
    return sum((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y) for (x1, y1), (x2, y2) in _sides(ring))


def _inside(polygon: Sequence[Ring], latitude_deg: float, longitude_deg: float) -> bool:
    """Even-odd: a ray to the east meets the sides of all rings an odd number of times."""
    odd = False
    for ring in polygon:
        for (x1, y1), (x2, y2) in _sides(ring):
            if (y1 > latitude_deg) != (y2 > latitude_deg):
                odd ^= longitude_deg < x1 + (latitude_deg - y1) / (y2 - y1) * (x2 - x1)
    return odd


def _to_edge_m(polygon: Sequence[Ring], latitude_deg: float, longitude_deg: float) -> float:
    """To the nearest side of any ring, on the plane that touches the Earth at the place."""
    east_m = METRES_PER_DEGREE * math.cos(math.radians(latitude_deg))

    def on_plane(corner: Corner) -> tuple[float, float]:
        return (corner[0] - longitude_deg) * east_m, (corner[1] - latitude_deg) * METRES_PER_DEGREE

    return min(_to_side(on_plane(one), on_plane(other)) for ring in polygon for one, other in _sides(ring))


def _to_side(one: tuple[float, float], other: tuple[float, float]) -> float:
    """From the origin to the line between two points."""
    along = (other[0] - one[0], other[1] - one[1])
    length2 = along[0] ** 2 + along[1] ** 2
    share = 0.0 if length2 == 0.0 else min(1.0, max(0.0, -(one[0] * along[0] + one[1] * along[1]) / length2))
    return math.hypot(one[0] + share * along[0], one[1] + share * along[1])


def _sides(ring: Ring) -> Iterator[tuple[Corner, Corner]]:
    return itertools.pairwise(ring)
