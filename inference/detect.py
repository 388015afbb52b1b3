"""One box, one label, one score, in one frame; and all of them that a model's outputs hold."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference.decode import MOST_CANDIDATES, Found, decode, grid_of, merge
from inference.letterbox import Letterboxed
from inference.manifest import Head, Manifest
from inference.model import ModelFailed, Output

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Detection:
    """`box` is (left, top, right, bottom) in pixels of the frame, right and bottom exclusive; `score` is 0 to 1."""

    label: str
    score: float
    box: tuple[float, float, float, float]


def detect(manifest: Manifest, outputs: Sequence[Output], picture: Letterboxed) -> tuple[Detection, ...]:
    """What reaches the model's own thresholds, in pixels of the frame that `picture` was made of.

    Raises:
        ModelFailed: the output is not finite, or so much is found that it cannot be true.
    """
    detections: list[Detection] = []
    for head, output in zip(manifest.heads, outputs, strict=True):
        found = decode(head, output, grid_of(manifest), manifest.thresholds)
        if found.candidates > MOST_CANDIDATES:
            raise ModelFailed(f"{manifest.name} finds something at {found.candidates} points: its output is saturated")
        detections += in_frame(head, found, picture)
    return tuple(detections)


def everything(
    manifest: Manifest, outputs: Sequence[Output], picture: Letterboxed, groups: Mapping[str, Sequence[str]], least: float
) -> list[Detection]:
    """What reaches the score `least`, of the labels of `groups`: each stands for its members, by their highest score."""
    found: list[Detection] = []
    for head, output in zip(manifest.heads, outputs, strict=True):
        here = {label: members for label, members in groups.items() if set(members) <= set(head.labels)}
        if here:
            merged, scores = merge(head, output, here)
            found += in_frame(merged, decode(merged, scores, grid_of(manifest), dict.fromkeys(here, least)), picture)
    return found


def in_frame(head: Head, found: Found, picture: Letterboxed) -> list[Detection]:
    """`found` in pixels of the frame, clipped to it; what lies in the padding alone is left out."""
    boxes = picture.in_frame(found.boxes).tolist()
    return [
        Detection(head.labels[column], score, (left, top, right, bottom))
        for column, score, (left, top, right, bottom) in zip(found.columns.tolist(), found.scores.tolist(), boxes, strict=True)
        if right > left and bottom > top
    ]
