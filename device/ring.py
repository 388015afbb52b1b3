"""The last seconds of exposures, in memory, waiting for the fix that tells where they were taken."""

import threading
from collections import deque

from device.frame import Exposure
from device.planes import BYTES_PER_PIXEL

LONGEST_S = 4.0
"""A fix, its latency and the one after it (where speed comes from positions) fit into this."""

MOST_BYTES = 200_000_000
"""Raw pixels held at most on a unit: 2.8 s of 1456x1088 at 30 frames/s. One missing fix of a 1 Hz receiver fits into it."""

FULL_SHARE = 0.85
"""A ring fuller than this is about to lose its oldest exposures."""


class Ring:
    """Exposures in order of time, bounded in seconds and in number. Safe to use from the camera's thread and the line's."""

    def __init__(self, longest_s: float = LONGEST_S, most: int = 1_000_000) -> None:
        self._exposures: deque[Exposure] = deque()
        self._lock = threading.Lock()
        self._longest_s = longest_s
        self._most = most
        self._newest_s: float | None = None
        self.read = 0
        self.overrun = 0
        """Exposures that had to go before a place was known for them."""

    @classmethod
    def for_camera(cls, width: int, height: int) -> "Ring":
        """A ring that holds at most `MOST_BYTES` of pictures of this size, as cameras deliver them (device/planes.py)."""
        return cls(most=max(2, int(MOST_BYTES / (width * height * BYTES_PER_PIXEL))))

    def push(self, exposure: Exposure) -> None:
        """Add the newest exposure; one that is not newer than the last is dropped as overrun."""
        with self._lock:
            self.read += 1
            if self._newest_s is not None and exposure.shutter_boot_s <= self._newest_s:
                self.overrun += 1
                return
            self._newest_s = exposure.shutter_boot_s
            self._exposures.append(exposure)
            while len(self._exposures) > self._most or self._too_old(self._exposures[0], exposure):
                self._exposures.popleft()
                self.overrun += 1

    def until(self, boot_s: float) -> list[Exposure]:
        """The exposures at hand that were taken at or before this moment, oldest first."""
        with self._lock:
            return [exposure for exposure in self._exposures if exposure.shutter_boot_s <= boot_s]

    @property
    def newest_s(self) -> float | None:
        """When the newest exposure that ever came was taken, on the boot clock."""
        return self._newest_s

    def presses(self, exposure: Exposure) -> bool:
        """Whether this exposure is about to leave: it is among the oldest that the ring can hold."""
        with self._lock:
            newest_s = self._newest_s
            newer = sum(other.shutter_boot_s >= exposure.shutter_boot_s for other in self._exposures)
        aged = newest_s is not None and newest_s - exposure.shutter_boot_s > FULL_SHARE * self._longest_s
        return aged or newer > FULL_SHARE * self._most

    def drop_until(self, boot_s: float) -> None:
        """Let go of everything taken at or before this moment: it has been decided on."""
        with self._lock:
            while self._exposures and self._exposures[0].shutter_boot_s <= boot_s:
                self._exposures.popleft()

    def drop_after(self, boot_s: float) -> None:
        """Let go of everything taken after this moment: nobody may have it."""
        with self._lock:
            while self._exposures and self._exposures[-1].shutter_boot_s > boot_s:
                self._exposures.pop()

    def remove(self, exposure: Exposure) -> None:
        """Let go of one exposure."""
        with self._lock:
            self._exposures = deque(other for other in self._exposures if other is not exposure)

    def _too_old(self, oldest: Exposure, newest: Exposure) -> bool:
        return newest.shutter_boot_s - oldest.shutter_boot_s > self._longest_s
