"""One outbreak of fire or smoke: where it was seen from, and where it is. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from device.earth import turn_deg
from device.frame import Place
from inference.detect import Box
from inference.ellipse import RADIUS_95, Ellipse, along, circle
from inference.lens import Lens
from inference.locate import FOR_WIDTH_PX, spot_of
from inference.reckoning import Reckoned

LABELS: Final = ("fire", "smoke")
"""Of one incident: smoke that turns out to burn is the same alert. The first that was seen often enough names it."""

FAR_M: Final = 90.0
FAR_SIGMA_M: Final = 60.0
"""Where nothing says how far: beyond the road that is seen, as a rule, and within what can be seen at all."""
SHARE: Final = 0.25
"""Of the distance: flames may be above the road, on a balcony or behind a wall, and seem farther away than they are."""
LEAST_SIGMA_M: Final = 3.0
BEARING_DEG: Final = 1.0
"""What mount and path's tangent add to the error of a bearing."""
WIDER_DEG: Final = 4.0
"""Two sightings whose boxes come so near to each other are of one incident: flames move, smoke drifts."""
MOST_RAYS: Final = 12


@dataclass(frozen=True, slots=True)
class Ray:
    """Where a sighting was seen from, on the plane of the reckoning, and where it looks. Angles in radians, clockwise from north.

    `half` is half of what the box spans, `sigma` the bearing's error; `far_m` with its error is what it says of the distance.
    """

    east_m: float
    north_m: float
    azimuth: float
    half: float
    sigma: float
    far_m: float
    far_sigma_m: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What a frame shows of an incident: the label, the score, the box in pixels, and where it lies."""

    label: str
    score: float
    box: Box
    ray: Ray


@dataclass(frozen=True, slots=True)
class Incident:
    """One outbreak, seen in `frames` frames, the last of them `unseen` looks ago. `number` counts alerts; None: not told yet.

    `recent` are the last looks, the newest last: whether it was seen. `best` is the surest sighting, in the frame `best_frame_id`
    that was taken at `place`; `first` and `seen` are the places of the first and the last one.
    """

    recent: tuple[bool, ...]
    rays: tuple[Ray, ...]
    scores: Mapping[str, float]
    times: Mapping[str, int]
    best: Shown
    best_frame_id: str
    place: Place
    at: Reckoned
    first: Place
    seen: Place
    frames: int = 1
    number: int | None = None

    @property
    def label(self) -> str:
        """What it is: what was seen most often; of equals fire."""
        return max(LABELS, key=lambda label: self.times.get(label, 0))

    @property
    def score(self) -> float:
        """The highest of that label."""
        return self.scores[self.label]

    @property
    def unseen(self) -> int:
        """How many looks ago it was seen last."""
        return next((count for count, seen in enumerate(reversed(self.recent)) if seen), len(self.recent))

    def spot(self) -> tuple[float, float, Ellipse]:
        """East and north on the plane of the reckoning, and the covariance (m2).

        The bearings count each, the distance once, by the sighting that is surest of it, of equals the latest:
        what makes it wrong does not change from frame to frame. Weighted least squares: the sum of (n . (x - p) / s)^2 is least.
        """
        surest = min(reversed(self.rays), key=lambda ray: ray.far_sigma_m)
        sine, cosine = math.sin(surest.azimuth), math.cos(surest.azimuth)
        east_m, north_m = surest.east_m + surest.far_m * sine, surest.north_m + surest.far_m * cosine
        information = along((sine, cosine), 1.0 / surest.far_sigma_m**2)
        pull = information.of(east_m, north_m)
        for ray in self.rays:
            across = math.cos(ray.azimuth), -math.sin(ray.azimuth)
            sigma_m = max(1.0, math.hypot(east_m - ray.east_m, north_m - ray.north_m)) * math.hypot(ray.sigma, ray.half / 2.0)
            told = along(across, 1.0 / sigma_m**2)
            information = information.plus(told)
            here = told.of(ray.east_m, ray.north_m)
            pull = pull[0] + here[0], pull[1] + here[1]
        covariance = information.inverse()
        return (*covariance.of(*pull), covariance)

    def radius_95_m(self) -> float:
        """The radius that holds 95 %, with the receiver's error."""
        *_, unsure = self.spot()
        return unsure.plus(circle(self.place.accuracy_m / RADIUS_95)).radius_95_m()


def ray_of(box: Box, lens: Lens, at: Reckoned) -> Ray | None:
    """None where the box does not look ahead."""
    left, top, right, bottom = box
    rays = [lens.ray(column, (top + bottom) / 2.0) for column in (left, (left + right) / 2.0, right)]
    angles = [math.atan2(each[0], each[1]) for each in rays if each is not None and each[1] > 0.0]
    if len(angles) != len(rays):
        return None
    foot = spot_of(lens, (left + right) / 2.0, min(bottom, lens.height - 0.5))
    far_m, far_sigma_m = FAR_M, FAR_SIGMA_M
    if foot is not None:
        far_m = math.hypot(foot.right_m, foot.ahead_m)
        row_m = abs(foot.by_row[1]) * max(2.0 * lens.width / FOR_WIDTH_PX, 0.05 * (bottom - top))
        far_sigma_m = max(LEAST_SIGMA_M, math.hypot(SHARE * far_m, row_m))
    heading = math.radians(at.heading_deg)
    return Ray(
        at.east_m, at.north_m, heading + angles[1], (angles[2] - angles[0]) / 2.0, math.radians(BEARING_DEG), far_m, far_sigma_m
    )


def same(incident: Incident, ray: Ray) -> bool:
    """Whether a sighting lies where the incident is expected, as seen from here."""
    east_m, north_m, unsure = incident.spot()
    east_m, north_m = east_m - ray.east_m, north_m - ray.north_m
    far_m = max(1.0, math.hypot(east_m, north_m))
    apart = abs(math.radians(turn_deg(math.degrees(math.atan2(east_m, north_m) - ray.azimuth))))
    across = (north_m / far_m, -east_m / far_m)
    sigma = math.sqrt(unsure.variance_along(*across) / far_m**2 + ray.sigma**2)
    wide = max(ray.half, *(each.half for each in incident.rays[-3:]))
    return apart <= wide + 2.0 * sigma + math.radians(WIDER_DEG)
