"""Where the car was, from the road driven and its heading alone. Pure.

A receiver's position creeps by a metre while the car waits at a light, and jumps behind a house; odometer and heading do
not. So sightings are compared on a plane of their own, whose axes are east and north and whose origin is where the round began.
Over the few dozen metres on which a thing is in view, it is as good as the Doppler speed.
"""

import math
from dataclasses import dataclass

from device.earth import east_north_m, turn_deg
from device.frame import Place

BACKWARDS_M = 1.0
"""A position that moves by more than this against the heading tells of the reverse gear."""


@dataclass(frozen=True, slots=True)
class Reckoned:
    """The car in one frame: metres east and north of where the round began, and the odometer there.

    `turn_deg` is by how much it had turned since the frame before.
    """

    east_m: float
    north_m: float
    heading_deg: float
    odometer_m: float
    turn_deg: float = 0.0

    def world(self, right_m: float, ahead_m: float) -> tuple[float, float]:
        """East and north of a place in the car's axes."""
        sine, cosine = math.sin(math.radians(self.heading_deg)), math.cos(math.radians(self.heading_deg))
        return self.east_m + right_m * cosine + ahead_m * sine, self.north_m - right_m * sine + ahead_m * cosine

    def car(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Right and ahead of a place: the inverse of `world`."""
        sine, cosine = math.sin(math.radians(self.heading_deg)), math.cos(math.radians(self.heading_deg))
        east_m, north_m = east_m - self.east_m, north_m - self.north_m
        return east_m * cosine - north_m * sine, east_m * sine + north_m * cosine


def reckon(before: Reckoned | None, place: Place, last: Place | None) -> Reckoned | None:
    """The car in the frame at `place`, from the frame before; None where it has no heading yet.

    Between two frames it drives an arc: its chord has the mean heading and is shorter than the road by the sinc of half the turn.
    """
    if place.heading_deg is None:
        return before
    if before is None:
        return Reckoned(0.0, 0.0, place.heading_deg, place.odometer_m)
    turned = turn_deg(place.heading_deg - before.heading_deg)
    half = math.radians(turned) / 2.0
    chord_m = (place.odometer_m - before.odometer_m) * (math.sin(half) / half if abs(half) > 1e-9 else 1.0)
    course = math.radians(before.heading_deg) + half
    sine, cosine = math.sin(course), math.cos(course)
    if last is not None:
        east_m, north_m = east_north_m(last.latitude_deg, last.longitude_deg, place.latitude_deg, place.longitude_deg)
        if east_m * sine + north_m * cosine < -BACKWARDS_M:
            chord_m = -chord_m
    return Reckoned(
        before.east_m + chord_m * sine, before.north_m + chord_m * cosine, place.heading_deg, place.odometer_m, turned
    )
