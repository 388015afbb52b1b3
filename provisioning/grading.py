"""The `[grade]` table: what a town sets of the scale by which its roads are graded (`inference/scale.py` has the defaults)."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from provisioning.table import Table

Anchors = tuple[float, float, float]

MOST_ANCHOR: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Grading:
    """What is None is not set. `streets` is a GeoJSON file of the town's streets, at whose ends stretches are cut.

    `net`, `line`, `patch` and `pothole` are the extents at which a stretch is 1.5, 3.5 and 4.5.
    """

    streets: Path | None = None
    lane_m: float | None = None
    view_m: float | None = None
    least_coverage: float | None = None
    sure_within_m: float | None = None
    covered_share: float | None = None
    second_adds: float | None = None
    net: Anchors | None = None
    line: Anchors | None = None
    patch: Anchors | None = None
    pothole: Anchors | None = None

    def told(self) -> Mapping[str, Any]:
        """What is set, as JSON can hold it: the row of a round tells it."""
        told = {name: value for name, value in asdict(self).items() if value is not None}
        return told | ({"streets": str(self.streets)} if self.streets is not None else {})


def grading_of(table: Table) -> Grading:
    """The settings that a `[grade]` table holds.

    Raises:
        SettingsError: one is out of range, or three anchors do not rise.
    """
    grading = Grading(
        streets=table.path("streets", None),
        lane_m=table.number_or_none("lane_m", 2.0, 6.0),
        view_m=table.number_or_none("view_m", 6.0, 30.0),
        least_coverage=table.number_or_none("least_coverage", 0.1, 1.0),
        sure_within_m=table.number_or_none("sure_within_m", 1.0, 100.0),
        covered_share=table.number_or_none("covered_share", 0.0, 1.0),
        second_adds=table.number_or_none("second_adds", 0.0, 1.0),
        net=_anchors(table, "net"),
        line=_anchors(table, "line"),
        patch=_anchors(table, "patch"),
        pothole=_anchors(table, "pothole"),
    )
    table.done()
    return grading


def _anchors(table: Table, key: str) -> Anchors | None:
    anchors = table.numbers_or_none(key, 3, 0.0, MOST_ANCHOR)
    if anchors is None:
        return None
    good, worn, bad = anchors
    if not 0.0 < good < worn < bad:
        raise table.refused(key, f"is {list(anchors)}; allowed: three rising numbers above 0, the extents of 1.5, 3.5 and 4.5")
    return good, worn, bad
