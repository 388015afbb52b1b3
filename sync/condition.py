"""What the capture tells of itself, in the table `condition`: health and the panel read it. State and reasons are pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from sqlite_utils import Database

from provisioning.log import events
from sync.database import transaction
from sync.event import iso
from sync.reasons import OfCapture, OfQuality, OfReceiver, State

EVERY_S = 5.0
"""How often it is written where nothing changes: often enough for a page, seldom enough for a card."""

FIX_STALE_S = 2.0
"""Without a fix for this long no frame is called good, and the state says so."""

log = events("capture")


@dataclass(frozen=True, slots=True)
class Condition:
    """State and reason codes, as health gives them, and counters."""

    state: State
    reasons: tuple[OfCapture | OfReceiver | OfQuality, ...]
    counters: Mapping[str, Any] = field(default_factory=dict)


def state_of(
    *, camera_stalled: bool, gpsd_lost: bool, fix_age_s: float | None, troubles: Sequence[OfReceiver]
) -> tuple[State, tuple[OfCapture | OfReceiver | OfQuality, ...]]:
    """What the unit does, and why it does nothing better.

    `troubles` are the reasons for which reports of the receiver are refused now (device/refusal.py): they follow the state that
    they explain, and stand alone where fixes come all the same.
    """
    reasons: list[OfCapture] = ["camera_stalled"] if camera_stalled else []
    if gpsd_lost:
        reasons.append("gpsd_lost")
    elif fix_age_s is None or fix_age_s > FIX_STALE_S:
        reasons.append("no_fix")
    state: State = "fault" if camera_stalled else "waiting" if reasons else "recording"
    return state, tuple(dict.fromkeys((*reasons, *troubles)))


class Teller:
    """Writes the condition where it has changed or is old."""

    def __init__(self, db: Database, boot: str) -> None:
        self._db = db
        self._boot = boot
        self._told: tuple[State, tuple[OfCapture | OfReceiver | OfQuality, ...]] | None = None
        self._told_s = 0.0

    def tell(self, condition: Condition, now_boot_s: float) -> None:
        """The condition at this moment."""
        told = (condition.state, condition.reasons)
        if told == self._told and now_boot_s - self._told_s < EVERY_S:
            return
        if told != self._told:
            log.info("state_changed", state=condition.state, reasons=list(condition.reasons))
        self._told, self._told_s = told, now_boot_s
        at = iso(datetime.now(timezone.utc))
        with transaction(self._db):
            self._db.conn.execute(
                "INSERT OR REPLACE INTO condition (name, boot, at_boot_s, at, state, reasons, counters) "
                "VALUES ('capture', ?, ?, ?, ?, ?, ?)",
                [self._boot, now_boot_s, at, *told[:1], json.dumps(told[1]), json.dumps(condition.counters)],
            )
