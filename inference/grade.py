"""The condition of a stretch of road, from 1 (very good) to 5 (very bad), with what it rests on. Pure.

A stretch is cut into cells, one lane wide. A cell counts where a usable frame shows it. Damage is merged findings, so nothing is
counted twice; it is shared out over the cells on which it lies. `inference.scale` has the numbers.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from inference.scale import ANCHORED, BEST, FAMILIES, FAMILY_OF, WORST, Scale

Floats = npt.NDArray[np.float64]

NO_FRAME = "no_frame"
"""Why a cell does not count where no frame shows it at all."""


@dataclass(frozen=True, slots=True)
class Damage:
    """What lies on the road: along the odometer, and across from `left_m` to `right_m` of the path (right is positive)."""

    label: str
    from_m: float
    to_m: float
    left_m: float
    right_m: float


@dataclass(frozen=True, slots=True)
class View:
    """Road that one frame shows, along the odometer; `reasons` say why it cannot be graded by it, none where it can."""

    from_m: float
    to_m: float
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A piece of lane. `extent` holds m2, for `line` metres, by `FAMILIES`; `reason` says why it does not count."""

    from_m: float
    to_m: float
    extent: tuple[float, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Grade:
    """A stretch. `grade`, `low` and `high` (95 %) are None below the least coverage.

    `cells` count; `reasons` say how many do not, and why.
    """

    from_m: float
    to_m: float
    grade: float | None
    low: float | None
    high: float | None
    coverage: float
    cells: int
    reasons: Mapping[str, int]


def cells_of(from_m: float, to_m: float, damages: Sequence[Damage], views: Sequence[View], scale: Scale) -> tuple[Cell, ...]:
    """The cells between two readings of the odometer; the last one may be shorter."""
    number = max(1, math.ceil((to_m - from_m) / scale.cell_m - 1e-6))
    edges = [min(from_m + n * scale.cell_m, to_m) for n in range(number)] + [to_m]
    return tuple(
        Cell(begin_m, end_m, _extent(begin_m, end_m, damages, scale), _reason((begin_m + end_m) / 2, views))
        for begin_m, end_m in pairwise(edges)
    )


def grade_of(cells: Sequence[Cell], scale: Scale) -> Grade:
    """The grade of a stretch that these cells make up. The same cells give the same interval.

    Raises:
        ValueError: there is no cell.
    """
    if not cells:
        raise ValueError("a stretch without a cell has no grade")
    usable = [cell for cell in cells if cell.reason is None]
    length_m = cells[-1].to_m - cells[0].from_m
    coverage = sum(cell.to_m - cell.from_m for cell in usable) / length_m
    reasons = Counter(cell.reason for cell in cells if cell.reason is not None)
    grade = low = high = None
    if coverage >= scale.least_coverage:
        extents = np.array([cell.extent for cell in usable])
        areas_m2 = np.array([cell.to_m - cell.from_m for cell in usable]) * scale.lane_m
        grade = float(_grades(extents.sum(0)[None], areas_m2.sum()[None], scale)[0])
        low, high = _interval(extents, areas_m2, scale)
    return Grade(cells[0].from_m, cells[-1].to_m, grade, low, high, coverage, len(usable), dict(reasons))


def stretches_of(from_m: float, to_m: float, length_m: float, cuts_m: Iterable[float] = ()) -> tuple[tuple[float, float], ...]:
    """Pieces of at most `length_m`, cut at `cuts_m` (where a street ends) as well; those between two cuts are of one length."""
    edges = [from_m, *sorted(cut_m for cut_m in cuts_m if from_m < cut_m < to_m), to_m]
    pieces: list[tuple[float, float]] = []
    for begin_m, end_m in pairwise(edges):
        number = max(1, math.ceil((end_m - begin_m) / length_m - 1e-6))
        marks_m = [begin_m + (end_m - begin_m) * n / number for n in range(number)] + [end_m]
        pieces += pairwise(marks_m)
    return tuple(pieces)


def iqrn_like(grade: float) -> float:
    """On the scale of the French IQRN: 20 is best, 0 is worst. Like it, not it: the IQRN measures other things too."""
    return (WORST - grade) / (WORST - BEST) * 20.0


def pci_like(grade: float) -> float:
    """On the scale of the PCI (ASTM D6433): 100 is best, 0 is worst. Like it, not it: the PCI deducts by severity."""
    return (WORST - grade) / (WORST - BEST) * 100.0


def _extent(begin_m: float, end_m: float, damages: Sequence[Damage], scale: Scale) -> tuple[float, ...]:
    extent = dict.fromkeys(FAMILIES, 0.0)
    half_m = scale.lane_m / 2
    for damage in damages:
        family = FAMILY_OF.get(damage.label)
        if family is None:
            continue
        along_m = _overlap(damage.from_m, damage.to_m, begin_m, end_m)
        across_m = _overlap(damage.left_m, damage.right_m, -half_m, half_m)
        if family == "line":
            extent[family] += _line_m(damage, along_m, across_m) * scale.shares[family]
        else:
            extent[family] += along_m * across_m * scale.shares[family]
    return tuple(extent[family] for family in FAMILIES)


def _line_m(damage: Damage, along_m: float, across_m: float) -> float:
    """The metres of a line crack in a cell: the longer side of its box, as far as it lies in the lane and the cell."""
    length_m, width_m = damage.to_m - damage.from_m, damage.right_m - damage.left_m
    if length_m >= width_m:
        return along_m * (across_m / width_m if width_m > 0 else 1.0)
    return across_m * (along_m / length_m if length_m > 0 else 1.0)


def _overlap(a_from: float, a_to: float, b_from: float, b_to: float) -> float:
    return max(0.0, min(a_to, b_to) - max(a_from, b_from))


def _reason(middle_m: float, views: Sequence[View]) -> str | None:
    """None where a usable frame shows the middle of a cell; else what is wrong with the last one that does."""
    reason = NO_FRAME
    for view in views:
        if view.from_m <= middle_m <= view.to_m:
            if not view.reasons:
                return None
            reason = view.reasons[0]
    return reason


def _grades(extents: Floats, areas_m2: Floats, scale: Scale) -> Floats:
    """Grades of stretches: extents are (n, families), areas (n,)."""
    shares = extents / areas_m2[:, None] * 100.0
    each = np.stack([_piecewise(shares[:, n], scale.anchors[family]) for n, family in enumerate(FAMILIES)])
    second, worst = np.sort(each, axis=0)[-2:]
    grades: Floats = np.minimum(worst + scale.second_adds * (second - BEST), WORST)
    return grades


def _piecewise(shares: Floats, anchors: tuple[float, float, float]) -> Floats:
    """Linear between (0, 1) and the anchors; beyond the last as steep as before it, up to 5."""
    steep = (ANCHORED[2] - ANCHORED[1]) / (anchors[2] - anchors[1])
    end = anchors[2] + (WORST - ANCHORED[2]) / steep
    return np.asarray(np.interp(shares, [0.0, *anchors, end], [BEST, *ANCHORED, WORST]), np.float64)


def _interval(extents: Floats, areas_m2: Floats, scale: Scale) -> tuple[float, float]:
    """What holds 95 % of the grades of stretches made of these cells, drawn with replacement."""
    drawn = np.random.default_rng(0).integers(0, len(areas_m2), (scale.resamples, len(areas_m2)))
    low, high = np.percentile(_grades(extents[drawn].sum(1), areas_m2[drawn].sum(1), scale), [2.5, 97.5])
    return float(low), float(high)
