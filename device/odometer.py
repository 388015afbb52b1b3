"""Distance driven along the road, from Doppler speed between fixes. Pure: numbers in, numbers out, no clock.

Positions are only used where speed cannot be: across a loss of fix. A standing car drives no distance, however its position
jitters.
"""

import math
from dataclasses import dataclass, replace
from datetime import timedelta

from device.earth import bearing_deg, offset, turn_deg
from device.fix import Fix
from device.frame import Place
from device.heading import FLIP_DEG, Heading
from device.path import Curve, curve_between
from device.positions import SPEED_LIMIT_MPS

STANDS_BELOW_MPS = 0.5
MOVES_ABOVE_MPS = 0.7
"""Hysteresis of standing still: a parked receiver shows up to 0.6 m/s. More would lose the first metres of a car that creeps."""

LOST_S = 2.5
"""Fixes farther apart than this are a loss: one missing fix of a 1 Hz receiver is not, two are."""

FILL_SHARE = 0.03
CORNER_SHARE = 0.6
STOP_SHARE = 0.33
SHAPE = 1.25
"""How far a filled place is off in the middle of a loss, as a radius that holds 95 %: by a share of the road to the nearer fix,
since no speed is even; by a share of the road that may have been driven, where the courses tell of corners; by a share of the
road on which the car may be, if it stopped. And how fast it grows towards the middle. Measured on losses that were cut into
recorded drives (docs/adr/0008-unsure-in-a-loss.md), not on the simulated ones that check it."""


@dataclass(frozen=True, slots=True)
class Knot:
    """A fix with the odometer's reading there and the speed that the odometer believes: 0 while standing.

    `heading_deg` is where the car points; `reversing`: it drives the other way.
    """

    fix: Fix
    odometer_m: float
    speed_mps: float
    heading_deg: float | None
    standing: bool
    reversing: bool = False

    @property
    def way_deg(self) -> float | None:
        """The direction of travel."""
        return Heading(self.heading_deg, self.reversing).way_deg


@dataclass(frozen=True, slots=True)
class Stretch:
    """The road between two neighbouring fixes. `lost`: they are too far apart in time, so what lies between is filled."""

    start: Knot
    end: Knot
    lost: bool

    @property
    def length_m(self) -> float:
        """Metres driven."""
        return self.end.odometer_m - self.start.odometer_m

    @property
    def seconds(self) -> float:
        """Duration on the boot clock."""
        return self.end.fix.boot_s - self.start.fix.boot_s

    @property
    def standing(self) -> bool:
        """Whether the car stood still at both ends and drove nothing between."""
        return self.start.standing and self.end.standing and self.length_m == 0.0

    def holds(self, boot_s: float) -> bool:
        """Whether the moment lies between the two fixes, both included."""
        return self.start.fix.boot_s <= boot_s <= self.end.fix.boot_s

    def odometer_at(self, boot_s: float) -> float:
        """The odometer in metres at a moment inside: a cubic Hermite curve through both readings with both speeds.

        The speeds are limited to three times the mean one, which keeps the curve monotone (Fritsch and Carlson 1980).
        """
        if self.length_m == 0.0:
            return self.start.odometer_m
        most = 3.0 * self.length_m / self.seconds
        slope_0, slope_1 = min(self.start.speed_mps, most), min(self.end.speed_mps, most)
        u = min(1.0, max(0.0, (boot_s - self.start.fix.boot_s) / self.seconds))
        driven = (3.0 - 2.0 * u) * u * u * self.length_m
        driven += self.seconds * u * (1.0 - u) * ((1.0 - u) * slope_0 - u * slope_1)
        return self.start.odometer_m + driven

    def place_at(self, boot_s: float) -> Place:
        """The place at a moment inside, with the accuracy that it has."""
        odometer_m = self.odometer_at(boot_s)
        share = (odometer_m - self.start.odometer_m) / self.length_m if self.length_m else 0.0
        curve = self._curve()
        latitude_deg, longitude_deg = offset(self.start.fix.latitude_deg, self.start.fix.longitude_deg, *curve.at(share))
        accuracy_m = max(self.start.fix.accuracy_m, self.end.fix.accuracy_m)
        unsure_m = self._unsure_m(boot_s, share) if self.lost else self._beyond_m(curve)
        u = (boot_s - self.start.fix.boot_s) / self.seconds
        return Place(
            latitude_deg=latitude_deg,
            longitude_deg=longitude_deg,
            accuracy_m=math.hypot(accuracy_m, unsure_m),
            heading_deg=blend_deg(self.start.heading_deg, self.end.heading_deg, share),
            speed_mps=(1.0 - u) * self.start.speed_mps + u * self.end.speed_mps,
            odometer_m=odometer_m,
            position_source="filled" if self.lost else "between_fixes",
            taken_at=self.start.fix.taken_at + timedelta(seconds=boot_s - self.start.fix.boot_s),
            time_source="gnss",
        )

    def _curve(self) -> Curve:
        return curve_between(self.start.fix, self.end.fix, self.start.way_deg, self.end.way_deg)

    def _beyond_m(self, curve: Curve) -> float:
        """By how much the fixes lie farther apart than was driven: one of them is wrong by that, whatever it says of itself."""
        return max(0.0, curve.straight_m - self.length_m)

    def _unsure_m(self, boot_s: float, share: float) -> float:  # noqa: ARG002 - a guessed road counts by its share
        """How far a filled place may be off, in metres, as a radius that holds 95 %, besides what its fixes are off.

        If it stopped, then at this moment it lay between two readings: as far as the faster end gets it, and as near as it could
        still make good.
        """
        fastest_mps = max(self.start.speed_mps, self.end.speed_mps)
        most_m = min(self.length_m, fastest_mps * (boot_s - self.start.fix.boot_s))
        least_m = max(0.0, self.length_m - fastest_mps * (self.end.fix.boot_s - boot_s))
        return math.hypot(self._uneven_m(boot_s), STOP_SHARE * max(0.0, most_m - least_m))

    def _uneven_m(self, boot_s: float) -> float:
        """The same for a car that did not stop: its speed was uneven, and it drove around corners, if the courses tell of such.

        At the speeds of both ends it may have driven farther than the curve is long.
        """
        u = min(1.0, max(0.0, (boot_s - self.start.fix.boot_s) / self.seconds))
        road_m = max(self.length_m, (self.start.speed_mps + self.end.speed_mps) / 2.0 * self.seconds)
        corners_m = CORNER_SHARE * road_m * math.sin(math.radians(min(90.0, self._curve().unexplained_deg)))
        return math.hypot(FILL_SHARE * self.length_m / 2.0, corners_m) * math.pow(4.0 * u * (1.0 - u), SHAPE)


