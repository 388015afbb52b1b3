"""Where joins are read from and written to: what is the same for each database.

A join reads, works, and then writes in one transaction, if no other receiver has joined anything meanwhile (`joining.version`).
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from math import floor
from typing import Any, Final

from sync.receiver.driven import Found, Known, Round, Track
from sync.receiver.fate import Fate
from sync.receiver.seen import State
from sync.receiver.visits import Visited, memory_json, memory_of

CELL_DEG: Final = 0.0004
"""Things are found by the square that they lie in: 44 m from north to south, less from west to east."""
COLUMNS_OF_CELLS: Final = 1_000_000
MOST_CELLS: Final = 400
"""Squares in one question."""
SHORT_M: Final = 25.0
"""Stretches longer than this say too little about where pictures could not be judged."""

VISITED: Final = tuple(each.name for each in fields(Visited))
FATE: Final = tuple(each.name for each in fields(Fate) if each.name != "memory")

DUE: Final = (
    "SELECT source, round_id, last_seq FROM round WHERE last_seq > joined_seq AND (heard_at <= ? OR joined_at <= ?) "
    "ORDER BY heard_at LIMIT 1"
)
FOUND: Final = (
    "SELECT seq, id, coalesce(seen_at, time), label, score, latitude_deg, longitude_deg, uncertainty_m, area_m2, severity, "
    "heading_deg, (SELECT thing FROM thing_history WHERE thing_history.seq = finding.seq) FROM finding "
    "WHERE round_id = ? AND source = ? AND label != 'hazard' ORDER BY seq"  # what a driver marks is no thing of the road
)
TRACK: Final = (
    'SELECT geojson, coalesce("from", time), coalesce("to", time), length_m, gaps FROM track WHERE round_id = ? AND source = ? '
    'ORDER BY coalesce("from", time), seq'
)
POOR: Final = (
    "SELECT geojson FROM grade WHERE round_id = ? AND source = ? AND grade IS NULL AND to_m - from_m <= ? ORDER BY seq, n"
)
STORED: Final = "SELECT thing, n, reason, patch FROM thing_history WHERE round_id = ? AND source = ?"
THING: Final = f"SELECT number, id, judgement, {', '.join(FATE)}, fold FROM thing WHERE "  # noqa: S608 - our own names
IN_CELLS: Final = "cell IN ({})"
OF_ROUND: Final = "number IN (SELECT thing FROM thing_history WHERE round_id = ? AND source = ?)"
HISTORY: Final = f"SELECT state, {', '.join(VISITED)} FROM thing_history WHERE thing = ?"  # noqa: S608 - our own names
TAKE: Final = "UPDATE joining SET version = version + 1 WHERE version = ?"
JOINED: Final = "UPDATE round SET joined_seq = ?, joined_at = ? WHERE source = ? AND round_id = ?"
FORGET: Final = "DELETE FROM thing_history WHERE thing = ? AND source = ? AND round_id = ? AND n = 0"
RENAME: Final = "UPDATE thing_history SET state = ? WHERE thing = ? AND source = ? AND round_id = ? AND n = ?"
KEPT: Final = (*FATE, "cell", "fold")
ADD: Final = f"INSERT INTO thing ({', '.join(KEPT)}, number, id) VALUES ({', '.join('?' * (len(KEPT) + 2))})"  # noqa: S608
CHANGE: Final = f"UPDATE thing SET {', '.join(f'{name} = ?' for name in KEPT)} WHERE number = ?"  # noqa: S608 - our own names
VISIT: Final = (
    f"INSERT INTO thing_history (thing, state, seq, {', '.join(VISITED)}) "  # noqa: S608 - our own names
    f"VALUES ({', '.join('?' * (len(VISITED) + 3))}) ON CONFLICT (thing, source, round_id, n) DO UPDATE SET "
    "state = excluded.state, at = excluded.at, reason = excluded.reason, miss = excluded.miss, patch = excluded.patch"
)


@dataclass(frozen=True, slots=True)
class Due:
    """A round that is to be joined, up to an event."""

    source: str
    round_id: str
    last_seq: int


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing as it stands in the database. A round changes few of those around it: only these are read whole."""

    number: int
    id: str
    rejected: bool
    columns: Mapping[str, Any]
    fold: str

    @property
    def fate(self) -> Fate:
        """All of it."""
        return Fate(**self.columns, memory=memory_of(json.loads(self.fold)))

    def known(self, seen: Collection[int]) -> Known:
        """What a join has to know of it; `seen` are the things that its round has seen before."""
        columns = self.columns
        return Known(
            self.number,
            self.id,
            columns["label"],
            columns["aligned_latitude_deg"],
            columns["aligned_longitude_deg"],
            columns["seen_from"],
            columns["first_seen_at"],
            ended=self.rejected or columns["state"] in ("repaired", "gone"),
            own=columns["rounds"] == 1 and self.number in seen,
        )


@dataclass(frozen=True, slots=True)
class Around:
    """What stands in the database around a round. `stored` maps thing and finding (0: none) to the reason and the patch."""

    version: int
    next_number: int
    round: Round
    things: Mapping[int, Thing]
    stored: Mapping[tuple[int, int], tuple[str | None, str | None]]

    def known(self) -> Sequence[Known]:
        """The things, as far as a join has to know them."""
        seen = {number for number, n in self.stored if n > 0}
        return [each.known(seen) for each in self.things.values()]


