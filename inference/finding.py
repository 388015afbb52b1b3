"""One real thing on or beside the road."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from device.frame import Place
from inference.detect import Detection
from inference.place import place_of


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


def findings_of(
    detections: Sequence[Detection], place: Place, *, round_id: str, found_before: int, frame_id: str, model: str
) -> tuple[Finding, ...]:
    """One finding for each detection of a frame taken at `place`; merging over frames is the next step of this module.

    `found_before` is how many findings the round has already: ids count on from there.
    """
    latitude_deg, longitude_deg, uncertainty_m = place_of(place)
    return tuple(
        Finding(
            id=f"{round_id}-f{number}",
            round_id=round_id,
            label=detection.label,
            score=detection.score,
            latitude_deg=latitude_deg,
            longitude_deg=longitude_deg,
            uncertainty_m=uncertainty_m,
            frames=1,
            best_frame_id=frame_id,
            seen_at=place.taken_at,
            model=model,
        )
        for number, detection in enumerate(detections, found_before + 1)
    )
