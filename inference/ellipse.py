"""How unsure a place on the ground is: a covariance of two axes, in closed form. Pure."""

import math
from typing import NamedTuple

RADIUS_95 = math.sqrt(-2.0 * math.log(0.05))
"""The radius that holds 95 % of a normal error that is equal on two axes, in standard deviations of one: 2.448."""

ANGLES = 64
"""Directions over which an uneven error is summed up."""

THINNEST = 0.005
"""Of the variance along the long axis: a thinner ellipse is taken for one as thin, whose radius is 0.2 % larger at most."""


class Ellipse(NamedTuple):
    """A covariance in m2: of east and north, or of right and ahead."""

    xx: float
    xy: float
    yy: float

    def plus(self, other: "Ellipse") -> "Ellipse":
        """Of two independent errors together."""
        return Ellipse(self.xx + other.xx, self.xy + other.xy, self.yy + other.yy)

    def times(self, factor: float) -> "Ellipse":
        """Of an error whose square is so much larger."""
        return Ellipse(self.xx * factor, self.xy * factor, self.yy * factor)

    @property
    def determinant(self) -> float:
        """Of the matrix."""
        return self.xx * self.yy - self.xy * self.xy

    def inverse(self) -> "Ellipse":
        """The information; the covariance is never singular, since every error here has a floor."""
        whole = self.determinant
        return Ellipse(self.yy / whole, -self.xy / whole, self.xx / whole)

    def of(self, x: float, y: float) -> tuple[float, float]:
        """The matrix times a vector."""
        return self.xx * x + self.xy * y, self.xy * x + self.yy * y

    def squared(self, x: float, y: float) -> float:
        """The squared Mahalanobis distance of a difference that has this covariance."""
        return (self.yy * x * x - 2.0 * self.xy * x * y + self.xx * y * y) / self.determinant

    def turned(self, heading_deg: float) -> "Ellipse":
        """Of right and ahead, seen as east and north by a car that heads there."""
        sine, cosine = math.sin(math.radians(heading_deg)), math.cos(math.radians(heading_deg))
        both = 2.0 * self.xy * sine * cosine
        return Ellipse(
            self.xx * cosine * cosine + both + self.yy * sine * sine,
            (self.yy - self.xx) * sine * cosine + self.xy * (cosine * cosine - sine * sine),
            self.xx * sine * sine - both + self.yy * cosine * cosine,
        )

    def variance_along(self, x: float, y: float) -> float:
        """Of the part of the error along a direction of length 1."""
        return self.xx * x * x + 2.0 * self.xy * x * y + self.yy * y * y

    def radius_95_m(self) -> float:
        """The radius of the circle that holds 95 % of the error.

        The share outside a circle is the mean, over directions, of exp(-r^2 q / 2) / q (in polar coordinates), where q is the
        squared Mahalanobis distance of the unit vector; the radius is found by halving.
        """
        middle, half = (self.xx + self.yy) / 2.0, math.hypot((self.xx - self.yy) / 2.0, self.xy)
        large, small = middle + half, max(middle - half, THINNEST * (middle + half))
        if large <= 0.0:
            return 0.0
        weights = []
        for number in range(ANGLES):
            angle = (number + 0.5) * math.pi / ANGLES
            weights.append(math.cos(angle) ** 2 / large + math.sin(angle) ** 2 / small)
        scale = 1.0 / (ANGLES * math.sqrt(large * small))
        low, high = 1.9 * math.sqrt(large), 2.5 * math.sqrt(large)
        for _ in range(40):
            radius = (low + high) / 2.0
            outside = scale * sum(math.exp(-radius * radius * each / 2.0) / each for each in weights)
            low, high = (radius, high) if outside > 0.05 else (low, radius)
        return (low + high) / 2.0


def circle(sigma_m: float) -> Ellipse:
    """The same error on both axes."""
    return Ellipse(sigma_m * sigma_m, 0.0, sigma_m * sigma_m)


def along(direction: tuple[float, float], variance: float) -> Ellipse:
    """An error along a direction alone: the outer product of the direction with itself."""
    x, y = direction
    return Ellipse(variance * x * x, variance * x * y, variance * y * y)
