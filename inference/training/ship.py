"""From a run to a model that can be used: converted, quantized, judged on val, described in a manifest, written to its folder."""

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from inference.letterbox import letterbox
from inference.tflite import TfliteModel
from inference.training.convert import INPUT_SCALE, describe_outputs, multiplications, write_float, write_int8
from inference.training.fit import trained
from inference.training.judge import Judged, look_at
from inference.training.network import STRIDES
from inference.training.report import (
    Hiding,
    accuracy,
    by_picture,
    choose_thresholds,
    hiding,
    privacy_thresholds,
    safety_thresholds,
    write_report,
)
from inference.training.sets import TASKS, PictureSet, plans_of, read_split, told
from inference.training.weights import HEIGHT, MEAN, STD, WIDTH, origin

Document = dict[str, Any]

CALIBRATION_PICTURES: Final = 96
COCO_LABELS: Final = ("person", "vehicle")
UNKNOWN: Final = 0.5  # stands in a manifest until val has been looked at


class Order(NamedTuple):
    """What to ship, from where, under which name, into which folder."""

    task: str
    run: Path
    data: Path
    weights: Path
    name: str
    models: Path


def ship(order: Order) -> None:
    """Writes NAME.tflite and NAME.json, and a report of all that was measured beside the run's checkpoint."""
    labels = TASKS[order.task][0]
    network, run = trained(order.task, order.run, order.weights)
    plans = plans_of(order.task, clear=bool(run["clear"]))
    exact, small = order.run / f"{order.name}-float.tflite", order.run / f"{order.name}.tflite"
    write_float(network, exact)
    write_int8(exact, small, calibration_pictures(order.data, plans))
    judged = {}
    for path in (exact, small):
        document = describe(path, order.name, order.task)
        _write(path.with_suffix(".json"), document)
        judged[path] = list(look_at(TfliteModel(path, threads=2), order.data, TASKS[order.task][1]))
    document |= found_out(order.task, judged[exact], judged[small])
    document["data"] = [about(order.data, plan, labels) for plan in plans]
    document["start"] = origin(order.weights)
    document["training"] = {
        "seed": run["seed"],
        "minutes": round(run["seconds"] / 60, 1),
        "pictures_seen": run["pictures"],
        "threads": run["threads"],
        "started_from": Path(run["start"] or "").parent.name or "NanoDet-g",
        "clear_licences_alone": bool(run["clear"]),
    }
    write_report(order.run / "report.md", document, judged[small])
    order.models.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(small, order.models / small.name)
    _write(order.models / f"{order.name}.json", document)
    print(f"{order.models / small.name}: {document['bytes']} bytes, sha256 {document['sha256']}")


def found_out(task: str, exact: Sequence[Judged], small: Sequence[Judged]) -> Document:
    """What val says of the float and the INT8 network, and the thresholds that follow."""
    document: Document = {"ap50": accuracy(exact, small)}
    if task == "safety":
        thresholds = safety_thresholds(small, TASKS[task][0])
        return {"thresholds": thresholds} | document | {"by_picture": by_picture(small, thresholds)}
    if task != "privacy":
        return {"thresholds": choose_thresholds(small, TASKS[task][0])} | document
    thresholds, alone = privacy_thresholds(small)
    return {"thresholds": thresholds, "plate_alone": alone} | document | {"recall": hiding(small, Hiding(thresholds, alone))}


def calibration_pictures(data: Path, plans: Sequence[PictureSet]) -> list[npt.NDArray[np.uint8]]:
    """Letterboxed training pictures of every set, in the proportions of training, the same ones each time."""
    rng = np.random.default_rng(0)
    whole = sum(plan.per_batch for plan in plans)
    chosen = []
    for plan in plans:
        pictures = read_split(data, plan, "train").pictures
        count = min(len(pictures), round(CALIBRATION_PICTURES * plan.per_batch / whole))
        places = rng.choice(len(pictures), count, replace=False)
        chosen += [letterbox(pictures[place].pixels(), WIDTH, HEIGHT).pixels for place in places]
    return chosen


def describe(path: Path, name: str, task: str) -> Document:
    """The part of a manifest that the file itself tells."""
    labels = TASKS[task][0]
    outputs = describe_outputs(path)
    heads = [_head(labels, outputs[-2:], "log_distance")]
    if task == "privacy":
        heads.insert(0, _head(COCO_LABELS, outputs[:2], "distance_bins"))
    content = path.read_bytes()
    numbers: Document = {"dtype": outputs[0]["dtype"]}
    if numbers["dtype"] != "float32":
        numbers |= {"scale": INPUT_SCALE, "zero_point": 0}
    return {
        "name": name,
        "task": task,  # the place that it can take in a look
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "multiplications": multiplications(path),
        "input": {"width": WIDTH, "height": HEIGHT, "colour": "rgb", "mean": MEAN, "std": STD} | numbers,
        "strides": list(STRIDES),
        "heads": heads,
        "thresholds": {label: UNKNOWN for head in heads for label in head["labels"]},
    }


def about(data: Path, plan: PictureSet, labels: Sequence[str]) -> Document:
    """A set's part in a model: its licence, and how many pictures and boxes of its training split taught something."""
    pictures = read_split(data, plan, "train").pictures
    boxes = sum(label in told(labels) for picture in pictures for label in picture.labels)
    return {"set": plan.name, "licence": plan.licence, "pictures": len(pictures), "boxes": boxes}


def _head(labels: Sequence[str], outputs: Sequence[Mapping[str, Any]], encoding: str) -> Document:
    scores, boxes = outputs
    return {"labels": list(labels), "scores": dict(scores), "boxes": dict(boxes), "encoding": encoding}


def _write(path: Path, document: Document) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
