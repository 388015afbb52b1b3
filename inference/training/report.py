"""What is said about a model: its accuracy per label, the thresholds chosen on val, its false alarms, and what hiding covers."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from device.frame import Frame, Place
from inference.anonymise import AnonymousFrame, hide
from inference.coco import TruePicture
from inference.detect import Detection
from inference.scoring import covered, interval_95
from inference.training.judge import IOU, LENIENT, Judged, best_working, precision_of, shown

Document = dict[str, Any]

LEAST_THRESHOLD: Final = 0.05
COVERED: Final = 0.9  # of a face's or plate's area, to count as hidden
WANTED_RECALL: Final = 0.97
# Thresholds of plates and faces to try. None above 0.3: the faces of val are large portraits, those in streets score lower.
STEPS: Final = tuple(round(0.025 * step, 3) for step in range(12, 1, -1))
HIDDEN: Final = ("plate", "face")
# No set at hand labels persons or vehicles in streets: these follow NanoDet's own scores, low, so that hiding misses few.
COCO_THRESHOLDS: Final = {"person": 0.25, "vehicle": 0.25}
NOWHERE: Final = Place(math.nan, math.nan, math.inf, None, 0.0, 0.0, "filled", None, "unset")


def accuracy(exact: Sequence[Judged], small: Sequence[Judged]) -> Document:
    """AP of the float and the INT8 network for each label that a set shows, at IoU 0.5, and leniently where that is due."""
    document: Document = {}
    for full, quantized in zip(exact, small, strict=True):
        if shown(full):
            name = f"{full.plan.name} val"
            document[name] = _accuracy(full, quantized, IOU)
            if full.plan.name in LENIENT:
                document[f"{name}, IoU {full.least_iou}"] = _accuracy(full, quantized, full.least_iou)
    return document


def choose_thresholds(judged: Sequence[Judged], labels: Sequence[str]) -> dict[str, float]:
    """Per label the score with the best F1 on val."""
    return {label: _rounded(best_working(judged, label).threshold) for label in labels}


def privacy_thresholds(judged: Sequence[Judged]) -> dict[str, float]:
    """For plates and faces the highest score at which hiding still covers `WANTED_RECALL` of val, or as many as ever it can."""
    chosen = dict(COCO_THRESHOLDS)
    for label in HIDDEN:
        recalls = [statistics.fmean(flag for one in judged for flag in hits(one, label, {label: step})) for step in STEPS]
        enough = min(WANTED_RECALL, max(recalls))
        chosen[label] = next(step for step, recall in zip(STEPS, recalls, strict=True) if recall >= enough)
    return chosen


def hiding(judged: Sequence[Judged], thresholds: Mapping[str, float]) -> Document:
    """Per set, which of its plates or faces the product's own hiding covers at these thresholds, and how much it hides."""
    document: Document = {}
    for one in judged:
        shares = [hidden_in(*pair, thresholds).hidden_share for pair in zip(one.pictures, one.found, strict=True)]
        entry: Document = {"hidden_share_median": round(statistics.median(shares), 4)}
        for label in shown(one):
            flags = hits(one, label, thresholds)
            low, high = interval_95(sum(flags), len(flags))
            share = round(statistics.fmean(flags), 4)
            entry[label] = {"covered": share, "interval_95": [round(low, 4), round(high, 4)], "n": len(flags)}
        document[f"{one.plan.name} val"] = entry
    return document


def hits(judged: Judged, label: str, thresholds: Mapping[str, float]) -> list[bool]:
    """For each truth of a label, whether it is covered by what is hidden at these thresholds (labels without one hide none)."""
    flags = []
    for picture, found in zip(judged.pictures, judged.found, strict=True):
        boxes = [box for name, box in zip(picture.labels, picture.boxes.tolist(), strict=True) if name == label]
        if boxes:
            regions = hidden_in(picture, found, thresholds).hidden
            flags += [covered(box, regions) >= COVERED for box in boxes]
    return flags


def hidden_in(picture: TruePicture, found: Sequence[Detection], thresholds: Mapping[str, float]) -> AnonymousFrame:
    """What the product hides in a picture of this size where this was found."""
    assert picture.size is not None
    people = [one for one in found if one.score >= thresholds.get(one.label, math.inf)]
    return hide(Frame(np.zeros((picture.size[1], picture.size[0], 3), np.uint8), 0.0, NOWHERE), people)


def alarms(judged: Sequence[Judged], thresholds: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Found boxes per 100 pictures, at the thresholds, of labels that a set never shows; labels without any are left out."""
    document: dict[str, dict[str, float]] = {}
    for one in judged:
        document[one.plan.name] = {}
        for label in one.plan.absent:
            count = sum(each.label == label and each.score >= thresholds[label] for found in one.found for each in found)
            if count:
                document[one.plan.name][label] = round(100 * count / len(one.found), 1)
    return document


def write_report(path: Path, document: Document, judged: Sequence[Judged]) -> None:
    """Writes all numbers of a model as tables to read."""
    lines = [f"# {document['name']}", "", "| set | label | boxes | float | INT8 |", "|---|---|---|---|---|"]
    for name, entry in document["ap50"].items():
        rows = [*entry["labels"].items(), ("mean", entry["mean"])]
        lines += [
            f"| {name} | {label} | {row.get('boxes', '')} | {row['float']:.3f} | {row['int8']:.3f} |" for label, row in rows
        ]
    lines += ["", "| label | threshold | best F1 at | F1 | precision | recall | boxes |", "|---|---|---|---|---|---|---|"]
    for label, threshold in document["thresholds"].items():
        if any(label in shown(one) for one in judged):
            best = best_working(judged, label)
            numbers = f"{best.threshold:.3f} | {best.f1:.2f} | {best.precision:.2f} | {best.recall:.2f} | {best.truths}"
            lines.append(f"| {label} | {threshold} | {numbers} |")
    lines += ["", "| set | label it never shows | found per 100 pictures |", "|---|---|---|"]
    for name, counts in alarms(judged, document["thresholds"]).items():
        lines += [f"| {name} | {label} | {count} |" for label, count in counts.items()]
    lines += ["", *(f"{name}: {entry}" for name, entry in document.get("recall", {}).items()), ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def _accuracy(full: Judged, quantized: Judged, least_iou: float) -> Document:
    labels: Document = {}
    for label, count in shown(full).items():
        exact, small = (round(precision_of(one, label, least_iou), 4) for one in (full, quantized))
        labels[label] = {"float": exact, "int8": small, "boxes": count}
    mean = {kind: round(statistics.fmean(row[kind] for row in labels.values()), 4) for kind in ("float", "int8")}
    return {"iou": least_iou, "labels": labels, "mean": mean}


def _rounded(score: float) -> float:
    """Down, so that the very box that set it is still found."""
    return max(LEAST_THRESHOLD, int(score * 1000) / 1000)
