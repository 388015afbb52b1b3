"""How often one may ask the enrolment desk, and how often one may be wrong. Pure but for the clock, which is passed in."""

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

WINDOW_S: Final = 60.0
MOST_REFUSALS: Final = 10
"""Of one address in `WINDOW_S`: a unit whose token is wrong asks once a start. Many units may share an address."""
MOST_REQUESTS: Final = 600
"""Of everybody in `WINDOW_S`: each costs a signature and an fsync."""
MOST_ADDRESSES: Final = 1000
"""That are remembered; the one that was longest not heard of is forgotten."""


class Gate:
    """`clock` gives seconds that never jump."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._all = _Window(clock())
        self._refused: OrderedDict[str, _Window] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """How long this address has to wait; 0.0 where it may ask now, which is then counted."""
        now_s = self._clock()
        refused = self._refused.get(address)
        if refused is not None and (left_s := refused.full_s(now_s, MOST_REFUSALS)) > 0:
            return left_s
        if (left_s := self._all.full_s(now_s, MOST_REQUESTS)) > 0:
            return left_s
        self._all.count(now_s)
        return 0.0

    def was_refused(self, address: str) -> None:
        """This address was told no."""
        now_s = self._clock()
        self._refused.setdefault(address, _Window(now_s)).count(now_s)
        self._refused.move_to_end(address)
        while len(self._refused) > MOST_ADDRESSES:
            self._refused.popitem(last=False)


class _Window:
    """So many in a window that begins anew when it is over."""

    def __init__(self, since_s: float) -> None:
        self._since_s = since_s
        self._number = 0

    def count(self, now_s: float) -> None:
        if now_s - self._since_s >= WINDOW_S:
            self._since_s, self._number = now_s, 0
        self._number += 1

    def full_s(self, now_s: float, most: int) -> float:
        """How long it is full still; 0.0 where it is not."""
        left_s = self._since_s + WINDOW_S - now_s
        return left_s if self._number >= most and left_s > 0 else 0.0
