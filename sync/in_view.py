"""The things in view of a round, as rows: what a restart in mid-round needs, so that they become findings all the same.

They are written in the transaction of the frame that changed them; a round that is over has none.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any

from sqlite_utils import Database

from device.frame import Place
from inference.ellipse import Ellipse
from inference.lying import Lying
from inference.merge import Best, Merge, Thing
from inference.reckoning import Reckoned
from inference.standing import Standing
from inference.triangulate import Ray

CAR = 0
"""The number under which a round's row tells of the car itself; things are numbered from 1 on."""


def write_in_view(db: Database, round_id: str, before: Merge, after: Merge) -> None:
    """Write what a frame changed, inside the caller's transaction."""
    told_before, told = {each.number for each in before.told}, {each.number for each in after.told}
    gone = (before.things.keys() | told_before) - (after.things.keys() | told)
    db.conn.executemany("DELETE FROM in_view WHERE round_id = ? AND number = ?", [(round_id, number) for number in gone])
    changed = [(each, False) for number, each in after.things.items() if before.things.get(number) is not each]
    changed += [(each, True) for each in after.told if each.number not in told_before]
    rows = [(round_id, each.number, was_told, json.dumps(_thing_row(each))) for each, was_told in changed]
    rows.append((round_id, CAR, False, json.dumps(_car_row(after))))
    db.conn.executemany("INSERT OR REPLACE INTO in_view (round_id, number, told, thing) VALUES (?, ?, ?, ?)", rows)


def forget_in_view(db: Database, round_id: str) -> None:
    """The round is over; inside the caller's transaction."""
    db.conn.execute("DELETE FROM in_view WHERE round_id = ?", [round_id])


def read_in_view(db: Database, round_id: str) -> Merge:
    """The state in which a round was cut off."""
    rows = db.conn.execute("SELECT number, told, thing FROM in_view WHERE round_id = ? ORDER BY number", [round_id]).fetchall()
    merge = Merge()
    things: dict[int, Thing] = {}
    told: list[Thing] = []
    for number, was_told, text in rows:
        row = json.loads(text)
        if number == CAR:
            at = None if row["at"] is None else Reckoned(**row["at"])
            merge = replace(merge, at=at, place=_place_of(row["place"]), numbered=row["numbered"])
        elif was_told:
            told.append(_thing_of(row))
        else:
            things[number] = _thing_of(row)
    return replace(merge, things=MappingProxyType(things), told=tuple(told))


def _car_row(merge: Merge) -> dict[str, Any]:
    return {
        "at": None if merge.at is None else asdict(merge.at),
        "place": _place_row(merge.place),
        "numbered": merge.numbered,
    }


def _thing_row(thing: Thing) -> dict[str, Any]:
    shape, best = thing.shape, thing.best
    standing = {"label": shape.label, "rays": [asdict(ray) for ray in shape.rays]} if isinstance(shape, Standing) else None
    return {
        "number": thing.number,
        "lying": asdict(shape) if isinstance(shape, Lying) else None,
        "standing": standing,
        "best": asdict(best) | {"place": _place_row(best.place)},
        "seen": thing.seen,
        "evidence": dict(thing.evidence),
        "scores": dict(thing.scores),
        "alerted": thing.alerted,
    }


def _thing_of(row: Mapping[str, Any]) -> Thing:
    lying, standing, best = row["lying"], row["standing"], row["best"]
    shape: Lying | Standing
    if lying is not None:
        shape = Lying(**lying | {"each": Ellipse(*lying["each"]), "common": Ellipse(*lying["common"])})
    else:
        shape = Standing.of(standing["label"], [Ray(**ray) for ray in standing["rays"]])
    place = _place_of(best["place"])
    assert place is not None
    seen = tuple((frame_id, number) for frame_id, number in row["seen"])
    return Thing(
        row["number"], shape, Best(**best | {"place": place}), seen, row["evidence"], row["scores"], row.get("alerted", False)
    )


def _place_row(place: Place | None) -> dict[str, Any] | None:
    if place is None:
        return None
    return asdict(place) | {"taken_at": None if place.taken_at is None else place.taken_at.isoformat()}


def _place_of(row: Mapping[str, Any] | None) -> Place | None:
    if row is None:
        return None
    taken_at = row["taken_at"]
    return Place(**{**row, "taken_at": None if taken_at is None else datetime.fromisoformat(taken_at)})
