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
PANELS_TO_M = 24.0
"""Farther away a car's panes are one with its ends and sides."""
WITHIN = 0.001
"""A vehicle's panels are sorted by their distance, but among others it is one thing."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A flat, the thing it shows, its sheet, the distance it is sorted by (m), how much light it gets, if it casts shadow."""

    flat: Flat
    placed: Placed
    sheet: Sheet
    order_m: float
    tone: float = 1.0
    casts: bool = True

    def corners(self, part: Part) -> Floats:
        """The four corners of a box on the sheet, (4, right-ahead-up)."""
        left, right = part.left_m / self.sheet.width_m, part.right_m / self.sheet.width_m
        top, bottom = part.top_m / self.sheet.height_m, part.bottom_m / self.sheet.height_m
        spots = ((left, top), (right, top), (right, bottom), (left, bottom))
        return np.array([self.flat.corner + a * self.flat.across + b * self.flat.down for a, b in spots])


class Stage:
    """Puts the things of a moment before a camera."""

    def __init__(self, assets: Assets, lens_m: float) -> None:
        """Take the pictures, and how high the lens is."""
        self._assets, self._lens_m = assets, lens_m

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
        """The panels whose outsides the lens sees."""
        thing, at = placed.thing, placed.pose
        lens_right_m, lens_ahead_m = at.to_car(pose.east_m, pose.north_m)
        lens = (lens_right_m, lens_ahead_m, self._lens_m)
        away_m = math.hypot(lens_right_m, lens_ahead_m)
        panels, name = self._assets.panels(thing, far=away_m > PANELS_TO_M)
        foot_right_m, foot_ahead_m = pose.to_car(at.east_m, at.north_m)
        turned = math.radians(turn_deg(at.heading_deg - pose.heading_deg))
        sine, cosine = math.sin(turned), math.cos(turned)
        for panel in panels:
            to_lens = _minus(lens, panel.corner)
            # A picture's right and its down span its face: their product points away from who sees it.
            if (_triple(to_lens, panel.across, panel.down) >= 0.0) != panel.mirrored:
                continue
            corner, across, down = (
                np.array((x * cosine + y * sine, y * cosine - x * sine, z))
                for x, y, z in (panel.corner, panel.across, panel.down)
            )
            corner[:2] += foot_right_m, foot_ahead_m
            flat = Flat((*name, panel.name), panel.sheet.rgba, corner, across, down)
            half = _minus(to_lens, tuple((one + other) / 2 for one, other in zip(panel.across, panel.down, strict=True)))
            order_m = away_m + math.hypot(*half) * WITHIN
            yield Shown(flat, placed, panel.sheet, order_m, casts=panel.down[0] == panel.down[1] == 0.0)


def _minus(one: tuple[float, ...], other: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(a - b for a, b in zip(one, other, strict=True))


def _triple(a: tuple[float, ...], b: tuple[float, ...], c: tuple[float, ...]) -> float:
    """The triple product a . (b x c)."""
    return a[0] * (b[1] * c[2] - b[2] * c[1]) + a[1] * (b[2] * c[0] - b[0] * c[2]) + a[2] * (b[0] * c[1] - b[1] * c[0])
