"""When the database fails: how long to rest, and what to say about it. For whoever uses it in a loop."""

from collections.abc import Callable

from device.backoff import Backoff
from provisioning.log import Events
from sync.failure import DatabaseDamaged, DatabaseFailed

FIRST_S, LONGEST_S = 0.5, 30.0
"""The first and the longest rest after a failure."""


class Rest:
    """`failure` is what failed last, None where the database works. `clock` gives seconds that never jump."""

    def __init__(self, who: str, log: Events, clock: Callable[[], float]) -> None:
        self._who = who
        self._log = log
        self._clock = clock
        self._backoff = Backoff(FIRST_S, LONGEST_S)
        self._until_s = clock()
        self.failure: DatabaseFailed | DatabaseDamaged | None = None

    def left_s(self) -> float:
        """How long until the next try."""
        return max(0.0, self._until_s - self._clock())

    def begin(self, failure: DatabaseFailed | DatabaseDamaged) -> None:
        """The database has failed."""
        rest_s = self._backoff.next_s()
        self._until_s = self._clock() + rest_s
        self.failure = failure
        self._log.error("database_failed", of=self._who, reason=str(failure), rest_s=round(rest_s, 1))

    def over(self) -> None:
        """The database has worked."""
        if self.failure is not None:
            self._log.info("database_recovered", of=self._who)
            # One that is damaged again and again is made anew more and more seldom.
            if not isinstance(self.failure, DatabaseDamaged):
                self._backoff.reset()
            self.failure = None
