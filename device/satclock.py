"""The satellites' time on the boot clock. Pure: no clock inside.

A fix is true for the moment its time names, not for the moment its report arrives: between the two lie the receiver's
computation, the serial line and gpsd, 0.1 to 0.5 s that change from report to report. At 50 km/h that would shift places by
metres to and fro. The fastest reports are all equally late, so the smallest difference of the last minutes stands for all.
"""

from collections import deque

WINDOW_S = 180.0
"""How long a smallest difference counts. A boot clock that is off by 50 parts in a million drifts 9 ms in this time."""

RECENT_S = 10.0
STEP_S = 0.8
STEP_REPORTS = 5
"""The satellites' time itself stepped back, by a leap second or its correction, where none of the last reports, at least
`STEP_REPORTS` over half of `RECENT_S`, came within `STEP_S` of the smallest difference. Latency alone does not do that."""


class SatelliteClock:
    """The running lower envelope of arrival (boot clock) minus satellites' time (seconds since 1970)."""

    def __init__(self) -> None:
        # Arrival and difference, both growing from left to right: the left one is the smallest of the window.
        self._smallest: deque[tuple[float, float]] = deque()
        self._recent: deque[tuple[float, float]] = deque()

    def observe(self, taken_unix_s: float, arrival_boot_s: float) -> None:
        """A report of `taken_unix_s` arrived at `arrival_boot_s`."""
        difference_s = arrival_boot_s - taken_unix_s
        self._recent.append((arrival_boot_s, difference_s))
        while self._recent[0][0] < arrival_boot_s - RECENT_S:
            self._recent.popleft()
        self._add(arrival_boot_s, difference_s)
        while self._smallest[0][0] < arrival_boot_s - WINDOW_S:
            self._smallest.popleft()
        if self._stepped():
            self._smallest.clear()
            for recent in self._recent:
                self._add(*recent)

    def boot_s(self, taken_unix_s: float, arrival_boot_s: float) -> float:
        """That moment on the boot clock, as it will be once this report counts; never later than its arrival."""
        return min(arrival_boot_s, taken_unix_s + self._smallest[0][1]) if self._smallest else arrival_boot_s

    def late_s(self, taken_unix_s: float, arrival_boot_s: float) -> float:
        """How much later than the fastest a report arrives; negative where it is faster. 0 before there was any."""
        return arrival_boot_s - taken_unix_s - self._smallest[0][1] if self._smallest else 0.0

    def reset(self) -> None:
        """Forget: another receiver, or another time."""
        self._smallest.clear()
        self._recent.clear()

    def _add(self, arrival_boot_s: float, difference_s: float) -> None:
        while self._smallest and self._smallest[-1][1] >= difference_s:
            self._smallest.pop()
        self._smallest.append((arrival_boot_s, difference_s))

    def _stepped(self) -> bool:
        if len(self._recent) < STEP_REPORTS or self._recent[-1][0] - self._recent[0][0] < RECENT_S / 2.0:
            return False
        return min(difference_s for _, difference_s in self._recent) > self._smallest[0][1] + STEP_S
