"""Which events go next: what happens now beside what an outage left, neither behind the other.

At the moment a connection begins, everything that waits is the backlog; what is put later is live. Each lane keeps the order of
every stream. Where both have something, `LIVE_OF` of `TURN` places are the live lane's and the rest the backlog's.
"""

from collections.abc import Collection

from sync.outbox import Outbox, Parcel

TURN = 4
LIVE_OF = 3
"""Of `TURN` places in a row so many are for what happens now."""

LATELY = 200
"""A live lane that lags so many numbers behind has become a backlog itself: what is newer still goes before it."""


class Lanes:
    """The rows of one backend, in the order in which they are sent."""

    def __init__(self, outbox: Outbox, backend: str) -> None:
        self._outbox = outbox
        self._backend = backend
        self._live_above = 0
        self._places = 0

    def begin(self) -> None:
        """All that waits now is backlog."""
        self._live_above = self._outbox.newest()

    def choose(self, room: int, skip: Collection[int]) -> list[Parcel]:
        """At most `room` parcels, none of `skip`: alerts, then the lanes in turns, each by urgency and age."""
        if room <= 0:
            return []
        live = self._live(room, skip)
        old = self._outbox.next_seqs(self._backend, room, skip, upto=self._live_above)
        chosen = self._outbox.parcels([*old, *live] if len(old) < room and len(old) + len(live) <= room else [])
        if not chosen:
            chosen = self._in_turns(self._outbox.parcels(live), self._outbox.parcels(old), room)
        return sorted(chosen, key=lambda parcel: parcel.stream != "alert")

    def _live(self, room: int, skip: Collection[int]) -> list[int]:
        live = self._outbox.next_seqs(self._backend, room, skip, above=self._live_above)
        newest = self._outbox.newest()
        if live and min(live) <= newest - LATELY:
            self._live_above = newest
            return []
        return live

    def _in_turns(self, live: list[Parcel], old: list[Parcel], room: int) -> list[Parcel]:
        alerts = [parcel for parcel in (*live, *old) if parcel.stream == "alert"]
        lanes = [[parcel for parcel in lane if parcel.stream != "alert"] for lane in (live, old)]
        chosen = alerts[:room]
        while len(chosen) < room and any(lanes):
            first, second = lanes if self._places % TURN < LIVE_OF else reversed(lanes)
            if first and second:
                self._places += 1
            chosen.append((first or second).pop(0))
        return chosen
