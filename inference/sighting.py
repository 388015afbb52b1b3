"""What one frame shows of things that can be found: its boxes, each once, on the plane of the reckoning. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from inference.detect import Detection
from inference.ellipse import Ellipse
from inference.labels import BY_NAME, CRACKS
from inference.lens import Lens
from inference.locate import DOUBT, EDGE_SHARE, FOR_WIDTH_PX, Box, Doubt, Footprint, locate
from inference.reckoning import Reckoned

ROUND: Final = frozenset({"pothole", "manhole", "manhole_open"})
"""What is round on the road; the rest is taken for a rectangle."""

STRETCHES: Final = frozenset({"crack_longitudinal", "crack_alligator", "patch"})
"""What may be longer than the view."""

SIGNS: Final = ("sign_danger", "sign_prohibition", "sign_mandatory", "sign_yield", "sign_stop")
RIVALS: Final = (CRACKS, ("manhole", "manhole_open", "drain"), SIGNS)
"""Labels that compete for one thing: a model that sees it twice may call it by another of them. Any other label stands alone."""

SAME_IOU = 0.55
"""Two boxes of rivals in one frame that overlap by so much are one thing."""

TURN_SHARE, TURN_MOST_DEG = 0.5, 3.0
"""What the path's tangent is unsure of in a bend, as a share of the turn since the frame before, and at most: fixes come once a
second, and where between them the bend began is not known (measured on the simulated street, docs/findings.md)."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A sighting of something on the road. `east_m`, `north_m`: its middle on the plane of the reckoning.

    `each` and `common` are its errors east and north (`inference.locate.Located`).
    """

    east_m: float
    north_m: float
    each: Ellipse
    common: Ellipse
    footprint: Footprint
    width_sigma_m: float
    length_sigma_m: float


@dataclass(frozen=True, slots=True)
class Bearing:
    """A sighting of something above the ground: a ray from the lens. `slope` is metres up for each metre along the ground.

    `size` is the box's height as an angle. `azimuth_sigma` and `slope_sigma` are errors (radians, and m for each m).
    """

    azimuth: float
    slope: float
    size: float
    azimuth_sigma: float
    slope_sigma: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """One box of a frame, the `number`-th of its detections. `evidence` holds label and score of all boxes that it stands for."""

    number: int
    label: str
    score: float
    box: Box
    evidence: tuple[tuple[str, float], ...]
    cut: bool
    ground: Ground | None = None
    bearing: Bearing | None = None


def rivals_of(label: str) -> tuple[str, ...]:
    """The labels that compete with this one, itself among them."""
    return next((group for group in RIVALS if label in group), (label,))


def stands(label: str) -> bool:
    """Whether it stands above the ground."""
    return BY_NAME[label].kind == "sign"


def sightings_of(
    detections: Sequence[Detection], lens: Lens, at: Reckoned, speed_mps: float, doubt: Doubt = DOUBT
) -> tuple[Sighting, ...]:
    """The boxes of a frame that have a place or a bearing."""
    turn_deg = min(TURN_MOST_DEG, TURN_SHARE * abs(at.turn_deg))
    seen: list[Sighting] = []
    for sighting in _once(detections, lens):
        if stands(sighting.label):
            bearing = _bearing(sighting, lens, at, speed_mps=speed_mps, turn_deg=turn_deg, doubt=doubt)
            if bearing is not None:
                seen.append(replace(sighting, bearing=bearing))
        else:
            ground = _ground(sighting, lens, at, speed_mps=speed_mps, turn_deg=turn_deg, doubt=doubt)
            if ground is not None:
                seen.append(replace(sighting, ground=ground))
    return tuple(seen)


def _once(detections: Sequence[Detection], lens: Lens) -> list[Sighting]:
    """Each thing once, under its surest name."""
    groups: list[list[int]] = []
    order = sorted(range(len(detections)), key=lambda number: -detections[number].score)
    for number in order:
        found = detections[number]
        if BY_NAME[found.label].kind not in {"road", "cover", "sign"}:
            continue
        for group in groups:
            first = detections[group[0]]
            if found.label in rivals_of(first.label) and shared(first.box, found.box) >= SAME_IOU:
                group.append(number)
                break
        else:
            groups.append([number])
    return [
        Sighting(
            group[0],
            detections[group[0]].label,
            detections[group[0]].score,
            detections[group[0]].box,
            tuple((detections[number].label, detections[number].score) for number in group),
            _is_cut(detections[group[0]].box, lens),
        )
        for group in groups
    ]


def _is_cut(box: Box, lens: Lens) -> bool:
    left, top, right, bottom = box
    x, y = EDGE_SHARE * lens.width, EDGE_SHARE * lens.height
    return left <= x or top <= y or right >= lens.width - x or bottom >= lens.height - y


def shared(one: Box, other: Box) -> float:
    """Intersection over union of two boxes or rectangles."""
    across, down = min(one[2], other[2]) - max(one[0], other[0]), min(one[3], other[3]) - max(one[1], other[1])
    if across <= 0.0 or down <= 0.0:
        return 0.0
    areas = ((each[2] - each[0]) * (each[3] - each[1]) for each in (one, other))
    return across * down / (sum(areas) - across * down)


def _ground(sighting: Sighting, lens: Lens, at: Reckoned, *, speed_mps: float, turn_deg: float, doubt: Doubt) -> Ground | None:
    found = locate(
        lens,
        sighting.box,
        round_=sighting.label in ROUND,
        long=sighting.label in STRETCHES,
        speed_mps=speed_mps,
        turn_deg=turn_deg,
        doubt=doubt,
    )
    if found is None:
        return None
    return Ground(
        *at.world(found.right_m, found.ahead_m),
        found.each.turned(at.heading_deg),
        found.common.turned(at.heading_deg),
        found.footprint,
        found.width_sigma_m,
        found.length_sigma_m,
    )


def _bearing(sighting: Sighting, lens: Lens, at: Reckoned, *, speed_mps: float, turn_deg: float, doubt: Doubt) -> Bearing | None:
    """The ray through a box's middle; one that is cut has its middle somewhere in it."""
    left, top, right, bottom = sighting.box
    ray = lens.ray((left + right) / 2.0, (top + bottom) / 2.0)
    if ray is None or ray[1] <= 0.0:
        return None
    along = math.hypot(ray[0], ray[1])
    pixel = math.hypot(doubt.pixel * lens.width / FOR_WIDTH_PX, (0.5 if sighting.cut else doubt.box_share) * (bottom - top))
    heading = math.hypot(math.radians(math.hypot(doubt.heading_deg, turn_deg)), doubt.course_mps / max(speed_mps, 1.0))
    return Bearing(
        azimuth=math.radians(at.heading_deg) + math.atan2(ray[0], ray[1]),
        slope=ray[2] / along,
        size=(bottom - top) / lens.focal_px,
        azimuth_sigma=math.hypot(pixel / lens.focal_px, heading),
        slope_sigma=math.hypot(pixel / lens.focal_px, math.radians(doubt.pitch_deg)),
    )
