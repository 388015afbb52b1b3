"""One model on one set of pictures with true boxes: what it finds, how precise that is, and how much the hiding covers."""

import math
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track

from device.frame import Frame, Pixels, Place
from inference.anonymise import hide
from inference.coco import DataRefused, TruePicture, TrueSet
from inference.detect import Detection, everything
from inference.gallery import Drawn, figure
from inference.labels import CRACK, CRACKS
from inference.letterbox import letterbox
from inference.look import PLAIN_SIGNS
from inference.manifest import Manifest
from inference.model import Model
from inference.people import find_people
from inference.per_picture import telling
from inference.scoring import IOUS, Picture, average_precision, best_threshold, centre_hit, covered, interval_95, match, pair

FLOOR = 0.01
"""Average precision looks at every box from this score on."""
COVERED = 0.9
"""A true box counts as covered when so much of its area is hidden."""
MUST_BE_COVERED = ("face", "plate")
MOST_FIGURES = 100
NOWHERE = Place(math.nan, math.nan, math.inf, None, 0.0, 0.0, "filled", None, "unset")
"""Pictures of a data set have no place."""

Groups = Mapping[str, tuple[str, ...]]


@dataclass
class Seen:
    """What all the pictures gave: found boxes by picture id and label, seconds, hidden shares and covered truths."""

    found: dict[int, list[Detection]] = field(default_factory=dict)
    invoke_s: list[float] = field(default_factory=list)
    hidden_shares: list[float] = field(default_factory=list)
    covered: dict[str, list[bool]] = field(default_factory=dict)
    figures: list[str] = field(default_factory=list)


class Trial:
    """One model on one set. `privacy` hides the pictures of the gallery and is asked what it covers."""

    def __init__(self, model: Model, truth: TrueSet, privacy: Model | None) -> None:
        """Take them.

        Raises:
            DataRefused: they have no label in common, or the set has no picture.
        """
        self.manifest = model.manifest
        self._model, self._truth, self._privacy = model, truth, privacy
        self.groups = common_labels(self.manifest, truth)
        if not self.groups:
            ours, theirs = ", ".join(self.manifest.labels), ", ".join(truth.categories) or "none of ours"
            raise DataRefused(f"{self.manifest.name} and the set have no label in common: {ours}; {theirs}")
        if not truth.pictures:
            raise DataRefused("the set has no picture")

    def run(self, at_iou: float, *, cover: bool, gallery: bool, quiet: bool) -> Seen:
        """Looks at every picture once.

        Raises:
            DataRefused: a picture cannot be read.
            ModelFailed: a model gave nothing usable.
        """
        seen = Seen()
        picture = self.manifest.input
        self._model.invoke(np.full((picture.height, picture.width, 3), 128, np.uint8))  # the first is always slow
        step = math.ceil(len(self._truth.pictures) / MOST_FIGURES)
        watched = track(self._truth.pictures, "looking", console=Console(stderr=True), disable=quiet or not sys.stderr.isatty())
        for number, true in enumerate(watched):
            pixels = true.pixels()
            certain = self._find(true, pixels, seen)
            if cover or (gallery and number % step == 0):
                self._hide(true, pixels, certain, at_iou, seen, draw=gallery and number % step == 0)
        return seen

    def _find(self, true: TruePicture, pixels: Pixels, seen: Seen) -> list[Detection]:
        """Everything from `FLOOR` on goes into `seen`; what reaches the model's own thresholds is given back."""
        boxed = letterbox(pixels, self.manifest.input.width, self.manifest.input.height)
        begun = time.perf_counter()
        outputs = self._model.invoke(boxed.pixels)
        seen.invoke_s.append(time.perf_counter() - begun)
        every = everything(self.manifest, outputs, boxed, self.groups, FLOOR)
        seen.found[true.id] = every
        return [found for found in every if found.score >= self.own_threshold(found.label)]

    def _hide(
        self, true: TruePicture, pixels: Pixels, certain: Sequence[Detection], at_iou: float, seen: Seen, *, draw: bool
    ) -> None:
        assert self._privacy is not None
        manifest = self._privacy.manifest
        boxed = letterbox(pixels, manifest.input.width, manifest.input.height)
        people = find_people(self._privacy, pixels, boxed)
        signs = [found for found in certain if found.label in PLAIN_SIGNS]
        frame = Frame(pixels, 0.0, NOWHERE, true.file.name)
        kept = hide(frame, people, signs)
        seen.hidden_shares.append(kept.hidden_share)
        for label, box in zip(true.labels, true.boxes.tolist(), strict=True):
            if label in MUST_BE_COVERED:
                seen.covered.setdefault(label, []).append(covered(box, kept.hidden) >= COVERED)
        if draw:
            # What the model missed is known here, and is hidden too: the page may be shown to anybody.
            missed = [
                Detection(label, 1.0, (box[0], box[1], box[2], box[3]))
                for label, box in zip(true.labels, true.boxes.tolist(), strict=True)
                if label in (*MUST_BE_COVERED, "person")
            ]
            shown = hide(frame, [*people, *missed], signs)
            seen.figures.append(figure(shown, true.file.name, drawn_boxes(true, certain, tuple(self.groups), at_iou)))

    def own_threshold(self, label: str) -> float:
        """The model's threshold of a label; of a merged one the lowest of its members'."""
        return min(self.manifest.thresholds[member] for member in self.groups[label])

    def report(self, seen: Seen, at_iou: float, *, cover: bool) -> dict[str, Any]:
        """The numbers of `--json`; a label of which the set shows nothing is left out."""
        precision, spread, threshold, hit = {}, [], {}, {}
        boxes = 0
        for label in self.groups:
            pictures = [of_label(true, seen.found[true.id], label) for true in self._truth.pictures]
            matched = match(pictures, at_iou)
            value = average_precision(matched)
            if value is None:
                continue
            boxes += matched.truths
            precision[label] = round(value, 4)
            spread.append(statistics.fmean(average_precision(match(pictures, step)) or 0.0 for step in IOUS))
            best = best_threshold(matched)
            threshold[label] = None if best is None else round(best, 4)
            hit[label] = None if best is None else round(centre_hit(pictures, best) or 0.0, 4)
        report: dict[str, Any] = {
            "model_sha256": self.manifest.sha256,
            "images": len(self._truth.pictures),
            "boxes": boxes,
            "iou": at_iou,
            "mAP50": round(statistics.fmean(precision.values()), 4) if precision else None,
            "mAP50_95": round(statistics.fmean(spread), 4) if spread else None,
            "ap50": precision,
            "threshold": threshold,
            "centre_hit": hit,
            "latency_ms": {
                "median": round(statistics.median(seen.invoke_s) * 1e3, 2),
                "p95": round(float(np.percentile(seen.invoke_s, 95)) * 1e3, 2),
            },
        }
        if self.manifest.task == "safety":
            report["by_picture"] = {
                label: telling([of_label(true, seen.found[true.id], label) for true in self._truth.pictures]).as_json(
                    self.own_threshold(label)
                )
                for label in self.groups
            }
        if cover:
            counts = {label: (sum(values), len(values)) for label, values in seen.covered.items()}
            report["covered_share"] = {label: round(hits / all_, 4) for label, (hits, all_) in counts.items()}
            report["covered_interval_95"] = {
                label: [round(edge, 4) for edge in interval_95(hits, all_)] for label, (hits, all_) in counts.items()
            }
            report["hidden_area_share"] = {"median": round(statistics.median(seen.hidden_shares), 4)}
        return report


