"""What a frame really shows: each thing's box, how much of it other things cover, and where it is."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from device.frame import Pixels
from device.street.geometry import Pinhole, Pose
from device.street.moment import instant
from device.street.scene import Weather
from device.street.sheet import OPAQUE, Part
from device.street.view import Drawn, View

PARTS = ("plate", "face", "head", "vehicle")
"""Parts of things that are told as things of their own."""
BOARD = "board"
"""The part of a thing that its label means: a sign without its post, a rider without what is ridden."""
BACK = "back"
"""A part of what is seen from behind, and so is no sign to anybody."""
NOTHING = -1
LEAST_PX = 2
"""A thing that shows less than so many pixels is not there."""

Box = tuple[float, float, float, float]
Numbers = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing, or a part of one (`part_of` names it), in a frame.

    `box` (left, top, right, bottom in pixels) holds what of it can be seen, `whole` what would be if nothing stood before it.
    Both end at the frame's edges. `covered` is the share of its pixels in the frame that other things cover. `ahead_m` and
    `right_m` are its foot or middle on the road, from the lens; `east_m` and `north_m` the same place on the map. `contrast`, of
    what lies on the road, is by how much of 255 it changes the road's brightness: the fainter, the fewer people would see it.
    """

    id: str
    label: str
    box: Box
    whole: Box
    covered: float
    ahead_m: float
    right_m: float
    east_m: float
    north_m: float
    severity: int | None = None
    part_of: str | None = None
    contrast: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FrameTruth:
    """A frame and what it shows: the moment, where the lens was, the odometer, and each thing."""

    pixels: Pixels
    at_s: float
    pose: Pose
    along_m: float
    weather: Weather
    seen: tuple[Seen, ...]


def true_frame(view: View, at_s: float, weather: Weather | None = None) -> FrameTruth:
    """Draw a frame and tell its truth."""
    now = instant(view.drive, at_s)
    weather = weather or view.drive.scene.weather_at(now.along_m)
    pixels, drawn = view.drawn(at_s, weather, keep=True)
    seen = tuple(_seen(drawn, view.camera, now.pose))
    return FrameTruth(pixels, at_s, now.pose, now.along_m, weather, seen)


def _seen(drawn: list[Drawn], camera: Pinhole, pose: Pose) -> Iterator[Seen]:
    owners = np.full((camera.height, camera.width), NOTHING, np.int32)
    for number, each in enumerate(drawn):
        left, top, right, bottom = each.laid.box
        owners[top:bottom, left:right][_solid(each)] = number
    groups: dict[str, list[int]] = {}
    for number, each in enumerate(drawn):
        groups.setdefault(each.shown.placed.thing.id, []).append(number)
    for numbers in groups.values():
        yield from _seen_thing(drawn, numbers, owners, camera, pose)


def _solid(drawn: Drawn) -> npt.NDArray[np.bool_]:
    return np.asarray(drawn.laid.alpha) >= OPAQUE


def _seen_thing(drawn: list[Drawn], numbers: list[int], owners: Numbers, camera: Pinhole, pose: Pose) -> Iterator[Seen]:
    """A thing and its parts; a vehicle has several pictures."""
    thing = drawn[numbers[0]].shown.placed.thing
    if thing.label is None or BACK in drawn[numbers[0]].shown.sheet.parts:
        return
    boards = [(number, part) for number in numbers for part in drawn[number].shown.sheet.parts.get(BOARD, ())]
    where = drawn[numbers[0]].shown.placed.pose
    right_m, ahead_m = pose.to_car(where.east_m, where.north_m)

    def told(label: str, name: str, found: tuple[Box, Box, float] | None, part_of: str | None = None) -> Iterator[Seen]:
        if found is not None:
            severity, contrast = (thing.severity, drawn[numbers[0]].contrast) if part_of is None else (None, None)
            yield Seen(
                name,
                label,
                *found,
                ahead_m,
                right_m,
                where.east_m,
                where.north_m,
                severity,
                part_of,
                contrast if thing.lies else None,
            )

    if boards:
        number, part = boards[0]
        yield from told(thing.label, thing.id, _seen_part(drawn[number], number, part, owners, camera))
    else:
        yield from told(thing.label, thing.id, _seen_whole(drawn, numbers, owners))
    for number in numbers:
        for label in PARTS:
            for nth, part in enumerate(drawn[number].shown.sheet.parts.get(label, ())):
                found = _seen_part(drawn[number], number, part, owners, camera)
                yield from told(label, f"{thing.id}-{label}-{nth}", found, thing.id)


def _seen_whole(drawn: list[Drawn], numbers: list[int], owners: Numbers) -> tuple[Box, Box, float] | None:
    """The box of what can be seen, that of the whole, and the share covered."""
    boxes = np.array([drawn[number].laid.box for number in numbers])
    left, top = boxes[:, :2].min(axis=0)
    right, bottom = boxes[:, 2:].max(axis=0)
    whole = np.zeros((bottom - top, right - left), np.bool_)
    for number in numbers:
        x, y, to_x, to_y = drawn[number].laid.box
        whole[y - top : to_y - top, x - left : to_x - left] |= _solid(drawn[number])
    there = owners[top:bottom, left:right]
    shown = np.isin(there, numbers)
    if np.count_nonzero(shown) < LEAST_PX:
        return None
    covered = 1.0 - float(np.count_nonzero(shown & whole)) / float(np.count_nonzero(whole))
    return _bounds(shown, left, top), _bounds(whole, left, top), covered


def _seen_part(drawn: Drawn, number: int, part: Part, owners: Numbers, camera: Pinhole) -> tuple[Box, Box, float] | None:
    """The same of a box on a sheet: its corners in perspective."""
    columns, rows, depth = camera.project(*drawn.shown.corners(part).T)
    if not (depth > 0.0).all():
        return None
    left, top = max(0.0, float(columns.min())), max(0.0, float(rows.min()))
    right, bottom = min(float(camera.width), float(columns.max())), min(float(camera.height), float(rows.max()))
    if right - left < 1.0 or bottom - top < 1.0:
        return None
    x, y, to_x, to_y = round(left), round(top), max(round(right), round(left) + 1), max(round(bottom), round(top) + 1)
    shown = owners[y:to_y, x:to_x] == number
    if np.count_nonzero(shown) < LEAST_PX:
        return None
    share = float(np.count_nonzero(shown)) / shown.size
    seen = _bounds(shown, x, y)
    # To the part of a pixel where nothing covers the edge.
    box = (max(left, seen[0] - 1.0), max(top, seen[1] - 1.0), min(right, seen[2] + 1.0), min(bottom, seen[3] + 1.0))
    return box, (left, top, right, bottom), _covered_of(share, drawn, part)


def _covered_of(share: float, drawn: Drawn, part: Part) -> float:
    """The share covered, where the box of a part is not all opaque (a round sign, a head)."""
    sheet = drawn.shown.sheet
    left, top, right, bottom = (round(each * sheet.px_per_m) for each in (part.left_m, part.top_m, part.right_m, part.bottom_m))
    inside = sheet.rgba[max(0, top) : bottom, max(0, left) : right, 3] >= OPAQUE
    solid = float(np.count_nonzero(inside)) / inside.size if inside.size else 1.0
    return min(1.0, max(0.0, 1.0 - share / max(solid, 0.05)))


def _bounds(mask: npt.NDArray[np.bool_], left: int, top: int) -> Box:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return float(left + columns[0]), float(top + rows[0]), float(left + columns[-1] + 1), float(top + rows[-1] + 1)
