"""What a grade is made of: every number, and where it comes from. A town may set its own (`[grade]` of its configuration).

The shape (cells, the worst family leads, the second adds to it) and the anchors follow visual surveys by area and length as towns
in France and Germany use them; they are a proposal of this project and not calibrated on ratings by people yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Family = str
"""`net`, `line`, `patch` or `pothole`."""

FAMILY_OF: dict[str, Family] = {
    "crack_alligator": "net",
    "crack_longitudinal": "line",
    "crack_transverse": "line",
    "patch": "patch",
    "pothole": "pothole",
}
"""Damage that makes a grade worse, by label. Covers and signs are no damage."""

FAMILIES: tuple[Family, ...] = ("net", "line", "patch", "pothole")

ANCHORED = (1.5, 3.5, 4.5)
BEST, WORST = 1.0, 5.0

STRETCHES_M = (100.0, 20.0)
"""Stretches have at most these lengths: 100 m as plans of a town count, 20 m to see where it is that bad. A coarse one is told
before its fine ones, so that a map draws these on top."""
PIECE_M = 500.0
"""Each time that so much road is settled, its grades are told (`sync.grader`)."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How damage becomes a grade.

    `anchors` say for each family at what extent a stretch is 1.5 (good), 3.5 (worn: plan it) and 4.5 (bad: act): per cent of the
    area, for `line` metres per 100 m2. Between them it is linear; none is 1.
    """

    cell_m: float = 4.0
    """Along the road: the spacing of the photos."""
    lane_m: float = 3.25
    """Across: a lane of a town street (RASt 06: 3.25 m where buses and lorries drive)."""
    anchors: dict[Family, tuple[float, float, float]] = field(
        default_factory=lambda: {
            "net": (1.0, 15.0, 25.0),
            "line": (5.0, 30.0, 50.0),
            "patch": (2.0, 15.0, 30.0),
            "pothole": (0.3, 5.0, 10.0),
        }
    )
    shares: dict[Family, float] = field(default_factory=lambda: {"net": 0.5, "line": 1.0, "patch": 1.0, "pothole": 0.7})
    """What a box holds of what it is drawn around: net cracks do not fill it, holes are round (pi / 4, less the rim)."""
    second_adds: float = 0.25
    """The second worst family adds this share of what it lies above 1."""
    least_coverage: float = 0.6
    """Below it a stretch has no grade: drive it again."""
    view_m: float = 12.0
    """So far ahead a photo shows the road: a crack of 5 cm there is 1.4 px wide at the models' 512 px and the default camera."""
    sure_within_m: float = 30.0
    """A frame whose place is less sure grades nothing. Receivers that give no error of their own are told 19 m x HDOP by gpsd,
    so a lower limit would leave most streets without a grade."""
    covered_share: float = 0.3
    """A frame of whose road more than this share is hidden by cars grades nothing."""
    resamples: int = 200
    """Of the cells, for the interval that holds 95 %."""


def scale_of(told: Mapping[str, Any]) -> Scale:
    """The scale with what a town sets of it: names of `Scale`, and of a family its three anchors. What is None is not set."""
    scale = Scale()
    anchors = {family: tuple(told[family]) for family in FAMILIES if told.get(family) is not None}
    own = {name: told[name] for name in SET_BY_A_TOWN if told.get(name) is not None}
    return replace(scale, anchors=scale.anchors | anchors, **own)


SET_BY_A_TOWN = ("lane_m", "second_adds", "least_coverage", "view_m", "sure_within_m", "covered_share")
