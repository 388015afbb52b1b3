"""What one model loses against another on the same pictures, and how sure that is: a paired bootstrap (Efron 1979)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from inference.scoring import RECALLS, Flags, Picture, Reals, match

DRAWS = 1000
SEED = 0
FEW = 20
"""A label with fewer boxes is told, not judged."""
ENOUGH = 60
"""Only a set with so many boxes is held to a bound."""
MOST_LOST = 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """What was found of one label in a whole set, best first: scores, hits and the number of the picture; truths per picture."""

    hits: Flags
    of: Reals
    truths: Reals

    def precision(self, times: Reals) -> float:
        """Average precision where picture n counts `times[n]` times; 0 where nothing is left to find."""
        truths = float(self.truths @ times)
        if not truths:
            return 0.0
        weights = times[self.of.astype(np.intp)]
        hits, count = np.cumsum(weights * self.hits), np.cumsum(weights)
        precisions = np.divide(hits, count, out=np.zeros_like(hits), where=count > 0)
        envelope = np.append(np.maximum.accumulate(precisions[::-1])[::-1], 0.0)
        return float(envelope[np.searchsorted(hits / truths, RECALLS - 1e-12, side="left")].mean())


@dataclass(frozen=True, slots=True)
class Loss:
    """mAP of the reference and of the other, what the other loses, and the upper end of the 95 % interval of that."""

    reference: float
    other: float
    lost: float
    lost_at_most: float
    boxes: int


def ranked(pictures: Sequence[Picture], at_iou: float) -> Ranked:
    """Matches every picture of a set once."""
    each = [match([picture], at_iou) for picture in pictures]
    scores = np.concatenate([one.scores for one in each])
    order = np.argsort(-scores, kind="stable")
    numbers = np.repeat(np.arange(len(each)), [len(one.scores) for one in each])
    hits = np.concatenate([one.hits for one in each])
    return Ranked(hits[order], numbers[order].astype(np.float64), np.array([one.truths for one in each], np.float64))


def paired_loss(
    reference: Mapping[str, Sequence[Picture]], other: Mapping[str, Sequence[Picture]], at_iou: float, draws: int = DRAWS
) -> Loss:
    """What `other` loses of mAP; both give, label by label, the same pictures in the same order.

    Labels with fewer than `FEW` boxes are left out where any label has as many.
    """
    boxes = {label: sum(int((~picture.crowd).sum()) for picture in pictures) for label, pictures in reference.items()}
    labels = [label for label, count in boxes.items() if count >= FEW] or [label for label, count in boxes.items() if count]
    pairs = [(ranked(reference[label], at_iou), ranked(other[label], at_iou)) for label in labels]
    pictures = len(next(iter(reference.values())))
    ones = np.ones(pictures)
    exact, small = (float(np.mean([pair[side].precision(ones) for pair in pairs])) for side in (0, 1))
    rng = np.random.default_rng(SEED)
    lost = []
    for _ in range(draws):
        times = np.bincount(rng.integers(pictures, size=pictures), minlength=pictures).astype(np.float64)
        lost.append(np.mean([one.precision(times) - two.precision(times) for one, two in pairs]))
    return Loss(exact, small, exact - small, float(np.percentile(lost, 97.5)), sum(boxes.values()))
