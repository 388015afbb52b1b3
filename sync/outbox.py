"""Events on their way, in SQLite: each leaves only when its backend has confirmed it."""

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from sqlite_utils import Database

from provisioning.settings import Backend, Stream
from sync.event import Event, now, payload, topic

PRIORITY: Final = MappingProxyType({"alert": 0, "finding": 1, "grade": 2, "track": 3, "health": 4, "evidence": 5})
"""Which stream goes first: the lower number."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One event for one backend. `seq` grows for ever; `tries` counts the times its delivery failed for its own sake."""

    seq: int
    id: str
    stream: Stream
    topic: str
    payload: bytes
    tries: int


@dataclass(frozen=True, slots=True)
class Size:
    """What waits for a backend: how many rows, and when the oldest was made (None where nothing waits)."""

    rows: int
    oldest_at: str | None


class Outbox:
    """The table `outbox` of an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, event: Event, backends: Iterable[Backend]) -> list[int]:
        """One row for each backend that lists the event's stream; returns their numbers.

        Called inside the transaction that stores what the event tells. The number stands in the payload as the extension
        `sequence`, so two backends get two payloads. Putting an event twice is a bug.
        """
        if not self._db.conn.in_transaction:
            raise RuntimeError("an event is put inside a transaction")
        row = self._db.conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        first = 1 + (row[0] if row else 0)
        wanted = [backend for backend in backends if event.stream in backend.streams]
        created_at = now()
        for seq, backend in enumerate(wanted, first):
            self._db.conn.execute(
                "INSERT INTO outbox (seq, id, backend, stream, priority, created_at, topic, payload) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    seq,
                    event.id,
                    backend.name,
                    event.stream,
                    PRIORITY[event.stream],
                    created_at,
                    topic(event.unit, event.stream),
                    payload(event, seq),
                ],
            )
        return list(range(first, first + len(wanted)))

    def next_parcels(self, backend: str, limit: int, skip: Collection[int] = (), above: int = 0) -> list[Parcel]:
        """At most `limit` rows of `backend`, the most urgent stream first, then the oldest; none of `skip`.

        `above` leaves out the numbers up to it: what has arrived lately, however much waits before it.
        """
        if above:  # a short range at the end of the table: read it by its number
            found = self._db.conn.execute(
                "SELECT seq FROM outbox WHERE seq > ? AND +backend = ? ORDER BY +priority, seq LIMIT ?",
                [above, backend, limit + len(skip)],
            )
        else:
            found = self._db.conn.execute(
                "SELECT seq FROM outbox WHERE backend = ? ORDER BY priority, seq LIMIT ?", [backend, limit + len(skip)]
            )
        return self.parcels([seq for (seq,) in found if seq not in skip][:limit])

    def parcels(self, seqs: Sequence[int]) -> list[Parcel]:
        """The rows with these numbers, in this order; those that have left are left out."""
        found = (
            self._db.conn.execute("SELECT seq, id, stream, topic, payload, tries FROM outbox WHERE seq = ?", [seq]).fetchone()
            for seq in seqs
        )
        return [Parcel(*row) for row in found if row is not None]

    def newest(self) -> int:
        """The highest number in the table, 0 where it is empty."""
        row = self._db.conn.execute("SELECT max(seq) FROM outbox").fetchone()
        return int(row[0] or 0)

    def acknowledge(self, backend: str, ids: Iterable[str]) -> list[int]:
        """The backend has stored these: their rows leave. Unknown ids are ignored; returns the numbers of the rows that left."""
        left = self._db.conn.execute(
            "DELETE FROM outbox WHERE backend = ? AND id IN (SELECT value FROM json_each(?)) RETURNING seq",
            [backend, json.dumps(list(ids))],
        )
        return [seq for (seq,) in left.fetchall()]

    def refuse(self, backend: str, id_: str, reason: str) -> list[int]:
        """Moves a row to `refused`; called inside a transaction. Returns its number, nothing where there is no such row."""
        self._db.conn.execute(
            "INSERT OR REPLACE INTO refused (id, backend, stream, reason, payload, refused_at) "
            "SELECT id, backend, stream, ?, payload, ? FROM outbox WHERE backend = ? AND id = ?",
            [reason, now(), backend, id_],
        )
        return self.acknowledge(backend, [id_])

    def mark_sent(self, seqs: Iterable[int], at: str) -> int:
        """Notes when the broker took these rows over; they stay until they are confirmed."""
        return self._db.conn.execute(
            "UPDATE outbox SET sent_at = ? WHERE seq IN (SELECT value FROM json_each(?))", [at, json.dumps(list(seqs))]
        ).rowcount

    def count_try(self, seq: int) -> int:
        """Counts one failed delivery of a row; returns how many it has now, 0 where there is no such row."""
        row = self._db.conn.execute("UPDATE outbox SET tries = tries + 1 WHERE seq = ? RETURNING tries", [seq]).fetchone()
        return int(row[0]) if row else 0

    def waits(self, backend: str) -> bool:
        """Whether anything waits for `backend`."""
        return self._db.conn.execute("SELECT 1 FROM outbox WHERE backend = ? LIMIT 1", [backend]).fetchone() is not None

    def size(self, backend: str | None = None) -> Size:
        """What waits for `backend`, or for all."""
        where, values = ("", []) if backend is None else (" WHERE backend = ?", [backend])
        rows = self._db.conn.execute(f"SELECT count(*) FROM outbox{where}", values).fetchone()[0]  # noqa: S608 - no value in it
        oldest = self._db.conn.execute(
            f"SELECT created_at FROM outbox{where} ORDER BY seq LIMIT 1",  # noqa: S608 - no value in it
            values,
        ).fetchone()
        return Size(int(rows), oldest[0] if oldest else None)

    def refused(self) -> int:
        """How many events the backends have refused."""
        return int(self._db.conn.execute("SELECT count(*) FROM refused").fetchone()[0])

    def continue_above(self, seq: int) -> None:
        """Makes the next number higher than `seq`: after a database was set aside its numbers are never used again."""
        changed = self._db.conn.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'outbox'", [seq]).rowcount
        if not changed:
            self._db.conn.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', ?)", [seq])
