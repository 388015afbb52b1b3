"""The unit's rows, made from what the line knows: one function for each table that has more than a few columns."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlite_utils import Database

from device.frame import Place
from inference.detect import Detection
from inference.finding import Finding
from sync.event import gap_data, iso, track_data
from sync.track import Piece

PLACE_COLUMNS = tuple(field.name for field in fields(Place))
"""The columns of `frame` that hold its place."""


def insert(db: Database, table: str, **values: Any) -> None:
    """One row, inside the caller's transaction."""
    columns = ", ".join(f'"{column}"' for column in values)
    marks = ", ".join("?" * len(values))
    db.conn.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks})", list(values.values()))  # noqa: S608 - our own names


def place_columns(place: Place | None) -> dict[str, Any]:
    """A place as the columns of `frame`; before the first fix there is none yet."""
    if place is None:
        return {"time_source": "unset", "odometer_m": 0.0, "position_source": "ahead_of_fix"}
    return {
        "taken_at": iso_or_none(place.taken_at),
        "time_source": place.time_source,
        "latitude_deg": place.latitude_deg,
        "longitude_deg": place.longitude_deg,
        "accuracy_m": place.accuracy_m,
        "heading_deg": place.heading_deg,
        "speed_mps": place.speed_mps,
        "odometer_m": place.odometer_m,
        "position_source": place.position_source,
    }


def place_of(columns: Sequence[Any]) -> Place | None:
    """The place that `PLACE_COLUMNS` of `frame` hold, None where there is none yet."""
    held = dict(zip(PLACE_COLUMNS, columns, strict=True))
    taken_at = held["taken_at"]
    if held["latitude_deg"] is None or taken_at is None:
        return None
    return Place(**held | {"taken_at": datetime.fromisoformat(taken_at.replace("Z", "+00:00"))})


def detection_columns(detection: Detection) -> dict[str, Any]:
    """A detection as the columns of `detection`."""
    left, top, right, bottom = detection.box
    return {"label": detection.label, "score": detection.score, "left": left, "top": top, "right": right, "bottom": bottom}


def finding_columns(finding: Finding) -> dict[str, Any]:
    """A finding as the columns of `finding`."""
    return {
        "id": finding.id,
        "round_id": finding.round_id,
        "label": finding.label,
        "score": finding.score,
        "latitude_deg": finding.latitude_deg,
        "longitude_deg": finding.longitude_deg,
        "uncertainty_m": finding.uncertainty_m,
        "frames": finding.frames,
        "best_frame_id": finding.best_frame_id,
        "seen_at": iso_or_none(finding.seen_at),
        "area_m2": finding.area_m2,
        "severity": finding.severity,
        "first_frame_id": finding.first_frame_id,
        "last_frame_id": finding.last_frame_id,
        "width_m": finding.width_m,
        "length_m": finding.length_m,
        "odometer_m": finding.odometer_m,
        "right_m": finding.right_m,
    }


def track_event_data(round_id: str, piece: Piece) -> dict[str, Any]:
    """A piece of track as the data of its event."""
    return track_data(
        round_id,
        piece.points,
        from_at=piece.started_at,
        to_at=piece.ended_at,
        length_m=piece.end_m - piece.start_m,
        frames=piece.frames,
        filled_m=piece.filled_m,
        spacing=piece.spacing,
        gaps=[gap_data(gap.odometer_m, gap.length_m, gap.reason) for gap in piece.gaps],
    )


def iso_or_none(moment: datetime | None) -> str | None:
    """ISO 8601 where there is a moment."""
    return iso(moment) if moment is not None else None
