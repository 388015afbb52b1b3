"""What a receiver has stored, as the map tells it: GeoJSON (RFC 7946), longitude first, and plain JSON for the rest. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from sync.event import DECIMALS, position
from sync.receiver.seen import FindingSeen, Judged, RoundDriven, StretchGraded, ThingKnown, TrackDriven, UnitHeard, Visit

Json = dict[str, Any]


def unit_of(source: str) -> str:
    """`fleet/unit` of a CloudEvents source."""
    return source.removeprefix("/ronde/")


def finding_key(source: str, finding_id: str) -> str:
    """The id of a finding's feature: units that replay one drive give the same finding id."""
    return f"{unit_of(source)}/{finding_id}"


def photo_path(source: str, finding_id: str) -> str:
    """Where its picture is, seen from the map's page."""
    return f"photos/{quote(finding_id, safe='')}.jpg?{urlencode({'unit': unit_of(source)}, safe='/')}"


def finding_feature(finding: FindingSeen) -> Json:
    """A Point: the thing. `photo` is null where no picture has come."""
    return {
        "type": "Feature",
        "id": finding_key(finding.source, finding.finding_id),
        "geometry": {"type": "Point", "coordinates": position(finding.latitude_deg, finding.longitude_deg)},
        "properties": {
            "seq": finding.seq,
            "finding_id": finding.finding_id,
            "round_id": finding.round_id,
            "unit": unit_of(finding.source),
            "label": finding.label,
            "score": finding.score,
            "uncertainty_m": finding.uncertainty_m,
            "area_m2": finding.area_m2,
            "severity": finding.severity,
            "frames": finding.frames,
            "time": finding.time,
            "seen_at": finding.seen_at,
            "position_source": finding.position_source,
            "heading_deg": finding.heading_deg,
            "photo": photo_path(finding.source, finding.finding_id) if finding.photo else None,
            "note": finding.note,
        },
    }


def thing_feature(thing: ThingKnown) -> Json:
    """A Point: one real thing, as all rounds together know it. `photo` is null where no picture has come."""
    shown = thing.source is not None and thing.finding_id is not None
    return {
        "type": "Feature",
        "id": thing.id,
        "geometry": {"type": "Point", "coordinates": position(thing.latitude_deg, thing.longitude_deg)},
        "properties": {
            "number": thing.number,
            "label": thing.label,
            "state": thing.state,
            "state_at": thing.state_at,
            "in_round": thing.in_round,
            "score": thing.score,
            "uncertainty_m": None if thing.uncertainty_m is None else round(thing.uncertainty_m, 2),
            "area_m2": thing.area_m2,
            "severity": thing.severity,
            "frames": thing.frames,
            "rounds": thing.rounds,
            "missed": thing.missed,
            "first_seen_at": thing.first_seen_at,
            "last_seen_at": thing.last_seen_at,
            "visited_at": thing.visited_at,
            "judgement": thing.judgement,
            "judged_at": thing.judged_at,
            "judged_by": thing.judged_by,
            "note": thing.note,
            "unit": unit_of(thing.source) if thing.source is not None else None,
            "finding_id": thing.finding_id,
            "photo": photo_path(thing.source or "", thing.finding_id or "") if shown and thing.photo else None,
        },
    }


def visit_json(visit: Visit) -> Json:
    """What a round made of a thing; what it did not find has no place."""
    placed = visit.latitude_deg is not None and visit.longitude_deg is not None
    return {
        "at": visit.at,
        "state": visit.state,
        "reason": visit.reason,
        "unit": unit_of(visit.source),
        "round_id": visit.round_id,
        "finding_id": visit.finding_id,
        "label": visit.label,
        "score": visit.score,
        "coordinates": position(visit.latitude_deg or 0.0, visit.longitude_deg or 0.0) if placed else None,
        "uncertainty_m": visit.uncertainty_m,
        "area_m2": visit.area_m2,
        "severity": visit.severity,
        "heading_deg": visit.heading_deg,
        "patch": visit.patch,
        "photo": photo_path(visit.source, visit.finding_id) if visit.photo and visit.finding_id is not None else None,
    }


def judged_json(judged: Judged) -> Json:
    """What a person said."""
    return {"judgement": judged.judgement, "by": judged.by, "note": judged.note, "at": judged.at}


def track_feature(track: TrackDriven) -> Json:
    """A LineString: a piece of road driven."""
    return {
        "type": "Feature",
        "id": track.seq,
        "geometry": _line(track.line),
        "properties": {
            "seq": track.seq,
            "round_id": track.round_id,
            "unit": unit_of(track.source),
            "time": track.time,
            "from": track.began_at,
            "to": track.ended_at,
            "length_m": track.length_m,
            "frames": track.frames,
            "filled_m": track.filled_m,
            "gaps": list(track.gaps),
        },
    }


def grade_feature(stretch: StretchGraded) -> Json:
    """A LineString: a stretch of road with its grade."""
    return {
        "type": "Feature",
        "id": f"{stretch.seq}-{stretch.n}",
        "geometry": _line(stretch.line),
        "properties": {
            "seq": stretch.seq,
            "round_id": stretch.round_id,
            "unit": unit_of(stretch.source),
            "time": stretch.time,
            "from_m": stretch.from_m,
            "to_m": stretch.to_m,
            "grade": stretch.grade,
            "low": stretch.low,
            "high": stretch.high,
            "coverage": stretch.coverage,
            "cells": stretch.cells,
            "reasons": list(stretch.reasons),
        },
    }


def collection(features: Sequence[Json], following: str | None = None) -> Json:
    """A FeatureCollection; `following` is where the next page is, as a query string."""
    links = [] if following is None else [{"rel": "next", "type": "application/geo+json", "href": following}]
    return {"type": "FeatureCollection", "features": list(features), "links": links}


def unit_json(unit: UnitHeard) -> Json:
    """A unit and how it is: what it did not say is null."""
    return {
        "unit": unit_of(unit.source),
        "fleet": unit.fleet,
        "name": unit.name,
        "heard_at": unit.heard_at,
        "connection": unit.connection,
        "connection_at": unit.connection_at,
        "software": unit.software,
        "health_at": unit.health_at,
        "state": unit.state,
        "reasons": [reason for reason in unit.reasons if isinstance(reason, str)],
        "uptime_s": unit.uptime_s,
        "fix_age_s": unit.fix_age_s,
        "frames": unit.frames,
        "refused": unit.refused,
        "disk_free_bytes": unit.disk_free_bytes,
        "temperature_c": unit.temperature_c,
        "time_source": unit.time_source,
        "outbox_rows": unit.outbox_rows,
        "outbox_oldest_s": unit.outbox_oldest_s,
    }


def round_json(driven: RoundDriven) -> Json:
    """A round of a unit."""
    return {
        "round_id": driven.round_id,
        "unit": unit_of(driven.source),
        "began_at": driven.began_at,
        "ended_at": driven.ended_at,
        "findings": driven.findings,
        "length_m": driven.length_m,
        "last_seq": driven.last_seq,
        "joined_seq": driven.joined_seq,
    }


def changed_units(before: Mapping[str, Json], now: Mapping[str, Json]) -> list[Json]:
    """Those that are new, or not as they were."""
    return [told for name, told in now.items() if before.get(name) != told]


def _line(line: Sequence[tuple[float, float]]) -> Json:
    return {"type": "LineString", "coordinates": [[round(each, DECIMALS) for each in place] for place in line]}
