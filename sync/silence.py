"""A link can be dead without saying so: for what is on its way an answer is due."""

from collections.abc import Callable

from sync.broker import Lost
from sync.flight import Flight

SILENCE_S = 30.0
SLOWEST_BYTES_S = 2000.0
"""A broker that answers nothing for `SILENCE_S`, and the time that what is on its way takes at this rate, is gone."""


class Silence:
    """How long a broker has not answered. `clock` gives seconds that never jump."""

    def __init__(self, flight: Flight, clock: Callable[[], float]) -> None:
        self._flight = flight
        self._clock = clock
        self._heard_s = clock()

    def begin(self) -> None:
        """There is a new connection."""
        self._heard_s = self._clock()

    def lost(self, *, heard: bool) -> Lost | None:
        """The end of the connection where it has been silent for too long; `heard`: it has just said something."""
        if heard or not self._flight.outstanding:
            self.begin()
            return None
        silent_s = self._clock() - self._heard_s
        if silent_s < SILENCE_S + self._flight.outstanding_bytes / SLOWEST_BYTES_S:
            return None
        return Lost(f"no answer for {silent_s:.0f} s")
