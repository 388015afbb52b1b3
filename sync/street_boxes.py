"""Perfect boxes: what a detector without fault would say of the simulated street, from the scene's sizes alone. Pure.

No picture is drawn, so nothing covers anything; what is too small to be seen is left out.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np

from device.street.geometry import Floats, Pinhole, Pose
from device.street.moment import SEEN_M
from device.street.scene import LYING, SIGNS, Thing
from inference.sighting import ROUND

FARTHEST_M = 60.0
LEAST_PX: Final = (6.0, 3.0)
"""Width and height of a box that is seen at all."""
CORNERS, SIDE_POINTS = 32, 9
BOARD_M = 0.75
"""A sign's board, and a light's box, is so high; the post below is no part of it."""
BEFORE_M = 0.3
"""Nearer to the lens nothing is projected: a thing that reaches under the car ends there."""

Box = tuple[float, float, float, float]


def reported(things: Iterable[Thing]) -> tuple[Thing, ...]:
    """Those that ronde reports on."""
    return tuple(thing for thing in things if thing.kind in LYING or thing.kind in SIGNS or thing.kind == "traffic_light")


def boxes_of(things: Iterable[Thing], pose: Pose, camera: Pinhole) -> Iterator[tuple[Thing, Box]]:
    """Each thing that a camera sees from here, with its box."""
    for thing in things:
        if max(abs(thing.east_m - pose.east_m), abs(thing.north_m - pose.north_m)) < min(FARTHEST_M, SEEN_M):
            box = box_of(thing, pose, camera)
            if box is not None:
                yield thing, box


def box_of(thing: Thing, pose: Pose, camera: Pinhole) -> Box | None:
    """The box around a thing, cut at the picture's edges; None where it is not seen."""
    if thing.lies:
        outline = _lying(thing, pose)
    else:
        _, before_m = Pose(thing.east_m, thing.north_m, thing.heading_deg).to_car(pose.east_m, pose.north_m)
        if before_m <= 0.0:  # it shows its back
            return None
        outline = _standing(thing, pose)
    outline = outline[outline[:, 1] > BEFORE_M]
    if len(outline) == 0:
        return None
    columns, rows, _ = camera.project(*outline.T)
    left, top = max(0.0, float(columns.min())), max(0.0, float(rows.min()))
    right, bottom = min(float(camera.width), float(columns.max())), min(float(camera.height), float(rows.max()))
    return (left, top, right, bottom) if right - left >= LEAST_PX[0] and bottom - top >= LEAST_PX[1] else None


def _lying(thing: Thing, pose: Pose) -> Floats:
    """Points of its outline in the car's axes, (n, right-ahead-up): an ellipse or a rectangle."""
    if thing.kind in ROUND:
        angles = np.arange(CORNERS) * (2.0 * math.pi / CORNERS)
        across, along = np.cos(angles) / 2.0, np.sin(angles) / 2.0
    else:
        side, end = np.linspace(-0.5, 0.5, SIDE_POINTS), np.full(SIDE_POINTS, 0.5)
        across, along = np.concatenate([side, side, end, -end]), np.concatenate([-end, end, side, side])
    places = Pose(thing.east_m, thing.north_m, thing.heading_deg).to_world(across * thing.width_m, along * thing.length_m)
    right_m, ahead_m = pose.to_car(*places)
    return np.stack((right_m, ahead_m, np.zeros_like(right_m)), axis=1)


def _standing(thing: Thing, pose: Pose) -> Floats:
    """The corners of its board in the car's axes."""
    across = np.array((-0.5, 0.5, 0.5, -0.5)) * min(thing.width_m, BOARD_M)
    up_m = thing.height_m - np.array((BOARD_M, BOARD_M, 0.0, 0.0))
    right_m, ahead_m = pose.to_car(*Pose(thing.east_m, thing.north_m, thing.heading_deg).to_world(across, np.zeros(4)))
    return np.stack((right_m, ahead_m, up_m), axis=1)
