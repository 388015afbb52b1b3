"""One real thing on or beside the road."""

import math
from dataclasses import dataclass
from datetime import datetime

from device.earth import offset
from inference.ellipse import RADIUS_95, circle
from inference.lying import Lying
from inference.merge import Thing
from inference.severity import severity_of


@dataclass(frozen=True, slots=True)
class Finding:
    """A thing with a place.

    `uncertainty_m` is the radius that holds 95 %. `frames` counts its sightings; `best_frame_id` is the clearest.
    `model` is the sha256 of the model that found it. `area_m2` and `severity` (1 to 3) are None where it has none.

    Of what lies on the road: its size across and along the road. Along the round it lies `odometer_m`, and `right_m` of the
    path, as seen from the best frame.
    """

    id: str
    round_id: str
    label: str
    score: float
    latitude_deg: float
    longitude_deg: float
    uncertainty_m: float
    frames: int
    best_frame_id: str
    seen_at: datetime | None
    model: str
    area_m2: float | None = None
    severity: int | None = None
    first_frame_id: str | None = None
    last_frame_id: str | None = None
    width_m: float | None = None
    length_m: float | None = None
    odometer_m: float | None = None
    right_m: float | None = None


def finding_of(thing: Thing, *, round_id: str, number: int, model: str) -> Finding:
    """The finding that a settled thing is. `number` counts the round's findings.

    Its place is told from the camera of its best frame, so it has the receiver's error of that moment: however often it was seen,
    it is not placed better than the car was.
    """
    shape, best = thing.shape, thing.best
    east_m, north_m = shape.east_m - best.east_m, shape.north_m - best.north_m
    latitude_deg, longitude_deg = offset(best.place.latitude_deg, best.place.longitude_deg, east_m, north_m)
    unsure = shape.each.plus(shape.common).plus(circle(best.place.accuracy_m / RADIUS_95))
    heading = math.radians(best.place.heading_deg or 0.0)
    sine, cosine = math.sin(heading), math.cos(heading)
    size_m = (shape.width_m, shape.length_m) if isinstance(shape, Lying) else None
    return Finding(
        id=f"{round_id}-f{number}",
        round_id=round_id,
        label=thing.label,
        score=thing.score,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        uncertainty_m=unsure.radius_95_m(),
        frames=len(thing.frames),
        best_frame_id=best.frame_id,
        seen_at=best.place.taken_at,
        model=model,
        area_m2=size_m[0] * size_m[1] if size_m else None,
        severity=severity_of(thing.label, *size_m) if size_m else None,
        first_frame_id=thing.frames[0],
        last_frame_id=thing.frames[-1],
        width_m=size_m[0] if size_m else None,
        length_m=size_m[1] if size_m else None,
        odometer_m=best.place.odometer_m + east_m * sine + north_m * cosine,
        right_m=east_m * cosine - north_m * sine,
    )
