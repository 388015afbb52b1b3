"""Metres east and north of a place, for all of a round: one scale for each axis, so that near places stay as they lie. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.earth import east_north_m

Floats = npt.NDArray[np.float64]

STEP_DEG = 0.01


@dataclass(frozen=True, slots=True)
class Plane:
    """East and north are counted from `latitude_deg`, `longitude_deg`; metres for each degree are those there."""

    latitude_deg: float
    longitude_deg: float
    east_m: float
    north_m: float

    def metres(self, latitude_deg: float, longitude_deg: float) -> tuple[float, float]:
        """East and north of a place."""
        turn_deg = (longitude_deg - self.longitude_deg + 180.0) % 360.0 - 180.0
        return turn_deg * self.east_m, (latitude_deg - self.latitude_deg) * self.north_m

    def degrees(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Latitude and longitude of a place."""
        longitude_deg = self.longitude_deg + east_m / self.east_m
        return self.latitude_deg + north_m / self.north_m, (longitude_deg + 180.0) % 360.0 - 180.0

    def line(self, positions: Sequence[Sequence[float]]) -> Floats:
        """East and north (n, 2) of positions as GeoJSON has them, longitude first."""
        places = np.array([each[:2] for each in positions], float).reshape(-1, 2)
        east_deg = (places[:, 0] - self.longitude_deg + 180.0) % 360.0 - 180.0
        return np.stack((east_deg * self.east_m, (places[:, 1] - self.latitude_deg) * self.north_m), axis=1)


def plane_at(latitude_deg: float, longitude_deg: float) -> Plane:
    """The plane around a place; near a pole the scale of the last degree before it."""
    near_deg = math.copysign(min(abs(latitude_deg), 89.0), latitude_deg)
    east_m, _ = east_north_m(near_deg, 0.0, near_deg, STEP_DEG)
    _, north_m = east_north_m(near_deg - STEP_DEG / 2.0, 0.0, near_deg + STEP_DEG / 2.0, 0.0)
    return Plane(latitude_deg, longitude_deg, east_m / STEP_DEG, north_m / STEP_DEG)
