"""What the networks are trained to make small: scores on a scale of overlap, boxes, and silence where a set says nothing.

Points are given to boxes by how well the network already does there (task-aligned assignment, Feng et al. 2021, arXiv
2108.07755); the score that a point should reach is its box's overlap (varifocal loss, Zhang et al. 2021, arXiv 2008.13367).
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import torch
from torch.nn import functional

from inference.labels import CRACKS
from inference.training.network import STRIDES
from inference.training.sets import OTHER, UNTOLD, Supervision

Tensor = Any

POINTS_PER_BOX: Final = 10
OVERLAP_POWER: Final = 4
EMPTY_WEIGHT: Final = 0.75
LOG_DISTANCE_RANGE: Final = (-4.0, 4.5)
SHORTEST: Final = 0.05  # strides: a point outside its thin box is asked for this distance
KINDS: Final = len(CRACKS)  # the three cracks are the first labels of the roads network


class Grid(NamedTuple):
    """`centres` is (points, 2) in pixels, `strides` is (points,): stride by stride, row by row."""

    centres: Tensor
    strides: Tensor


class Truth(NamedTuple):
    """What one picture shows: (n, 4) boxes in pixels, (n,) labels, and which labels it supervises."""

    boxes: Tensor
    labels: Tensor
    supervision: Supervision


class Losses(NamedTuple):
    """Three numbers to weigh and add."""

    scores: Tensor
    overlap: Tensor
    distances: Tensor


def make_grid(width: int, height: int) -> Grid:
    """The centres of all cells of a picture."""
    centres, strides = [], []
    for stride in STRIDES:
        rows, columns = (torch.arange(side // stride) * float(stride) + stride / 2 for side in (height, width))
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        centres.append(torch.stack([x, y], -1).reshape(-1, 2))
        strides.append(torch.full((x.numel(),), float(stride)))
    return Grid(torch.cat(centres), torch.cat(strides))


def corners(log_distances: Tensor, grid: Grid) -> Tensor:
    """(..., points, 4) log distances in strides -> left, top, right, bottom in pixels."""
    reach = log_distances.clamp(*LOG_DISTANCE_RANGE).exp() * grid.strides[:, None]
    return torch.cat([grid.centres - reach[..., :2], grid.centres + reach[..., 2:]], -1)


def overlap(one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU (Rezatofighi et al. 2019, arXiv 1902.09630) of boxes, broadcast against each other."""
    both = (torch.minimum(one[..., 2:], other[..., 2:]) - torch.maximum(one[..., :2], other[..., :2])).clamp(min=0).prod(-1)
    union = (one[..., 2:] - one[..., :2]).prod(-1) + (other[..., 2:] - other[..., :2]).prod(-1) - both + 1e-6
    hull = (torch.maximum(one[..., 2:], other[..., 2:]) - torch.minimum(one[..., :2], other[..., :2])).prod(-1) + 1e-6
    iou = both / union
    return iou, iou - (hull - union) / hull


def _inside(boxes: Tensor, grid: Grid) -> Tensor:
    """(n, 4) -> (n, points): whether a point lies in a box."""
    return torch.cat([grid.centres - boxes[:, None, :2], boxes[:, None, 2:] - grid.centres], -1).amin(-1) > 0


def assign(scores: Tensor, found: Tensor, boxes: Tensor, grid: Grid) -> tuple[Tensor, Tensor]:
    """Gives points to boxes.

    `scores` is (boxes, points): how much each point believes in each box's label; `found` is (points, 4): the box it proposes.
    Gives each point the number of its box, or -1, and the score that it should reach.
    """
    inside = _inside(boxes, grid)
    for row in (~inside.any(1)).nonzero()[:, 0]:  # thinner than a cell: the nearest point
        middle = (boxes[row, :2] + boxes[row, 2:]) / 2
        inside[row, (grid.centres - middle).square().sum(-1).argmin()] = True
    iou = overlap(boxes[:, None], found)[0] * inside
    affinity = (scores * iou**OVERLAP_POWER + 1e-9) * inside
    best = affinity.topk(min(POINTS_PER_BOX, affinity.shape[1]), 1).indices
    chosen = torch.zeros_like(inside).scatter_(1, best, value=True) & inside
    claimed = torch.where(chosen, iou + 1e-9, iou.new_zeros(()))
    owner = torch.where(chosen.any(0), claimed.argmax(0), -1)
    chosen &= owner == torch.arange(len(boxes))[:, None]
    affinity = affinity * chosen
    reached = (iou * chosen).amax(1, keepdim=True)
    return owner, (affinity / (affinity.amax(1, keepdim=True) + 1e-9) * reached).amax(0)


