"""One box, one label, one score, in one frame."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Detection:
    """`box` is (left, top, right, bottom) in pixels of the frame, right and bottom exclusive; `score` is 0 to 1."""

    label: str
    score: float
    box: tuple[float, float, float, float]
