"""A closer look: the vehicles of a frame side by side in one more picture for the privacy model, each larger than it was.

A plate of 12 pixels in the frame is 4 in the letterboxed picture, and is not found there. Cut out of the frame, up to four
vehicles share one further invoke.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from device.frame import Pixels
from inference.boxes import Boxes
from inference.letterbox import PAD

MOST = 4
"""Vehicles in one picture; of more, the largest."""
GROWN = 0.1
"""A vehicle is cut out with so much more on each side, in parts of its sides: its box may be a little off."""
MOST_ENLARGED = 3.0
"""No pixel of the frame becomes more than so many: beyond that there is nothing more to see."""
LEAST_GAIN = 1.15
"""A vehicle that would be larger by less than this has been seen well enough."""


@dataclass(frozen=True, slots=True)
class Cut:
    """One vehicle: its place among those asked about, left top of its part of the frame, its cell of the picture, its scale."""

    number: int
    left: int
    top: int
    cell: tuple[int, int, int, int]
    scale_x: float
    scale_y: float

    def in_frame(self, boxes: Boxes) -> Boxes:
        """Boxes (n, 4) of the picture in pixels of the frame, clipped to the vehicle's cell."""
        low = np.array(self.cell[:2] * 2, np.float64)
        inside = np.clip(boxes, low, np.array(self.cell[2:] * 2, np.float64)) - low
        placed: Boxes = inside / np.array([self.scale_x, self.scale_y] * 2) + np.array([self.left, self.top] * 2)
        return placed

    def holds(self, boxes: Boxes) -> Boxes:
        """Which boxes (n, 4) of the picture have their middle in the vehicle's cell: (n,) of bool."""
        middle = (boxes[:, :2] + boxes[:, 2:]) / 2
        return np.asarray(((middle >= self.cell[:2]) & (middle < self.cell[2:])).all(axis=1))


@dataclass(frozen=True, slots=True, eq=False)
class Closer:
    """The picture to look at, (height, width, 3), and what is where in it."""

    pixels: Pixels
    cuts: tuple[Cut, ...]


def gather(pixels: Pixels, vehicles: Sequence[tuple[float, float, float, float]], width: int, height: int) -> Closer | None:
    """A picture of `width` x `height` with the largest of the vehicles that gain by it; None where none does."""
    frame_height, frame_width = pixels.shape[:2]
    usual = min(width / frame_width, height / frame_height)
    parts = [_part(box, frame_width, frame_height) for box in vehicles]
    largest = sorted(range(len(parts)), key=lambda number: -_area(parts[number]))
    # The more share the picture, the smaller each becomes: those that gain nothing as one of four may still make room.
    for most in range(min(MOST, len(parts)), 0, -1):
        across, down = (2 if most > 1 else 1), (2 if most > 2 else 1)
        wide, high = width // across, height // down
        gaining = [
            number for number in largest if _area(parts[number]) and _scale(parts[number], wide, high) >= LEAST_GAIN * usual
        ]
        if gaining and (len(gaining) >= most or most == 1):
            return _closer(pixels, [(number, parts[number]) for number in gaining[:most]], (wide, high, across), (width, height))
    return None


def _closer(
    pixels: Pixels, chosen: Sequence[tuple[int, tuple[int, int, int, int]]], cells: tuple[int, int, int], size: tuple[int, int]
) -> Closer:
    wide, high, across = cells
    canvas = np.full((size[1], size[0], 3), PAD, np.uint8)
    cuts = []
    for place, (number, (left, top, right, bottom)) in enumerate(chosen):
        scale = _scale((left, top, right, bottom), wide, high)
        fit = max(1, round((right - left) * scale)), max(1, round((bottom - top) * scale))
        x, y = place % across * wide, place // across * high
        piece = Image.fromarray(pixels[top:bottom, left:right]).resize(fit, Image.Resampling.BILINEAR, reducing_gap=1.0)
        canvas[y : y + fit[1], x : x + fit[0]] = np.asarray(piece)
        cuts.append(Cut(number, left, top, (x, y, x + fit[0], y + fit[1]), fit[0] / (right - left), fit[1] / (bottom - top)))
    return Closer(canvas, tuple(cuts))


def _part(box: tuple[float, float, float, float], width: int, height: int) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    more_x, more_y = GROWN * (right - left), GROWN * (bottom - top)
    return (
        max(0, int(left - more_x)),
        max(0, int(top - more_y)),
        min(width, int(right + more_x) + 1),
        min(height, int(bottom + more_y) + 1),
    )


def _area(part: tuple[int, int, int, int]) -> int:
    return max(0, part[2] - part[0]) * max(0, part[3] - part[1])


def _scale(part: tuple[int, int, int, int], wide: int, high: int) -> float:
    return min(MOST_ENLARGED, wide / (part[2] - part[0]), high / (part[3] - part[1]))
