"""Where a detected thing is, and how sure that is."""

import math

from device.frame import Place

AHEAD_M = 30.0
"""A thing in view of the windscreen camera stands within this of the car in 95 of 100 cases: it is seen from at most that far."""


def place_of(place: Place) -> tuple[float, float, float]:
    """Latitude, longitude and uncertainty (radius that holds 95 %, metres) of a thing seen in a frame taken at `place`.

    The thing is given the car's position; the uncertainty says so. Projection onto the road is the next step of this module.
    """
    return place.latitude_deg, place.longitude_deg, math.hypot(place.accuracy_m, AHEAD_M)
