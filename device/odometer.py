"""Distance driven along the road, from Doppler speed between fixes. Pure: numbers in, numbers out, no clock.

Positions are only used where speed cannot be: across a loss of fix. A standing car drives no distance, however its position
jitters.
"""

import math
from dataclasses import dataclass, replace
from datetime import timedelta

from device.earth import bearing_deg, distance_m, offset, turn_deg
from device.fix import Fix
from device.frame import Place
from device.positions import SPEED_LIMIT_MPS

STANDS_BELOW_MPS = 0.5
MOVES_ABOVE_MPS = 0.7
"""Hysteresis of standing still: a parked receiver shows up to 0.6 m/s. More would lose the first metres of a car that creeps."""

LOST_S = 2.5
"""Fixes farther apart than this are a loss: one missing fix of a 1 Hz receiver is not, two are."""

FILL_SHARE = 0.055
"""What a filled place is unsure of, per metre of road to the nearer fix, besides the fix's own accuracy: an uneven speed."""

STOP_SHARE = 0.34
"""And of the road on which it may be if the car stopped in the loss. Both fitted with `ronde bench spacing`."""

CHORD_LIMIT_DEG = 60.0
"""A course farther than this off the straight line between two fixes is noise or a reversal: the straight line is used."""


@dataclass(frozen=True, slots=True)
class Knot:
    """A fix with the odometer's reading there and the speed that the odometer believes: 0 while standing."""

    fix: Fix
    odometer_m: float
    speed_mps: float
    heading_deg: float | None
    standing: bool


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
        latitude_deg, longitude_deg = self._position_at(share)
        accuracy_m = max(self.start.fix.accuracy_m, self.end.fix.accuracy_m)
        if self.lost:
            accuracy_m = math.hypot(accuracy_m, self._unsure_m(boot_s, share))
        u = (boot_s - self.start.fix.boot_s) / self.seconds
        return Place(
            latitude_deg=latitude_deg,
            longitude_deg=longitude_deg,
            accuracy_m=accuracy_m,
            heading_deg=blend_deg(self.start.heading_deg, self.end.heading_deg, share),
            speed_mps=(1.0 - u) * self.start.speed_mps + u * self.end.speed_mps,
            odometer_m=odometer_m,
            position_source="filled" if self.lost else "between_fixes",
            taken_at=self.start.fix.taken_at + timedelta(seconds=boot_s - self.start.fix.boot_s),
            time_source="gnss",
        )

    def _unsure_m(self, boot_s: float, share: float) -> float:
        """How far a filled place may be off along the road, in metres, as a radius that holds 95 %.

        The car drove at most as fast as the faster end. So at this moment it lay between two readings, and a stop anywhere in the
        loss puts it anywhere between them. Steady driving is unsure of a share of the way to the nearer fix.
        """
        fastest_mps = max(self.start.speed_mps, self.end.speed_mps)
        most_m = min(self.length_m, fastest_mps * (boot_s - self.start.fix.boot_s))
        least_m = max(0.0, self.length_m - fastest_mps * (self.end.fix.boot_s - boot_s))
        uneven_m = FILL_SHARE * self.length_m * min(share, 1.0 - share)
        return math.hypot(uneven_m, STOP_SHARE * max(0.0, most_m - least_m))

    def _position_at(self, share: float) -> tuple[float, float]:
        """Latitude and longitude at a share of the length: along the curve that leaves and arrives on the courses.

        At 1 Hz a straight line cuts a street corner by metres; a cubic Hermite curve with the courses as tangents does not.
        """
        here, there = self.start.fix, self.end.fix
        chord_m = distance_m(here.latitude_deg, here.longitude_deg, there.latitude_deg, there.longitude_deg)
        bearing = bearing_deg(here.latitude_deg, here.longitude_deg, there.latitude_deg, there.longitude_deg)
        chord = along(bearing, chord_m)
        tangents = [
            along(course, chord_m) if _near(course, bearing) else chord
            for course in (self.start.heading_deg, self.end.heading_deg)
        ]
        u = share
        weight_end, weight_0, weight_1 = (3.0 - 2.0 * u) * u * u, u * (1.0 - u) ** 2, -u * u * (1.0 - u)
        east_m, north_m = (
            weight_end * chord[axis] + weight_0 * tangents[0][axis] + weight_1 * tangents[1][axis] for axis in (0, 1)
        )
        return offset(here.latitude_deg, here.longitude_deg, east_m, north_m)


class Odometer:
    """Strings accepted fixes into stretches of road."""

    def __init__(self) -> None:
        self._knot: Knot | None = None

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
            self._knot = Knot(fix, begin_m, speed_mps, fix.course_deg, standing)
            return None
        seconds = fix.boot_s - before.fix.boot_s
        lost = seconds > LOST_S
        driven_m = _across(before.fix, fix) if lost else (before.speed_mps + speed_mps) / 2.0 * seconds
        heading_deg = before.heading_deg if standing or fix.course_deg is None else fix.course_deg
        if heading_deg is None and driven_m > 0.0:
            heading_deg = bearing_deg(before.fix.latitude_deg, before.fix.longitude_deg, fix.latitude_deg, fix.longitude_deg)
        self._knot = Knot(fix, before.odometer_m + driven_m, speed_mps, heading_deg, standing)
        start = replace(before, heading_deg=heading_deg) if before.heading_deg is None else before
        return Stretch(start, self._knot, lost)


def stands(stood: bool, speed_mps: float) -> bool:
    """Whether the car stands still at this speed, given whether it stood before."""
    return speed_mps < (MOVES_ABOVE_MPS if stood else STANDS_BELOW_MPS)


def blend_deg(start_deg: float | None, end_deg: float | None, share: float) -> float | None:
    """The angle at `share` of the shorter turn from start to end, 0 to 360; the one that is known where one is None."""
    if start_deg is None or end_deg is None:
        return end_deg if start_deg is None else start_deg
    return (start_deg + share * turn_deg(end_deg - start_deg)) % 360.0


def _across(here: Fix, there: Fix) -> float:
    """Metres driven across a loss of fix: the straight line; nothing where it is within the fixes' own error, or a jump."""
    chord_m = distance_m(here.latitude_deg, here.longitude_deg, there.latitude_deg, there.longitude_deg)
    if chord_m > SPEED_LIMIT_MPS * (there.boot_s - here.boot_s):
        return 0.0
    return chord_m if chord_m > max(here.accuracy_m, there.accuracy_m) else 0.0


def _near(course_deg: float | None, bearing: float) -> bool:
    """Whether a course is plausible for a stretch with this bearing."""
    return course_deg is not None and abs(turn_deg(course_deg - bearing)) < CHORD_LIMIT_DEG


def along(course_deg: float | None, length_m: float) -> tuple[float, float]:
    """East and north metres of a length along a course."""
    angle = math.radians(course_deg or 0.0)
    return length_m * math.sin(angle), length_m * math.cos(angle)
