"""Why reports are refused, how often, and what of it is trouble now. Pure: the moment is passed in."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Literal

Reason = Literal[
    "no_mode",
    "dead_reckoning",
    "no_position",
    "position_zero",
    "out_of_range",
    "no_time",
    "time_before_build",
    "time_after_service",
    "eph_over_limit",
    "second_device",
    "unconfirmed",
    "time_not_newer",
    "time_backwards",
    "late",
    "time_jumped",
    "too_fast",
    "position_frozen",
    "no_speed",
]

RECENT_S = 5.0
"""What was refused longer ago is no trouble now."""

BLIND_S = 3.0
"""Nothing accepted for so long: two reports of a 1 Hz receiver in a row did not count, so what refused them is the trouble."""

OFTEN = 3
SHARE = 0.5
"""A reason is trouble beside accepted reports too where it refused so many lately, and at least so many per accepted one."""

ORDINARY: frozenset[Reason] = frozenset({"no_speed", "time_not_newer"})
"""A report that is said twice, or once before it is whole, is no trouble while others are accepted."""

MOST_RECENT = 1000
"""Reports that are remembered: 25 a second, each said several times, for `RECENT_S`."""


class Refusals:
    """Counts refused reports by reason and remembers the last seconds."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._recent: deque[tuple[float, Reason | None]] = deque(maxlen=MOST_RECENT)
        self._accepted_s: float | None = None

    @property
    def counts(self) -> Mapping[str, int]:
        """How many reports were refused, by reason: a copy."""
        return dict(self._counts)

    def refused(self, reason: Reason, at_boot_s: float) -> None:
        """A report that came at this moment was refused."""
        self._counts[reason] += 1
        self._note(reason, at_boot_s)

    def accepted(self, at_boot_s: float) -> None:
        """A report that came at this moment was accepted."""
        self._accepted_s = at_boot_s
        self._note(None, at_boot_s)

    def troubles(self, now_boot_s: float) -> tuple[Reason, ...]:
        """What keeps reports from being fixes now, the commonest first; empty where all is well or nothing comes at all.

        Where nothing was accepted for `BLIND_S`: each reason of the last `RECENT_S`. Else those that go on beside accepted
        reports, as a second receiver or every other position at sea would.
        """
        recent = Counter(reason for at_boot_s, reason in self._recent if at_boot_s > now_boot_s - RECENT_S)
        accepted = recent.pop(None, 0)
        blind = self._accepted_s is None or now_boot_s - self._accepted_s > BLIND_S
        found = [
            (-number, reason)
            for reason, number in recent.items()
            if reason is not None and (blind or (reason not in ORDINARY and number >= OFTEN and number >= SHARE * accepted))
        ]
        return tuple(reason for _, reason in sorted(found))

    def _note(self, reason: Reason | None, at_boot_s: float) -> None:
        self._recent.append((at_boot_s, reason))
        while self._recent[0][0] <= at_boot_s - RECENT_S:
            self._recent.popleft()
