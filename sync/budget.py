"""What goes over a link that costs money, counted by the day and the month (UTC), and what has to wait for it.

Pictures wait once the budget is used up; findings, tracks, health and alerts never do. The counters stand in the database, so
they survive a restart.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from threading import Lock
from typing import Any, Final, Protocol

from sqlite_utils import Database

from provisioning.budget import Budget
from provisioning.log import events
from sync.database import transaction
from sync.link import Link, ask_link
from sync.outbox import PRIORITY

LOOK_S: Final = 15.0
"""How often the machine is asked what its link is."""

METERED_KEY: Final = "metered/"
TOLD_KEY: Final = "spending"

log = events("budget")


class Spending(Protocol):
    """What those who send have to know and to say. Called by their threads."""

    def metered(self) -> bool:
        """Whether the link costs money now."""
        ...

    def pictures_wait(self) -> bool:
        """Whether pictures of findings wait."""
        ...

    def spend(self, bytes_: int) -> None:
        """So many bytes went out."""
        ...


class Free:
    """A link that costs nothing: for a delivery by hand in a workshop, and wherever nobody counts."""

    def metered(self) -> bool:
        """Never."""
        return False

    def pictures_wait(self) -> bool:
        """Never."""
        return False

    def spend(self, bytes_: int) -> None:
        """Nobody counts."""


@dataclass(frozen=True, slots=True)
class Spent:
    """Bytes over links that cost money, on this day and in this month."""

    day: int
    month: int


def count_metered(db: Database, sent: int) -> None:
    """Adds to what went over a link that costs money today; called inside a transaction."""
    if sent:
        db.conn.execute(
            "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value",
            [f"{METERED_KEY}{datetime.now(timezone.utc):%Y-%m-%d}", sent],
        )


def spent(db: Database, at: datetime) -> Spent:
    """What the counters say."""
    sums = (
        db.conn.execute("SELECT sum(value) FROM setting WHERE key GLOB ?", [f"{METERED_KEY}{at:{form}}*"]).fetchone()[0]
        for form in ("%Y-%m-%d", "%Y-%m")
    )
    return Spent(*(int(total or 0) for total in sums))


class Meter:
    """The link of this machine and what went over it. `look` is called now and then by one thread, the rest by any.

    Before the first `look` nothing is known of what was spent, so pictures wait where the link costs money.
    """

    def __init__(
        self, budget: Budget, *, ask: Callable[[], Link] = ask_link, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._budget = budget
        self._ask = ask
        self._clock = clock
        self._lock = Lock()
        self._spent: Spent | None = None
        self._link = self._asked()
        self._due_s = clock()
        self._told: tuple[bool, bool] | None = None

    def metered(self) -> bool:
        """Whether the link costs money now. Where nobody says, it does not: `metered = "always"` says it."""
        budget, link = self._budget, self._link
        if budget.metered != "auto":
            return budget.metered == "always" and link.wifi not in budget.free_wifi
        return bool(link.metered) and link.wifi not in budget.free_wifi

    def pictures_wait(self) -> bool:
        """Whether the budget of the day or the month is used up, on a link that costs money."""
        if not self.metered():
            return False
        with self._lock:
            counted = self._spent
        return counted is None or counted.day >= self._budget.day_bytes or counted.month >= self._budget.month_bytes

    def spend(self, bytes_: int) -> None:
        """So many bytes went out over a link that costs money; the counters in the database follow when they are booked."""
        with self._lock:
            if self._spent is not None:
                self._spent = Spent(self._spent.day + bytes_, self._spent.month + bytes_)

    def look(self, db: Database, *, at_once: bool = False) -> None:
        """Asks the machine and the counters, where it is time to."""
        if not at_once and self._clock() < self._due_s:
            return
        self._due_s = self._clock() + LOOK_S
        self._link = self._asked()
        counted = spent(db, datetime.now(timezone.utc))
        with self._lock:
            self._spent = counted
        state = self.metered(), self.pictures_wait()
        if state == self._told:
            return
        self._told = state
        log.info("link_changed", metered=state[0], pictures_wait=state[1])
        with transaction(db):
            told = {"metered": state[0], "pictures_wait": state[1], "cost_per_mb": self._budget.cost_per_mb}
            db.conn.execute(
                "INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)",
                [TOLD_KEY, json.dumps(told | {"currency": self._budget.currency})],
            )

    def _asked(self) -> Link:
        return self._ask() if self._budget.metered == "auto" or self._budget.free_wifi else Link(None)


def told_of_spending(db: Database, at: datetime) -> dict[str, Any]:
    """For health: what the meter last told, the counters, and what a kilometre of this month costs as far as is known."""
    row = db.conn.execute("SELECT value FROM setting WHERE key = ?", [TOLD_KEY]).fetchone()
    told: dict[str, Any] = {"metered": None, "pictures_wait": False, "cost_per_mb": None, "currency": None}
    told |= json.loads(row[0]) if row else {}
    counted = spent(db, at)
    (driven_m,) = db.conn.execute("SELECT sum(to_m - from_m) FROM track WHERE to_at GLOB ?", [f"{at:%Y-%m}-*"]).fetchone()
    cost_per_mb = told.pop("cost_per_mb")
    known = cost_per_mb is not None and driven_m is not None and driven_m >= 1000.0
    (pictures,) = db.conn.execute("SELECT count(*) FROM outbox WHERE priority = ?", [PRIORITY["evidence"]]).fetchone()
    return {
        "spending": {
            **told,
            "metered_day": counted.day,
            "metered_month": counted.month,
            "pictures": pictures,
            "cost_per_km": round(counted.month / 1e6 * cost_per_mb / (driven_m / 1000.0), 4) if known else None,
        }
    }
