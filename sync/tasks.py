"""What is to be done, in the columns of Open311's GeoReport v2 service requests, and a few more of ours. Pure.

Not every finding is a task. A hole that a wheel falls into is one at once; what a person has confirmed is one; the rest is what
grades are for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from inference.labels import BY_NAME
from sync.layers import Position

AT_ONCE: Final = frozenset({"pothole", "manhole_open"})
SEVERE: Final = 3
LEAST_FRAMES: Final = 2
"""Seen so often, or by two rounds, a severe one is a task at once."""
DONE: Final = frozenset({"repaired", "gone"})
SEVERITIES: Final[Mapping[int, str]] = {1: "slight", 2: "medium", 3: "severe"}

TASK_COLUMNS: Final = (
    "service_request_id", "status", "status_notes", "service_code", "service_name", "service_name_fr", "description",
    "requested_datetime", "updated_datetime", "lat", "long", "severity", "area_m2", "uncertainty_m", "frames", "rounds",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Work:
    """A finding, or a thing of several rounds, that may be a task. `state` and `judgement` as of a thing."""

    id: str
    label: str
    severity: int | None
    area_m2: float | None
    uncertainty_m: float | None
    frames: int | None
    rounds: int
    first_seen_at: str | None
    last_seen_at: str | None
    state: str = "new"
    judgement: str | None = None

    @property
    def wanted(self) -> bool:
        """Whether it is a task. What a person rejected never is."""
        if self.judgement == "rejected" or self.label not in BY_NAME or BY_NAME[self.label].kind not in ("road", "cover"):
            return False
        if self.judgement == "confirmed":
            return self.label in AT_ONCE or (BY_NAME[self.label].kind == "road" and self.label != "patch")
        often = (self.frames or 0) >= LEAST_FRAMES or self.rounds >= 2
        return self.label in AT_ONCE and self.severity == SEVERE and often


def task_of(work: Work, place: Position) -> Mapping[str, Any] | None:
    """Its columns, None where it is no task."""
    if not work.wanted:
        return None
    label = BY_NAME[work.label]
    return {
        "service_request_id": work.id,
        "status": "closed" if work.state in DONE else "open",
        "status_notes": work.state,
        "service_code": work.label,
        "service_name": label.english,
        "service_name_fr": label.french,
        "description": _described(work, label.english),
        "requested_datetime": work.first_seen_at,
        "updated_datetime": work.last_seen_at,
        "lat": place[1],
        "long": place[0],
        "severity": work.severity,
        "area_m2": work.area_m2,
        "uncertainty_m": work.uncertainty_m,
        "frames": work.frames,
        "rounds": work.rounds,
    }


def _described(work: Work, name: str) -> str:
    """In words."""
    parts = [f"{SEVERITIES.get(work.severity or 0, '')} {name}".strip()]
    if work.area_m2 is not None:
        parts.append(f"about {work.area_m2:.1f} m2")
    parts.append(f"seen by {work.rounds} rounds" if work.rounds > 1 else f"seen in {work.frames or 1} photos")
    if work.uncertainty_m is not None:
        parts.append(f"within {work.uncertainty_m:.1f} m of here")
    return ", ".join(parts)
