"""How well boxes fit the truth: COCO's average precision, the best threshold, hits by centre, covered shares. numpy alone.

Average precision is that of COCO's own evaluation (Lin et al. 2014, arXiv 1405.0312; 101 points, all areas, 100 boxes a picture),
of one label at a time.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.boxes import Boxes, areas, intersections, iou

MOST_PER_PICTURE = 100
RECALLS = np.linspace(0, 1, 101)
IOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
Z95 = 1.959964
"""Of the normal distribution: 95 % lie within so many standard deviations."""

Flags = npt.NDArray[np.bool_]
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One label in one picture: true boxes (n, 4), whether each is a crowd (n,), found boxes (m, 4), their scores (m,)."""

    truth: Boxes
    crowd: Flags
    found: Boxes
    scores: Reals


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """Found boxes of all pictures, best first: `scores`, whether each is a `hit`; and how many there were to find."""

    scores: Reals
    hits: Flags
    truths: int


def match(pictures: Iterable[Picture], at_iou: float) -> Matched:
    """Pairs what was found with what is there, picture by picture, best score first, each truth once.

    What falls to a crowd is neither hit nor false alarm.
    """
    scores, hits, truths = [np.zeros(0)], [np.zeros(0, np.bool_)], 0
    for picture in pictures:
        best = np.argsort(-picture.scores, kind="stable")[:MOST_PER_PICTURE]
        hit, ignored, _ = _match_one(picture, best, at_iou)
        scores.append(picture.scores[best][~ignored])
        hits.append(hit[~ignored])
        truths += int((~picture.crowd).sum())
    every_score, every_hit = np.concatenate(scores), np.concatenate(hits)
    order = np.argsort(-every_score, kind="stable")
    return Matched(every_score[order], every_hit[order], truths)


def pair(picture: Picture, at_iou: float) -> tuple[Flags, Flags, Flags]:
    """One picture alone. For each found box: whether it hits, whether a crowd swallows it; for each truth: whether it is hit."""
    order = np.argsort(-picture.scores, kind="stable")
    hit, ignored, taken = _match_one(picture, order, at_iou)
    back = np.argsort(order)
    return hit[back], ignored[back], taken


def _match_one(picture: Picture, best: npt.NDArray[np.intp], at_iou: float) -> tuple[Flags, Flags, Flags]:
    """The same for the found boxes `best`, best score first."""
    found = picture.found[best].reshape(-1, 4)
    alone, crowds = picture.truth[~picture.crowd].reshape(-1, 4), picture.truth[picture.crowd].reshape(-1, 4)
    overlap = iou(found, alone)
    taken = np.zeros(len(alone), np.bool_)
    hits, ignored = np.zeros(len(found), np.bool_), np.zeros(len(found), np.bool_)
    # A crowd counts by the part of the found box that lies in it, as COCO has it.
    swallowed = intersections(found, crowds) / np.maximum(areas(found), 1e-12)[:, None]
    for number in range(len(found)):
        free = np.where(taken, -1.0, overlap[number])
        if len(alone) and free.max() >= min(at_iou, 1 - 1e-10):
            # Of two truths that overlap alike COCO takes the later.
            taken[len(free) - 1 - int(free[::-1].argmax())] = True
            hits[number] = True
        elif len(crowds) and swallowed[number].max() >= at_iou:
            ignored[number] = True
    return hits, ignored, taken


def average_precision(matched: Matched) -> float | None:
    """COCO's 101-point average precision, 0 to 1; None where there was nothing to find."""
    if not matched.truths:
        return None
    hits = np.cumsum(matched.hits)
    recalls = hits / matched.truths
    precisions = hits / np.arange(1, len(hits) + 1)
    envelope = np.append(np.maximum.accumulate(precisions[::-1])[::-1], 0.0)
    return float(envelope[np.searchsorted(recalls, RECALLS, side="left")].mean())


def best_threshold(matched: Matched) -> float | None:
    """The score from which on F1 is best; None where nothing was hit."""
    if not matched.hits.any():
        return None
    f1 = 2 * np.cumsum(matched.hits) / (np.arange(1, len(matched.hits) + 1) + matched.truths)
    # Boxes of one score are taken together or not at all.
    last = np.append(np.diff(matched.scores) != 0, True)
    return float(matched.scores[int(np.where(last, f1, -1.0).argmax())])


def centre_hit(pictures: Iterable[Picture], threshold: float) -> float | None:
    """Share of the true boxes that hold the centre of a found one of at least `threshold`: 0 to 1, None where there is none."""
    hit = truths = 0
    for picture in pictures:
        truth = picture.truth[~picture.crowd].reshape(-1, 4)
        found = picture.found[picture.scores >= threshold].reshape(-1, 4)
        centres = (found[:, :2] + found[:, 2:]) / 2
        inside = (centres[None] >= truth[:, None, :2]) & (centres[None] < truth[:, None, 2:])
        inside = inside[..., 0] & inside[..., 1]
        hit += int(inside.any(axis=1).sum())
        truths += len(truth)
    return hit / truths if truths else None


def covered(box: Sequence[float], regions: Sequence[tuple[int, int, int, int]]) -> float:
    """Which part of the area of `box` the union of `regions` covers, exactly: 0 to 1.

    The edges of all cut the box into cells, each of which is covered wholly or not at all.
    """
    left, top, right, bottom = box
    across = np.unique(np.clip([left, right, *(edge for region in regions for edge in region[::2])], left, right))
    down = np.unique(np.clip([top, bottom, *(edge for region in regions for edge in region[1::2])], top, bottom))
    cells = np.outer(np.diff(down), np.diff(across))
    if not cells.sum() > 0:
        return 0.0
    x, y = (across[:-1] + across[1:]) / 2, (down[:-1] + down[1:]) / 2
    hidden = np.zeros(cells.shape, np.bool_)
    for region in regions:
        hidden |= ((y > region[1]) & (y < region[3]))[:, None] & ((x > region[0]) & (x < region[2]))[None, :]
    return float(cells[hidden].sum() / cells.sum())


def interval_95(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927, J. Am. Stat. Assoc. 22)."""
    share = successes / trials
    middle = share + Z95**2 / (2 * trials)
    spread = Z95 * math.sqrt(share * (1 - share) / trials + Z95**2 / (4 * trials**2))
    below = 1 + Z95**2 / trials
    return max(0.0, (middle - spread) / below), min(1.0, (middle + spread) / below)
