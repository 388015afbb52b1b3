"""Events as they leave the unit: CloudEvents 1.0 in structured JSON mode, one schema for each stream (`sync/schemas/`)."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.resources import files
from typing import Any, Literal

from device.frame import Place, TimeSource
from inference.finding import Finding
from provisioning.settings import Camera, Stream, Unit

NAMESPACE = uuid.UUID("b3a7c1de-5f0a-4c86-9d53-70e1f4c0a9b2")
"""Ronde's own namespace of UUIDv5 event ids. It never changes."""

VERSION = 1
"""Of the streams' payloads: `ronde.<stream>.v1`."""

DECIMALS = 7
"""Of a coordinate in degrees: a centimetre (RFC 7946 advises no more)."""

State = Literal["recording", "paused", "waiting", "fault"]
"""What the capture is doing."""

SCHEMAS = ("ack", "alert", "birth", "command", "event", "evidence", "finding", "grade", "health", "state", "track")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing to tell the backends. `time` is when it happened; `data` is what `schemas/<stream>.json` describes.

    `picture` is a JPEG: it is then all of the payload, and `headers` say the rest.
    """

    unit: Unit
    stream: Stream | Literal["birth"]
    id: str
    time: datetime
    data: Mapping[str, Any]
    subject: str | None = None
    picture: bytes | None = None


def event_id(unit: Unit, stream: str, round_id: str, n: int) -> str:
    """The event's id, the same each time it is made from the same things."""
    return str(uuid.uuid5(NAMESPACE, f"{unit.fleet}/{unit.name}/{stream}/{round_id}/{n}"))


def source(unit: Unit) -> str:
    """Who sends: with the event's id the key by which a backend stores it once."""
    return f"/ronde/{unit.fleet}/{unit.name}"


def topic(unit: Unit, stream: str) -> str:
    """Where a unit's `stream` is published."""
    return f"ronde/v{VERSION}/{unit.fleet}/{unit.name}/{stream}"


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC with milliseconds and Z. A moment without a zone is a bug."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment} has no time zone")
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """The system's time, as `iso` writes it."""
    return iso(datetime.now(timezone.utc))


def compact(value: Mapping[str, Any]) -> bytes:
    """JSON in one canonical form: sorted keys, no blanks, UTF-8. Not-a-number is a bug."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def payload(event: Event, seq: int | None) -> bytes:
    """The event as it is published; `seq` is its number in the outbox, None for one that never stands there (`birth`)."""
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": event.id,
        "source": source(event.unit),
        "type": f"ronde.{event.stream}.v{VERSION}",
        "time": iso(event.time),
        "datacontenttype": "application/geo+json" if "geometry" in event.data else "application/json",
        "dataschema": f"urn:ronde:schema:{event.stream}:{VERSION}",
        "data": event.data,
    }
    if event.subject is not None:
        attributes["subject"] = event.subject
    if seq is not None:
        attributes["sequence"] = f"{seq:012d}"
    return compact(attributes)


def headers(event: Event, seq: int) -> dict[str, str]:
    """The attributes of an event in binary mode, as MQTT user properties: its payload is its picture alone."""
    if event.subject is None:
        raise ValueError("a picture says what it shows")
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": source(event.unit),
        "type": f"ronde.{event.stream}.v{VERSION}",
        "time": iso(event.time),
        "sequence": f"{seq:012d}",
        "subject": event.subject,
    }


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema 2020-12 of a stream's data, or of the CloudEvent around it (`event`); one of `SCHEMAS`."""
    text = files("sync").joinpath("schemas", f"{name}.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def finding_data(finding: Finding, camera: Place, photo_sha256: str | None) -> dict[str, Any]:
    """A finding as a GeoJSON Feature: the point is the thing, `camera` the place of its best frame."""
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": position(finding.latitude_deg, finding.longitude_deg)},
        "properties": {
            "finding_id": finding.id,
            "round_id": finding.round_id,
            "label": finding.label,
            "score": round(finding.score, 4),
            "uncertainty_m": round(finding.uncertainty_m, 2),
            "area_m2": None if finding.area_m2 is None else round(finding.area_m2, 3),
            "severity": finding.severity,
            "frames": finding.frames,
            "seen_at": None if finding.seen_at is None else iso(finding.seen_at),
            "model": finding.model,
            "position_source": camera.position_source,
            "photo_sha256": photo_sha256,
            "camera": {
                "latitude_deg": round(camera.latitude_deg, DECIMALS),
                "longitude_deg": round(camera.longitude_deg, DECIMALS),
                "heading_deg": None
                if camera.heading_deg is None
                else round(camera.heading_deg % 360, 1) % 360,  # 359.96 rounds to 360
            },
        },
    }


