"""What is said about a model: its accuracy per label, the thresholds chosen on val, its false alarms, and what hiding covers."""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from device.frame import Frame, Place
from inference.anonymise import AnonymousFrame, belongs, hide
from inference.detect import Detection
from inference.paired import ENOUGH, paired_loss
from inference.people import kept
from inference.per_picture import best_telling, telling
from inference.scoring import covered, interval_95
from inference.training.judge import IOU, LENIENT, VEHICLE, Judged, best_working, pictures_of, precision_of, quiet_from, shown
from inference.training.sets import SIGNS

Document = dict[str, Any]

MOST_FALSE: Final = 0.01  # of pictures without fire or smoke; two frames of three must agree before an alert is sent
LEAST_THRESHOLD: Final = 0.05
COVERED: Final = 0.9  # of a face's or plate's area, to count as hidden
WANTED_RECALL: Final = 0.97
STEPS: Final = tuple(round(0.025 * step, 3) for step in range(24, 3, -1))  # thresholds of plates to try
LEAST_HIDING: Final = 0.1
SIGN_COVERED: Final = 0.5
COCO_THRESHOLDS: Final = {"person": 0.25, "vehicle": VEHICLE}  # no set at hand labels persons in streets either
NOWHERE: Final = Place(math.nan, math.nan, math.inf, None, 0.0, 0.0, "filled", None, "unset")


class Hiding(NamedTuple):
    """At which scores the hiding works: of each label, and of a plate that lies in no vehicle."""

    thresholds: Mapping[str, float]
    plate_alone: float


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


def safety_thresholds(judged: Sequence[Judged], labels: Sequence[str]) -> dict[str, float]:
    """Per label the score with the best F1 over val's pictures, among those that are quiet on pictures without it."""
    return {label: _rounded(best_telling([telling(pictures_of(one, label)) for one in judged], MOST_FALSE)) for label in labels}


def by_picture(judged: Sequence[Judged], thresholds: Mapping[str, float]) -> Document:
    """Per set, in how many of its pictures each label is told rightly, and wrongly; `any` is fire or smoke."""
    document: Document = {}
    for one in judged:
        each = {label: telling(pictures_of(one, label)) for label in thresholds}
        document[f"{one.plan.name} val"] = {
            label: told.as_json(thresholds[label]) for label, told in each.items() if told.showing or told.without
        }
    return document


def privacy_thresholds(judged: Sequence[Judged]) -> tuple[dict[str, float], float]:
    """Thresholds of the privacy labels, and the one of a plate that lies in no vehicle.

    Faces, and plates that lie in no vehicle, count from the lowest score with no more false alarms than allowed. Plates in
    vehicles count from the highest score at which the product's hiding still covers `WANTED_RECALL` of val's, or as many as any.
    """
    chosen = dict(COCO_THRESHOLDS) | {"face": _up(max(LEAST_HIDING, quiet_from(judged, "face")))}
    alone = _up(max(LEAST_HIDING, quiet_from([_outside_vehicles(one) for one in judged], "plate")))
    shares = {}
    for step in STEPS:
        here = Hiding(chosen | {"plate": step}, max(step, alone))
        shares[step] = statistics.fmean(flag for one in judged if not one.drawn for flag in hits(one, "plate", here))
    enough = min(WANTED_RECALL, max(shares.values()))
    chosen["plate"] = next(step for step in STEPS if shares[step] >= enough)
    return chosen, max(chosen["plate"], alone)


def _outside_vehicles(judged: Judged) -> Judged:
    """The same without what was found in a vehicle."""
    alone = tuple(
        tuple(one for one in found if not any(belongs(one.box, each.box) for each in found if _is_vehicle(each)))
        for found in judged.found
    )
    return replace(judged, found=alone)


def _is_vehicle(found: Detection) -> bool:
    return found.label == "vehicle" and found.score >= VEHICLE


def hiding(judged: Sequence[Judged], at: Hiding) -> Document:
    """Per set, which of its plates, faces and signs the product's own hiding covers, and how much it hides."""
    document: Document = {}
    for one in judged:
        shares = [hidden.hidden_share for hidden in one_by_one(one, at)]
        entry: Document = {"hidden_share_median": round(statistics.median(shares), 4)}
        for label in (*shown(one), *(SIGNS if one.plan.others else ())):
            flags = hits(one, label, at)
            if flags:
                low, high = interval_95(sum(flags), len(flags))
                share = round(statistics.fmean(flags), 4)
                entry[label] = {"covered": share, "interval_95": [round(low, 4), round(high, 4)], "n": len(flags)}
        document[f"{one.plan.name} val"] = entry
    return document


