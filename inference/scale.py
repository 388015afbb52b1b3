"""What a grade is made of: every number, and where it comes from. A town may set its own.

The shape (cells, the worst family leads, the second adds to it) and the anchors follow visual surveys by area and length as towns
in France and Germany use them; they are a proposal of this project and not calibrated on ratings by people yet.
"""

from dataclasses import dataclass, field

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
    sure_within_m: float = 30.0
    """A frame whose place is less sure grades nothing. Receivers that give no error of their own are told 19 m x HDOP by gpsd,
    so a lower limit would leave most streets without a grade."""
    covered_share: float = 0.3
    """A frame of whose road more than this share is hidden by cars grades nothing."""
    resamples: int = 200
    """Of the cells, for the interval that holds 95 %."""
