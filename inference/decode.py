"""From what a head wrote to boxes: choose by score first, decode only what was chosen, drop doubles. numpy alone."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from inference.boxes import iou
from inference.manifest import BINS, Encoding, Head, Manifest, Reals, Tensor, Values
from inference.model import ModelFailed, Output

DOUBLE_IOU = 0.6
"""Two boxes of one label that overlap more are one thing."""
MOST_CANDIDATES = 2000
"""Points above their thresholds, per head. Far above any street: 30 people give about 600; a saturated output gives all."""
MOST_STRIDES = 1e3
"""No side of a box is farther from its point than this; keeps exp() finite."""


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """The points of a model: `centres` (points, 2: x, y) in input pixels, `strides` (points,)."""

    centres: Reals
    strides: Reals


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """Boxes (n, 4) in input pixels, not clipped, best first; `columns` are positions in the head's labels.

    `candidates` counts the points above their thresholds before the bound and before doubles were dropped.
    """

    boxes: Reals
    scores: Reals
    columns: npt.NDArray[np.intp]
    candidates: int


def grid_of(manifest: Manifest) -> Grid:
    """The grid of a model, made once."""
    return _grid(manifest.input.width, manifest.input.height, manifest.strides)


@lru_cache(maxsize=8)
def _grid(width: int, height: int, strides: tuple[int, ...]) -> Grid:
    centres, steps = [], []
    for stride in strides:
        x, y = np.meshgrid(np.arange(width // stride), np.arange(height // stride))
        centres.append((np.stack([x, y], -1).reshape(-1, 2) + 0.5) * stride)
        steps.append(np.full(x.size, stride))
    return Grid(np.concatenate(centres).astype(np.float32), np.concatenate(steps).astype(np.float32))


def decode(head: Head, output: Output, grid: Grid, thresholds: Mapping[str, float], at_most: int = MOST_CANDIDATES) -> Found:
    """The boxes of one head whose score reaches the threshold of their label; of more than `at_most`, the best.

    Raises:
        ModelFailed: a number of the output is not finite.
    """
    _check_finite(output.scores, output.boxes)
    scores = head.scores.numbers
    points, columns = np.nonzero(output.scores >= _written_thresholds(head, thresholds))
    candidates = len(points)
    chosen = output.scores[points, columns]
    if candidates > at_most:
        best = np.argpartition(chosen, candidates - at_most)[candidates - at_most :]
        points, columns, chosen = points[best], columns[best], chosen[best]
    likely = _sigmoid(scores.real(chosen))
    boxes = _boxes(head.boxes, head.encoding, output.boxes[points], grid.centres[points], grid.strides[points])
    kept = suppress(boxes, likely, columns)
    return Found(boxes[kept], likely[kept], columns[kept], candidates)


def merge(head: Head, output: Output, groups: Mapping[str, Sequence[str]]) -> tuple[Head, Output]:
    """The head seen with the labels of `groups` alone: each stands for its members, by the highest of their scores."""
    columns = [[head.labels.index(member) for member in members] for members in groups.values()]
    scores = np.stack([output.scores[:, members].max(axis=1) for members in columns], axis=1)
    return replace(head, labels=tuple(groups)), Output(scores, output.boxes)


def suppress(boxes: Reals, scores: Reals, columns: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Greedily, per label: positions of the boxes to keep, best first."""
    left = np.argsort(-scores, kind="stable")
    kept = []
    while left.size:
        best, rest = left[0], left[1:]
        kept.append(best)
        double = (columns[rest] == columns[best]) & (iou(boxes[best : best + 1], boxes[rest])[0] > DOUBLE_IOU)
        left = rest[~double]
    return np.array(kept, np.intp)


def _check_finite(*outputs: Values) -> None:
    for values in outputs:
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise ModelFailed("the output holds numbers that are not finite")


def _written_thresholds(head: Head, thresholds: Mapping[str, float]) -> Values:
    """The thresholds as the model writes them: no score needs to be decoded to be left out. Rounded up: (labels,)."""
    numbers = head.scores.numbers
    written = np.array([numbers.written(_logit(thresholds[label])) for label in head.labels])
    if numbers.dtype == "float32":
        return written.astype(np.float32)
    limits = np.iinfo(numbers.dtype)
    return np.clip(np.ceil(written - 1e-6), limits.min, limits.max + 1).astype(np.int16)


def _boxes(tensor: Tensor, encoding: Encoding, written: Values, centres: Reals, strides: Reals) -> Reals:
    values = tensor.numbers.real(written)
    if encoding == "log_distance":
        distances = np.exp(np.minimum(values, np.float32(math.log(MOST_STRIDES))))
    else:
        distances = _expectation(values.reshape(-1, 4, BINS))
    distances = distances * strides[:, None]
    return np.concatenate([centres - distances[:, :2], centres + distances[:, 2:]], axis=1)


def _expectation(logits: Reals) -> Reals:
    """The mean distance, in strides, of a distribution over the bins 0, 1, ... (Li et al. 2020, arXiv 2006.04388)."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    bins = np.arange(BINS, dtype=np.float32)
    mean: Reals = (weights * bins).sum(axis=-1) / weights.sum(axis=-1)
    return mean


def _sigmoid(logits: Reals) -> Reals:
    likely: Reals = np.reciprocal(1 + np.exp(-np.clip(logits, -60, 60)))
    return likely


def _logit(score: float) -> float:
    return math.log(score / (1 - score)) if score < 1 else math.inf
