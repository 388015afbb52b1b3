"""Models that are damaged, differ from their manifest, or answer nonsense: refused at load, or hiding fails closed."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from device.frame import Frame, Pixels
from inference.look import HidingFailed, Look
from inference.manifest import SHIPPED, Manifest, ModelRefused, Numbers
from inference.model import Model, ModelFailed, Output
from inference.tflite import TfliteModel
from sync.faults.row import Plan, Rng, Row, Tally
from sync.faults.writer import place

NAMES: Final = ("privacy-1", "roads-1")
HEIGHT, WIDTH = 120, 160
DEADLINE_S = 2.0

Document = dict[str, Any]


def run(plan: Plan, tally: Tally) -> None:
    """Damage files, then manifests, then answers."""
    good = {name: TfliteModel(SHIPPED / f"{name}.tflite") for name in NAMES}
    kinds = ((_damaged_file, 0.5), (_damaged_manifest, 0.25), (_damaged_answer, 0.25))
    for kind, share in kinds:
        for _ in range(math.ceil(share * plan.load)):
            name = str(plan.rng.choice(NAMES))
            wrong = kind(plan, name, good)
            tally.injected += 1
            if wrong is not None:
                tally.wrong.append(wrong)
        tally.measured[kind.__name__.removeprefix("_").replace("_", " ")] = math.ceil(share * plan.load)


def _damaged_file(plan: Plan, name: str, _good: Mapping[str, Model]) -> str | None:
    """Bits flipped, cut short, grown, emptied, or another file."""
    content = bytearray((SHIPPED / f"{name}.tflite").read_bytes())
    at = int(plan.rng.integers(len(content)))
    match int(plan.rng.integers(5)):
        case 0:
            content[at] ^= 1 << int(plan.rng.integers(8))
            how = f"a bit of byte {at}"
        case 1:
            content = content[:at]
            how = f"cut to {at} bytes"
        case 2:
            content += plan.rng.bytes(1 + at % 5000)
            how = "grown"
        case 3:
            content[at : at + 4096] = bytes(len(content[at : at + 4096]))
            how = f"a page of zeros at {at}"
        case _:
            content = bytearray(plan.rng.bytes(len(content)))
            how = "noise"
    if bytes(content) == (SHIPPED / f"{name}.tflite").read_bytes():  # zeros where zeros were
        content[at] ^= 1
    path = _placed(plan, name, bytes(content), (SHIPPED / f"{name}.json").read_bytes())
    return _refused(path, how)


CHANGES: Final[tuple[tuple[str, Callable[[Document], None]], ...]] = (
    ("input float32", lambda d: d["input"].update(dtype="float32")),
    ("input uint8", lambda d: d["input"].update(dtype="uint8", zero_point=128)),
    ("input scale 0", lambda d: d["input"].update(scale=0.0)),
    ("input scale another", lambda d: d["input"].update(scale=d["input"]["scale"] * 2)),
    ("input zero point another", lambda d: d["input"].update(zero_point=d["input"]["zero_point"] + 1)),
    ("input twice as wide", lambda d: d["input"].update(width=2 * d["input"]["width"])),
    ("bgr", lambda d: d["input"].update(colour="bgr")),
    ("std 0", lambda d: d["input"].update(std=0.0)),
    ("mean no number", lambda d: d["input"].update(mean="128")),
    ("scores float32", lambda d: d["heads"][0]["scores"].update(dtype="float32")),
    ("scores uint8", lambda d: d["heads"][0]["scores"].update(dtype="uint8")),
    ("scores scale 0", lambda d: d["heads"][0]["scores"].update(scale=0)),
    ("scores scale negative", lambda d: d["heads"][0]["scores"].update(scale=-0.04)),
    ("scores zero point another", lambda d: d["heads"][0]["scores"].update(zero_point=1)),
    ("scores of another name", lambda d: d["heads"][0]["scores"].update(name="output_9")),
    ("scores and boxes exchanged", lambda d: d["heads"][0].update(scores=d["heads"][0]["boxes"], boxes=d["heads"][0]["scores"])),
    ("boxes of another shape", lambda d: d["heads"][0]["boxes"].update(shape=[1, 7, 4])),
    ("boxes no shape", lambda d: d["heads"][0]["boxes"].pop("shape")),
    ("another encoding", lambda d: d["heads"][0].update(encoding="corners")),
    ("a label twice", lambda d: d["heads"][0]["labels"].append(d["heads"][0]["labels"][0])),
    ("a label unknown", lambda d: d["heads"][0]["labels"].__setitem__(0, "unicorn")),
    ("no heads", lambda d: d.update(heads=[])),
    ("strides another", lambda d: d.update(strides=[8, 16])),
    ("stride 0", lambda d: d.update(strides=[0, 16, 32])),
    ("the other task", lambda d: d.update(task="roads" if d["task"] == "privacy" else "privacy")),
    ("task unknown", lambda d: d.update(task="weather")),
    ("no thresholds", lambda d: d.pop("thresholds")),
    ("a threshold of 0", lambda d: d["thresholds"].update({next(iter(d["thresholds"])): 0.0})),
    ("a threshold of 7", lambda d: d["thresholds"].update({next(iter(d["thresholds"])): 7.0})),
    ("sha256 of another", lambda d: d.update(sha256="0" * 64)),
    ("bytes of another", lambda d: d.update(bytes=d["bytes"] + 1)),
    ("no input", lambda d: d.pop("input")),
)
"""What a manifest can say that is not so, or cannot be."""


def _damaged_manifest(plan: Plan, name: str, _good: Mapping[str, Model]) -> str | None:
    """The file is whole, and its manifest says something else; or the manifest itself is cut."""
    text = (SHIPPED / f"{name}.json").read_bytes()
    number = int(plan.rng.integers(len(CHANGES) + 4))
    if number < len(CHANGES):
        how, change = CHANGES[number]
        document = json.loads(text)
        change(document)
        text = json.dumps(document).encode()
    else:
        at = int(plan.rng.integers(len(text) - 2))
        how, text = f"manifest cut to {at} bytes", text[:at]
    return _refused(_placed(plan, name, (SHIPPED / f"{name}.tflite").read_bytes(), text), how)


def _refused(path: Path, how: str) -> str | None:
    """None where the model is refused by name; else what happened."""
    try:
        TfliteModel(path)
    except ModelRefused as error:
        return None if str(path.with_suffix("")) in str(error) else f"{how}: refused without its name: {error}"
    return f"{path.stem}, {how}: it is loaded"


def _placed(plan: Plan, name: str, model: bytes, manifest: bytes) -> Path:
    path = plan.ground.folder / f"{name}.tflite"
    path.write_bytes(model)
    path.with_suffix(".json").write_bytes(manifest)
    return path


class _Hurt:
    """A model whose answers are real numbers, made wrong; `clock_s` is what it takes."""

    def __init__(self, inner: Model, how: str, rng: Rng) -> None:
        heads = [
            replace(head, scores=replace(head.scores, numbers=REAL), boxes=replace(head.boxes, numbers=REAL))
            for head in inner.manifest.heads
        ]
        self.manifest: Manifest = replace(inner.manifest, heads=tuple(heads))
        self._inner, self._how, self._rng = inner, how, rng
        self.clock_s = 0.0

    def invoke(self, picture: Pixels) -> tuple[Output, ...]:
        """What the model says, and what becomes of it."""
        if self._how == "fails":
            raise ModelFailed(f"{self.manifest.name} failed in the runtime")
        self.clock_s = 1.01 * DEADLINE_S if self._how == TOO_SLOW else 0.0
        said = []
        for head, output in zip(self._inner.manifest.heads, self._inner.invoke(picture), strict=True):
            said.append(Output(head.scores.numbers.real(output.scores), head.boxes.numbers.real(output.boxes)))
        return tuple(_poisoned(output, self._how, self._rng) for output in said)


REAL: Final = Numbers("float32", 1.0, 0)
POISONS: Final = ("one NaN", "all NaN", "one infinite", "NaN boxes", "saturated", "fails")
TOO_SLOW: Final = "too slow"
"""Hurts hiding alone: the roads model beside it may take its time."""


def _poisoned(output: Output, how: str, rng: Rng) -> Output:
    scores, boxes = output.scores.copy(), output.boxes.copy()
    where = int(rng.integers(scores.size))
    if how == "one NaN":
        scores.flat[where] = np.nan
    elif how == "all NaN":
        scores[:] = np.nan
    elif how == "one infinite":
        scores.flat[where] = np.inf
        boxes.flat[int(rng.integers(boxes.size))] = np.inf
    elif how == "NaN boxes":
        boxes[:] = np.nan
        scores[:] = 3.0
    elif how == "saturated":
        scores[:] = 9.0
    return Output(scores, boxes)


def _damaged_answer(plan: Plan, name: str, good: Mapping[str, Model]) -> str | None:
    """The privacy model's nonsense keeps no frame; the roads model's keeps it, and says that there are no detections."""
    how = str(plan.rng.choice((*POISONS, TOO_SLOW) if name.startswith("privacy") else POISONS))
    hurt = _Hurt(good[name], how, plan.rng)
    pixels = plan.rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    models: dict[str, Model] = {**good, name: hurt}
    look = Look(models["roads-1"], models["privacy-1"], deadline_s=DEADLINE_S, clock=lambda: hurt.clock_s)
    try:
        looked = look.look(Frame(pixels, 0.0, place(1)))
    except HidingFailed:
        return None if name.startswith("privacy") else f"{name}, {how}: the photo is lost for it"
    if name.startswith("privacy"):
        return f"{name}, {how}: a frame is kept"
    told = looked.roads_failed is not None and not looked.detections
    return None if told else f"{name}, {how}: nothing is said of it"


ROW = Row("models", "models and manifests damaged, answers of nonsense", short=24, full=260, needs=(), run=run)
