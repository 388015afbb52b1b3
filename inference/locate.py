"""From a pixel, and from a box, to a place on the road, with what it is unsure of. Pure.

The road is the plane below the car. A pixel that looks at the horizon or above it has no place, nor has one that looks so far
that a small error moves it by metres: these are None.

With x and y the undistorted pixel (right and down of the middle, in focal lengths), p the pitch, h the lens' height,
g = sin p + y cos p and c = cos p - y sin p, before the yaw is turned: right = h x / g, ahead = h c / g. All derivatives follow
from dg/dp = c and dc/dp = -g.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

from inference.ellipse import Ellipse, along
from inference.lens import Lens

Box = tuple[float, float, float, float]
Pair = tuple[float, float]

FARTHEST_M = 40.0
"""Farther away nothing is placed, however good the picture."""

MOST_UNSURE_M = 3.0
"""Standard deviation along the line of sight beyond which a box has no place."""

EDGE_SHARE = 0.01
"""A box that comes so near to the picture's edge, as a share of its width or height, is cut by it: detectors stop a bit short."""

LONG_M, VIEW_M, LEAST_VIEW_M = 10.0, 15.0, 3.0
"""What may be longer than the view, and looks longer than this, is followed only so far ahead, where its far end can be told from
one frame to the next; and only once so much of it is in that view."""

INNER_M = 0.5
"""The width of what is so long that its far end has no place: its inner side is lost in the distance."""

