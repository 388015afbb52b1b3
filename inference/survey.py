"""The grades of a piece of road: from the photos that show it and the damage found on it to stretches with their line. Pure."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from device.earth import east_north_m
from inference.grade import Damage, Grade, View, cells_of, grade_of, stretches_of
from inference.lens import Lens
from inference.locate import spot_of
from inference.lying import Lying
from inference.merge import Merge
from inference.scale import STRETCHES_M, Scale
from inference.streets import Photo, Streets

UNSURE = "unsure_place"
"""Why a cell does not count whose photos are nowhere for certain."""
STRAIGHT_M = 0.5
"""A point of the line is left out where the line without it runs by so near."""

Point = tuple[float, float]
"""Latitude and longitude in degrees."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A graded stretch of at most `most_m`: its grade, its line on the map, and its street where that is known."""

    most_m: float
    grade: Grade
    line: tuple[Point, ...]
    street: str | None = None


@dataclass(frozen=True, slots=True)
class Road:
    """A piece of road between two readings of the odometer, and all that is known of it.

    `photos` are in the order of the road, at least two; those before and after the piece may be among them. A photo shows the
    road from `near_m` ahead.
    """

    from_m: float
    to_m: float
    photos: Sequence[Photo]
    damages: Sequence[Damage]
    near_m: float
    streets: Streets | None = field(default=None)


def survey(road: Road, scale: Scale) -> tuple[Stretch, ...]:
    """The stretches of a piece: the coarse ones first, each length in the order of the road."""
    views = views_of(road.photos, road.near_m, scale)
    changes = road.streets.changes(road.photos) if road.streets else ()
    cuts_m = [change.odometer_m for change in changes[1:]]
    found: list[Stretch] = []
    for most_m in STRETCHES_M:
        for begin_m, end_m in stretches_of(road.from_m, road.to_m, most_m, cuts_m):
            grade = grade_of(cells_of(begin_m, end_m, road.damages, views, scale), scale)
            middle_m = (begin_m + end_m) / 2.0
            street = next((change.street for change in reversed(changes) if change.odometer_m <= middle_m), None)
            found.append(Stretch(most_m, grade, line_of(road.photos, begin_m, end_m), street))
    return tuple(found)


def views_of(photos: Iterable[Photo], near_m: float, scale: Scale) -> list[View]:
    """What each photo shows of the road, and whether that counts."""
    views = []
    for photo in photos:
        unsure = () if photo.accuracy_m <= scale.sure_within_m else (UNSURE,)
        views.append(View(photo.odometer_m + near_m, photo.odometer_m + scale.view_m, (*photo.reasons, *unsure)))
    return views


def damage_of(label: str, odometer_m: float, right_m: float, width_m: float, length_m: float) -> Damage:
    """What a finding on the road is of the road: its middle and its size, along the round and right of the path."""
    return Damage(
        label, odometer_m - length_m / 2.0, odometer_m + length_m / 2.0, right_m - width_m / 2.0, right_m + width_m / 2.0
    )


def damages_in_view(merge: Merge) -> list[Damage]:
    """What is sure of the things still in view: a crack that is longer than a piece is told only when it ends."""
    at = merge.at
    damages = []
    for thing in merge.things.values() if at is not None else ():
        if thing.sure and isinstance(thing.shape, Lying):
            assert at is not None
            right_m, ahead_m = at.car(thing.shape.east_m, thing.shape.north_m)
            damages.append(damage_of(thing.label, at.odometer_m + ahead_m, right_m, thing.shape.width_m, thing.shape.length_m))
    return damages


def line_of(photos: Sequence[Photo], from_m: float, to_m: float) -> tuple[Point, ...]:
    """The path between two readings of the odometer, with no more points than it needs.

    Raises:
        ValueError: there are fewer than two photos.
    """
    if len(photos) < 2:
        raise ValueError("a line has two photos at least")
    odometers = np.array([photo.odometer_m for photo in photos])
    inside = odometers[(odometers > from_m) & (odometers < to_m)]
    marks_m = [from_m, *inside.tolist(), to_m]
    latitudes = np.interp(marks_m, odometers, [photo.latitude_deg for photo in photos])
    longitudes = np.interp(marks_m, odometers, [photo.longitude_deg for photo in photos])
    return _straightened([(float(one), float(other)) for one, other in zip(latitudes, longitudes, strict=True)])


def _straightened(points: list[Point]) -> tuple[Point, ...]:
    """Without the points that lie on the way between others (Douglas and Peucker 1973)."""
    spots = [east_north_m(*points[0], *point) for point in points]
    kept = {0, len(points) - 1}
    waiting = [(0, len(points) - 1)]
    while waiting:
        first, last = waiting.pop()
        east_m, north_m = spots[last][0] - spots[first][0], spots[last][1] - spots[first][1]
        length_m = math.hypot(east_m, north_m)
        most, where = 0.0, None
        for n in range(first + 1, last):
            right_m, ahead_m = spots[n][0] - spots[first][0], spots[n][1] - spots[first][1]
            away_m = abs(right_m * north_m - ahead_m * east_m) / length_m if length_m > 0 else math.hypot(right_m, ahead_m)
            if away_m > max(most, STRAIGHT_M):
                most, where = away_m, n
        if where is not None:
            kept.add(where)
            waiting += [(first, where), (where, last)]
    return tuple(points[n] for n in sorted(kept))


def nearest_seen_m(lens: Lens) -> float:
    """How far ahead the road begins that the middle of a picture shows; infinite where it shows none."""
    spot = spot_of(lens, lens.width / 2.0, lens.height - 0.5)
    return math.inf if spot is None else spot.ahead_m
