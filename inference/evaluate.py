"""`python -m inference.evaluate`: how good a model is on a set of pictures with true boxes.

Precision is COCO's, over the labels that the model and the set both have. Where the set says `crack` without saying which, the
model's three cracks count as one, by the highest of their scores.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inference.coco import DataRefused, TrueSet, read_set
from inference.gallery import gallery_page
from inference.manifest import ModelRefused, locate
from inference.model import ModelFailed
from inference.tflite import TfliteModel
from inference.trial import Seen, Trial

THREADS = 2
DONE, FAULT, REFUSED = 0, 1, 2
EXIT_CODES = """exit codes: 0 done; 1 a fault of ours; 2 wrong use, or a model or data that cannot be used.

mAP50, ap50, threshold (of the best F1) and centre_hit (share of true boxes that hold the centre of a box found at that threshold)
are counted at --iou: 0.5 unless said otherwise. mAP50_95 is COCO's mean over 0.5 to 0.95. latency_ms is the model alone.
A safety model is judged per picture too (by_picture), at its own thresholds."""


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives its exit code."""
    given = _parser().parse_args(arguments)
    try:
        return _evaluate(given)
    except (DataRefused, ModelRefused) as error:
        print(error, file=sys.stderr)
        return REFUSED
    except ModelFailed as error:
        print(f"{given.model}: {error}", file=sys.stderr)
        return FAULT


def _evaluate(given: argparse.Namespace) -> int:
    path = locate(str(given.model))
    model = TfliteModel(path, THREADS)
    if given.cover and model.manifest.task != "privacy":
        raise ModelRefused(f"{path}: is a model for {model.manifest.task}; --cover asks what a privacy model hides")
    privacy = model if model.manifest.task == "privacy" else None
    if given.gallery and privacy is None:
        privacy = _privacy_beside(path)
    truth = read_set(given.data, given.images)
    trial = Trial(model, truth, privacy)
    seen = trial.run(given.iou, cover=given.cover, gallery=given.gallery is not None, quiet=given.json)
    report = trial.report(seen, given.iou, cover=given.cover)
    if given.detections:
        _write(given.detections, json.dumps(_results(truth, seen)))
    if given.gallery:
        note = f"{len(seen.figures)} of {report['images']} pictures, at the model's own thresholds and IoU {given.iou:g}. "
        _write(given.gallery, gallery_page(f"{model.manifest.name} on {given.data.stem}", note, seen.figures))
    print(json.dumps(report) if given.json else _table(report))
    return DONE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m inference.evaluate",
        description="Measures a model on pictures with true boxes. Reads model, set and pictures; writes only what is asked for.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model", type=Path, required=True, help="the .tflite, its manifest beside it; or a shipped model's name"
    )
    parser.add_argument("--data", type=Path, required=True, help="COCO JSON with the true boxes")
    parser.add_argument("--images", type=Path, required=True, help="the folder of the pictures named there")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    parser.add_argument("--iou", type=_share, default=0.5, help="overlap from which a box counts as found (default 0.5)")
    parser.add_argument("--detections", type=Path, metavar="OUT.json", help="writes all boxes as COCO results, in the set's ids")
    parser.add_argument("--cover", action="store_true", help="of a privacy model: the share of faces and plates that it hides")
    parser.add_argument("--gallery", type=Path, metavar="OUT.html", help="writes hidden pictures with hits, misses and alarms")
    return parser


def _share(text: str) -> float:
    value = float(text)
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most 1")
    return value


def _privacy_beside(path: Path) -> TfliteModel:
    """The privacy model in the same folder, of several the newest: no picture is written without it."""
    beside = sorted(path.parent.glob("privacy-*.tflite"), key=lambda each: (len(each.name), each.name))
    if not beside:
        raise ModelRefused(f"{path.parent}: has no privacy-*.tflite, and no picture is written to a gallery unhidden")
    privacy = TfliteModel(beside[-1], THREADS)
    if privacy.manifest.task != "privacy":
        raise ModelRefused(f"{beside[-1]}: is a model for {privacy.manifest.task}, and no picture is written unhidden")
    return privacy


def _results(truth: TrueSet, seen: Seen) -> list[dict[str, Any]]:
    """COCO results: boxes as left, top, width, height."""
    return [
        {
            "image_id": number,
            "category_id": truth.categories[found.label],
            "bbox": [round(value, 2) for value in (left, top, right - left, bottom - top)],
            "score": round(found.score, 5),
        }
        for number, detections in seen.found.items()
        for found in detections
        for left, top, right, bottom in [found.box]
    ]


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataRefused(f"{path}: cannot be written ({error.strerror})") from error


def _table(report: dict[str, Any]) -> str:
    """What a person reads."""
    lines = [
        f"{report['images']} pictures, {report['boxes']} boxes, model {report['model_sha256'][:12]}",
        f"mAP at IoU {report['iou']:g}: {_number(report['mAP50'])}   0.5 to 0.95: {_number(report['mAP50_95'])}",
        f"latency: median {report['latency_ms']['median']} ms, 95 % {report['latency_ms']['p95']} ms",
        f"{'label':<20}{'AP':>8}{'best F1 at':>12}{'centre hit':>12}",
    ]
    for label, precision in report["ap50"].items():
        numbers = f"{_number(report['threshold'][label]):>12}{_number(report['centre_hit'][label]):>12}"
        lines.append(f"{label:<20}{_number(precision):>8}{numbers}")
    for label, told in report.get("by_picture", {}).items():
        lines += [f"{label}, per picture: {name} {_share_of(entry)}" for name, entry in told.items()]
    for label, share in report.get("covered_share", {}).items():
        low, high = report["covered_interval_95"][label]
        lines.append(f"{label}: {share:.3f} covered (95 %: {low:.3f} to {high:.3f})")
    if "hidden_area_share" in report:
        lines.append(f"hidden of a picture: {report['hidden_area_share']['median']:.3f} in the median")
    return "\n".join(lines)


def _share_of(entry: Mapping[str, Any]) -> str:
    low, high = entry["interval_95"]
    return f"{entry['share']:.3f} of {entry['pictures']} (95 %: {low:.3f} to {high:.3f})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    sys.exit(main())
