"""`python -m inference.compare`: one model against another, or one runtime against the other, on pictures with true boxes.

Against another model (INT8 against its float): mAP of both, what is lost, and how much that may be (a paired bootstrap over
pictures). Against another runtime: how far the raw outputs are apart, in quanta, and mAP of both.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from inference.coco import DataRefused, TrueSet, read_set
from inference.detect import everything
from inference.letterbox import letterbox
from inference.manifest import Manifest, ModelRefused, locate
from inference.model import Output
from inference.paired import ENOUGH, MOST_LOST, Loss, paired_loss
from inference.raw import raw_outputs, read_raw
from inference.scoring import Picture
from inference.tflite import TfliteModel
from inference.trial import FLOOR, common_labels, of_label

DONE, REFUSED, MISSED = 0, 2, 3
WITHIN, MOST_QUANTA, MOST_APART = 0.99, 4, 0.005
"""Share of the outputs that must agree to one quantum; the most quanta of any; the most that mAP50 may differ by."""
OTHER_PYTHON = "RONDE_TFLITE_PYTHON"
EXIT_CODES = "exit codes: 0 done; 2 wrong use, or a model or data that cannot be used; 3 a goal is missed"

Raw = Sequence[Sequence[Output]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives its exit code."""
    given = _parser().parse_args(arguments)
    try:
        truth = read_set(given.data, given.images)
        model = locate(str(given.model))
        result = against_model(model, given.against, truth, given.iou) if given.against else against_runtime(model, given, truth)
    except (DataRefused, ModelRefused) as error:
        print(error, file=sys.stderr)
        return REFUSED
    print(json.dumps(result) if given.json else "\n".join(f"{name}: {value}" for name, value in result.items()))
    return MISSED if result["goals_missed"] else DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m inference.compare", description=__doc__, epilog=EXIT_CODES)
    parser.add_argument(
        "--model", type=Path, required=True, help="the .tflite, its manifest beside it; or a shipped model's name"
    )
    parser.add_argument("--data", type=Path, required=True, help="COCO JSON with the true boxes")
    parser.add_argument("--images", type=Path, required=True, help="the folder of the pictures named there")
    parser.add_argument("--iou", type=float, default=0.5, help="overlap from which a box counts as found (default 0.5)")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--against", type=Path, metavar="FILE", help="the model that it is held against: the float one")
    what.add_argument("--runtime", action="store_true", help=f"the runtime of old, in the Python that {OTHER_PYTHON} names")
    parser.add_argument("--plain", action="store_true", help="with --runtime: this runtime without XNNPACK")
    return parser


def against_model(model: Path, reference: Path, truth: TrueSet, at_iou: float) -> dict[str, Any]:
    """What `model` loses against `reference`.

    Raises:
        ModelRefused: one of them cannot be used.
        DataRefused: a picture cannot be read.
    """
    before, after = (
        by_label(one.manifest, raw_outputs(one, truth), truth) for one in (TfliteModel(reference), TfliteModel(model))
    )
    loss = paired_loss(before, after, at_iou)
    return {
        "pictures": len(truth.pictures),
        "boxes": loss.boxes,
        "reference_mAP": round(loss.reference, 4),
        "mAP": round(loss.other, 4),
        "lost": round(loss.lost, 4),
        "lost_at_most_95": round(loss.lost_at_most, 4),
        "goals_missed": missed(loss),
    }


def missed(loss: Loss) -> list[str]:
    """The goal of a quantized model, where it is missed on a set with boxes enough to tell."""
    late = loss.boxes >= ENOUGH and loss.lost_at_most > MOST_LOST
    return [f"upper bound of the loss {loss.lost_at_most:.3f}, allowed {MOST_LOST}"] if late else []


def against_runtime(model: Path, given: argparse.Namespace, truth: TrueSet) -> dict[str, Any]:
    """How far this runtime and the one of old are apart.

    Raises:
        ModelRefused: the model, or the other runtime, cannot be used.
        DataRefused: a picture cannot be read.
    """
    here = TfliteModel(model, plain=given.plain)
    ours, theirs = raw_outputs(here, truth), other_outputs(model, given.data, given.images)
    quanta = apart(ours, theirs)
    loss = paired_loss(by_label(here.manifest, theirs, truth), by_label(here.manifest, ours, truth), given.iou, draws=1)
    within = float((quanta <= 1).mean())
    goals = {
        f"{WITHIN:.0%} within one quantum": within >= WITHIN,
        f"none beyond {MOST_QUANTA}": float(quanta.max()) <= MOST_QUANTA,
        f"mAP within {MOST_APART}": abs(loss.lost) <= MOST_APART,
    }
    return {
        "pictures": len(truth.pictures),
        "outputs": int(quanta.size),
        "within_one_quantum": round(within, 5),
        "within_four": round(float((quanta <= MOST_QUANTA).mean()), 6),
        "most_quanta": float(quanta.max()),
        "mAP": round(loss.other, 4),
        "mAP_other_runtime": round(loss.reference, 4),
        "goals_missed": [goal for goal, met in goals.items() if not met],
    }


def other_outputs(model: Path, data: Path, images: Path) -> Raw:
    """What the runtime of old writes, in the Python that `RONDE_TFLITE_PYTHON` names.

    Raises:
        ModelRefused: none is named, or it fails.
    """
    python = os.environ.get(OTHER_PYTHON)
    if not python:
        raise ModelRefused(f"{OTHER_PYTHON} names no Python with tflite-runtime, numpy < 2 and pillow")
    with tempfile.TemporaryDirectory(prefix="ronde-raw-") as folder:
        out = Path(folder) / "raw.npz"
        command = [python, "-m", "inference.raw", *map(str, (model.resolve(), data.resolve(), images.resolve(), out))]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=folder)
        if done.returncode:
            raise ModelRefused(f"{python}: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'failed'}")
        return read_raw(out)


def apart(ours: Raw, theirs: Raw) -> Any:
    """Of every number that two runs wrote, how many quanta (of floats: how much) they are apart."""
    return np.concatenate(
        [
            np.abs(getattr(one, what).astype(np.float64) - getattr(other, what).astype(np.float64)).ravel()
            for mine, yours in zip(ours, theirs, strict=True)
            for one, other in zip(mine, yours, strict=True)
            for what in ("scores", "boxes")
        ]
    )


def by_label(manifest: Manifest, outputs: Raw, truth: TrueSet) -> Mapping[str, list[Picture]]:
    """What is there and what was found, from raw outputs, label by label.

    Raises:
        DataRefused: the set shows nothing that the model knows.
    """
    groups = common_labels(manifest, truth)
    if not any(label in picture.labels for picture in truth.pictures for label in groups):
        raise DataRefused(f"the set shows nothing that {manifest.name} knows")
    size = manifest.input.width, manifest.input.height
    found = [
        everything(manifest, output, letterbox(picture.pixels(), *size), groups, FLOOR)
        for picture, output in zip(truth.pictures, outputs, strict=True)
    ]
    return {label: [of_label(true, here, label) for true, here in zip(truth.pictures, found, strict=True)] for label in groups}


if __name__ == "__main__":
    sys.exit(main())