def hits(judged: Judged, label: str, at: Hiding) -> list[bool]:
    """For each truth of a label that can be seen, whether it is covered by what is hidden; a sign is when half of it is."""
    flags = []
    wanted = SIGN_COVERED if label in SIGNS else COVERED
    for picture, hidden in zip(judged.pictures, one_by_one(judged, at), strict=True):
        boxes = zip(picture.labels, picture.boxes.tolist(), picture.crowd.tolist(), strict=True)
        flags += [covered(box, hidden.hidden) >= wanted for name, box, crowd in boxes if name == label and not crowd]
    return flags


def one_by_one(judged: Judged, at: Hiding) -> Iterator[AnonymousFrame]:
    """What the product hides in each picture where this was found."""
    for picture, found, closer in zip(judged.pictures, judged.found, judged.closer, strict=True):
        assert picture.size is not None
        people = kept(found, at.thresholds, at.plate_alone)
        people += tuple(one for one in closer if one.score >= at.thresholds["plate"])
        yield hide(Frame(np.zeros((picture.size[1], picture.size[0], 3), np.uint8), 0.0, NOWHERE), people)


def alarms(judged: Sequence[Judged], at: Hiding) -> dict[str, dict[str, float]]:
    """Found boxes per 100 pictures, at the thresholds, of labels that a set never shows; labels without any are left out."""
    document: dict[str, dict[str, float]] = {}
    for one in judged:
        document[one.plan.name] = {}
        every = [kept(found, at.thresholds, at.plate_alone) for found in one.found]
        for label in one.plan.absent:
            count = sum(each.label == label for found in every for each in found)
            if count:
                document[one.plan.name][label] = round(100 * count / len(every), 1)
    return document


def write_report(path: Path, document: Document, judged: Sequence[Judged]) -> None:
    """Writes all numbers of a model as tables to read."""
    lines = [f"# {document['name']}", "", "| set | label | boxes | float | INT8 |", "|---|---|---|---|---|"]
    for name, entry in document["ap50"].items():
        rows = [*entry["labels"].items(), ("mean", entry["mean"])]
        bound = f", INT8 loses at most {entry['lost_at_most_95']:.3f}" if "lost_at_most_95" in entry else ""
        for label, row in rows:
            where = f"{name}{bound}" if label == "mean" else name
            lines.append(f"| {where} | {label} | {row.get('boxes', '')} | {row['float']:.3f} | {row['int8']:.3f} |")
    lines += ["", "| label | threshold | best F1 at | F1 | precision | recall | boxes |", "|---|---|---|---|---|---|---|"]
    for label, threshold in document["thresholds"].items():
        if any(label in shown(one) for one in judged):
            best = best_working(judged, label)
            numbers = f"{best.threshold:.3f} | {best.f1:.2f} | {best.precision:.2f} | {best.recall:.2f} | {best.truths}"
            lines.append(f"| {label} | {threshold} | {numbers} |")
    lines += ["", "| set | label it never shows | found per 100 pictures |", "|---|---|---|"]
    for name, counts in alarms(judged, Hiding(document["thresholds"], document.get("plate_alone", 0.0))).items():
        lines += [f"| {name} | {label} | {count} |" for label, count in counts.items()]
    lines += ["", *(f"{name}: {entry}" for name, entry in document.get("recall", {}).items()), ""]
    path.write_text("\n".join(lines), encoding="utf-8")


def _accuracy(full: Judged, quantized: Judged, least_iou: float) -> Document:
    labels: Document = {}
    for label, count in shown(full).items():
        exact, small = (round(precision_of(one, label, least_iou), 4) for one in (full, quantized))
        labels[label] = {"float": exact, "int8": small, "boxes": count}
    before, after = ({label: pictures_of(one, label) for label in labels} for one in (full, quantized))
    loss = paired_loss(before, after, least_iou)
    mean = {kind: round(statistics.fmean(row[kind] for row in labels.values()), 4) for kind in ("float", "int8")}
    bound = {"lost_at_most_95": round(loss.lost_at_most, 4)} if loss.boxes >= ENOUGH else {}
    return {"iou": least_iou, "labels": labels, "mean": mean} | bound


def _up(score: float) -> float:
    """Up, so that the box that is one too many is left out."""
    return math.ceil(score * 1000) / 1000


def _rounded(score: float) -> float:
    """Down, so that the very box that set it is still found."""
    return max(LEAST_THRESHOLD, int(score * 1000) / 1000)
