"""Vehicles in which a set labels no plate although they may well show one: there a plate is neither taught nor forbidden.

Sets of plates label one plate, or the readable ones. A network that is taught "no plate" on all others
learns to skip what is far.
"""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch

from inference.boxes import Boxes, areas, intersections
from inference.decode import suppress
from inference.letterbox import letterbox
from inference.training.network import BINS
from inference.training.sets import UNTOLD, Picture
from inference.training.weights import HEIGHT, MEAN, STD, WIDTH

VEHICLE: Final = 1  # column of NanoDet's reduced head
FROM_SCORE: Final = 0.45
APART: Final = 0.3  # a doubt is a vehicle of its own: no more of it lies in one whose plate is labelled


def with_doubts(pictures: Sequence[Picture], network: Any, grid: Any) -> list[Picture]:
    """The pictures, with a box `UNTOLD` for each vehicle that NanoDet's own head finds and in which no box is labelled.

    `grid` are the points of letterboxed pictures.
    """
    network.eval()
    return [_doubted(picture, _vehicles(picture, network, grid)) for picture in pictures]


def _vehicles(picture: Picture, network: Any, grid: Any) -> Boxes:
    """Boxes (n, 4) of vehicles in pixels of the picture."""
    boxed = letterbox(np.asarray(picture.image), WIDTH, HEIGHT)
    pixels = (torch.from_numpy(boxed.pixels).float() - MEAN).div_(STD).permute(2, 0, 1)[None]
    with torch.no_grad():
        scores, boxes = network(pixels)[:2]
    likely = scores[0, :, VEHICLE].sigmoid()
    points = (likely >= FROM_SCORE).nonzero()[:, 0]
    reach = boxes[0, points].view(-1, 4, BINS).softmax(-1) @ torch.arange(BINS, dtype=torch.float32)
    reach = reach * grid.strides[points, None]
    centres = grid.centres[points]
    found = torch.cat([centres - reach[:, :2], centres + reach[:, 2:]], 1).numpy()
    kept = suppress(found, likely[points].numpy(), np.zeros(len(points), np.intp))
    return boxed.in_frame(found[kept])


def _doubted(picture: Picture, vehicles: Boxes) -> Picture:
    middles = (picture.boxes[:, :2] + picture.boxes[:, 2:]) / 2
    inside = (middles[None] >= vehicles[:, None, :2]) & (middles[None] <= vehicles[:, None, 2:])
    known = np.array([each.all(axis=1).any() for each in inside], np.bool_)
    shared = intersections(vehicles, vehicles[known]) / np.maximum(areas(vehicles), 1.0)[:, None]
    bare = vehicles[~known & (shared.max(axis=1, initial=0.0) <= APART)].astype(np.float32)
    labels = np.concatenate([picture.labels, np.full(len(bare), UNTOLD, np.int64)])
    return Picture(picture.image, np.concatenate([picture.boxes, bare]), labels)
