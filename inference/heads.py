"""`python -m inference.heads`: which heads of a drawn street the hiding covers, by distance and by where the person looks.

No real set at hand labels heads in streets. The street does, and knows how far each is; that it is drawn is part of every number.
"""

import argparse
import itertools
import json
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from device.frame import Frame
from inference.anonymise import hide
from inference.coco import DataRefused
from inference.letterbox import letterbox
from inference.manifest import ModelRefused, locate
from inference.model import Model
from inference.people import find_people
from inference.scoring import covered, interval_95
from inference.tflite import TfliteModel
from inference.trial import COVERED, NOWHERE

DONE, REFUSED, MISSED = 0, 2, 3
WANTED = 0.95
EDGES_M = (0.0, 5.0, 8.0, 12.0, 16.0, 60.0)
EXIT_CODES = "exit codes: 0 done; 2 wrong use, or a model or street that cannot be used; 3 fewer heads are covered than wanted"


@dataclass(frozen=True, slots=True)
class Head:
    """One head: how far ahead, whether its face is seen, whether it was covered."""

    ahead_m: float
    facing: bool
    covered: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives its exit code."""
    parser = argparse.ArgumentParser(prog="python -m inference.heads", description=__doc__, epilog=EXIT_CODES)
    parser.add_argument("--model", type=Path, required=True, help="the privacy model; or a shipped one's name")
    parser.add_argument("--street", type=Path, required=True, help="what `python -m device.street --coco` wrote")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    given = parser.parse_args(arguments)
    try:
        heads, shares = look_at_street(TfliteModel(locate(str(given.model))), given.street)
    except (DataRefused, ModelRefused) as error:
        print(error, file=sys.stderr)
        return REFUSED
    result = told(heads, shares)
    print(json.dumps(result) if given.json else in_words(result))
    return DONE if result["covered"] >= WANTED else MISSED


def look_at_street(privacy: Model, street: Path) -> tuple[list[Head], list[float]]:
    """All heads that can be seen (not marked `iscrowd`), and the hidden share of each picture.

    Raises:
        DataRefused: the street cannot be read, or shows no head.
    """
    try:
        document = json.loads((street / "truth.json").read_bytes())
        names = {each["id"]: each["name"] for each in document["categories"]}
        by_picture: dict[int, list[Mapping[str, Any]]] = {each["id"]: [] for each in document["images"]}
        for each in document["annotations"]:
            by_picture[each["image_id"]].append({**each, "name": names[each["category_id"]]})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataRefused(f"{street}: is no street as `python -m device.street --coco` writes it ({error})") from error
    heads, shares = [], []
    size = privacy.manifest.input.width, privacy.manifest.input.height
    for image in document["images"]:
        with Image.open(street / "images" / image["file_name"]) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        kept = hide(Frame(pixels, 0.0, NOWHERE), find_people(privacy, pixels, letterbox(pixels, *size)))
        heads += heads_in(by_picture[image["id"]], kept.hidden)
        shares.append(kept.hidden_share)
    if not heads:
        raise DataRefused(f"{street}: shows no head")
    return heads, shares


def heads_in(boxes: Sequence[Mapping[str, Any]], hidden: Sequence[tuple[int, int, int, int]]) -> list[Head]:
    """The heads of one picture."""
    faces = {each["part_of"] for each in boxes if each["name"] == "face"}
    heads = []
    for each in boxes:
        if each["name"] == "head" and not each["iscrowd"]:
            left, top, width, height = each["bbox"]
            share = covered((left, top, left + width, top + height), hidden)
            heads.append(Head(each["ahead_m"], each["part_of"] in faces, share >= COVERED))
    return heads


def told(heads: Sequence[Head], shares: Sequence[float]) -> dict[str, Any]:
    """The numbers: all, by distance, by where they look."""
    groups = {
        f"{low:g} to {high:g} m": [head for head in heads if low <= head.ahead_m < high]
        for low, high in itertools.pairwise(EDGES_M)
    }
    groups |= {
        "facing the lens": [head for head in heads if head.facing],
        "turned away": [head for head in heads if not head.facing],
    }
    return {
        "heads": len(heads),
        "covered": _share(heads),
        "interval_95": [round(edge, 3) for edge in interval_95(sum(head.covered for head in heads), len(heads))],
        "groups": {name: {"covered": _share(group), "heads": len(group)} for name, group in groups.items() if group},
        "hidden_share_median": round(statistics.median(shares), 4),
    }


def in_words(result: Mapping[str, Any]) -> str:
    """What a person reads."""
    low, high = result["interval_95"]
    lines = [f"{result['heads']} heads, {result['covered']:.3f} covered (95 %: {low:.3f} to {high:.3f})"]
    lines += [f"{name:<18}{group['covered']:>7.3f}{group['heads']:>6}" for name, group in result["groups"].items()]
    return "\n".join([*lines, f"hidden of a picture: {result['hidden_share_median']:.3f} in the median"])


def _share(heads: Sequence[Head]) -> float:
    return round(statistics.fmean(head.covered for head in heads), 4)


if __name__ == "__main__":
    sys.exit(main())
