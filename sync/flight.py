"""What is on its way to one broker: pure bookkeeping in memory, forgotten and built again from the outbox at each connection."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from sync.batch import Packet
from sync.outbox import Parcel
from sync.pace import Pace

WINDOW = 500
"""Events taken over by the broker and not yet confirmed by the backend, at most. Below any broker's stock queue (1,000), so
that a backend's absence fills the unit's outbox and not the broker's memory."""

PROBE = 20
"""The same while the backend confirms nothing: its absence must not eat the data plan."""

LOSSES = 2
"""A parcel that was on its way in this many lost connections is suspected of breaking them: it travels alone, after the rest. One
that travelled with others in so many travels by itself from then on, and is suspected only for what happens then."""


@dataclass(frozen=True, slots=True)
class Gone:
    """What a lost connection leaves: the parcel that travelled alone in it, where one did."""

    alone: Parcel | None


@dataclass(frozen=True, slots=True)
class Expired:
    """How many parcels were not confirmed in time, and how many of them had travelled with others."""

    parcels: int
    batched: int


class Flight:
    """Parcels handed to the broker (`mid` to what it carries), and parcels that it took over with the moment to send them again.

    `clock` gives seconds that never jump.
    """

    def __init__(self, in_flight: int, clock: Callable[[], float]) -> None:
        self.pace = Pace(clock)
        self._in_flight = self._most = in_flight
        self._window = WINDOW
        self._outstanding: dict[int, Packet] = {}
        self._outstanding_bytes = 0
        self._awaiting: dict[int, float] = {}
        self._settled: set[int] = set()
        self._seqs: dict[str, int] = {}
        self._left: set[int] = set()
        self._losses: dict[int, int] = {}
        self._batch_losses: dict[int, int] = {}
        self._flying: set[int] = set()
        self._together: set[int] = set()
        self._single: set[int] = set()

    @property
    def outstanding(self) -> int:
        """How many messages the broker has not answered."""
        return len(self._outstanding)

    @property
    def outstanding_bytes(self) -> int:
        """Their sizes together."""
        return self._outstanding_bytes

    def messages(self) -> int:
        """How many more messages the broker takes now; alerts go whatever else holds the line."""
        return max(0, self._in_flight - len(self._outstanding))

    def room(self, together: int = 1) -> int:
        """How many more parcels may be handed over now, where so many travel in one message."""
        if any(self._suspected(seq) for seq in self._losses.keys() & self._flying):
            return 0
        return max(0, min(self.messages() * together, self._window - len(self._flying) - len(self._awaiting)))

    def crowded(self) -> bool:
        """Whether nothing can be handed over before something is confirmed."""
        return len(self._flying) + len(self._awaiting) >= self._window

    def fits(self, packet: Packet) -> bool:
        """Whether its bytes may be handed over now; one packet always may, and an alert."""
        urgent = packet.parcels[0].stream == "alert"
        return urgent or not self._outstanding or self._outstanding_bytes + packet.size <= self.pace.window_bytes

    def single(self) -> set[int]:
        """The numbers of those that travel by themselves: with others they did not arrive."""
        return self._single

    def known(self) -> set[int]:
        """The numbers that must not be published now: on their way, taken over a short time ago, or settled."""
        return self._flying | self._awaiting.keys() | self._settled

    def seq_of(self, id_: str) -> int | None:
        """The number of a parcel that is on its way or was taken over a short time ago, by its event's id."""
        return self._seqs.get(id_)

    def suspects(self) -> list[int]:
        """Numbers suspected of breaking connections, in their order, that are not on their way."""
        return sorted({seq for seq in self._losses if self._suspected(seq)} - self.known())

    def sent(self, mid: int, packet: Packet) -> None:
        """The packet was handed over as `mid`."""
        self._outstanding[mid] = packet
        self._seqs |= {parcel.id: parcel.seq for parcel in packet.parcels}
        self._flying |= {parcel.seq for parcel in packet.parcels}
        self._outstanding_bytes += packet.size
        self.pace.sent(mid)

    def answered(self, mid: int) -> Packet | None:
        """The broker answered `mid`; what it carried, None where it is none of ours."""
        packet = self._outstanding.pop(mid, None)
        if packet is not None:
            self.pace.answered(mid)
            self._outstanding_bytes -= packet.size
            for parcel in packet.parcels:
                self._flying.discard(parcel.seq)
                self._losses.pop(parcel.seq, None)
                self._batch_losses.pop(parcel.seq, None)
        return packet

    def wait(self, seq: int, until_s: float, *, batched: bool = False) -> None:
        """Publish this one again at `until_s` unless it leaves before; by itself where it was `batched`."""
        if seq in self._left:  # the backend was faster than its broker
            self._left.discard(seq)
        elif seq not in self._settled:
            self._awaiting[seq] = until_s
            if batched:
                self._together.add(seq)

    def alone(self, packet: Packet) -> None:
        """What this batch carried did not arrive: it goes again at once, each by itself."""
        carried = {parcel.seq for parcel in packet.parcels}
        self._single |= carried - self._left - self._settled
        self._left -= carried

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
        for seq in seqs:
            self._awaiting.pop(seq, None)
            self._losses.pop(seq, None)
            self._batch_losses.pop(seq, None)
            for known in (self._settled, self._single, self._together):
                known.discard(seq)
            if seq in self._flying:
                self._left.add(seq)
        self._forget(set(seqs))

    def expire(self, now_s: float) -> Expired:
        """Lets those go whose time has come: the outbox will offer them again.

        From then on only a few are tried at a time, until something is confirmed (`widen`).
        """
        due = {seq for seq, until_s in self._awaiting.items() if until_s <= now_s}
        for seq in due:
            del self._awaiting[seq]
        if due:
            self._window = PROBE
            self._forget(due)
        batched = due & self._together
        self._together -= batched
        self._single |= batched
        return Expired(len(due), len(batched))

    def widen(self) -> bool:
        """The backend confirms; whether it had not for a while."""
        probed, self._window = self._window == PROBE, WINDOW
        return probed

    def lose(self, most: int | None = None, at_first: int | None = None) -> Gone:
        """The connection is gone: nothing is on its way, and all that is not confirmed will be published again.

        `most`: so many may be on their way in the next one, and `at_first` until its greeting is answered.
        """
        alone = None
        packets = list(self._outstanding.values())
        if len(packets) == 1 and self._suspected(packets[0].parcels[0].seq):
            alone = packets[0].parcels[0]
        for packet in packets:
            losses = self._batch_losses if packet.batched else self._losses
            for parcel in packet.parcels:
                losses[parcel.seq] = losses.get(parcel.seq, 0) + 1
        self._single |= {seq for seq, times in self._batch_losses.items() if times >= LOSSES}
        self.pace.begin()
        self._flying.clear()
        self._together.clear()
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
