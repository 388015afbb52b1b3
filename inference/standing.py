"""A thing above the ground while it is in view: the rays to it, where they meet, and which new one is another of it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.ellipse import Ellipse, along
from inference.locate import DOUBT
from inference.reckoning import Reckoned
from inference.sighting import Bearing
from inference.triangulate import Fixed, Ray, squared_distance, triangulate

GATE = 16.3
"""Squared distance of azimuth, slope and size: 99.9 % of true pairs are nearer (chi-squared)."""
MOST_RAYS = 12
"""The newest so many are kept: the rest adds nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Its rays, and where they meet."""

    label: str
    rays: tuple[Ray, ...]
    fixed: Fixed

    @classmethod
    def first(cls, label: str, bearing: Bearing, at: Reckoned) -> "Standing":
        """From its first sighting."""
        return cls.of(label, (_ray(bearing, at),))

    @classmethod
    def of(cls, label: str, rays: Sequence[Ray]) -> "Standing":
        """From its rays."""
        return cls(label, tuple(rays), triangulate(rays, label))

    @property
    def east_m(self) -> float:
        """Of its foot."""
        return float(self.fixed.point[0])

    @property
    def north_m(self) -> float:
        """Of its foot."""
        return float(self.fixed.point[1])

    @property
    def each(self) -> Ellipse:
        """Its error, but for what all rays have in common."""
        return self.fixed.ground

    @property
    def common(self) -> Ellipse:
        """What a camera that looks a little aside adds: it turns the thing around the car that was nearest."""
        ray = self.rays[-1]
        east_m, north_m = self.east_m - ray.east_m, self.north_m - ray.north_m
        return along((north_m, -east_m), float(np.radians(DOUBT.mount_yaw_deg)) ** 2)

    @property
    def odometer_m(self) -> float:
        """Where it was seen last."""
        return self.rays[-1].odometer_m

    def cost(self, bearing: Bearing, at: Reckoned) -> float | None:
        """How badly a sighting fits, less is better; None where it is of another thing."""
        squared = squared_distance(self.fixed, _ray(bearing, at), at.odometer_m)
        return squared if squared <= GATE else None

    def taken(self, bearing: Bearing, at: Reckoned) -> "Standing":
        """With one more sighting."""
        rays = (*self.rays[-(MOST_RAYS - 1) :], _ray(bearing, at))
        return Standing(self.label, rays, triangulate(rays, self.label, self.fixed.point))

    def ahead_m(self, at: Reckoned) -> float:
        """How far ahead of the lens it is."""
        return at.car(self.east_m, self.north_m)[1]


def _ray(bearing: Bearing, at: Reckoned) -> Ray:
    told = (bearing.azimuth, bearing.slope, bearing.size, bearing.azimuth_sigma, bearing.slope_sigma)
    return Ray(at.east_m, at.north_m, at.odometer_m, *told)
