"""What a receiver has stored, as layers: things as all rounds know them, findings, tracks, grades, and tasks. Reads alone."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

from sync.layers import Feature, Layer, position
from sync.map.features import grade_feature, thing_feature, track_feature, unit_of
from sync.receiver.asking import MOST
from sync.receiver.atlas import Atlas
from sync.receiver.seen import FindingSeen, ThingKnown
from sync.tasks import TASK_COLUMNS, Work, task_of

THING_COLUMNS: Final = (
    "id", "label", "state", "state_at", "score", "uncertainty_m", "area_m2", "severity", "rounds", "missed", "first_seen_at",
    "last_seen_at", "visited_at", "judgement", "judged_at", "judged_by", "note", "unit", "finding_id",
)  # fmt: skip
FINDING_COLUMNS: Final = (
    "finding_id", "round_id", "unit", "label", "score", "uncertainty_m", "area_m2", "severity", "frames", "time", "seen_at",
    "position_source", "heading_deg",
)  # fmt: skip
TRACK_COLUMNS: Final = ("round_id", "unit", "time", "from", "to", "length_m", "frames", "filled_m", "gaps")
GRADE_COLUMNS: Final = (
    "round_id", "unit", "time", "from_m", "to_m", "grade", "low", "high", "coverage", "cells", "reasons",
)  # fmt: skip
TOWN_LAYERS: Final = ("things", "findings", "tracks", "grades", "tasks")

Row = TypeVar("Row")


def town_layer(atlas: Atlas, name: str) -> Layer:
    """A layer of a receiver's database, one of `TOWN_LAYERS`. Reading it may raise `DatabaseFailed`."""
    if name == "findings":
        return Layer(name, "Point", FINDING_COLUMNS, (_finding(each) for each in _pages(atlas.findings, lambda row: row.seq)))
    if name == "tracks":
        rows = _pages(atlas.tracks, lambda row: row.seq)
        return Layer(name, "LineString", TRACK_COLUMNS, (_line(track_feature(each), TRACK_COLUMNS) for each in rows))
    if name == "grades":
        stretches = _pages(atlas.grades, lambda row: row.seq)
        return Layer(name, "LineString", GRADE_COLUMNS, (_line(grade_feature(each), GRADE_COLUMNS) for each in stretches))
    things = _pages(atlas.things, lambda row: row.number)
    if name == "tasks":
        return Layer(name, "Point", TASK_COLUMNS, _tasks(things))
    return Layer(name, "Point", THING_COLUMNS, (_thing(each) for each in things))


def _pages(ask: Callable[..., Sequence[Row]], number: Callable[[Row], int]) -> Iterator[Row]:
    """All rows, page after page: the database is never held for long."""
    after = 0
    while page := ask(after=after, limit=MOST):
        yield from page
        after = number(page[-1])


def _thing(thing: ThingKnown) -> Feature:
    told = thing_feature(thing)["properties"] | {"id": thing.id}
    return Feature(thing.id, [position(thing.longitude_deg, thing.latitude_deg)], _of(told, THING_COLUMNS))


def _finding(finding: FindingSeen) -> Feature:
    values = {name: unit_of(finding.source) if name == "unit" else getattr(finding, name) for name in FINDING_COLUMNS}
    id_ = f"{unit_of(finding.source)}/{finding.finding_id}"
    return Feature(id_, [position(finding.longitude_deg, finding.latitude_deg)], values)


def _line(feature: dict[str, Any], columns: Sequence[str]) -> Feature:
    places = [position(*each) for each in feature["geometry"]["coordinates"]]
    return Feature(str(feature["id"]), places, _of(feature["properties"], columns))


def _tasks(things: Iterator[ThingKnown]) -> Iterator[Feature]:
    for thing in things:
        work = Work(
            thing.id, thing.label, thing.severity, thing.area_m2, thing.uncertainty_m, thing.frames, thing.rounds,
            thing.first_seen_at, thing.last_seen_at, thing.state, thing.judgement,
        )  # fmt: skip
        place = position(thing.longitude_deg, thing.latitude_deg)
        columns = task_of(work, place)
        if columns is not None:
            yield Feature(thing.id, [place], columns)


def _of(values: dict[str, Any], columns: Sequence[str]) -> dict[str, Any]:
    return {name: values[name] for name in columns}
