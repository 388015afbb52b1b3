"""The camera as findings need it: from pixels to rays and back, and what both change by. Pure.

Rays are in the car's axes: right, ahead and up in metres, their origin on the road below the lens. The camera is turned to the
right by `yaw_deg`, then down by `pitch_deg`; it does not roll. The middle of the first pixel is (0.5, 0.5).

Distortion is radial with one coefficient (Brown 1966, first term): a ray at the distance r from the optical axis, in units of the
focal length, falls at r (1 + k1 r^2). `hfov_deg` is what the distorted picture sees from its left edge to its right edge.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from provisioning.settings import Camera

NEWTON_STEPS = 12
CLOSE = 1e-12
NEAREST_M = 1e-6
"""What is not so far in front of the lens has no picture."""

Ray = tuple[float, float, float]
"""Right, ahead and up."""


@dataclass(frozen=True, slots=True)
class Lens:
    """A camera above a plane road: the picture's width and height in px, the lens above the road in metres, angles in degrees.

    Raises:
        ValueError: the picture would fold over itself before its edge (k1 is too negative for such a field of view).
    """

    width: int
    height: int
    height_m: float
    pitch_deg: float
    yaw_deg: float
    hfov_deg: float
    k1: float = 0.0
    focal_px: float = field(init=False)
    _turns: tuple[float, float, float, float] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        edge = math.tan(math.radians(self.hfov_deg) / 2.0)
        if 1.0 + 3.0 * self.k1 * edge * edge <= 0.0:
            raise ValueError(f"k1 = {self.k1:g} folds the picture before the edge of hfov_deg = {self.hfov_deg:g}")
        pitch, yaw = math.radians(self.pitch_deg), math.radians(self.yaw_deg)
        object.__setattr__(self, "focal_px", self.width / 2.0 / (edge * (1.0 + self.k1 * edge * edge)))
        object.__setattr__(self, "_turns", (math.sin(pitch), math.cos(pitch), math.sin(yaw), math.cos(yaw)))

    @property
    def sin_cos(self) -> tuple[float, float, float, float]:
        """Sine and cosine of the pitch, then of the yaw."""
        return self._turns

    def undistorted(self, column_px: float, row_px: float) -> tuple[float, float, float] | None:
        """Where a pixel lies in the undistorted picture, right and down of its middle in focal lengths, and its stretch there.

        The stretch is by how much more the radius changes there than in the picture. None for a pixel that no ray reaches.
        """
        x, y = (column_px - self.width / 2.0) / self.focal_px, (row_px - self.height / 2.0) / self.focal_px
        if self.k1 == 0.0:
            return x, y, 1.0
        seen = math.hypot(x, y)
        radius = self._radius(seen)
        if radius is None:
            return None
        share = radius / seen if seen > CLOSE else 1.0
        return x * share, y * share, 1.0 / (1.0 + 3.0 * self.k1 * radius * radius)

    def ray(self, column_px: float, row_px: float) -> Ray | None:
        """Where a pixel looks, for one metre of depth along the optical axis; None where no ray reaches it."""
        seen = self.undistorted(column_px, row_px)
        return None if seen is None else self.turned(seen[0], seen[1])

    def turned(self, x: float, y: float) -> Ray:
        """The ray at an undistorted place of the picture, in the car's axes."""
        sin_pitch, cos_pitch, sin_yaw, cos_yaw = self._turns
        ahead = cos_pitch - y * sin_pitch
        return x * cos_yaw + ahead * sin_yaw, ahead * cos_yaw - x * sin_yaw, -sin_pitch - y * cos_pitch

    def project(self, right_m: float, ahead_m: float, up_m: float = 0.0) -> tuple[float, float] | None:
        """Column and row of a point; None where it is not in front of the lens, or farther aside than the lens sees."""
        sin_pitch, cos_pitch, sin_yaw, cos_yaw = self._turns
        across, forward, above = (
            right_m * cos_yaw - ahead_m * sin_yaw,
            ahead_m * cos_yaw + right_m * sin_yaw,
            up_m - self.height_m,
        )
        depth = forward * cos_pitch - above * sin_pitch
        if depth < NEAREST_M:
            return None
        x, y = across / depth, -(forward * sin_pitch + above * cos_pitch) / depth
        spread = self.k1 * (x * x + y * y)
        if 1.0 + 3.0 * spread <= 0.0:
            return None
        scale = self.focal_px * (1.0 + spread)
        return self.width / 2.0 + scale * x, self.height / 2.0 + scale * y

    def _radius(self, seen: float) -> float | None:
        """The r with r (1 + k1 r^2) = seen, on the branch that begins at 0 (Newton); None where there is none."""
        most = math.inf if self.k1 >= 0.0 else 1.0 / math.sqrt(-3.0 * self.k1)
        if seen > most * (1.0 + self.k1 * most * most if self.k1 < 0.0 else 1.0):
            return None
        radius = min(seen, 0.99 * most)
        for _ in range(NEWTON_STEPS):
            step = (radius * (1.0 + self.k1 * radius * radius) - seen) / (1.0 + 3.0 * self.k1 * radius * radius)
            radius = min(max(radius - step, 0.0), most)
            if abs(step) < CLOSE:
                break
        return radius


def lens_of(geometry: Mapping[str, Any], width: int, height: int) -> Lens:
    """The lens of a picture of this size: what `geometry` (keys of `[camera]`) does not say is the configuration's default."""
    default = Camera()
    names = [each.name for each in fields(Lens) if each.init and each.name not in {"width", "height"}]
    return Lens(width, height, **{name: float(geometry.get(name, getattr(default, name, 0.0))) for name in names})
