"""What a broker and a backend have said, until it is booked in SQLite: all of it in one transaction, or again at the next try."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from sqlite_utils import Database

from sync.answer import Answer
from sync.budget import count_metered
from sync.contact import note_contact
from sync.database import transaction
from sync.event import now
from sync.flight import Flight
from sync.health import count_bytes
from sync.outbox import Outbox, Parcel

TRIES = 5
"""An event that fails so often for its own sake goes to the table `refused`."""

MARK_S = 1.0
"""`sent_at` is written for what is not confirmed by then: most rows have left, and are spared a write."""


BATCH = 400
LATE_S = 0.1
"""While much is on its way, so many answers, or the answers of so long, are booked together: each booking waits for the disk."""


@dataclass(frozen=True, slots=True)
class Booked:
    """The numbers of the rows that have left, by why."""

    confirmed: tuple[int, ...] = ()
    refused: tuple[int, ...] = ()


class Ledger:
    """One backend's. What is noted stays noted until `book` has committed it, whatever fails in between."""

    def __init__(self, db: Database, backend: str, flight: Flight, clock: Callable[[], float]) -> None:
        self._db = db
        self._outbox = Outbox(db)
        self._backend = backend
        self._flight = flight
        self._clock = clock
        self._confirmed: dict[int, None] = {}
        self._refused: dict[int, str] = {}
        self._unknown: dict[str, str | None] = {}
        self._failed: list[tuple[int, str]] = []
        self._unmarked: deque[tuple[float, int]] = deque()
        self._bytes = self._metered = 0
        self._since_s: float | None = None

    def noted(self) -> int:
        """How many answers are not booked yet."""
        return len(self._confirmed) + len(self._refused) + len(self._unknown) + len(self._failed)

    def can_wait_s(self) -> float:
        """How long what is noted may still wait for more, 0 where it should be booked now."""
        noted = self.noted()
        if not noted:
            self._since_s = None
            return math.inf
        if self._since_s is None:
            self._since_s = self._clock()
        return 0.0 if noted >= BATCH else max(0.0, self._since_s + LATE_S - self._clock())

    def answer(self, answer: Answer) -> None:
        """The backend has stored events, and will never take others."""
        for id_ in answer.acked:
            seq = self._flight.seq_of(id_)
            if seq is None:
                self._unknown[id_] = None
            else:
                self._confirmed[seq] = None
                self._flight.settle(seq)
        for id_, reason in answer.refused:
            seq = self._flight.seq_of(id_)
            if seq is None:
                self._unknown[id_] = reason
            else:
                self._refused[seq] = reason
                self._flight.settle(seq)

    def confirm(self, parcel: Parcel) -> None:
        """This parcel is where it should be."""
        self._confirmed[parcel.seq] = None
        self._flight.settle(parcel.seq)

    def refuse(self, parcel: Parcel, reason: str) -> None:
        """This parcel can never be delivered."""
        self._refused[parcel.seq] = reason
        self._flight.settle(parcel.seq)

    def fail(self, parcel: Parcel, reason: str) -> None:
        """A delivery failed for the parcel's own sake; `TRIES` of them and it is set aside."""
        self._failed.append((parcel.seq, reason))

    def taken(self, parcel: Parcel) -> None:
        """The broker took it over; it is marked as sent where it is not confirmed soon."""
        self._unmarked.append((self._clock() + MARK_S, parcel.seq))

    def sent(self, bytes_: int, *, metered: bool) -> None:
        """So many bytes went out, for the data plan; `metered`: over a link that costs money."""
        self._bytes += bytes_
        self._metered += bytes_ if metered else 0

    def book(self) -> Booked:
        """Everything noted, in one transaction; none where nothing changes.

        Raises:
            DatabaseFailed, DatabaseDamaged: nothing was booked; it is still noted.
        """
        now_s = self._clock()
        marked = [seq for due_s, seq in self._unmarked if due_s <= now_s and self._flight.awaits(seq)]
        if not (self.noted() or marked):
            self._drop_marks(now_s)
            return Booked()
        with transaction(self._db):
            confirmed = self._outbox.confirm([*self._confirmed, *self._sent_before()])
            refused = [seq for number, reason in self._refusals() for seq in self._outbox.refuse(number, reason)]
            for seq, reason in self._failed:
                if self._outbox.count_try(seq) >= TRIES:
                    refused += self._outbox.refuse(seq, f"{reason} ({TRIES} times)")
            self._outbox.mark_sent(marked, now())
            count_bytes(self._db, self._bytes)
            count_metered(self._db, self._metered)
            if confirmed:
                note_contact(self._db)
        self._bytes = self._metered = 0
        self._drop_marks(now_s)
        for noted in (self._confirmed, self._refused, self._unknown, self._failed):
            noted.clear()
        self._flight.left([*confirmed, *refused])
        return Booked(tuple(confirmed), tuple(refused))

    def _sent_before(self) -> list[int]:
        """What an earlier connection or process sent, and is confirmed now: found by its id where it was marked."""
        ids = [id_ for id_, reason in self._unknown.items() if reason is None]
        return self._outbox.sent(self._backend, ids) if ids else []

    def _refusals(self) -> list[tuple[int, str]]:
        found = list(self._refused.items())
        for id_, reason in self._unknown.items():
            if reason is not None:
                found += [(seq, reason) for seq in self._outbox.sent(self._backend, [id_])]
        return found

    def _drop_marks(self, now_s: float) -> None:
        while self._unmarked and self._unmarked[0][0] <= now_s:
            self._unmarked.popleft()
