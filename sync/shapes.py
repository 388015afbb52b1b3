"""Which table a row out of a damaged file belongs to, by what stands in it."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from provisioning.settings import STREAMS

UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
TIME_SOURCES: Final = ("gnss", "system", "unset")
POSITION_SOURCES: Final = ("between_fixes", "ahead_of_fix", "filled")
REQUESTS: Final = ("pause", "resume", "hazard")


@dataclass(frozen=True, slots=True)
class Shape:
    """A table of the unit: how many columns its rows have at least, and what else makes one of it."""

    table: str
    least: int
    fits: Callable[[list[Any]], bool]


def table_of(values: list[Any], columns: Mapping[str, int]) -> str | None:
    """The table of a row; None for one that is none of ours, or is broken. `columns`: how many each table has today."""
    for shape in SHAPES:
        if shape.least <= len(values) <= columns[shape.table] and shape.fits(values):
            return shape.table
    return None


def _is_number(*values: Any) -> bool:
    return all(isinstance(value, int | float) for value in values)


def _is_text(*values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _is_event(row: list[Any]) -> bool:
    """A row of the outbox whose payload is whole: it is JSON and has the row's id."""
    if row[0] is not None or not _is_text(row[1], row[2], row[5], row[6]) or row[3] not in STREAMS:
        return False
    return bool(UUID.fullmatch(row[1])) and row[6].startswith("ronde/v") and _says(row[7], row[1])


def _says(payload: Any, id_: str) -> bool:
    if not isinstance(payload, bytes | str):
        return False
    if payload[:2] == b"\xff\xd8":  # a picture carries its id outside
        return True
    try:
        document = json.loads(payload)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and document.get("id") == id_


def _is_evidence(row: list[Any]) -> bool:
    return _is_text(row[0], row[1], row[3], row[8]) and _is_number(row[2], *row[4:8])


def _is_refused(row: list[Any]) -> bool:
    return _is_text(row[0], row[1], row[3]) and row[2] in STREAMS


def _is_frame(row: list[Any]) -> bool:
    return _is_text(row[0], row[1]) and row[3] in TIME_SOURCES and row[10] in POSITION_SOURCES


def _is_finding(row: list[Any]) -> bool:
    return _is_text(row[0], row[1], row[2], row[8]) and _is_number(row[3], row[4], row[5], row[6], row[7])


def _is_round(row: list[Any]) -> bool:
    return _is_text(row[0], row[3], row[4], row[5]) and row[4][:1] == "{" and row[5][:1] == "{"


def _is_track(row: list[Any]) -> bool:
    return _is_text(row[0], row[6]) and _is_number(row[1], row[2], row[3], row[7], row[8]) and row[6][:1] == "["


def _is_detection(row: list[Any]) -> bool:
    return _is_text(row[0], row[1]) and _is_number(*row[2:7])


def _is_gap(row: list[Any]) -> bool:
    return _is_text(row[0], row[3]) and _is_number(row[1], row[2])


def _is_request(row: list[Any]) -> bool:
    return row[0] is None and row[1] in REQUESTS


def _is_setting(row: list[Any]) -> bool:
    return _is_text(row[0]) and not isinstance(row[1], bytes)


SHAPES: Final = (
    Shape("outbox", 10, _is_event),
    Shape("frame", 16, _is_frame),
    Shape("finding", 12, _is_finding),
    Shape("refused", 6, _is_refused),
    Shape("round", 6, _is_round),
    Shape("track", 9, _is_track),
    Shape("evidence", 9, _is_evidence),
    Shape("detection", 7, _is_detection),
    Shape("request", 5, _is_request),
    Shape("gap", 4, _is_gap),
    Shape("setting", 2, _is_setting),
)
"""`setting` also takes the rows of SQLite's own `sqlite_sequence` (a name and a number), which look the same."""
