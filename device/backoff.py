"""How long to wait before trying again. Pure but for the random source, which is passed in."""

import random as random_source
from collections.abc import Callable


class Backoff:
    """Exponential with full jitter: each wait is uniform between 0 and a limit that doubles from `first_s` to `longest_s`.

    It starts again only when told. Whoever connects, is let in and is thrown out at once must go on slowing down, so `reset` is
    for proven service (a delivery confirmed, a fix received), never for a mere connection.
    """

    def __init__(
        self, first_s: float = 0.5, longest_s: float = 120.0, random: Callable[[], float] = random_source.random
    ) -> None:
        if not 0.0 < first_s <= longest_s:
            raise ValueError(f"first_s {first_s} and longest_s {longest_s}: 0 < first_s <= longest_s")
        self._first_s = first_s
        self._longest_s = longest_s
        self._random = random
        self._limit_s = first_s

    @property
    def limit_s(self) -> float:
        """The longest that the next wait can be."""
        return self._limit_s

    def next_s(self) -> float:
        """The seconds to wait now; the limit of the wait after it is twice as long."""
        wait_s = self._limit_s * self._random()
        self._limit_s = min(self._longest_s, 2.0 * self._limit_s)
        return wait_s

    def reset(self) -> None:
        """It works again: the next wait is a short one."""
        self._limit_s = self._first_s
