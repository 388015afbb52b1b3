"""A loss of fix in which the car stood for a while: the picture says when. Pure.

Between two stills a car pulls away, drives, and brakes. How fast it drove in between is unknown, but how long, and that it stood
at the ends: so its speed is taken to rise and fall evenly between the speeds at the fixes and the stops, and the whole is scaled
to the road between the fixes.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise

from device.odometer import Stretch

PULLS_MPS2 = 1.7
"""How a car in traffic brakes and pulls away."""

DRIVES_MPS = 8.0
"""The speed of a car that moves in a town, where no fix tells of a faster one."""

KNOWN_SHARE = 0.4
"""Of what a place in a loss is unsure of, where the picture shows the stop. Fitted with `ronde bench spacing`, other seeds."""

LEAST_MOVING_S = 0.5
"""The picture of a car that has got anywhere moved at least so long; otherwise the picture is wrong, not the fixes."""

Still = tuple[float, float]
"""From when to when the picture did not move, on the boot clock."""


class Witness:
    """Collects what the picture says in a loss of fix: of each exposure that is tried, whether it had moved since the last."""

    def __init__(self) -> None:
        self._tried_s: float | None = None
        self._trying: Still = (0.0, 0.0)
        self._stills: list[Still] = []

    def tries(self, shutter_boot_s: float, since_s: float) -> None:
        """This exposure is tried; `since_s` is when the car was last seen, for the first one of a loss."""
        self._trying = (since_s if self._tried_s is None else self._tried_s, shutter_boot_s)
        self._tried_s = shutter_boot_s

    def was_still(self) -> None:
        """The exposure that was just tried had not moved; stills that follow one another are one."""
        from_s, to_s = self._trying
        if self._stills and self._stills[-1][1] == from_s:
            from_s = self._stills.pop()[0]
        self._stills.append((from_s, to_s))

    def told(self) -> tuple[Still, ...]:
        """All stills since the last fix; a fix ends the loss, so they are forgotten."""
        stills = tuple(self._stills)
        self._stills.clear()
        self._tried_s = None
        return stills


@dataclass(frozen=True, slots=True)
class Leg:
    """Driving without a stop for `seconds`: from one speed to another, in between at most as fast as `cruise_mps`."""

    seconds: float
    from_mps: float
    to_mps: float
    cruise_mps: float

    def driven_m(self, at_s: float) -> float:
        """Metres driven by then: the integral of the least of the three speeds, piece by piece."""
        moments_s = {0.0, at_s, (self.cruise_mps - self.from_mps) / PULLS_MPS2}
        moments_s |= {self.seconds - (self.cruise_mps - self.to_mps) / PULLS_MPS2}
        moments_s |= {(self.to_mps - self.from_mps + PULLS_MPS2 * self.seconds) / (2.0 * PULLS_MPS2)}
        inside = sorted(each for each in moments_s if 0.0 <= each <= at_s)
        return sum((self._speed_mps(a) + self._speed_mps(b)) / 2.0 * (b - a) for a, b in pairwise(inside))

    def _speed_mps(self, at_s: float) -> float:
        rising, falling = self.from_mps + PULLS_MPS2 * at_s, self.to_mps + PULLS_MPS2 * (self.seconds - at_s)
        return min(self.cruise_mps, rising, falling)


@dataclass(frozen=True, slots=True)
class Paused(Stretch):
    """The road between two fixes, driven in legs that begin at `begins_s`; between them the picture stood still."""

    legs: tuple[Leg, ...] = ()
    begins_s: tuple[float, ...] = ()
    readings_m: tuple[float, ...] = ()
    scale: float = 1.0

    def odometer_at(self, boot_s: float) -> float:
        """The odometer in metres at a moment inside."""
        number, within_s = self._within(boot_s)
        return self.readings_m[number] + self.scale * self.legs[number].driven_m(within_s)

    def _unsure_m(self, boot_s: float, share: float) -> float:
        """A share of what it would be in a loss that is shorter by the stills: the time lost by braking is known to be that."""
        end = replace(self.end, fix=replace(self.end.fix, boot_s=self._driving_s(self.end.fix.boot_s)))
        driven = Stretch(self.start, end, self.lost)
        return KNOWN_SHARE * driven._unsure_m(self._driving_s(boot_s), share)  # noqa: SLF001 - of its own class

    def _driving_s(self, boot_s: float) -> float:
        """The moment, had the car never stood."""
        number, within_s = self._within(boot_s)
        return self.begins_s[0] + sum(leg.seconds for leg in self.legs[:number]) + within_s

    def _within(self, boot_s: float) -> tuple[int, float]:
        """The number of the leg that was the last to begin, and for how long it had been driven."""
        number = max(0, bisect_right(self.begins_s, boot_s) - 1)
        return number, min(self.legs[number].seconds, max(0.0, boot_s - self.begins_s[number]))


def paused(stretch: Stretch, stills: Sequence[Still]) -> Stretch:
    """The stretch with the stills that lie in it; as it is where there are none, or where they leave no time to drive."""
    begin_s, end_s = stretch.start.fix.boot_s, stretch.end.fix.boot_s
    inside = [(max(from_s, begin_s), min(to_s, end_s)) for from_s, to_s in stills if from_s < end_s and to_s > begin_s]
    moving_s = stretch.seconds - sum(to_s - from_s for from_s, to_s in inside)
    if not inside or moving_s < LEAST_MOVING_S or stretch.length_m == 0.0:
        return stretch
    begins_s = (begin_s, *(to_s for _, to_s in inside))
    ends_s = (*(from_s for from_s, _ in inside), end_s)
    ends_mps = (stretch.start.speed_mps, *(0.0 for _ in inside), stretch.end.speed_mps)
    cruise_mps = max(ends_mps[0], ends_mps[-1], DRIVES_MPS)
    legs = tuple(
        Leg(to_s - from_s, from_mps, to_mps, cruise_mps)
        for from_s, to_s, (from_mps, to_mps) in zip(begins_s, ends_s, pairwise(ends_mps), strict=True)
    )
    driven_m = [leg.driven_m(leg.seconds) for leg in legs]
    scale = stretch.length_m / sum(driven_m)
    readings_m = tuple(accumulate((scale * each for each in driven_m[:-1]), initial=stretch.start.odometer_m))
    return Paused(stretch.start, stretch.end, stretch.lost, legs, begins_s, readings_m, scale)
