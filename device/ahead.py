"""Beyond the last fix: which exposures are kept before their place is known. Pure.

In a tunnel the ring in memory is soon full. So the odometer goes on from the last speed, and exposures that are about to leave
the ring are kept every two thirds of a spacing of that predicted road: enough that each mark finds one when the fix is back,
even if the car drove half as fast again. What is kept so is placed, or removed again, once the road is known.
"""

import math
from bisect import bisect_left
from datetime import timedelta

from device.earth import offset
from device.frame import Exposure, Place
from device.odometer import Knot
from device.ring import Ring

STEP_SHARE = 2.0 / 3.0
"""Of a spacing: between two exposures that are kept ahead."""

OVERDUE_S = 1.5
"""A fix of a 1 Hz receiver that has not come by then, latency included, is missing. What the ring still holds waits for it."""

LONGEST_S = 300.0
"""After so long without a fix nothing is kept any more: the longest tunnel of a town is driven in less."""

UNSURE_SHARE = 0.5
"""What a predicted place is unsure of, per metre since the last fix: the car may have slowed down, stopped or turned."""


class Outlook:
    """Chooses exposures on predicted road."""

    def __init__(self, spacing_m: float) -> None:
        self._step_m = STEP_SHARE * spacing_m
        self._next_m: float | None = None

    def fixed(self) -> None:
        """A fix has come: the road is known again."""
        self._next_m = None

    def choose(self, knot: Knot, ring: Ring, mark_m: float) -> tuple[Exposure, Place] | None:
        """The exposure to keep ahead of the fix, if one is due, and its predicted place; `mark_m` is the mark now waiting."""
        newest_s = ring.newest_s
        since_s = 0.0 if newest_s is None else newest_s - knot.fix.boot_s
        if newest_s is None or knot.standing or not OVERDUE_S < since_s <= LONGEST_S:
            return None
        exposures = [exposure for exposure in ring.until(newest_s) if exposure.shutter_boot_s > knot.fix.boot_s]
        readings_m = [predicted_m(knot, exposure.shutter_boot_s) for exposure in exposures]
        wanted_m = mark_m if self._next_m is None else self._next_m
        at = bisect_left(readings_m, wanted_m)
        if at == len(exposures):
            return None
        best = min((index for index in (at - 1, at) if index >= 0), key=lambda index: abs(readings_m[index] - wanted_m))
        chosen = exposures[best]
        if not ring.presses(chosen):
            return None
        self._next_m = readings_m[best] + self._step_m
        return chosen, predicted_place(knot, chosen.shutter_boot_s)


def predicted_m(knot: Knot, boot_s: float) -> float:
    """The odometer at a moment after the last fix, if the car goes on as it did."""
    return knot.odometer_m + knot.speed_mps * (boot_s - knot.fix.boot_s)


def predicted_place(knot: Knot, boot_s: float) -> Place:
    """The place at a moment after the last fix, straight on, and as unsure as that is."""
    driven_m = knot.speed_mps * (boot_s - knot.fix.boot_s)
    course = math.radians(knot.heading_deg or 0.0)
    east_m, north_m = driven_m * math.sin(course), driven_m * math.cos(course)
    latitude_deg, longitude_deg = offset(knot.fix.latitude_deg, knot.fix.longitude_deg, east_m, north_m)
    return Place(
        latitude_deg=latitude_deg,
        longitude_deg=longitude_deg,
        accuracy_m=knot.fix.accuracy_m + UNSURE_SHARE * driven_m,
        heading_deg=knot.heading_deg,
        speed_mps=knot.speed_mps,
        odometer_m=knot.odometer_m + driven_m,
        position_source="ahead_of_fix",
        taken_at=knot.fix.taken_at + timedelta(seconds=boot_s - knot.fix.boot_s),
        time_source="gnss",
    )