FOR_WIDTH_PX = 640.0
"""`Doubt.pixel` is of a picture so wide."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """Standard deviations of what a place is made of.

    Anew in each frame: where a box ends (px, and a share of the box), how the car pitches on its springs, and the path's tangent;
    to it the course's noise is added, which turns a slow car more. Common to all frames: how the camera is mounted.
    """

    pixel: float = 1.5
    box_share: float = 0.03
    pitch_deg: float = 0.25
    heading_deg: float = 0.4
    course_mps: float = 0.1
    mount_pitch_deg: float = 0.2
    mount_yaw_deg: float = 0.3
    height_share: float = 0.02


DOUBT = Doubt()


class Spot(NamedTuple):
    """A place in the car's axes, and its derivatives by column and row (m per px), pitch and yaw (m per radian).

    Each is (right, ahead). By a share of the lens' height it changes by the same share.
    """

    right_m: float
    ahead_m: float
    by_column: Pair
    by_row: Pair
    by_pitch: Pair
    by_yaw: Pair


class Footprint(NamedTuple):
    """The part of the road that a box covers, as a rectangle in the car's axes.

    Where a side is `cut`, the thing goes on beyond it: the picture ends there, or the view of the road does.
    """

    left_m: float
    right_m: float
    near_m: float
    far_m: float
    cut_left: bool
    cut_right: bool
    cut_near: bool
    cut_far: bool

    @property
    def whole(self) -> bool:
        """Whether no side is cut."""
        return not (self.cut_left or self.cut_right or self.cut_near or self.cut_far)


class Located(NamedTuple):
    """A box on the road. `each` is the error of its middle that is anew in each frame, `common` what all frames share.

    `width_sigma_m` and `length_sigma_m` are the errors of its size.
    """

    footprint: Footprint
    right_m: float
    ahead_m: float
    each: Ellipse
    common: Ellipse
    width_sigma_m: float
    length_sigma_m: float


def spot_of(lens: Lens, column_px: float, row_px: float) -> Spot | None:
    """Where a pixel sees the road; None at the horizon, above it, and beyond `FARTHEST_M`."""
    seen = lens.undistorted(column_px, row_px)
    if seen is None:
        return None
    x, y, stretch = seen
    sin_pitch, cos_pitch, sin_yaw, cos_yaw = lens.sin_cos
    g, c, height_m = sin_pitch + y * cos_pitch, cos_pitch - y * sin_pitch, lens.height_m
    if g <= 0.0 or height_m * c > g * FARTHEST_M:
        return None
    by_y = (-height_m * x * cos_pitch / (g * g), -height_m / (g * g))
    by_pitch = (-height_m * x * c / (g * g), -height_m * (1.0 + c * c / (g * g)))
    x_by, y_by = _by_pixel(lens, x, y, stretch)

    def turned(right: float, ahead: float) -> Pair:
        return right * cos_yaw + ahead * sin_yaw, ahead * cos_yaw - right * sin_yaw

    there = turned(height_m * x / g, height_m * c / g)
    return Spot(
        *there,
        turned(height_m / g * x_by[0] + by_y[0] * y_by[0], by_y[1] * y_by[0]),
        turned(height_m / g * x_by[1] + by_y[0] * y_by[1], by_y[1] * y_by[1]),
        turned(*by_pitch),
        (there[1], -there[0]),
    )


def _by_pixel(lens: Lens, x: float, y: float, stretch: float) -> tuple[Pair, Pair]:
    """What x and y change by, each (by column, by row): along the radius by the stretch, across it by radius over radius seen."""
    if lens.k1 == 0.0:
        return (1.0 / lens.focal_px, 0.0), (0.0, 1.0 / lens.focal_px)
    squared = x * x + y * y
    share = 1.0 / (1.0 + lens.k1 * squared)
    more = (stretch - share) / squared if squared > 0.0 else 0.0
    mixed = more * x * y / lens.focal_px
    return ((share + more * x * x) / lens.focal_px, mixed), (mixed, (share + more * y * y) / lens.focal_px)


def road_of(lens: Lens, column_px: float, row_px: float) -> Pair | None:
    """The same place without its derivatives: right and ahead."""
    seen = lens.undistorted(column_px, row_px)
    if seen is None:
        return None
    sin_pitch, cos_pitch, sin_yaw, cos_yaw = lens.sin_cos
    g, c = sin_pitch + seen[1] * cos_pitch, cos_pitch - seen[1] * sin_pitch
    if g <= 0.0 or lens.height_m * c > g * FARTHEST_M:
        return None
    right, ahead = lens.height_m * seen[0] / g, lens.height_m * c / g
    return right * cos_yaw + ahead * sin_yaw, ahead * cos_yaw - right * sin_yaw


def footprint_of(lens: Lens, box: Box, *, round_: bool, long: bool = False) -> Footprint | None:
    """The rectangle on the road that a box encloses; None where its bottom has no place, or is too far for what is `long`.

    The near and the far side are where the box's bottom and top see the road. To the sides, a rectangle touches the box with its
    far corner where it lies beyond the line ahead, else with its near one; what is round touches it in the middle.
    """
    left, top, right, bottom = box
    near, far = road_of(lens, (left + right) / 2.0, bottom), road_of(lens, (left + right) / 2.0, top)
    view_m = FARTHEST_M
    if long and near is not None and (far is None or far[1] > max(VIEW_M, near[1] + LONG_M)):
        if near[1] > VIEW_M - LEAST_VIEW_M:
            return None
        far, view_m = None, VIEW_M
    there = bottom if far is None else top
    corners = [road_of(lens, *each) for each in ((left, bottom), (left, there), (right, bottom), (right, there))]
    if near is None or any(each is None for each in corners):
        return None
    near_left, far_left, near_right, far_right = (each[0] for each in corners if each is not None)
    sides = max(near_left, far_left), min(near_right, far_right)
    if round_ or sides[0] >= sides[1]:
        sides = (near_left + far_left) / 2.0, (near_right + far_right) / 2.0
    edge_x, edge_y = EDGE_SHARE * lens.width, EDGE_SHARE * lens.height
    cut_left, cut_right = left <= edge_x, right >= lens.width - edge_x
    # Where the view ends to the side, it ends the nearer the less aside: the near end may be hidden as well.
    cut = (cut_left, cut_right, cut_left or cut_right or bottom >= lens.height - edge_y, far is None)
    if far is None and not round_ and (near_right < 0.0 or near_left > 0.0):
        sides = (near_left, near_left + INNER_M) if near_right < 0.0 else (near_right - INNER_M, near_right)
    if cut_left:
        sides = min(near_left, far_left), sides[1]
    if cut_right:
        sides = sides[0], max(near_right, far_right)
    return Footprint(*sides, near[1], view_m if far is None else max(far[1], near[1]), *cut)


def locate(
    lens: Lens,
    box: Box,
    *,
    round_: bool,
    speed_mps: float,
    long: bool = False,
    turn_deg: float = 0.0,
    doubt: Doubt = DOUBT,
) -> Located | None:
    """The place on the road of what a box encloses, and what it is unsure of; None where it has none.

    `long`: it may be longer than the view. `turn_deg` is what the path's tangent is unsure of in a bend.
    """
    footprint = footprint_of(lens, box, round_=round_, long=long)
    if footprint is None:
        return None
    left, top, right, bottom = box
    right_m, ahead_m = (footprint.left_m + footprint.right_m) / 2.0, (footprint.near_m + footprint.far_m) / 2.0
    seen = lens.project(right_m, ahead_m)
    middle = None if seen is None else spot_of(lens, *seen)
    near = spot_of(lens, (left + right) / 2.0, bottom)
    far = None if footprint.cut_far else spot_of(lens, (left + right) / 2.0, top)
    if middle is None or near is None:
        return None
    pixel = doubt.pixel * lens.width / FOR_WIDTH_PX
    rows, columns = math.hypot(pixel, doubt.box_share * (bottom - top)), math.hypot(pixel, doubt.box_share * (right - left))
    near_sigma_m, far_sigma_m = (abs(each.by_row[1]) * rows if each else 0.0 for each in (near, far))
    size_sigma_m = math.hypot(near_sigma_m, far_sigma_m)
    across = abs(middle.by_column[0]) * columns
    heading = math.radians(math.hypot(doubt.heading_deg, turn_deg)) ** 2 + (doubt.course_mps / max(speed_mps, 1.0)) ** 2
    each = along(_unit(middle.by_row), (size_sigma_m / 2.0) ** 2)
    each = each.plus(along(_unit(middle.by_column), across * across / 2.0)).plus(along(middle.by_yaw, heading))
    each = each.plus(along(middle.by_pitch, math.radians(doubt.pitch_deg) ** 2))
    if max(each.xx, each.yy) > MOST_UNSURE_M**2:
        return None
    common = along(middle.by_pitch, math.radians(doubt.mount_pitch_deg) ** 2)
    common = common.plus(along(middle.by_yaw, math.radians(doubt.mount_yaw_deg) ** 2))
    common = common.plus(along((right_m, ahead_m), doubt.height_share**2))
    return Located(footprint, right_m, ahead_m, each, common, across * math.sqrt(2.0), size_sigma_m)


def _unit(direction: Pair) -> Pair:
    length = math.hypot(*direction)
    return direction[0] / length, direction[1] / length
