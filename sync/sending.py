"""What is handed to a broker next, and how: one by one, or together where the link is slow or costs money."""

from collections.abc import Callable
from typing import Final

from provisioning.settings import Unit
from sync.batch import MOST_EVENTS, Packet, Trust, alone, joins, packed
from sync.broker import Broker
from sync.budget import Spending
from sync.flight import Expired, Flight
from sync.lanes import Lanes
from sync.ledger import Ledger
from sync.outbox import Outbox, Parcel

LINGER_S: Final = 2.0
"""On a link that costs money an event waits so long for others: three in one message cost as much as one and a half alone."""

AT_ONCE: Final = 4 * MOST_EVENTS
"""So many events are read out of the outbox in one step."""


class Sending:
    """One backend's. SQLite is touched by the caller's thread alone. `clock` gives seconds that never jump."""

    def __init__(
        self,
        unit: Unit,
        outbox: Outbox,
        *,
        lanes: Lanes,
        flight: Flight,
        ledger: Ledger,
        trust: Trust,
        spending: Spending,
        clock: Callable[[], float],
    ) -> None:
        self._unit = unit
        self._outbox = outbox
        self._lanes = lanes
        self._flight = flight
        self._ledger = ledger
        self._trust = trust
        self._spending = spending
        self._clock = clock
        self._since_s: float | None = None
        self.busy = False
        """Whether there is more to send than there is room for."""

    def expire(self) -> Expired:
        """What was not confirmed in time goes again; how many."""
        expired = self._flight.expire(self._clock())
        if expired.parcels:
            self._lanes.look_again()
        if expired.batched:
            self._trust.broken()
        return expired

    def send(self, broker: Broker) -> int:
        """Publishes what there is room for; returns how many events."""
        self._lanes.pictures = not self._spending.pictures_wait()
        metered = self._spending.metered()
        together = self._trust.holds() and (metered or self._flight.pace.slow)
        room = min(AT_ONCE, self._flight.room(MOST_EVENTS if together else 1))
        chosen = self._choose(room)
        if together and metered and self._lingers(chosen):
            self._lanes.look_again()
            return 0
        self._since_s = None
        self.busy = 0 < room <= len(chosen) or (room == 0 and self.busy)
        sent = self._publish(broker, chosen, together=together, metered=metered)
        if sent < len(chosen):
            self._lanes.look_again()
        return sent

    def _lingers(self, chosen: list[Parcel]) -> bool:
        """Whether these few wait for more: never an alert."""
        if not chosen or len(chosen) >= MOST_EVENTS or not all(joins(self._unit, parcel) for parcel in chosen):
            return False
        if self._since_s is None:
            self._since_s = self._clock()
        return self._clock() - self._since_s < LINGER_S

    def _publish(self, broker: Broker, chosen: list[Parcel], *, together: bool, metered: bool) -> int:
        least = 1 if metered else 2
        packets = packed(self._unit, chosen, self._flight.single(), least=least) if together else map(alone, chosen)
        sent = 0
        for packet in packets:
            if packet.size > broker.largest_packet:
                self._too_large(packet, broker.largest_packet)
                continue
            if not self._flight.fits(packet):
                if packet.parcels[0].headers is not None:  # a picture is large and waits until the line is free
                    continue
                break
            mid = broker.publish(packet.message)
            if mid is None:  # the connection has just ended; the next step is told
                break
            self._flight.sent(mid, packet)
            self._ledger.sent(packet.size, metered=metered)
            if metered:
                self._spending.spend(packet.size)
            sent += len(packet.parcels)
        return sent

    def waits(self, backend: str) -> bool:
        """Whether there is anything that may be sent on this link, now or when the backend is there."""
        return self._outbox.waits(backend, pictures=not self._spending.pictures_wait())

    def _too_large(self, packet: Packet, largest: int) -> None:
        if packet.batched:
            self._flight.alone(packet)
        else:
            self._ledger.refuse(packet.parcels[0], f"larger than the broker takes ({largest} bytes)")

    def _choose(self, room: int) -> list[Parcel]:
        """At most `room` parcels, and alerts; those suspected of breaking connections alone and last."""
        suspects = self._flight.suspects()
        chosen = self._lanes.choose(room, self._flight.known() | set(suspects), self._flight.messages())
        if not chosen and room and not self._flight.outstanding:
            return self._outbox.parcels(suspects[:1])
        return chosen
