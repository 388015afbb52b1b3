"""What is on its way to one broker: pure bookkeeping in memory, forgotten and built again from the outbox at each connection."""

from collections.abc import Collection
from dataclasses import dataclass

from sync.outbox import Parcel

WINDOW = 500
"""Events taken over by the broker and not yet confirmed by the backend, at most. Below any broker's stock queue (1,000), so
that a backend's absence fills the unit's outbox and not the broker's memory."""

PROBE = 20
"""The same while the backend confirms nothing: its absence must not eat the data plan."""

WINDOW_BYTES = 256 * 1024
"""Bytes on their way to the broker, at most: at 10 kB/s half a minute, so that an alert never waits behind megabytes."""

LOSSES = 2
"""A parcel that was on its way in this many lost connections is suspected of breaking them: it travels alone, after the rest."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What a lost connection leaves: the parcel that travelled alone in it, where one did."""

    alone: Parcel | None


class Flight:
    """Parcels handed to the broker (`mid` to parcel) and parcels that it took over, with the moment to publish them again."""

    def __init__(self, in_flight: int) -> None:
        self._in_flight = self._most = in_flight
        self._window = WINDOW
        self._outstanding: dict[int, Parcel] = {}
        self._outstanding_bytes = 0
        self._awaiting: dict[int, float] = {}
        self._settled: set[int] = set()
        self._seqs: dict[str, int] = {}
        self._left: set[int] = set()
        self._losses: dict[int, int] = {}

    @property
    def outstanding(self) -> int:
        """How many parcels the broker has not answered."""
        return len(self._outstanding)

    @property
    def outstanding_bytes(self) -> int:
        """Their payloads together."""
        return self._outstanding_bytes

    def room(self) -> int:
        """How many more parcels may be handed over now."""
        if any(self._suspected(parcel.seq) for parcel in self._outstanding.values()):
            return 0
        on_their_way = len(self._outstanding)
        return max(0, min(self._in_flight - on_their_way, self._window - on_their_way - len(self._awaiting)))

    def crowded(self) -> bool:
        """Whether nothing can be handed over before something is confirmed."""
        return len(self._outstanding) + len(self._awaiting) >= self._window

    def fits(self, parcel: Parcel) -> bool:
        """Whether its bytes may be handed over now; one parcel always may."""
        return not self._outstanding or self._outstanding_bytes + len(parcel.payload) <= WINDOW_BYTES

    def known(self) -> set[int]:
        """The numbers that must not be published now: on their way, taken over a short time ago, or settled."""
        return {parcel.seq for parcel in self._outstanding.values()} | self._awaiting.keys() | self._settled

    def seq_of(self, id_: str) -> int | None:
        """The number of a parcel that is on its way or was taken over a short time ago, by its event's id."""
        return self._seqs.get(id_)

    def suspects(self) -> list[int]:
        """Numbers suspected of breaking connections, in their order, that are not on their way."""
        return sorted({seq for seq in self._losses if self._suspected(seq)} - self.known())

    def sent(self, mid: int, parcel: Parcel) -> None:
        """The parcel was handed over as `mid`."""
        self._outstanding[mid] = parcel
        self._seqs[parcel.id] = parcel.seq
        self._outstanding_bytes += len(parcel.payload)

    def answered(self, mid: int) -> Parcel | None:
        """The broker answered `mid`; its parcel, None where it is none of ours."""
        parcel = self._outstanding.pop(mid, None)
        if parcel is not None:
            self._outstanding_bytes -= len(parcel.payload)
            self._losses.pop(parcel.seq, None)
        return parcel

    def wait(self, seq: int, until_s: float) -> None:
        """Publish this one again at `until_s` unless it leaves before."""
        if seq in self._left:  # the backend was faster than its broker
            self._left.discard(seq)
        elif seq not in self._settled:
            self._awaiting[seq] = until_s

    def settle(self, seq: int) -> None:
        """The backend has answered; the row stands in the outbox until that is booked (`left`)."""
        self._awaiting.pop(seq, None)
        self._settled.add(seq)

    def greeted(self) -> None:
        """The broker has answered a message of the greeting: one place more."""
        self._in_flight = min(self._most, self._in_flight + 1)

    def awaits(self, seq: int) -> bool:
        """Whether the broker has taken it over and it has not left."""
        return seq in self._awaiting

    def left(self, seqs: Collection[int]) -> None:
        """These rows are confirmed or refused: they are in the outbox no more."""
        on_their_way = {parcel.seq for parcel in self._outstanding.values()}
        for seq in seqs:
            self._awaiting.pop(seq, None)
            self._settled.discard(seq)
            self._losses.pop(seq, None)
            if seq in on_their_way:
                self._left.add(seq)
        self._forget(set(seqs))

    def expire(self, now_s: float) -> bool:
        """Lets those go whose time has come: the outbox will offer them again. Whether there were any.

        From then on only a few are tried at a time, until something is confirmed (`widen`).
        """
        due = [seq for seq, until_s in self._awaiting.items() if until_s <= now_s]
        for seq in due:
            del self._awaiting[seq]
        if due:
            self._window = PROBE
            self._forget(set(due))
        return bool(due)

    def widen(self) -> bool:
        """The backend confirms; whether it had not for a while."""
        probed, self._window = self._window == PROBE, WINDOW
        return probed

    def lose(self, most: int | None = None, at_first: int | None = None) -> Gone:
        """The connection is gone: nothing is on its way, and all that is not confirmed will be published again.

        `most`: so many may be on their way in the next one, and `at_first` until its greeting is answered.
        """
        alone = None
        parcels = list(self._outstanding.values())
        if len(parcels) == 1 and self._suspected(parcels[0].seq):
            alone = parcels[0]
        for parcel in parcels:
            self._losses[parcel.seq] = self._losses.get(parcel.seq, 0) + 1
        self._outstanding.clear()
        self._outstanding_bytes = 0
        self._awaiting.clear()
        self._seqs.clear()
        self._left.clear()
        if most is not None:
            self._most = most
            self._in_flight = max(1, min(most, at_first or most))
        return Gone(alone)

    def _forget(self, seqs: set[int]) -> None:
        self._seqs = {id_: seq for id_, seq in self._seqs.items() if seq not in seqs}

    def _suspected(self, seq: int) -> bool:
        return self._losses.get(seq, 0) >= LOSSES
