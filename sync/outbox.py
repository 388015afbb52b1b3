"""Events on their way, in SQLite: each leaves only when its backend has confirmed it.

What each call costs does not depend on how many rows wait: every query below is a search in an index or by number (a test asks
SQLite for its plans).
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from sqlite_utils import Database

from provisioning.settings import Backend, Stream
from sync.event import Event, headers, now, payload, topic

PRIORITY: Final = MappingProxyType({"alert": 0, "finding": 1, "grade": 2, "track": 3, "health": 4, "evidence": 5})
"""Which stream goes first: the lower number."""

HIGHEST: Final = 2**63 - 1
"""No number is above it."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """One event for one backend. `seq` grows for ever; `tries` counts the times its delivery failed for its own sake.

    `headers` are the user properties of a picture, None for an event that says all in its payload.
    """

    seq: int
    id: str
    stream: Stream
    topic: str
    payload: bytes
    tries: int
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Size:
    """What waits for a backend: how many rows, and when the oldest was made (None where nothing waits)."""

    rows: int
    oldest_at: str | None


class Outbox:
    """The table `outbox` of an open database."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def put(self, event: Event, backends: Iterable[Backend], urgency: Stream | None = None) -> list[int]:
        """One row for each backend that lists the event's stream; returns their numbers. `urgency`: that of another stream.

        Called inside the transaction that stores what the event tells, after its finding. The number stands in the payload as the
        extension `sequence`, so two backends get two payloads. Putting an event twice is a bug.
        """
        if not self._db.conn.in_transaction:
            raise RuntimeError("an event is put inside a transaction")
        first = 1 + self._last()
        wanted = [backend for backend in backends if event.stream in backend.streams]
        created_at, about = now(), _about(event)
        for seq, backend in enumerate(wanted, first):
            self._db.conn.execute(
                "INSERT INTO outbox (seq, id, backend, stream, priority, created_at, topic, payload, about, headers) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    seq,
                    event.id,
                    backend.name,
                    event.stream,
                    PRIORITY[urgency or event.stream],
                    created_at,
                    topic(event.unit, event.stream),
                    payload(event, seq) if event.picture is None else event.picture,
                    about,
                    None if event.picture is None else json.dumps(headers(event, seq)),
                ],
            )
        if wanted and about is not None:
            self._db.conn.execute(
                "UPDATE finding SET unconfirmed = coalesce(unconfirmed, 0) + ? WHERE id = ?", [len(wanted), about]
            )
        return list(range(first, first + len(wanted)))

    def next_seqs(
        self,
        backend: str,
        limit: int,
        skip: Collection[int] = (),
        *,
        above: int = 0,
        upto: int = HIGHEST,
        pictures: bool = True,
    ) -> list[int]:
        """At most `limit` numbers of `backend`'s rows, the most urgent stream first, then the oldest; none of `skip`.

        Only numbers greater than `above`, and not greater than `upto`; without `pictures` none of the least urgent.
        """
        found: list[int] = []
        for priority in PRIORITY.values() if pictures else list(PRIORITY.values())[:-1]:
            rows = self._db.conn.execute(
                "SELECT seq FROM outbox WHERE backend = ? AND priority = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                [backend, priority, above, upto, limit - len(found) + len(skip)],
            )
            found += [seq for (seq,) in rows if seq not in skip]
            if len(found) >= limit:
                break
        return found[:limit]

    def alerts(self, backend: str, limit: int, skip: Collection[int] = ()) -> list[int]:
        """The numbers of the oldest alerts, which go before everything."""
        rows = self._db.conn.execute(
            "SELECT seq FROM outbox WHERE backend = ? AND priority = ? ORDER BY seq LIMIT ?",
            [backend, PRIORITY["alert"], limit + len(skip)],
        )
        return [seq for (seq,) in rows if seq not in skip][:limit]

    def parcels(self, seqs: Sequence[int]) -> list[Parcel]:
        """The rows with these numbers, in this order; those that have left are left out."""
        found = (
            self._db.conn.execute(
                "SELECT seq, id, stream, topic, payload, tries, headers FROM outbox WHERE seq = ?", [seq]
            ).fetchone()
            for seq in seqs
        )
        return [_parcel(row) for row in found if row is not None]

    def newest(self) -> int:
        """The highest number in the table, 0 where it is empty."""
        row = self._db.conn.execute("SELECT max(seq) FROM outbox").fetchone()
        return int(row[0] or 0)

    def sent(self, backend: str, ids: Iterable[str]) -> list[int]:
        """The numbers of those of `ids` that were marked as sent and still wait; others are not found by their id."""
        found = self._db.conn.execute(
            "SELECT seq FROM outbox WHERE backend = ? AND sent_at IS NOT NULL AND id IN (SELECT value FROM json_each(?))",
            [backend, json.dumps(list(ids))],
        )
        return [seq for (seq,) in found]

    def confirm(self, seqs: Iterable[int]) -> list[int]:
        """Their backend has stored these: the rows leave. Called inside a transaction; returns the numbers that left."""
        left = self._db.conn.execute(
            "DELETE FROM outbox WHERE seq IN (SELECT value FROM json_each(?)) RETURNING seq, about", [json.dumps(list(seqs))]
        ).fetchall()
        self._db.conn.executemany(
            "UPDATE finding SET unconfirmed = unconfirmed - 1 WHERE id = ? AND unconfirmed > 0",
            [(about,) for _, about in left if about is not None],
        )
        return [seq for seq, _ in left]

    def refuse(self, seq: int, reason: str) -> list[int]:
        """Moves a row to `refused`; called inside a transaction. Returns its number, nothing where there is no such row."""
        self._db.conn.execute(
            "INSERT OR REPLACE INTO refused (id, backend, stream, reason, payload, refused_at) "
            "SELECT id, backend, stream, ?, payload, ? FROM outbox WHERE seq = ?",
            [reason, now(), seq],
        )
        return self.confirm([seq])

    def mark_sent(self, seqs: Iterable[int], at: str) -> int:
        """Notes when the broker took these rows over; they stay until they are confirmed."""
        return self._db.conn.execute(
            "UPDATE outbox SET sent_at = ? WHERE seq IN (SELECT value FROM json_each(?))", [at, json.dumps(list(seqs))]
        ).rowcount

    def count_try(self, seq: int) -> int:
        """Counts one failed delivery of a row; returns how many it has now, 0 where there is no such row."""
        row = self._db.conn.execute("UPDATE outbox SET tries = tries + 1 WHERE seq = ? RETURNING tries", [seq]).fetchone()
        return int(row[0]) if row else 0

    def waits(self, backend: str, *, pictures: bool = True) -> bool:
        """Whether anything waits for `backend`, beside pictures or with them."""
        least = max(PRIORITY.values()) + pictures
        row = self._db.conn.execute(
            "SELECT 1 FROM outbox WHERE backend = ? AND priority < ? LIMIT 1", [backend, least]
        ).fetchone()
        return row is not None

    def size(self, backend: str | None = None) -> Size:
        """What waits for `backend`, or for all. Counts rows, so it is for once a minute."""
        if backend is None:
            rows = self._db.conn.execute("SELECT count(*) FROM outbox").fetchone()[0]
            oldest = self._db.conn.execute("SELECT min(seq) FROM outbox").fetchone()[0]
        else:
            rows = self._db.conn.execute("SELECT count(*) FROM outbox WHERE backend = ?", [backend]).fetchone()[0]
            firsts = (
                self._db.conn.execute(
                    "SELECT min(seq) FROM outbox WHERE backend = ? AND priority = ?", [backend, each]
                ).fetchone()
                for each in PRIORITY.values()
            )
            oldest = min((seq for (seq,) in firsts if seq is not None), default=None)
        at = self._db.conn.execute("SELECT created_at FROM outbox WHERE seq = ?", [oldest]).fetchone()
        return Size(int(rows), at[0] if at else None)

    def refused(self) -> int:
        """How many events the backends have refused, or were set aside since they could not be delivered."""
        return int(self._db.conn.execute("SELECT count(*) FROM refused").fetchone()[0])

    def continue_above(self, seq: int) -> None:
        """Makes the next number higher than `seq`: after a database was set aside its numbers are never used again."""
        changed = self._db.conn.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'outbox'", [seq]).rowcount
        if not changed:
            self._db.conn.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('outbox', ?)", [seq])

    def _last(self) -> int:
        """The highest number ever given."""
        row = self._db.conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
        return int(row[0]) if row else 0


def _parcel(row: Sequence[Any]) -> Parcel:
    seq, id_, stream, topic_, payload_, tries, told = row
    return Parcel(seq, id_, stream, topic_, payload_, tries, None if told is None else json.loads(told))


def _about(event: Event) -> str | None:
    """The id of the finding that an event tells of."""
    found = event.subject or event.data.get("properties", {}).get("finding_id")
    return found if isinstance(found, str) else None
