"""How a unit stands, in a word and a sentence, from its record in the fleet's register."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from provisioning.enrolment import is_due
from provisioning.register import Record, moment_of

State = Literal["waiting", "enrolled", "due", "expired", "revoked"]

TO_DO: frozenset[State] = frozenset({"due", "expired"})
"""Somebody has to look after these; a unit that waits for its first boot, or is revoked, is as it should be."""


@dataclass(frozen=True, slots=True)
class Standing:
    """`days` are those that the token (waiting) or the certificate has left; None where there is neither."""

    unit: str
    state: State
    days: float | None
    words: str

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        days = None if self.days is None else round(self.days, 1)
        return {"unit": self.unit, "state": self.state, "days": days, "reason": self.words}


def standing_of(record: Record, now: datetime) -> Standing:
    """How a unit stands now."""
    token, current = record.token, record.current
    waits = token is not None and token.burnt_at is None
    if current is not None:
        end = moment_of(current.expires_at)
        days, until = _days(end, now), current.expires_at[:10]
        card = "; a new card waits" if waits else ""
        if days < 0:
            return Standing(record.unit, "expired", days, f"its certificate ran out on {until}; make a new card{card}")
        if is_due(moment_of(current.issued_at), end, now):
            return Standing(record.unit, "due", days, f"until {until}, and it has not renewed: is it switched on?{card}")
        return Standing(record.unit, "enrolled", days, f"until {until}{card}")
    if token is not None and waits:
        days = _days(moment_of(token.expires_at), now)
        if days < 0:
            return Standing(record.unit, "expired", days, f"its token ran out on {token.expires_at[:10]} unused; make a new card")
        return Standing(record.unit, "waiting", days, f"for its first boot; the token is good until {token.expires_at[:10]}")
    last = record.issued[-1] if record.issued else None
    why = f"on {(last.revoked_at or '')[:10]}: {last.reason}" if last else "before it was enrolled"
    return Standing(record.unit, "revoked", None, why)


def _days(end: datetime, now: datetime) -> float:
    return (end - now).total_seconds() / 86400
