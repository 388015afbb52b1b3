"""The receiver's database: every event once, by its source and id, and what it tells beside it, in one transaction.

What is the same for every database stands here: which rows a batch makes, and in which order they are written.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

from sync.event import now
from sync.receiver.reading import Arrived, Presence, Reading, Refused
from sync.receiver.things import COLUMNS, HEAD, TABLES, Value

Row = Sequence[Value | bytes]


@dataclass(frozen=True, slots=True)
class Kept:
    """How many events of a batch were new, were there already, and were refused."""

    stored: int
    duplicates: int
    refused: int


@dataclass(frozen=True, slots=True)
class Stored:
    """An event in the database: its number (later is greater), and when it was received."""

    seq: int
    received_at: str
    event: Arrived

    @property
    def head(self) -> Row:
        """What each row of what it tells begins with (`HEAD`)."""
        return (self.seq, self.event.sender.source, self.event.id, self.event.time, self.received_at)


class Store(ABC):
    """An open database of a receiver; it belongs to the thread that opened it."""

    @abstractmethod
    def close(self) -> None:
        """Closes the database."""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[None]:
        """Everything inside is committed together, or nothing is; no other receiver writes meanwhile."""

    @abstractmethod
    def _put(self, events: Sequence[Arrived], at: str) -> Sequence[Stored]:
        """Writes events that are not there yet; those."""

    @abstractmethod
    def _add(self, table: str, rows: Sequence[Row]) -> None:
        """Writes new rows of a table, in the order of its `columns`."""

    @abstractmethod
    def _many(self, sql: str, rows: Sequence[Row]) -> None:
        """Runs a statement with `?` for its values, once for each row."""

    def keep(self, readings: Iterable[Reading]) -> Kept:
        """Stores a batch in one transaction: when this returns, it is on the disk.

        Raises:
            DatabaseFailed: it cannot be written now, and nothing of the batch was; the next call tries anew.
        """
        at, batch = now(), tuple(readings)
        arrived = {(each.sender, each.id): each for each in batch if isinstance(each, Arrived)}
        refused = {(_source(each), each.id, each.reason): each for each in batch if isinstance(each, Refused)}
        with self._transaction():
            new = self._put(tuple(arrived.values()), at)
            for table, rows in told(new).items():
                self._add(table, rows)
            self._many(ROUND, rounds(new))
            self._many(REFUSE, [(*key, at) for key in refused])
            heard = {each.sender.source for each in batch if isinstance(each, Arrived | Presence)}
            self._many(HEAR, [(source, at) for source in sorted(heard)])
            self._many(SEE, [(e.state, e.boot, e.software, at, e.sender.source) for e in batch if isinstance(e, Presence)])
            self._many(DIAGNOSE, healths(new))
        events = sum(isinstance(each, Arrived) for each in batch)
        return Kept(len(new), events - len(new), sum(isinstance(each, Refused) for each in batch))


def _source(refused: Refused) -> str:
    return refused.sender.source if refused.sender else ""


def told(new: Iterable[Stored]) -> Mapping[str, Sequence[Row]]:
    """What new events tell: the rows of each table (`columns`)."""
    rows: dict[str, list[Row]] = {}
    for each in new:
        for thing in each.event.things:
            if thing.table in TABLES:
                rows.setdefault(thing.table, []).append((*each.head, *thing.values))
    return rows


def healths(new: Iterable[Stored]) -> Sequence[Row]:
    """How units are: the latest of each is written last, and an earlier one changes nothing."""
    rows = [
        (*thing.values, each.event.sender.source, each.event.time)
        for each in new
        for thing in each.event.things
        if thing.table == "health"
    ]
    latest = {row[-2]: row for row in sorted(rows, key=lambda row: str(row[-1]))}
    return tuple(latest.values())


def rounds(new: Iterable[Stored]) -> Sequence[Row]:
    """What new findings, pieces of track and grades add to their rounds."""
    by_key: dict[tuple[str, str], tuple[str, str, int, float, str, int]] = {}
    for each in new:
        for thing in each.event.things:
            round_id = thing["round_id"] if thing.table in ("finding", "track", "grade") else None
            if not isinstance(round_id, str):
                continue
            key, time = (each.event.sender.source, round_id), each.event.time
            first, last, findings, length_m, _, seq = by_key.get(key, (time, time, 0, 0.0, "", 0))
            metres = thing["length_m"] if thing.table == "track" else 0.0
            by_key[key] = (
                min(first, time),
                max(last, time),
                findings + (thing.table == "finding"),
                length_m + (metres if isinstance(metres, int | float) else 0.0),
                each.received_at,
                max(seq, each.seq),
            )
    return [(*key, *values) for key, values in sorted(by_key.items())]


def columns(table: str) -> str:
    """Names of all columns for a statement. Quoted, since `from` and `to` are words of SQL."""
    return ", ".join(f'"{column}"' for column in (*HEAD, *COLUMNS[table]))


REFUSE: Final = (
    "INSERT INTO refused (source, id, reason, received_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (source, id, reason) DO UPDATE SET received_at = excluded.received_at"
)
"""What is refused again and again stands there once, with the time of its last arrival."""
HEAR: Final = "INSERT INTO unit (source, heard_at) VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET heard_at = excluded.heard_at"
SEE: Final = "UPDATE unit SET connection = ?, boot = ?, software = ?, connection_at = ? WHERE source = ?"
DIAGNOSE: Final = (
    f"UPDATE unit SET {', '.join(f'{column} = ?' for column in COLUMNS['health'])} "  # noqa: S608 - constants
    "WHERE source = ? AND (health_at IS NULL OR health_at <= ?)"
)
ROUND: Final = (
    "INSERT INTO round (source, round_id, began_at, ended_at, findings, length_m, heard_at, last_seq) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, round_id) DO UPDATE SET findings = round.findings + excluded.findings, "
    "length_m = round.length_m + excluded.length_m, heard_at = excluded.heard_at, last_seq = excluded.last_seq, "
    "began_at = CASE WHEN excluded.began_at < round.began_at THEN excluded.began_at ELSE round.began_at END, "
    "ended_at = CASE WHEN excluded.ended_at > round.ended_at THEN excluded.ended_at ELSE round.ended_at END"
)
