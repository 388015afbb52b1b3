"""Driving off without a fix: photos kept while the picture moves, and the road that is laid out for them afterwards.

A receiver needs up to a minute after the key is turned, or after a night in a garage, and the car does not wait for it. Until
the fix an exposure is kept each quarter of a second, if the picture has moved since the last. When the first fix comes, each of
them stands for a quarter of a second of driving, straight back along the course. What is placed there is `filled`, never good.
"""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from device.earth import along, offset
from device.fix import Fix
from device.frame import Exposure
from device.odometer import Knot, Stretch, stands
from device.pause import DRIVES_MPS
from device.ring import Ring

STEP_S = 0.25
"""Between two exposures that are tried."""

LONGEST_S = 120.0
"""Of driving that is kept. Beyond it nobody could say where it was."""

MOST = round(LONGEST_S / STEP_S)

UNSURE_SHARE = 0.7
"""Of the way to the first fix: a radius. 0.5 holds 95 % of what is guessed so on simulated roads, which have no corners."""


class Watch:
    """Chooses the exposures that are tried while no odometer counts: one each `STEP_S`, before the ring loses it."""

    def __init__(self) -> None:
        self.tried_s: float | None = None
        """When the last one was taken, on the boot clock."""
        self._kept = 0

    def choose(self, ring: Ring) -> Exposure | None:
        """The next one to try, None where none is due."""
        if self._kept >= MOST or ring.newest_s is None:
            return None
        due_s = -math.inf if self.tried_s is None else self.tried_s + STEP_S
        due = next((exposure for exposure in ring.until(ring.newest_s) if exposure.shutter_boot_s >= due_s), None)
        if due is None or not ring.presses(due):
            return None
        self.tried_s = due.shutter_boot_s
        self._kept += 1
        return due

    def was_still(self) -> None:
        """The picture of the exposure that was just tried had not moved; one that was chosen elsewhere does not count here."""
        if self.tried_s is not None:
            self._kept -= 1


@dataclass(frozen=True, slots=True)
class Departure(Stretch):
    """The guessed road to the first fix: in `driven_s` end the quarters of a second, ascending, that were driven.

    Between them the picture stood still, and the odometer does not count.
    """

    driven_s: tuple[float, ...] = ()

    def odometer_at(self, boot_s: float) -> float:
        """The odometer in metres at a moment inside."""
        number = bisect_right(self.driven_s, boot_s)
        begun_s = 0.0 if number == len(self.driven_s) else max(0.0, STEP_S - (self.driven_s[number] - boot_s))
        return self.start.odometer_m + self.start.speed_mps * (number * STEP_S + begun_s)

    def _unsure_m(self, boot_s: float, share: float) -> float:  # noqa: ARG002 - of the way back, only its length counts
        """How far the car was from the place that is guessed: it drove there at another speed, and around corners."""
        return UNSURE_SHARE * self.length_m * (1.0 - share)


def departure(first: Fix, kept_s: Sequence[float], seen_s: float) -> Departure | None:
    """The road before the first fix; None where nothing was driven.

    Args:
        first: the first fix.
        kept_s: moments of the exposures that were kept, ascending: at each the picture had moved.
        seen_s: until then all exposures were tried. If the first fix finds the car driving, it drove since.
    """
    driven_s = _driven_s(first, kept_s, seen_s)
    if not driven_s:
        return None
    speed_mps = max(first.speed_mps, DRIVES_MPS) if kept_s else first.speed_mps
    driven_m = speed_mps * STEP_S * len(driven_s)
    east_m, north_m = along(first.course_deg, driven_m) if first.course_deg is not None else (0.0, 0.0)
    latitude_deg, longitude_deg = offset(first.latitude_deg, first.longitude_deg, -east_m, -north_m)
    back_s = first.boot_s - (driven_s[0] - STEP_S)
    start = replace(
        first,
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        speed_mps=speed_mps,
        taken_at=first.taken_at - timedelta(seconds=back_s),
        boot_s=first.boot_s - back_s,
    )
    here = Knot(first, driven_m, speed_mps, first.course_deg, standing=False)
    return Departure(replace(here, fix=start, odometer_m=0.0), here, lost=True, driven_s=driven_s)


def _driven_s(fix: Fix, kept_s: Sequence[float], seen_s: float) -> tuple[float, ...]:
    """When the driven quarters of a second ended."""
    if stands(True, fix.speed_mps):
        return tuple(kept_s)
    quarters = int((fix.boot_s - max([seen_s, *kept_s[-1:]])) / STEP_S)
    return (*kept_s, *(fix.boot_s - STEP_S * (quarters - 1 - number) for number in range(quarters)))
