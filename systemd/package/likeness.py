"""Whether two replays of one drive, on two kinds of processor, see the same: label by label, box by box."""

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

SURE: Final = 0.05
"""A detection counts whose score is so far above its threshold: one at the threshold may fall on either side of it."""
SAME_SHARE: Final = 0.99
MOST_PX: Final = 2.0
MOST_QUANTA: Final = 3.0

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Seen:
    """One detection of one frame; the box in pixels: left, top, right, bottom."""

    label: str
    score: float
    box: Box


@dataclass(frozen=True, slots=True)
class Scale:
    """The threshold of a label, and the step in which the model writes the logits of its score."""

    threshold: float
    quantum: float


def scales_of(manifests: Sequence[Path]) -> dict[str, Scale]:
    """Each label's, from the manifests of the models."""
    found = {}
    for file in manifests:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        for head in manifest["heads"]:
            for label in head["labels"]:
                found[label] = Scale(manifest["thresholds"][label], head["scores"]["scale"])
    return found


def seen_in(folder: Path) -> dict[str, list[Seen]]:
    """What a replay has seen: the recorded picture's name to its detections, none where there was nothing."""
    frames: dict[str, list[Seen]] = defaultdict(list)
    with closing(sqlite3.connect(f"{(folder / 'ronde.db').resolve().as_uri()}?mode=ro", uri=True)) as db:
        for (source,) in db.execute("SELECT source FROM frame"):
            frames[source] = []
        query = 'SELECT source, label, score, "left", top, "right", bottom FROM detection JOIN frame ON frame.id = frame_id'
        for source, label, score, *box in db.execute(query):
            frames[source].append(Seen(label, score, (box[0], box[1], box[2], box[3])))
    return dict(frames)


def likeness(
    ours: Mapping[str, Sequence[Seen]], theirs: Mapping[str, Sequence[Seen]], scales: Mapping[str, Scale]
) -> dict[str, Any]:
    """How alike they are, both ways, and what is wanted of it that does not hold (`goals_missed`)."""
    pairs = [*_pairs(ours, theirs, scales), *_pairs(theirs, ours, scales)]
    found = [(one, other) for one, other in pairs if other is not None]
    boxes = [_apart_px(one.box, other.box) for one, other in found]
    quanta = [abs(_logit(one.score) - _logit(other.score)) / scales[one.label].quantum for one, other in found]
    same = len(found) / len(pairs) if pairs else 0.0
    goals = {
        "the same frames": set(ours) == set(theirs),
        f"the same labels for {SAME_SHARE:.0%}": same >= SAME_SHARE,
        f"boxes within {MOST_PX:g} px": max(boxes, default=0.0) <= MOST_PX,
        f"scores within {MOST_QUANTA:g} quanta": max(quanta, default=0.0) <= MOST_QUANTA + 0.01,
    }
    return {
        "frames": len(ours),
        "detections": len(pairs) // 2,
        "same_labels": round(same, 4),
        "boxes_within": _share(boxes, MOST_PX),
        "scores_within": _share(quanta, MOST_QUANTA),
        "worst_box_px": round(max(boxes, default=0.0), 2),
        "worst_score_quanta": round(max(quanta, default=0.0), 2),
        "identical": sum(one == other for one, other in found) // 2,
        "goals_missed": [name for name, met in goals.items() if not met],
    }


def _share(numbers: Sequence[float], most: float) -> float:
    """How many are not more than that; a hundredth is rounding of what is stored."""
    return round(sum(each <= most + 0.01 for each in numbers) / max(1, len(numbers)), 4)


def _pairs(
    ours: Mapping[str, Sequence[Seen]], theirs: Mapping[str, Sequence[Seen]], scales: Mapping[str, Scale]
) -> Iterator[tuple[Seen, Seen | None]]:
    """Each sure detection of ours with the nearest of theirs that has its label and overlaps it; None where there is none."""
    for name, each in ours.items():
        for one in each:
            if one.score >= scales[one.label].threshold + SURE:
                others = [other for other in theirs.get(name, ()) if other.label == one.label and _overlap(one.box, other.box)]
                yield one, min(others, key=lambda other: _apart_px(one.box, other.box), default=None)


def _overlap(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _apart_px(one: Box, other: Box) -> float:
    """By how much the side that differs most does."""
    return max(abs(a - b) for a, b in zip(one, other, strict=True))


def _logit(score: float) -> float:
    kept = min(max(score, 1e-6), 1 - 1e-6)
    return math.log(kept / (1 - kept))