def detection_loss(scores: Tensor, log_distances: Tensor, truths: Sequence[Truth], grid: Grid) -> Losses:
    """Compares a head's outputs, (n, points, labels) and (n, points, 4), with what n pictures show."""
    belief = scores.detach().sigmoid()
    boxes = corners(log_distances, grid)
    wanted, weight = torch.zeros_like(scores), torch.zeros_like(scores)
    pieces: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for number, truth in enumerate(truths):
        wanted[number], weight[number], points, owner = _targets(belief[number], boxes[number].detach(), truth, grid)
        if len(points):
            own = truth.boxes[truth.labels >= 0][owner]
            share = wanted[number, points].amax(-1)
            reach = torch.cat([grid.centres[points] - own[:, :2], own[:, 2:] - grid.centres[points]], -1)
            distances = (reach / grid.strides[points, None]).clamp(min=SHORTEST).log()
            off = functional.smooth_l1_loss(log_distances[number, points], distances, reduction="none", beta=0.1).mean(-1)
            pieces.append((boxes[number, points], own, share, off))
    total = wanted.sum().clamp(min=1)
    weight = weight * torch.where(wanted > 0, 1.0, EMPTY_WEIGHT * belief.square())
    entropy = functional.binary_cross_entropy_with_logits(scores, wanted, reduction="none")
    score_loss = (entropy * weight).sum() / total
    if not pieces:
        return Losses(score_loss, scores.new_zeros(()), scores.new_zeros(()))
    proposed, own, share, off = (torch.cat(column) for column in zip(*pieces, strict=True))
    return Losses(score_loss, ((1 - overlap(proposed, own)[1]) * share).sum() / total, (off * share).sum() / total)


def _targets(belief: Tensor, found: Tensor, truth: Truth, grid: Grid) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Wanted scores and weights (points, labels) of one picture; its points that own a box, and the numbers of these boxes.

    Boxes of `OTHER` and `UNTOLD` are not counted.
    """
    wanted, any_crack = torch.zeros_like(belief), truth.supervision.any_crack
    weight = torch.from_numpy(truth.supervision.judged).expand_as(belief).clone()
    for what, told in ((UNTOLD, 0.0), (OTHER, 1.0)):  # there nothing is known; there it is something else for certain
        if (truth.labels == what).any():
            weight[_inside(truth.boxes[truth.labels == what], grid).any(0)] = told
    strongest = belief[:, :KINDS].argmax(1) if any_crack else None
    if any_crack:  # a crack of unknown kind: the kind that the network believes in most; it says nothing about the two others
        weight[:, :KINDS] = functional.one_hot(strongest, KINDS).to(weight)
    points = owner = torch.zeros(0, dtype=torch.int64)
    known = Truth(truth.boxes[truth.labels >= 0], truth.labels[truth.labels >= 0], truth.supervision)
    if len(known.boxes):
        by_label = torch.cat([belief, belief[:, :KINDS].amax(1, keepdim=True)], 1)
        owners, reachable = assign(by_label[:, known.labels].T, found, known.boxes, grid)
        points = (owners >= 0).nonzero()[:, 0]
        owner = owners[points]
        labels = known.labels[owner]
        if strongest is not None:
            labels = torch.where(labels == belief.shape[1], strongest[points], labels)
        wanted[points, labels] = reachable[points].clamp(min=1e-4)
        weight[points, KINDS if any_crack else 0 :] = 1.0  # a point on a labelled box is no other label, supervised or not
    return wanted, weight, points, owner
