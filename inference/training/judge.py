"""How good a model is on pictures that it never saw: what it finds in every val split, and how that fits what is there."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from inference.closer import gather
from inference.coco import TruePicture
from inference.detect import Detection, everything
from inference.labels import CRACK, CRACKS
from inference.letterbox import letterbox
from inference.model import Model
from inference.people import plates_in
from inference.scoring import Matched, average_precision, match
from inference.scoring import Picture as Pictured
from inference.training.covers import COVERS, with_covers
from inference.training.sets import DRAWN, Picture, PictureSet, read_split, told
from inference.trial import of_label

FROM_SCORE: Final = 0.01
CLOSER_FROM: Final = 0.1
VEHICLE: Final = 0.25  # no set at hand labels vehicles in streets: this follows NanoDet's own scores, low, so that few are missed
IOU: Final = 0.5
MOST_ALARMS: Final = 3.0  # of a label, per 100 pictures of sets that never show it
FEW: Final = 34  # a set of fewer pictures cannot tell 3 in 100 from none: such sets are counted together
# Boxes of this set are pieces of masks (one crack may be several boxes, or one box a lane of them): it is judged at both.
LENIENT: Final[Mapping[str, float]] = {"dnit-brazil": 0.3}


@dataclass(frozen=True, slots=True)
class Judged:
    """One set's val split. `labels` are the set's own; `found` is what a model found in each picture, from `FROM_SCORE` on.

    `closer` are the plates that a closer look at the vehicles found, from `CLOSER_FROM` on; of a privacy model alone.
    """

    plan: PictureSet
    labels: tuple[str, ...]
    pictures: tuple[TruePicture, ...]
    found: tuple[tuple[Detection, ...], ...]
    closer: tuple[tuple[Detection, ...], ...] = ()

    @property
    def least_iou(self) -> float:
        """From which overlap on a box counts when thresholds are chosen."""
        return LENIENT.get(self.plan.name, IOU)

    @property
    def drawn(self) -> bool:
        """Whether what it shows was drawn: a threshold comes from real pictures, where these show the thing."""
        return self.plan.licence == DRAWN

    def matched(self, label: str, least_iou: float) -> Matched:
        """What was found of a label, against what is there; of a label that the set never shows, all is false."""
        return match(pictures_of(self, label), least_iou)


class Working(NamedTuple):
    """A threshold, and what val says of it: F1, precision and recall, of how many boxes."""

    threshold: float
    f1: float
    precision: float
    recall: float
    truths: int


def look_at(model: Model, data: Path, plans: Sequence[PictureSet]) -> Iterator[Judged]:
    """Runs a model over the val split of the sets, and over those of roads once more with covers drawn onto them."""
    for plan in plans:
        truth = read_split(data, plan, "val")
        own = set(truth.categories) & told(model.manifest.labels)
        found, closer = [], []
        for picture in truth.pictures:
            pixels = picture.pixels()
            found.append(find(model, pixels, any_crack=CRACK in own))
            if "plate" in model.manifest.labels:
                closer.append(find_closer(model, pixels, found[-1]))
        yield Judged(plan, tuple(sorted(own)), truth.pictures, tuple(found), tuple(closer))
        if plan.roads and "drain" in model.manifest.labels:
            yield with_drawn_covers(model, plan, truth.pictures)


def with_drawn_covers(model: Model, plan: PictureSet, pictures: Sequence[TruePicture]) -> Judged:
    """What a model finds of drains and manhole covers drawn onto real pictures, the same ones each time."""
    true, found = [], []
    for number, picture in enumerate(pictures):
        bare = Picture(
            Image.fromarray(picture.pixels()), picture.boxes.astype(np.float32), np.zeros(len(picture.labels), np.int64)
        )
        drawn = with_covers(bare, {label: place for place, label in enumerate(COVERS, 1)}, np.random.default_rng(number))
        ours = drawn.labels > 0
        labels = tuple(COVERS[place - 1] for place in drawn.labels[ours])
        true.append(
            replace(picture, labels=labels, boxes=drawn.boxes[ours].astype(np.float64), crowd=np.zeros(len(labels), np.bool_))
        )
        found.append(find(model, np.asarray(drawn.image), any_crack=False))
    seen = replace(plan, name=f"{plan.name} with covers drawn", licence=DRAWN, absent=())
    return Judged(seen, COVERS, tuple(true), tuple(found))


def find_closer(model: Model, pixels: npt.NDArray[np.uint8], found: Sequence[Detection]) -> tuple[Detection, ...]:
    """The plates of a closer look at the vehicles, from `CLOSER_FROM` on."""
    vehicles = [one.box for one in found if one.label == "vehicle" and one.score >= VEHICLE]
    closer = gather(pixels, vehicles, model.manifest.input.width, model.manifest.input.height)
    return () if closer is None else plates_in(closer, model.manifest, model.invoke(closer.pixels), CLOSER_FROM)


def find(model: Model, pixels: npt.NDArray[np.uint8], *, any_crack: bool) -> tuple[Detection, ...]:
    """All that a model finds in a picture from `FROM_SCORE` on; with `any_crack`, its three cracks count as one label, CRACK."""
    manifest = model.manifest
    boxed = letterbox(pixels, manifest.input.width, manifest.input.height)
    groups: dict[str, tuple[str, ...]] = {label: (label,) for label in manifest.labels if not (any_crack and label in CRACKS)}
    if any_crack and set(CRACKS) <= set(manifest.labels):
        groups[CRACK] = CRACKS
    return tuple(everything(manifest, model.invoke(boxed.pixels), boxed, groups, FROM_SCORE))


def pictures_of(judged: Judged, label: str) -> list[Pictured]:
    """What is there and what was found of one label, picture by picture."""
    return [of_label(picture, found, label) for picture, found in zip(judged.pictures, judged.found, strict=True)]


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

    Only thresholds with at most `MOST_ALARMS` on sets that never show it are asked, where there is such a one at which anything
    is found at all. A label that is never found rightly gets 1: it is never reported.
    """
    asked = [one for one in judged if label in (*one.labels, *one.plan.absent)]
    real = [one for one in asked if not one.drawn]
    parts = [one.matched(label, one.least_iou) for one in (real if any(label in one.labels for one in real) else asked)]
    scores = np.concatenate([part.scores for part in parts])
    order = np.argsort(-scores, kind="stable")
    scores, hits = scores[order], np.concatenate([part.hits for part in parts])[order]
    truths = sum(part.truths for part in parts)
    if not hits.any():
        return Working(1.0, 0.0, 0.0, 0.0, truths)
    right, count = np.cumsum(hits), np.arange(1, len(hits) + 1)
    whole = np.append(np.diff(scores) != 0, True)  # boxes of one score are taken together or not at all
    quiet = whole & (scores >= quiet_from(judged, label)) & (right > 0)
    f1 = np.where(quiet if quiet.any() else whole, 2 * right / (count + truths), 0.0)
    best = int(f1.argmax())
    return Working(float(scores[best]), float(f1[best]), float(right[best] / count[best]), float(right[best] / truths), truths)


def quiet_from(judged: Sequence[Judged], label: str) -> float:
    """The lowest score at which no set that never shows a label, or no group of small ones, has more alarms than allowed."""
    groups: dict[str, list[Judged]] = {}
    for one in judged:
        if label in one.plan.absent:
            groups.setdefault(one.plan.name if len(one.pictures) >= FEW else "", []).append(one)
    lowest = 0.0
    for group in groups.values():
        scores = sorted(
            (found.score for one in group for every in one.found for found in every if found.label == label), reverse=True
        )
        allowed = int(MOST_ALARMS / 100 * sum(len(one.pictures) for one in group))
        if len(scores) > allowed:
            lowest = max(lowest, float(np.nextafter(scores[allowed], 1.0)))
    return lowest