def common_labels(manifest: Manifest, truth: TrueSet) -> Groups:
    """The labels to compare, each with the model's labels that it stands for."""
    groups: dict[str, tuple[str, ...]] = {}
    for label in truth.categories:
        members = CRACKS if label == CRACK else (label,)
        known = tuple(member for member in members if member in manifest.labels)
        if known:
            groups[label] = known
    return groups


def of_label(true: TruePicture, found: Sequence[Detection], label: str) -> Picture:
    """What is there and what was found of one label."""
    there = np.array([each == label for each in true.labels], np.bool_)
    here = [detection for detection in found if detection.label == label]
    boxes = np.array([detection.box for detection in here], np.float64).reshape(-1, 4)
    return Picture(true.boxes[there], true.crowd[there], boxes, np.array([detection.score for detection in here], np.float64))


def drawn_boxes(true: TruePicture, certain: Sequence[Detection], labels: Sequence[str], at_iou: float) -> list[Drawn]:
    """Hits, misses and false alarms of one picture, for the gallery."""
    drawn: list[Drawn] = []
    for label in labels:
        one = of_label(true, certain, label)
        hits, ignored, taken = pair(one, at_iou)
        here = [detection for detection in certain if detection.label == label]
        for detection, hit, swallowed in zip(here, hits, ignored, strict=True):
            if not swallowed:
                drawn.append(Drawn("hit" if hit else "alarm", label, detection.score, detection.box))
        for (left, top, right, bottom), seen in zip(one.truth[~one.crowd].tolist(), taken, strict=True):
            if not seen:
                drawn.append(Drawn("miss", label, None, (left, top, right, bottom)))
    return drawn
