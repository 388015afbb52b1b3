"""Which events go next: what happens now beside what an outage left, neither behind the other.

At the moment a connection begins, everything that waits is the backlog; what is put later is live. Each lane keeps the order of
every stream. Where both have something, `LIVE_OF` of `TURN` places are the live lane's and the rest the backlog's.
"""

from collections import deque
from collections.abc import Callable, Collection
from itertools import islice

from sync.outbox import HIGHEST, Outbox, Parcel

TURN = 4
LIVE_OF = 3
"""Of `TURN` places in a row so many are for what happens now."""

LATELY = 200
"""A live lane that lags so many numbers behind has become a backlog itself: what is newer still goes before it."""

AHEAD = 200
"""So many rows are looked up at once, and kept by their numbers alone."""

AGAIN_S = 0.5
"""What was looked up is looked up again after this: something more urgent may have come."""


class Lane:
    """The rows of one backend between two numbers, the most urgent stream first, then the oldest."""

    def __init__(self, outbox: Outbox, backend: str, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._backend = backend
        self._clock = clock
        self._ahead: deque[int] = deque()
        self._looked_s = clock()

    def look_again(self) -> None:
        """Forgets what was looked up."""
        self._ahead.clear()

    def next(self, count: int, skip: Collection[int], above: int, upto: int, *, pictures: bool) -> list[int]:
        """At most `count` of the next rows, none of `skip`; they stay next until they are `take`n."""
        now_s = self._clock()
        if len(self._ahead) < count or now_s - self._looked_s >= AGAIN_S:
            found = self._outbox.next_seqs(self._backend, AHEAD, skip, above=above, upto=upto, pictures=pictures)
            self._ahead = deque(found)
            self._looked_s = now_s
        return list(islice(self._ahead, count))

    def take(self, seqs: Collection[int]) -> None:
        """These are on their way."""
        self._ahead = deque(seq for seq in self._ahead if seq not in seqs)


class Lanes:
    """The rows of one backend, in the order in which they are sent. `clock` gives seconds that never jump."""

    def __init__(self, outbox: Outbox, backend: str, clock: Callable[[], float]) -> None:
        self._outbox = outbox
        self._backend = backend
        self._live, self._old = (Lane(outbox, backend, clock) for _ in range(2))
        self._live_above = 0
        self._places = 0
        self._pictures = True

    def begin(self) -> None:
        """All that waits now is backlog."""
        self._live_above = self._outbox.newest()
        self.look_again()

    def look_again(self) -> None:
        """Rows may be due again that were not."""
        self._live.look_again()
        self._old.look_again()

    @property
    def pictures(self) -> bool:
        """Whether pictures of findings go too; else they wait."""
        return self._pictures

    @pictures.setter
    def pictures(self, go: bool) -> None:
        if go != self._pictures:
            self._pictures = go
            self.look_again()

    def choose(self, room: int, skip: Collection[int], alerts_room: int = 0) -> list[Parcel]:
        """At most `room` parcels, none of `skip`: alerts, then the lanes in turns, each by urgency and age.

        Of alerts as many as `alerts_room`, where that is more. Whoever does not send all of them says so with `look_again`.
        """
        if max(room, alerts_room) <= 0:
            return []
        alerts = self._outbox.alerts(self._backend, max(room, alerts_room), skip)
        if room <= len(alerts):
            return self._outbox.parcels(alerts)
        live = [seq for seq in self._lately(room, skip) if seq not in alerts]
        old = [seq for seq in self._old.next(room, skip, 0, self._live_above, pictures=self._pictures) if seq not in alerts]
        fits = len(old) < room and len(alerts) + len(old) + len(live) <= room
        chosen = [*alerts, *([*old, *live] if fits else self._in_turns(deque(live), deque(old), room - len(alerts)))]
        for lane in (self._live, self._old):
            lane.take(set(chosen))
        return self._outbox.parcels(chosen)

    def _lately(self, room: int, skip: Collection[int]) -> list[int]:
        live = self._live.next(room, skip, self._live_above, HIGHEST, pictures=self._pictures)
        if live and min(live) <= (newest := self._outbox.newest()) - LATELY:
            self._live_above = newest
            self.look_again()
            return []
        return live

    def _in_turns(self, live: deque[int], old: deque[int], room: int) -> list[int]:
        chosen: list[int] = []
        while len(chosen) < room and (live or old):
            first, second = (live, old) if self._places % TURN < LIVE_OF else (old, live)
            if first and second:
                self._places += 1
            chosen.append((first or second).popleft())
        return chosen