def gap_data(odometer_m: float, length_m: float, reason: str) -> dict[str, Any]:
    """A piece of road without a photo, as it stands in a track."""
    return {"odometer_m": round(odometer_m, 1), "length_m": round(length_m, 1), "reason": reason}


def track_data(
    round_id: str,
    points: Sequence[tuple[float, float]],
    *,
    from_at: datetime | None,
    to_at: datetime | None,
    length_m: float,
    frames: int,
    filled_m: float,
    spacing: Mapping[str, Any],
    gaps: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """The road driven since the last track, as a GeoJSON Feature. `points` are (latitude_deg, longitude_deg), two at least."""
    if len(points) < 2:
        raise ValueError("a line has two points at least")
    return {
        "type": "Feature",
        "geometry": {"type": "LineString", "coordinates": [position(*point) for point in points]},
        "properties": {
            "round_id": round_id,
            "from": None if from_at is None else iso(from_at),
            "to": None if to_at is None else iso(to_at),
            "length_m": round(length_m, 1),
            "frames": frames,
            "gaps": list(gaps),
            "filled_m": round(filled_m, 1),
            "spacing": dict(spacing),
        },
    }


def health_data(
    *,
    boot: str,
    uptime_s: float,
    state: State,
    time_source: TimeSource,
    outbox: tuple[int, float | None],
    reasons: Sequence[str] = (),
    fix_age_s: float | None = None,
    frames: int = 0,
    dropped: Mapping[str, int] | None = None,
    rejected: Mapping[str, int] | None = None,
    refused: int = 0,
    disk_free_bytes: int = 0,
    temperature_c: float | None = None,
    bytes_day: int = 0,
    bytes_month: int = 0,
) -> dict[str, Any]:
    """How the unit is. `outbox` is (rows, age of the oldest in seconds); bytes are those sent."""
    rows, oldest_s = outbox
    return {
        "boot": boot,
        "uptime_s": round(uptime_s, 1),
        "state": state,
        "reasons": list(reasons),
        "fix_age_s": None if fix_age_s is None else round(fix_age_s, 1),
        "frames": frames,
        "dropped": dict(dropped or {}),
        "rejected": dict(rejected or {}),
        "outbox": {"rows": rows, "oldest_s": None if oldest_s is None else round(oldest_s, 1)},
        "refused": refused,
        "disk_free_bytes": disk_free_bytes,
        "temperature_c": None if temperature_c is None else round(temperature_c, 1),
        "bytes_day": bytes_day,
        "bytes_month": bytes_month,
        "time_source": time_source,
    }


def birth_data(
    unit: Unit, *, boot: str, software: str, models: Mapping[str, str], camera: Camera, streams: Sequence[Stream]
) -> dict[str, Any]:
    """Who has just connected. `models` maps a model's file name to its sha256."""
    return {
        "fleet": unit.fleet,
        "unit": unit.name,
        "boot": boot,
        "software": software,
        "models": dict(models),
        "camera": {
            "width": camera.width,
            "height": camera.height,
            "height_m": camera.height_m,
            "pitch_deg": camera.pitch_deg,
            "yaw_deg": camera.yaw_deg,
            "hfov_deg": camera.hfov_deg,
            "k1": camera.k1,
        },
        "streams": list(streams),
    }


def state_data(state: Literal["online", "lost"], boot: str, software: str) -> dict[str, Any]:
    """The retained message of the topic `state`, and the last will: no CloudEvent, since a will has no time of its own."""
    return {"state": state, "boot": boot, "software": software}


def position(latitude_deg: float, longitude_deg: float) -> list[float]:
    """A GeoJSON position: longitude first."""
    return [round(longitude_deg, DECIMALS), round(latitude_deg, DECIMALS)]
