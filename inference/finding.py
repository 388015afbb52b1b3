"""One real thing on or beside the road."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """A thing with a place.

    `uncertainty_m` is the radius that holds 95 %. `frames` counts its sightings; `best_frame_id` is the clearest.
    `model` is the sha256 of the model that found it. `area_m2` and `severity` (1 to 3) are None while unknown.
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
