"""How fast a link answers, and how much may be on its way so that an alert never waits long behind the rest. Pure bookkeeping."""

from collections.abc import Callable
from typing import Final

SLOW_S: Final = 0.25
"""A broker that answers later than this is behind a slow link: its answers, not its bytes, are what one waits for."""
FAST_S: Final = 0.12
"""One that answers sooner is not, any more."""

WEIGHT: Final = 0.2
"""Of the newest answer in the mean."""

LEAST_BYTES: Final = 8 * 1024
MOST_BYTES: Final = 256 * 1024
"""On their way to the broker, at most."""
FULL_S: Final = 1.5
"""Where an answer takes longer, less is sent ahead: what lies in the line cannot be overtaken."""
LOW_S: Final = 0.75
"""Where it takes less, more is sent ahead."""


class Pace:
    """One connection's. `window_bytes`: so much may be on its way. `clock` gives seconds that never jump."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sent_s: dict[int, float] = {}
        self._mean_s: float | None = None
        self.slow = False
        self.window_bytes = MOST_BYTES

    def begin(self) -> None:
        """There is a new connection: nothing is on its way. What was learnt of the link still holds, until it says otherwise."""
        self._sent_s.clear()

    def sent(self, mid: int) -> None:
        """A message was handed over."""
        self._sent_s[mid] = self._clock()

    def answered(self, mid: int) -> None:
        """The broker answered it."""
        sent_s = self._sent_s.pop(mid, None)
        if sent_s is None:
            return
        took_s = self._clock() - sent_s
        self._mean_s = took_s if self._mean_s is None else self._mean_s + WEIGHT * (took_s - self._mean_s)
        self.slow = self._mean_s >= (FAST_S if self.slow else SLOW_S)
        if took_s > FULL_S:
            self.window_bytes = max(LEAST_BYTES, self.window_bytes * 3 // 4)
        elif took_s < LOW_S:
            self.window_bytes = min(MOST_BYTES, self.window_bytes + LEAST_BYTES // 4)
