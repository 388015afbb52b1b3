"""How good a model is on pictures that it never saw: what it finds in every val split, and how that fits what is there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from inference.coco import TruePicture
from inference.decode import decode, grid_of, merge
from inference.detect import Detection, in_frame
from inference.labels import CRACK, CRACKS
from inference.letterbox import letterbox
from inference.model import Model
from inference.scoring import Matched, average_precision, match
from inference.training.sets import PictureSet, read_split, told
from inference.trial import of_label

FROM_SCORE: Final = 0.01
IOU: Final = 0.5
# Boxes of this set are pieces of masks (one crack may be several boxes, or one box a lane of them): it is judged at both.
LENIENT: Final[Mapping[str, float]] = {"dnit-brazil": 0.3}


@dataclass(frozen=True, slots=True)
class Judged:
    """One set's val split. `labels` are the set's own; `found` is what a model found in each picture, from `FROM_SCORE` on."""

    plan: PictureSet
    labels: tuple[str, ...]
    pictures: tuple[TruePicture, ...]
    found: tuple[tuple[Detection, ...], ...]

    @property
    def least_iou(self) -> float:
        """From which overlap on a box counts when thresholds are chosen."""
        return LENIENT.get(self.plan.name, IOU)

    def matched(self, label: str, least_iou: float) -> Matched:
        """What was found of a label, against what is there; of a label that the set never shows, all is false."""
        pairs = zip(self.pictures, self.found, strict=True)
        return match((of_label(picture, found, label) for picture, found in pairs), least_iou)


class Working(NamedTuple):
    """A threshold, and what val says of it: F1, precision and recall, of how many boxes."""

    threshold: float
    f1: float
    precision: float
    recall: float
    truths: int


def look_at(model: Model, data: Path, plans: Sequence[PictureSet]) -> Iterator[Judged]:
    """Runs a model over the val split of the sets."""
    for plan in plans:
        truth = read_split(data, plan.name, "val")
        own = set(truth.categories) & told(model.manifest.labels)
        found = tuple(find(model, picture.pixels(), any_crack=CRACK in own) for picture in truth.pictures)
        yield Judged(plan, tuple(sorted(own)), truth.pictures, found)


def find(model: Model, pixels: npt.NDArray[np.uint8], *, any_crack: bool) -> tuple[Detection, ...]:
    """All that a model finds in a picture from `FROM_SCORE` on; with `any_crack`, its three cracks count as one label, CRACK."""
    manifest = model.manifest
    boxed = letterbox(pixels, manifest.input.width, manifest.input.height)
    found: list[Detection] = []
    for head, output in zip(manifest.heads, model.invoke(boxed.pixels), strict=True):
        groups: dict[str, tuple[str, ...]] = {label: (label,) for label in head.labels}
        if any_crack and set(CRACKS) <= set(head.labels):
            groups = {CRACK: CRACKS} | {label: (label,) for label in head.labels if label not in CRACKS}
        seen, scores = merge(head, output, groups)
        found += in_frame(seen, decode(seen, scores, grid_of(manifest), dict.fromkeys(groups, FROM_SCORE)), boxed)
    return tuple(found)


def precision_of(judged: Judged, label: str, least_iou: float) -> float:
    """COCO's average precision of a label that the set shows."""
    value = average_precision(judged.matched(label, least_iou))
    assert value is not None, f"{judged.plan.name} shows no {label}"
    return value


def shown(judged: Judged) -> dict[str, int]:
    """How many boxes of each label the split shows, where there are any."""
    counts = {label: sum(picture.labels.count(label) for picture in judged.pictures) for label in judged.labels}
    return {label: count for label, count in counts.items() if count}


def best_working(judged: Sequence[Judged], label: str) -> Working:
    """The threshold with the best F1 over all sets that label a thing or never show it (there, everything found is false).

    A label that is never found rightly gets 1: it is never reported.
    """
    parts = [one.matched(label, one.least_iou) for one in judged if label in (*one.labels, *one.plan.absent)]
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.concatenate([part.hits for part in parts])[order]
    truths = sum(part.truths for part in parts)
    if not hits.any():
        return Working(1.0, 0.0, 0.0, 0.0, truths)
    right, count = np.cumsum(hits), np.arange(1, len(hits) + 1)
    whole = np.append(np.diff(scores) != 0, True)  # boxes of one score are taken together or not at all
    f1 = np.where(whole, 2 * right / (count + truths), 0.0)
    best = int(f1.argmax())
    return Working(float(scores[best]), float(f1[best]), float(right[best] / count[best]), float(right[best] / truths), truths)
