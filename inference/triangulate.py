"""Where something above the ground is, from the rays of several frames. Pure.

Least squares over four unknowns: east, north, metres above the lens, and the logarithm of the thing's own height. Each ray tells
an azimuth, a slope, and how large the thing looks, which grows as the car comes nearer. What such things usually measure keeps a
single ray from having no distance at all. Gauss and Newton; a ray that does not fit is left out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from inference.ellipse import Ellipse

Floats = npt.NDArray[np.floating[Any]]

HEIGHT_M: Final = {"traffic_light": 0.9}
USUAL_HEIGHT_M = 0.7
HEIGHT_SPREAD = 0.35
"""How high what stands above the road is, and how unsure that is (a standard deviation of its logarithm). French signs of the
small and the normal series are 0.6 to 0.87 m high, of the miniature one from 0.4 m on (IISR, first part, article 5.3); a signal
of three lamps is about 0.9 m."""

SIZE_SIGMA = 0.15
"""Of the logarithm of how large a box is."""

NEAREST_M, FARTHEST_M = 1.0, 80.0
ROUNDS = 8
STILL_M = 1e-3
OUTLIER = 16.3
"""Squared, of three residuals: 99.9 % of the good ones are smaller (chi-squared)."""
LEAST_LEFT = 3
"""So many rays stay whatever they say."""
REST_M = 0.01
"""What the reckoning is unsure of, per metre of road between a ray and the newest one."""


@dataclass(frozen=True, slots=True)
class Ray:
    """From where it was seen (metres east and north, and the odometer), where to, and how large: see `sighting.Bearing`."""

    east_m: float
    north_m: float
    odometer_m: float
    azimuth: float
    slope: float
    size: float
    azimuth_sigma: float
    slope_sigma: float


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """The point nearest to the rays: `point` is east, north, up from the lens (m) and the logarithm of its height (m).

    `covariance` (4, 4) belongs to it. `used` tells which rays fit.
    """

    point: Floats
    covariance: Floats
    used: tuple[bool, ...]

    @property
    def ground(self) -> Ellipse:
        """The error east and north."""
        return Ellipse(float(self.covariance[0, 0]), float(self.covariance[0, 1]), float(self.covariance[1, 1]))


def triangulate(rays: Sequence[Ray], label: str, start: Floats | None = None) -> Fixed:
    """Where the thing is; at least one ray. `start` is where the search begins: where it was thought to be."""
    prior = math.log(HEIGHT_M.get(label, USUAL_HEIGHT_M))
    used = np.ones(len(rays), np.bool_)
    point = _begin(rays[-1], prior) if start is None else start.copy()
    while True:
        point, covariance, squared = _solve(rays, used, point, prior)
        worst = int(np.argmax(np.where(used, squared, -1.0)))
        if squared[worst] <= OUTLIER or np.count_nonzero(used) <= LEAST_LEFT:
            return Fixed(point, covariance, tuple(used.tolist()))
        used[worst] = False


def squared_distance(fixed: Fixed, ray: Ray, odometer_m: float) -> float:
    """The squared Mahalanobis distance of a new ray from where the thing is thought to be (three degrees of freedom)."""
    residuals, slopes, variances = _rows(ray, fixed.point, odometer_m)
    spread = slopes @ fixed.covariance @ slopes.T + np.diag(variances)
    return float(residuals @ np.linalg.solve(spread, residuals))


def _begin(ray: Ray, prior: float) -> Floats:
    away_m = min(FARTHEST_M, max(NEAREST_M, math.exp(prior) / max(ray.size, 1e-6)))
    return np.array(
        (
            ray.east_m + away_m * math.sin(ray.azimuth),
            ray.north_m + away_m * math.cos(ray.azimuth),
            away_m * ray.slope,
            prior,
        )
    )


def _solve(rays: Sequence[Ray], used: npt.NDArray[np.bool_], point: Floats, prior: float) -> tuple[Floats, Floats, Floats]:
    """The best point, its covariance, and each ray's squared residual."""
    newest_m = rays[-1].odometer_m
    for _ in range(ROUNDS):
        information, pull = np.zeros((4, 4)), np.zeros(4)
        information[3, 3] = 1.0 / HEIGHT_SPREAD**2
        pull[3] = (prior - point[3]) / HEIGHT_SPREAD**2
        for ray, counts in zip(rays, used, strict=True):
            if counts:
                residuals, slopes, variances = _rows(ray, point, newest_m)
                weighted = slopes.T / variances
                information += weighted @ slopes
                pull += weighted @ residuals
        covariance: Floats = np.linalg.inv(information)
        step = covariance @ pull
        step *= min(1.0, 10.0 / max(1e-9, float(np.abs(step[:2]).max())))
        point = point + step
        if np.abs(step).max() < STILL_M:
            break
    squared: Floats = np.array([float(np.sum(r * r / v)) for r, _, v in (_rows(ray, point, newest_m) for ray in rays)])
    return point, covariance, squared


def _rows(ray: Ray, point: Floats, newest_m: float) -> tuple[Floats, Floats, Floats]:
    """What a ray misses the point by (azimuth, slope, logarithm of size), what that changes by with the point, its variances."""
    east_m, north_m = float(point[0]) - ray.east_m, float(point[1]) - ray.north_m
    away_m = max(NEAREST_M, math.hypot(east_m, north_m))
    sine, cosine, slope = east_m / away_m, north_m / away_m, float(point[2]) / away_m
    missed = ray.azimuth - math.atan2(east_m, north_m)
    missed = math.remainder(missed, 2.0 * math.pi)
    size = math.log(max(ray.size, 1e-6)) - (float(point[3]) - math.log(away_m))
    slopes = np.array(
        (
            (cosine / away_m, -sine / away_m, 0.0, 0.0),
            (-slope * sine / away_m, -slope * cosine / away_m, 1.0 / away_m, 0.0),
            (-sine / away_m, -cosine / away_m, 0.0, 1.0),
        )
    )
    rest = REST_M * abs(newest_m - ray.odometer_m) / away_m
    variances = np.array((ray.azimuth_sigma**2 + rest * rest, ray.slope_sigma**2 + (slope * rest) ** 2, SIZE_SIGMA**2))
    return np.array((missed, ray.slope - slope, size)), slopes, variances