@dataclass(frozen=True, slots=True)
class Changed:
    """What a join changes: new things with their ids, others, rows of the history, and rows that are no longer true."""

    new: Sequence[tuple[int, str, Fate]]
    things: Sequence[tuple[int, Fate]]
    visits: Sequence[tuple[int, State, Visited]]
    renamed: Sequence[tuple[int, State, Visited]] = field(default=())
    forgotten: Sequence[int] = field(default=())


class JoinStore(ABC):
    """An open database; it belongs to the thread that opened it. Everything may raise `DatabaseFailed`."""

    @abstractmethod
    def close(self) -> None:
        """Closes the database."""

    @abstractmethod
    def _rows(self, sql: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """The rows of a statement with `?` for its values; moments as text."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[None]:
        """Everything inside is committed together, or nothing is."""

    @abstractmethod
    def _many(self, sql: str, rows: Sequence[Sequence[Any]]) -> int:
        """Runs a statement once for each row, inside a transaction; how many rows of the table it touched."""

    def due(self, quiet_since: str, joined_since: str) -> Due | None:
        """The round that waits longest: silent since the one moment, or not joined since the other."""
        rows = self._rows(DUE, [quiet_since, joined_since])
        return Due(*rows[0]) if rows else None

    def read(self, due: Due) -> Around:
        """The round, and all that is known around it."""
        key = [due.round_id, due.source]
        version = self._rows("SELECT version FROM joining", [])[0][0]
        found = [Found(*row) for row in self._rows(FOUND, key)]
        tracks = [
            Track(json.loads(line)["coordinates"], began_at, ended_at, length_m or 0.0, tuple(_gaps(gaps)))
            for line, began_at, ended_at, length_m, gaps in self._rows(TRACK, key)
        ]
        poor = [json.loads(line)["coordinates"] for (line,) in self._rows(POOR, [*key, SHORT_M])]
        rows = list(self._rows(THING + OF_ROUND, key))
        cells = sorted(_around(found, tracks))
        for first in range(0, len(cells), MOST_CELLS):
            some = cells[first : first + MOST_CELLS]
            rows += self._rows(THING + IN_CELLS.format(", ".join("?" * len(some))), some)
        stored = {(thing, n): (reason, patch) for thing, n, reason, patch in self._rows(STORED, key)}
        number = self._rows("SELECT coalesce(max(number), 0) + 1 FROM thing", [])[0][0]
        round_ = Round(due.source, due.round_id, found, tracks, poor)
        return Around(version, number, round_, {row[0]: _thing(row) for row in rows}, stored)

    def count(self) -> int:
        """How many things are known."""
        return int(self._rows("SELECT count(*) FROM thing", [])[0][0])

    def history(self, number: int) -> Sequence[tuple[State, Visited]]:
        """All visits of a thing, and what each made of it."""
        return [(row[0], Visited(*row[1:])) for row in self._rows(HISTORY, [number])]

    def write(self, due: Due, version: int, changed: Changed, at: str) -> bool:
        """Keeps a join; False, and nothing is kept, where another receiver has joined something meanwhile."""
        key = (due.source, due.round_id)
        with self._transaction():
            if self._many(TAKE, [(version,)]) != 1:
                return False
            self._many(ADD, [(*_columns(fate), number, id_) for number, id_, fate in changed.new])
            self._many(CHANGE, [(*_columns(fate), number) for number, fate in changed.things])
            self._many(FORGET, [(number, *key) for number in changed.forgotten])
            self._many(VISIT, [(number, state, visit.n or None, *_values(visit)) for number, state, visit in changed.visits])
            self._many(
                RENAME, [(state, number, visit.source, visit.round_id, visit.n) for number, state, visit in changed.renamed]
            )
            self._many(JOINED, [(due.last_seq, at, *key)])
        return True


def cell_of(latitude_deg: float, longitude_deg: float) -> int:
    """The square that a place lies in."""
    return floor((latitude_deg + 90.0) / CELL_DEG) * COLUMNS_OF_CELLS + floor((longitude_deg + 180.0) / CELL_DEG)


def _around(found: Iterable[Found], tracks: Iterable[Track]) -> set[int]:
    """The squares in which the things lie that a round may have seen, and those around them."""
    own = {cell_of(each.latitude_deg, each.longitude_deg) for each in found}
    own |= {cell_of(latitude_deg, longitude_deg) for track in tracks for longitude_deg, latitude_deg, *_ in track.line}
    return {cell + up * COLUMNS_OF_CELLS + right for cell in own for up in (-1, 0, 1) for right in (-1, 0, 1)}


def _gaps(gaps: Any) -> Iterator[tuple[float, float]]:
    """Where road without a photo begins, and how long it is; what is not of this form says nothing."""
    for gap in json.loads(gaps) if isinstance(gaps, str) else gaps:
        at_m, length_m = (gap.get("odometer_m"), gap.get("length_m")) if isinstance(gap, dict) else (None, None)
        if isinstance(at_m, int | float) and isinstance(length_m, int | float):
            yield at_m, length_m


def _thing(row: Sequence[Any]) -> Thing:
    number, id_, judgement, *values, fold = row
    return Thing(number, id_, judgement == "rejected", dict(zip(FATE, values, strict=True)), fold)


def _columns(fate: Fate) -> Sequence[Any]:
    cell = cell_of(fate.aligned_latitude_deg, fate.aligned_longitude_deg)
    return (*(getattr(fate, name) for name in FATE), cell, json.dumps(memory_json(fate.memory), separators=(",", ":")))


def _values(visit: Visited) -> Sequence[Any]:
    return [getattr(visit, name) for name in VISITED]
