"""A pinhole camera above a plane road: from metres to pixels and back, in closed form. Pure.

The car's axes are right, ahead and up in metres, their origin on the road below the lens. The camera is turned to the right by
`yaw_deg` and then down by `pitch_deg`; it does not roll. Pixels are counted from the picture's top left corner: the middle of the
first pixel is (0.5, 0.5), as boxes are.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Metres = float | Floats
NEAREST_M = 1e-6
"""What is not so far in front of the lens has no picture."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the camera is on the ground, and where the car's nose points: metres from an origin, degrees clockwise from north."""

    east_m: float
    north_m: float
    heading_deg: float

    def to_world(self, right_m: Any, ahead_m: Any) -> tuple[Any, Any]:
        """East and north of what lies so far to the right and ahead."""
        sine, cosine = math.sin(math.radians(self.heading_deg)), math.cos(math.radians(self.heading_deg))
        return self.east_m + right_m * cosine + ahead_m * sine, self.north_m - right_m * sine + ahead_m * cosine

    def to_car(self, east_m: Any, north_m: Any) -> tuple[Any, Any]:
        """How far to the right and ahead a place lies: the inverse of `to_world`."""
        sine, cosine = math.sin(math.radians(self.heading_deg)), math.cos(math.radians(self.heading_deg))
        east_m, north_m = east_m - self.east_m, north_m - self.north_m
        return east_m * cosine - north_m * sine, east_m * sine + north_m * cosine


@dataclass(frozen=True, slots=True)
class Pinhole:
    """The camera of the configuration: width and height in px, the lens above the road in metres, angles in degrees."""

    width: int
    height: int
    height_m: float
    pitch_deg: float
    yaw_deg: float
    hfov_deg: float

    @property
    def focal_px(self) -> float:
        """Half the width over the tangent of half the angle across; pixels are square."""
        return self.width / 2.0 / math.tan(math.radians(self.hfov_deg) / 2.0)

    @property
    def axes(self) -> Floats:
        """Rows: where the picture's right, its down and the optical axis point, as (right, ahead, up) of the car."""
        yaw, pitch = math.radians(self.yaw_deg), math.radians(self.pitch_deg)
        sin_yaw, cos_yaw, sin_pitch, cos_pitch = math.sin(yaw), math.cos(yaw), math.sin(pitch), math.cos(pitch)
        return np.array(
            (
                (cos_yaw, -sin_yaw, 0.0),
                (-sin_yaw * sin_pitch, -cos_yaw * sin_pitch, -cos_pitch),
                (sin_yaw * cos_pitch, cos_yaw * cos_pitch, -sin_pitch),
            )
        )

    @property
    def horizon_px(self) -> float:
        """The row of the horizon; it may lie outside the picture."""
        return self.height / 2.0 - self.focal_px * math.tan(math.radians(self.pitch_deg))

    def project(self, right_m: Any, ahead_m: Any, up_m: Any = 0.0) -> tuple[Any, Any, Any]:
        """Column, row and depth along the optical axis (m) of points; column and row are nan where depth is not positive."""
        across, down, axis = self.axes
        x, y, z = np.asarray(right_m, np.float64), np.asarray(ahead_m, np.float64), np.asarray(up_m, np.float64) - self.height_m
        depth = x * axis[0] + y * axis[1] + z * axis[2]
        scale = self.focal_px / np.where(depth > NEAREST_M, depth, np.nan)
        return (
            self.width / 2.0 + scale * (x * across[0] + y * across[1] + z * across[2]),
            self.height / 2.0 + scale * (x * down[0] + y * down[1] + z * down[2]),
            depth,
        )

    def ray(self, column_px: Any, row_px: Any) -> tuple[Any, Any, Any]:
        """Where a pixel looks: right, ahead and up for one metre of depth."""
        across, down, axis = self.axes
        x = (np.asarray(column_px, np.float64) - self.width / 2.0) / self.focal_px
        y = (np.asarray(row_px, np.float64) - self.height / 2.0) / self.focal_px
        right, ahead, up = (axis[n] + x * across[n] + y * down[n] for n in range(3))
        return right, ahead, up

    def on_road(self, column_px: Any, row_px: Any, up_m: float = 0.0) -> tuple[Any, Any]:
        """How far to the right and ahead a pixel sees the road (or a plane `up_m` above it); nan from the horizon upwards."""
        right, ahead, up = self.ray(column_px, row_px)
        depth_m = (self.height_m - up_m) / np.where(-up > NEAREST_M, -up, np.nan)
        return right * depth_m, ahead * depth_m


def meet(first: Pose, first_ray: tuple[float, float, float], second: Pose, second_ray: tuple[float, float, float]) -> Floats:
    """East, north and metres above the lens of the point nearest to two rays of one camera from two poses.

    The midpoint of the shortest line between them (two linear equations in the two depths).

    Raises:
        ValueError: the rays are parallel.
    """
    origins, directions = [], []
    for pose, (right, ahead, up) in ((first, first_ray), (second, second_ray)):
        east, north = pose.to_world(right, ahead)
        origins.append(np.array((pose.east_m, pose.north_m, 0.0)))
        directions.append(np.array((east - pose.east_m, north - pose.north_m, up)))
    system = np.stack((directions[0], -directions[1]), axis=1)
    depths, _, rank, _ = np.linalg.lstsq(system, origins[1] - origins[0], rcond=None)
    if rank < 2:
        raise ValueError("parallel rays meet nowhere")
    middle: Floats = (origins[0] + depths[0] * directions[0] + origins[1] + depths[1] * directions[1]) / 2.0
    return middle
