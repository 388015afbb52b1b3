"""Geometry of many boxes at once: arrays of (left, top, right, bottom), right and bottom exclusive."""

from typing import Any

import numpy as np
import numpy.typing as npt

Boxes = npt.NDArray[Any]


def areas(boxes: Boxes) -> Boxes:
    """Area of each box (n, 4); 0 where it is turned inside out."""
    sides: Boxes = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    area: Boxes = sides[:, 0] * sides[:, 1]
    return area


def intersections(ours: Boxes, theirs: Boxes) -> Boxes:
    """Area that each of ours (n, 4) shares with each of theirs (m, 4): (n, m)."""
    near = np.maximum(ours[:, None, :2], theirs[None, :, :2])
    far = np.minimum(ours[:, None, 2:], theirs[None, :, 2:])
    sides = np.clip(far - near, 0, None)
    shared: Boxes = sides[..., 0] * sides[..., 1]
    return shared


def iou(ours: Boxes, theirs: Boxes) -> Boxes:
    """Intersection over union, 0 to 1: (n, m). Two boxes without area have none."""
    shared = intersections(ours, theirs)
    union = areas(ours)[:, None] + areas(theirs)[None, :] - shared
    part: Boxes = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return part
