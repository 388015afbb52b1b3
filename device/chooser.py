"""Fixes and exposures in, exposures with a place out: one spacing apart, chosen afterwards.

One class holds what the choice needs: the ring of exposures, the odometer, the trigger, and the stretches of road on which
exposures still wait. It knows no thread and no clock: both streams are fed in, in the order in which they arrive.

Where the fix stays away for longer than the ring reaches, exposures are kept ahead of it (`Ahead`); when it is back, each of
them is either placed (`Placed`) or turns out to be one too many (`Surplus`).
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count

from device.ahead import OVERDUE_S, Outlook, predicted_place
from device.choice import Ahead, Choice, Chosen, Missed, MissReason, Placed, Surplus
from device.departure import Departure, Watch, departure
from device.fix import Fix
from device.frame import Exposure, Place
from device.odometer import Knot, Odometer, Stretch
from device.pause import Witness, paused
from device.ring import Ring
from device.trigger import Miss, Trigger

STALLED_S = 2.0
"""How long the choice waits for exposures of a moment that the road already covers; then it goes on without them."""


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """What may serve a mark: an exposure of the ring, or one kept ahead (then its number)."""

    shutter_boot_s: float
    stretch: Stretch
    exposure: Exposure | None = None
    number: int | None = None

    @property
    def odometer_m(self) -> float:
        return self.stretch.odometer_at(self.shutter_boot_s)


class Chooser:
    """Chooses the exposure for each mark."""

    def __init__(self, spacing_m: float, ring: Ring) -> None:
        self.spacing_m = spacing_m
        self.ring = ring
        self.before_first_fix = 0
        self.standing_s = 0.0
        self._trigger = Trigger(spacing_m)
        self._odometer = Odometer()
        self._outlook = Outlook(spacing_m)
        self._watch = Watch()
        self._witness = Witness()
        self._road: deque[Stretch] = deque()
        self._kept_ahead: deque[tuple[float, int]] = deque()
        self._surplus: deque[int] = deque()
        self._numbers = count(1)
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
        self._outlook.fixed()
        watch, self._watch = self._watch, Watch()
        stills = self._witness.told()
        stretch = self._depart(fix, watch) if self._odometer.knot is None else self._odometer.advance(fix)
        if stretch is None:
            return None
        if stretch.lost and not isinstance(stretch, Departure):
            stretch = paused(stretch, stills)
        if stretch.standing:
            self.standing_s += stretch.seconds
        self._road.append(stretch)
        return stretch

    def _depart(self, first: Fix, watch: Watch) -> Stretch | None:
        """The first fix: the guessed road behind it, if something was driven on it."""
        before_s = math.nextafter(first.boot_s, -math.inf)
        at_hand = self.ring.until(before_s)
        seen_s = watch.tried_s or (at_hand[0].shutter_boot_s if at_hand else first.boot_s)
        road = departure(first, [shutter_boot_s for shutter_boot_s, _ in self._kept_ahead], seen_s)
        begun_s = road.start.fix.boot_s if road else first.boot_s
        self.before_first_fix += sum(exposure.shutter_boot_s < begun_s for exposure in at_hand)
        self.ring.drop_until(math.nextafter(begun_s, -math.inf))
        self._odometer.advance(first, road.length_m if road else 0.0)
        return road

    def end(self) -> None:
        """No more fixes and exposures will come: what is left can be decided on."""
        self._ended = True

    def choose(self) -> Choice | None:
        """What to do next; None where more fixes or exposures are needed.

        A chosen exposure counts as kept unless it is put back before the next call; so does one that is kept ahead, unless it is
        forgotten.
        """
        if self._chosen is not None:
            self.ring.drop_until(self._chosen.exposure.shutter_boot_s)
            self._chosen, self._unread_here = None, False
        if self._surplus:
            return Surplus(self._surplus.popleft())
        return self._serve() or self._look_ahead()

    def _serve(self) -> Chosen | Missed | Placed | Surplus | None:
        """Serve or miss the present mark, if the road on both sides of it is known."""
        if not self._road or (self._ended and self._trigger.mark_m > self.odometer_m):
            return None
        waiting = self._waiting()
        choice = self._trigger.decide([each.odometer_m for each in waiting], self._settled_m())
        if choice is None:
            self._forget(waiting)
            return Surplus(self._surplus.popleft()) if self._surplus else None
        if isinstance(choice, Miss):
            return self._miss()
        best = waiting[choice.index]
        self._pass_over(waiting[: choice.index])
        place = best.stretch.place_at(best.shutter_boot_s)
        mark_m = self._trigger.mark_m
        if best.number is not None:
            self._trigger.go_on()
            self._kept_ahead.popleft()
            self.ring.drop_until(best.shutter_boot_s)
            self._unread_here = False
            return Placed(best.number, place)
        assert best.exposure is not None
        self._trigger.served(place.odometer_m)
        self._chosen = Chosen(best.exposure, place, mark_m)
        return self._chosen

    def _look_ahead(self) -> Ahead | None:
        """Keep an exposure beyond the last fix before the ring loses it."""
        knot = self._odometer.knot
        if self._ended:
            return None
        if knot is None or knot.standing:
            return self._watch_out(knot)
        due = self._outlook.choose(knot, self.ring, max(self._trigger.mark_m, knot.odometer_m))
        return self._ahead(*due, moving=True) if due is not None else None

    def _watch_out(self, knot: Knot | None) -> Ahead | None:
        """Keep exposures while the picture moves, where no speed tells: before the first fix, and where the last one stood."""
        if knot is not None and (self.ring.newest_s or 0.0) - knot.fix.boot_s <= OVERDUE_S:
            return None
        exposure = self._watch.choose(self.ring)
        if exposure is None:
            return None
        place = predicted_place(knot, exposure.shutter_boot_s) if knot is not None else None
        return self._ahead(exposure, place, moving=False)

    def _ahead(self, exposure: Exposure, place: Place | None, *, moving: bool) -> Ahead:
        self.ring.drop_until(exposure.shutter_boot_s)
        ahead = Ahead(next(self._numbers), exposure, place, moving)
        self._witness.tries(exposure.shutter_boot_s, self.fix.boot_s if self.fix else exposure.shutter_boot_s)
        self._kept_ahead.append((exposure.shutter_boot_s, ahead.number))
        return ahead

    def was_still(self, number: int) -> None:
        """The picture of the exposure under this number had not moved: it is not kept."""
        self._watch.was_still()
        self._witness.was_still()
        self.forget_ahead(number)

    def forget_ahead(self, number: int) -> None:
        """The exposure kept ahead under this number is not there: it could not be read or hidden."""
        self._kept_ahead = deque(each for each in self._kept_ahead if each[1] != number)

    def put_back(self, chosen: Chosen) -> None:
        """The exposure just chosen cannot be read: it goes, and its mark waits for the next nearest."""
        self.ring.remove(chosen.exposure)
        self._trigger.mark_m = chosen.mark_m
        self._chosen, self._unread_here = None, True

    def _waiting(self) -> list[_Waiting]:
        """What lies on known road, in order of time: exposures kept ahead are older than those in the ring."""
        known_s = self._road[-1].end.fix.boot_s
        waiting = []
        for shutter_boot_s, number in self._kept_ahead:
            stretch = self._stretch_at(shutter_boot_s)
            if stretch is not None:
                waiting.append(_Waiting(shutter_boot_s, stretch, number=number))
        for exposure in self.ring.until(known_s):
            stretch = self._stretch_at(exposure.shutter_boot_s)
            if stretch is not None:
                waiting.append(_Waiting(exposure.shutter_boot_s, stretch, exposure))
        return waiting

    def _pass_over(self, passed: Sequence[_Waiting]) -> None:
        """These serve no mark any more; what was kept ahead of them is to be removed."""
        for each in passed:
            if each.number is not None:
                self._kept_ahead.popleft()
                self._surplus.append(each.number)

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
        self._trigger.go_on()
        return Missed(mark_m, reason)

    def _forget(self, waiting: Sequence[_Waiting]) -> None:
        """Let go of what can serve no mark any more: all that waits before the mark but the last one, and the road behind."""
        if len(waiting) > 1:
            self._pass_over(waiting[:-1])
            self.ring.drop_until(waiting[-2].shutter_boot_s)
        oldest_s = waiting[-1].shutter_boot_s if waiting else self._road[-1].end.fix.boot_s - STALLED_S
        while len(self._road) > 1 and self._behind(self._road[0], oldest_s):
            self._road.popleft()

    def _behind(self, stretch: Stretch, oldest_s: float) -> bool:
        return stretch.end.fix.boot_s < oldest_s and stretch.end.odometer_m < self._trigger.mark_m
