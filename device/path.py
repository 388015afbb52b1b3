"""The way between two fixes as a curve that leaves and arrives on the courses. Pure.

At 1 Hz a straight line cuts a street corner by metres, and across a loss of fix by tens of metres; a cubic Hermite curve with the
courses as tangents does neither.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from device.earth import along, bearing_deg, distance_m, turn_deg
from device.fix import Fix

CHORD_LIMIT_DEG = 60.0
"""A course farther than this off the straight line between two fixes is noise, or of a way that no such curve describes: the
straight line is used."""

STEPS = 16
"""Straight pieces by which the length is measured: of a right angle, 0.1 % is missing."""

Metres = tuple[float, float]
"""East and north."""


@dataclass(frozen=True, slots=True)
class Curve:
    """From one fix to the next. `chord_m` is the straight line, as east and north metres; `tangents_m` are the curve's ends."""

    chord_m: Metres
    tangents_m: tuple[Metres, Metres]
    unexplained_deg: float
    """How far the courses are from those of an arc, which the curve describes well. The rest of them tells of corners between."""

    @property
    def straight_m(self) -> float:
        """Length of the straight line."""
        return math.hypot(*self.chord_m)

    @property
    def length_m(self) -> float:
        """Length of the curve."""
        if self.tangents_m == (self.chord_m, self.chord_m):
            return self.straight_m
        points = [self.at(number / STEPS) for number in range(STEPS + 1)]
        return sum(math.dist(here, there) for here, there in pairwise(points))

    def at(self, share: float) -> Metres:
        """Metres from the first fix at a share of the length."""
        u = share
        weight_end, weight_0, weight_1 = (3.0 - 2.0 * u) * u * u, u * (1.0 - u) ** 2, -u * u * (1.0 - u)
        (east_m, north_m), ((east_0, north_0), (east_1, north_1)) = self.chord_m, self.tangents_m
        return (
            weight_end * east_m + weight_0 * east_0 + weight_1 * east_1,
            weight_end * north_m + weight_0 * north_0 + weight_1 * north_1,
        )


def curve_between(here: Fix, there: Fix, leaves_deg: float | None, arrives_deg: float | None) -> Curve:
    """The curve between two fixes, for the directions of travel at both; None where one is unknown."""
    ends = (here.latitude_deg, here.longitude_deg, there.latitude_deg, there.longitude_deg)
    bearing, chord_m = bearing_deg(*ends), distance_m(*ends)
    off_deg = [0.0 if course is None else turn_deg(course - bearing) for course in (leaves_deg, arrives_deg)]
    near_deg = [off if abs(off) < CHORD_LIMIT_DEG else 0.0 for off in off_deg]
    # As long as an arc of this turn: then the curve is driven at an even speed.
    turn = math.radians(abs(near_deg[1] - near_deg[0]))
    arc_m = chord_m * (turn / 2.0 / math.sin(turn / 2.0) if turn > 1e-6 else 1.0)
    chord = along(bearing, chord_m)
    leaves, arrives = (along(bearing + off, arc_m) if off else chord for off in near_deg)
    beyond_deg = max(0.0, max(map(abs, off_deg)) - CHORD_LIMIT_DEG)
    return Curve(chord, (leaves, arrives), abs(off_deg[0] + off_deg[1]) / 2.0 + beyond_deg)