class Odometer:
    """Strings accepted fixes into stretches of road."""

    def __init__(self) -> None:
        self._knot: Knot | None = None
        self._heading = Heading()

    @property
    def knot(self) -> Knot | None:
        """The newest fix with its reading, None before the first."""
        return self._knot

    def advance(self, fix: Fix, begin_m: float = 0.0) -> Stretch | None:
        """The stretch from the fix before to this one; None for the first of a round, where the odometer begins at `begin_m`."""
        before = self._knot
        standing = stands(before.standing if before else True, fix.speed_mps)
        speed_mps = 0.0 if standing else fix.speed_mps
        if before is None:
            self._heading = self._heading.after(fix.course_deg, fix.speed_mps, 0.0, lost=False)
            self._knot = Knot(fix, begin_m, speed_mps, fix.course_deg, standing)
            return None
        seconds = fix.boot_s - before.fix.boot_s
        lost = seconds > LOST_S
        driven_m = (before.speed_mps + speed_mps) / 2.0 * seconds
        heading = self._heading = self._heading.after(fix.course_deg, fix.speed_mps, driven_m, lost=lost)
        heading_deg = heading.heading_deg if heading.heading_deg is not None else before.heading_deg
        if lost:
            driven_m = _across(before.fix, fix, curve_between(before.fix, fix, before.way_deg, heading.way_deg))
        if heading_deg is None and driven_m > 0.0:
            heading_deg = bearing_deg(before.fix.latitude_deg, before.fix.longitude_deg, fix.latitude_deg, fix.longitude_deg)
        self._knot = Knot(fix, before.odometer_m + driven_m, speed_mps, heading_deg, standing, heading.reversing)
        return Stretch(_turned(before, self._knot, lost=lost), self._knot, lost)


def stands(stood: bool, speed_mps: float) -> bool:
    """Whether the car stands still at this speed, given whether it stood before."""
    return speed_mps < (MOVES_ABOVE_MPS if stood else STANDS_BELOW_MPS)


def blend_deg(start_deg: float | None, end_deg: float | None, share: float) -> float | None:
    """The angle at `share` of the shorter turn from start to end, 0 to 360; the one that is known where one is None."""
    if start_deg is None or end_deg is None:
        return end_deg if start_deg is None else start_deg
    return (start_deg + share * turn_deg(end_deg - start_deg)) % 360.0


def _across(here: Fix, there: Fix, curve: Curve) -> float:
    """Metres driven across a loss of fix: the curve; nothing where the fixes are as near as their own error, or a jump apart."""
    if curve.straight_m > SPEED_LIMIT_MPS * (there.boot_s - here.boot_s):
        return 0.0
    return curve.length_m if curve.straight_m > max(here.accuracy_m, there.accuracy_m) else 0.0


def _turned(before: Knot, after: Knot, *, lost: bool) -> Knot:
    """The knot before, as the one after lets it be seen: a car does not turn round on the spot, so it pointed as it does now."""
    if before.heading_deg is None:
        return replace(before, heading_deg=after.heading_deg, reversing=after.reversing)
    if lost or after.heading_deg is None or abs(turn_deg(after.heading_deg - before.heading_deg)) <= FLIP_DEG:
        return before
    return replace(before, heading_deg=after.heading_deg, reversing=not before.reversing)
