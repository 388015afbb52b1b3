"""Fixes and exposures in, exposures with a place out: one spacing apart, chosen afterwards.

One class holds what the choice needs: the ring of exposures, the odometer, the trigger, and the stretches of road on which
exposures still wait. It knows no thread and no clock: both streams are fed in, in the order in which they arrive.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from device.fix import Fix
from device.frame import Exposure, Place
from device.odometer import Odometer, Stretch
from device.ring import Ring
from device.trigger import Miss, Trigger

STALLED_S = 2.0
"""How long the choice waits for exposures of a moment that the road already covers; then it goes on without them."""

MissReason = Literal["no_frame", "no_fix", "frame_unreadable"]


@dataclass(frozen=True, slots=True)
class Missed:
    """No photo can be had at this mark, and why."""

    odometer_m: float
    reason: MissReason


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The exposure that serves the mark at `mark_m`, and its place."""

    exposure: Exposure
    place: Place
    mark_m: float


class Chooser:
    """Chooses the exposure for each mark."""

    def __init__(self, spacing_m: float, ring: Ring) -> None:
        self.spacing_m = spacing_m
        self.ring = ring
        self.before_first_fix = 0
        self.standing_s = 0.0
        self._trigger = Trigger(spacing_m)
        self._odometer = Odometer()
        self._road: deque[Stretch] = deque()
        self._chosen: Chosen | None = None
        self._unread_here = False
        self._ended = False

    @property
    def odometer_m(self) -> float:
        """Metres driven up to the newest fix."""
        return self._odometer.knot.odometer_m if self._odometer.knot else 0.0

    @property
    def fix(self) -> Fix | None:
        """The newest fix."""
        return self._odometer.knot.fix if self._odometer.knot else None

    def take_fix(self, fix: Fix) -> Stretch | None:
        """The next accepted fix, newer than the last; the stretch of road that leads to it, None for the first one."""
        stretch = self._odometer.advance(fix)
        if stretch is None:
            before_s = math.nextafter(fix.boot_s, -math.inf)
            self.before_first_fix += len(self.ring.until(before_s))
            self.ring.drop_until(before_s)
            return None
        if stretch.standing:
            self.standing_s += stretch.seconds
        self._road.append(stretch)
        return stretch

    def end(self) -> None:
        """No more fixes and exposures will come: what is left can be decided on."""
        self._ended = True

    def choose(self) -> Chosen | Missed | None:
        """The exposure for the next mark, or that it is missed; None where more fixes or exposures are needed.

        A chosen exposure counts as kept unless it is put back before the next call.
        """
        if self._chosen is not None:
            self.ring.drop_until(self._chosen.exposure.shutter_boot_s)
            self._chosen, self._unread_here = None, False
        if not self._road or (self._ended and self._trigger.mark_m > self.odometer_m):
            return None
        waiting = self._waiting()
        odometers_m = [stretch.odometer_at(exposure.shutter_boot_s) for exposure, stretch in waiting]
        choice = self._trigger.decide(odometers_m, self._settled_m())
        if choice is None:
            self._forget([exposure for exposure, _ in waiting])
            return None
        if isinstance(choice, Miss):
            return self._miss()
        exposure, stretch = waiting[choice.index]
        place = stretch.place_at(exposure.shutter_boot_s)
        self._chosen = Chosen(exposure, place, self._trigger.mark_m)
        self._trigger.served(place.odometer_m)
        return self._chosen

    def put_back(self, chosen: Chosen) -> None:
        """The exposure just chosen cannot be read: it goes, and its mark waits for the next nearest."""
        self.ring.remove(chosen.exposure)
        self._trigger.mark_m = chosen.mark_m
        self._chosen, self._unread_here = None, True

    def _waiting(self) -> list[tuple[Exposure, Stretch]]:
        """The exposures that lie on known road, each with its stretch."""
        exposures = self.ring.until(self._road[-1].end.fix.boot_s)
        return [
            (exposure, stretch) for exposure in exposures if (stretch := self._stretch_at(exposure.shutter_boot_s)) is not None
        ]

    def _stretch_at(self, boot_s: float) -> Stretch | None:
        return next((stretch for stretch in self._road if stretch.holds(boot_s)), None)

    def _settled_m(self) -> float:
        """The reading up to which every exposure has arrived."""
        if self._ended:
            return math.inf
        known_s = self._road[-1].end.fix.boot_s
        newest_s = self.ring.newest_s
        settled_s = known_s - STALLED_S if newest_s is None else min(known_s, max(newest_s, known_s - STALLED_S))
        for stretch in self._road:
            if settled_s <= stretch.end.fix.boot_s:
                return stretch.odometer_at(settled_s)
        return self.odometer_m

    def _miss(self) -> Missed:
        """Give up the present mark, with the reason."""
        mark_m = self._trigger.mark_m
        lost = any(stretch.lost for stretch in self._road if stretch.start.odometer_m < mark_m <= stretch.end.odometer_m)
        reason: MissReason = "frame_unreadable" if self._unread_here else "no_fix" if lost else "no_frame"
        self._unread_here = False
        self._trigger.missed()
        return Missed(mark_m, reason)

    def _forget(self, waiting: Sequence[Exposure]) -> None:
        """Let go of what can serve no mark any more: exposures before the mark but the last one, and the road behind."""
        if len(waiting) > 1:
            self.ring.drop_until(waiting[-2].shutter_boot_s)
        oldest_s = waiting[-1].shutter_boot_s if waiting else self._road[-1].end.fix.boot_s - STALLED_S
        while len(self._road) > 1 and self._behind(self._road[0], oldest_s):
            self._road.popleft()

    def _behind(self, stretch: Stretch, oldest_s: float) -> bool:
        return stretch.end.fix.boot_s < oldest_s and stretch.end.odometer_m < self._trigger.mark_m
