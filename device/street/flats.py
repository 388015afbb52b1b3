"""Where the flat pictures of one moment stand and lie, in the car's axes, and to which thing each belongs."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from device.earth import turn_deg
from device.street.assets import Assets, Named
from device.street.geometry import Floats, Pose
from device.street.moment import Placed
from device.street.quad import Flat
from device.street.scene import UNLABELLED
from device.street.sheet import Part, Sheet

FARTHEST_M = {
    "crack_longitudinal": 40.0,
    "crack_transverse": 40.0,
    "crack_alligator": 40.0,
    "house": 115.0,
    "tree": 85.0,
    "person": 60.0,
}
FARTHEST_ELSE_M = 60.0
CAR_END_M = 0.02
"""The end of a car is drawn in front of its side by so much."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A flat, the thing it shows, its sheet, the distance it is sorted by (m), and how much light it gets."""

    flat: Flat
    placed: Placed
    sheet: Sheet
    order_m: float
    tone: float = 1.0

    def corners(self, part: Part) -> Floats:
        """The four corners of a box on the sheet, (4, right-ahead-up)."""
        left, right = part.left_m / self.sheet.width_m, part.right_m / self.sheet.width_m
        top, bottom = part.top_m / self.sheet.height_m, part.bottom_m / self.sheet.height_m
        spots = ((left, top), (right, top), (right, bottom), (left, bottom))
        return np.array([self.flat.corner + a * self.flat.across + b * self.flat.down for a, b in spots])


class Stage:
    """Puts the things of a moment before a camera."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def lying(self, placed: list[Placed], pose: Pose) -> list[Shown]:
        """What lies on the road, patches first, since the rest is in them."""
        found = [shown for each in placed if each.thing.lies and (shown := self._lying(each, pose)) is not None]
        return sorted(found, key=lambda shown: (shown.placed.thing.kind != "patch", shown.placed.thing.id))

    def standing(self, placed: list[Placed], pose: Pose) -> list[Shown]:
        """What stands, the farthest first."""
        found: list[Shown] = []
        for each in placed:
            if each.thing.lies:
                continue
            right_m, ahead_m = pose.to_car(each.pose.east_m, each.pose.north_m)
            reach_m = each.thing.width_m / 2 + each.thing.length_m / 2
            away_m = math.hypot(right_m, ahead_m)
            if (
                ahead_m < -reach_m
                or away_m > FARTHEST_M.get(each.thing.kind, FARTHEST_ELSE_M)
                or abs(right_m) > 1.4 * (ahead_m + reach_m) + reach_m + 3.0
            ):
                continue
            found += self._vehicle(each, pose) if each.thing.kind == "vehicle" else self._upright(each, pose)
        return sorted(found, key=lambda shown: -shown.order_m)

    def _lying(self, placed: Placed, pose: Pose) -> Shown | None:
        right_m, ahead_m = pose.to_car(placed.pose.east_m, placed.pose.north_m)
        half_m = math.hypot(placed.thing.width_m, placed.thing.length_m) / 2
        away_m = FARTHEST_M.get(placed.thing.kind, FARTHEST_ELSE_M)
        if not -half_m < ahead_m < away_m or abs(right_m) > 1.6 * ahead_m + half_m + 3.0:
            return None
        sheet, name = self._assets.lying(placed.thing)
        turned = math.radians(turn_deg(placed.pose.heading_deg - pose.heading_deg))
        far = np.array((math.sin(turned), math.cos(turned), 0.0))
        side = np.array((math.cos(turned), -math.sin(turned), 0.0))
        middle = np.array((right_m, ahead_m, 0.0))
        corner = middle + far * sheet.height_m / 2 - side * sheet.width_m / 2
        return Shown(Flat(name, sheet.rgba, corner, side * sheet.width_m, -far * sheet.height_m), placed, sheet, ahead_m)

    def _upright(self, placed: Placed, pose: Pose) -> Iterator[Shown]:
        """A board whose foot is at the place, seen from the side to which it looks."""
        thing = placed.thing
        looks = placed.pose
        if thing.kind in {"person", "tree"}:
            # Round things look at the lens from anywhere; which of their sides it sees is in their picture.
            bearing = math.degrees(math.atan2(pose.east_m - looks.east_m, pose.north_m - looks.north_m))
            named = self._assets.round(placed, turn_deg(bearing - looks.heading_deg))
            looks = Pose(looks.east_m, looks.north_m, bearing)
        else:
            _, ahead_m = looks.to_car(pose.east_m, pose.north_m)
            if ahead_m <= 0.0:
                if thing.kind == "house":
                    return
                named = self._assets.back(placed)
                looks = Pose(looks.east_m, looks.north_m, looks.heading_deg + 180.0)
            else:
                named = self._assets.front(placed)
        yield self._board(placed, named, looks, pose)

    def _board(
        self, placed: Placed, named: Named, looks: Pose, pose: Pose, *, order_m: float | None = None, width_m: float | None = None
    ) -> Shown:
        """A sheet upright at `looks`, seen from there: its left edge is on the right of what it looks at."""
        sheet, name, mirrored = named
        width_m = sheet.width_m if width_m is None else width_m
        foot = np.array((*pose.to_car(looks.east_m, looks.north_m), 0.0))
        turned = math.radians(turn_deg(looks.heading_deg - pose.heading_deg))
        across = np.array((-math.cos(turned), math.sin(turned), 0.0)) * width_m
        corner = foot - across / 2 + np.array((0.0, 0.0, sheet.height_m))
        if order_m is None:
            ends = (
                [foot - across / 2, foot + across / 2]
                if placed.thing.kind in UNLABELLED and placed.thing.kind != "tree"
                else [foot]
            )
            order_m = max(math.hypot(each[0], each[1]) for each in ends)
        if mirrored:
            corner, across = corner + across, -across
        return Shown(Flat(name, sheet.rgba, corner, across, np.array((0.0, 0.0, -sheet.height_m))), placed, sheet, order_m)

    def _vehicle(self, placed: Placed, pose: Pose) -> Iterator[Shown]:
        """The side and the end that the lens sees."""
        thing, at = placed.thing, placed.pose
        right_m, ahead_m = at.to_car(pose.east_m, pose.north_m)
        away_m = math.hypot(right_m, ahead_m)
        half_long_m, half_wide_m = thing.length_m / 2, thing.width_m / 2
        if abs(right_m) > half_wide_m:
            out = math.copysign(1.0, right_m)
            # A side looks to where the lens is; its picture has the nose to the left, which is so on the left side.
            foot = at.to_world(out * half_wide_m, 0.0)
            named = self._assets.side(placed, nose_left=out < 0)
            looks = Pose(*foot, at.heading_deg + 90.0 * out)
            yield self._board(placed, named, looks, pose, order_m=away_m, width_m=thing.length_m)
        if abs(ahead_m) > half_long_m:
            front = ahead_m > 0
            foot = at.to_world(0.0, half_long_m if front else -half_long_m)
            named = self._assets.end(placed, front=front)
            looks = Pose(*foot, at.heading_deg + (0.0 if front else 180.0))
            yield self._board(placed, named, looks, pose, order_m=away_m - CAR_END_M, width_m=thing.width_m)
