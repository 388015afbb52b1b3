"""One position from the satellite receiver."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from device.refusal import Reason

SpeedSource = Literal["doppler", "positions"]


@dataclass(frozen=True, slots=True)
class Fix:
    """One accepted position (gpsd's TPV).

    `accuracy_m` is the radius that holds 95 %. `course_deg` is None where the receiver gives none or stands still.
    `taken_at` is the satellites' UTC; `boot_s` is the same moment on the boot clock, in seconds.
    """

    latitude_deg: float
    longitude_deg: float
    accuracy_m: float
    speed_mps: float
    course_deg: float | None
    taken_at: datetime
    boot_s: float


class GpsLost(Exception):
    """The receiver or its daemon cannot be reached, or has fallen silent. The message says which."""


class FixSource(Protocol):
    """Where fixes come from: gpsd in the car, a recording elsewhere."""

    @property
    def speed_source(self) -> SpeedSource:
        """`doppler` where the receiver measured speed, `positions` where it was derived."""
        ...

    @property
    def rejected(self) -> Mapping[str, int]:
        """How many reports were no fix, by reason code."""
        ...

    def troubles(self, now_boot_s: float) -> Sequence[Reason]:
        """Reason codes of what keeps reports from being fixes now, the commonest first."""
        ...

    def next_fix(self, timeout_s: float) -> Fix | None:
        """Wait at most `timeout_s` for the next accepted fix; None if there was none.

        Raises:
            GpsLost: the source is gone; the caller waits its back-off and calls again.
        """
        ...
