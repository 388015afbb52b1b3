"""What a model file is: its manifest NAME.json beside NAME.tflite, and every reason to refuse the two, in one sentence each."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from inference.labels import LABELS
from provisioning.table import SettingsError, Table

Task = Literal["roads", "privacy", "safety"]
Dtype = Literal["int8", "uint8", "float32"]
Encoding = Literal["log_distance", "distance_bins"]
Values = npt.NDArray[Any]
Reals = npt.NDArray[np.float32]

BINS = 11
"""Distances 0 to 10, in strides, that a side of a box is spread over where it is encoded as `distance_bins`."""
NUMBERS_PER_BOX: Mapping[Encoding, int] = MappingProxyType({"log_distance": 4, "distance_bins": 4 * BINS})
MUST_HIDE = frozenset({"person", "face", "plate"})
"""Without one of these a privacy model hides too little to be used at all."""
MOST_PX = 4096
SHIPPED = Path(__file__).parent / "models"


class ModelRefused(Exception):
    """A model that is not used: one sentence naming the file and the reason."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """How real numbers are written: real = (written - zero_point) * scale; 1 and 0 for float32, written as they are."""

    dtype: Dtype
    scale: float
    zero_point: int

    def real(self, written: Values) -> Reals:
        """The real numbers, same shape."""
        if self.dtype == "float32":
            return written.astype(np.float32, copy=False)
        return (written.astype(np.float32) - np.float32(self.zero_point)) * np.float32(self.scale)

    def written(self, real: float) -> float:
        """Where `real` lies on the scale of written numbers, not rounded."""
        return real / self.scale + self.zero_point


@dataclass(frozen=True, slots=True)
class Input:
    """The picture a model takes: RGB, height x width; a channel's value enters as (value - mean) / std, in `numbers`."""

    width: int
    height: int
    mean: float
    std: float
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Tensor:
    """One output: its name in the file, its shape (1, points, columns) and its numbers."""

    name: str
    shape: tuple[int, ...]
    numbers: Numbers


@dataclass(frozen=True, slots=True)
class Head:
    """Logits of `labels` and the boxes of the same points. Points are ordered stride by stride, row by row."""

    labels: tuple[str, ...]
    scores: Tensor
    boxes: Tensor
    encoding: Encoding


@dataclass(frozen=True, slots=True)
class Manifest:
    """All that is needed to use a model; `thresholds` are scores (0 to 1) from which a label counts as found.

    `plate_alone` is the one of a plate that lies in no vehicle.
    """

    name: str
    task: Task
    sha256: str
    size_bytes: int
    input: Input
    strides: tuple[int, ...]
    heads: tuple[Head, ...]
    thresholds: Mapping[str, float]
    plate_alone: float = 0.0

    @property
    def labels(self) -> tuple[str, ...]:
        """Every label of every head."""
        return tuple(label for head in self.heads for label in head.labels)


def locate(name: str, folder: Path = SHIPPED) -> Path:
    """The model file a configuration means: a name of one that is shipped, else a path."""
    shipped = folder / name
    return shipped if "/" not in name and shipped.is_file() else Path(name)


def read_model(path: Path) -> tuple[Manifest, bytes]:
    """The manifest beside the model file `path` and the file's bytes, read once and checked against it.

    Raises:
        ModelRefused: either is missing or wrong, or they do not belong together.
    """
    manifest = read_manifest(path.with_suffix(".json"))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelRefused(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) != manifest.size_bytes:
        raise ModelRefused(f"{path}: has {len(content)} bytes where its manifest says {manifest.size_bytes}")
    if hashlib.sha256(content).hexdigest() != manifest.sha256:
        raise ModelRefused(f"{path}: is not the file its manifest describes (its sha256 differs)")
    return manifest, content


def read_manifest(path: Path) -> Manifest:
    """The manifest in the JSON file `path`; keys that only document the model (ap50, data, ...) are not read.

    Raises:
        ModelRefused: it is missing, no JSON, or says something that cannot be.
    """
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise ModelRefused(f"{path}: the model's manifest cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise ModelRefused(f"{path}: the model's manifest is no JSON ({error})") from error
    if not isinstance(document, dict):
        raise ModelRefused(f"{path}: the model's manifest is no JSON object")
    try:
        return _manifest(Table(path, "", document), document)
    except SettingsError as error:
        raise ModelRefused(str(error)) from error


def _manifest(table: Table, document: dict[str, Any]) -> Manifest:
    _require(table, "name", "task", "sha256", "bytes", "input", "strides", "heads", "thresholds")
    picture = _input(table.table("input"))
    strides = _wholes(table, "strides", document["strides"])
    if not strides or min(strides) < 1 or picture.width % max(strides) or picture.height % max(strides):
        raise table.refused("strides", f"are {list(strides)}; allowed: whole parts of the input's width and height")
    points = sum((picture.width // stride) * (picture.height // stride) for stride in strides)
    heads = tuple(_head(head, raw, points) for head, raw in zip(table.tables("heads"), document["heads"], strict=True))
    manifest = Manifest(
        name=table.text("name"),
        task=table.choice("task", get_args(Task), "roads"),
        sha256=table.text("sha256"),
        size_bytes=table.whole("bytes", 0, 1, 2**31),
        input=picture,
        strides=strides,
        heads=heads,
        thresholds=_thresholds(table.table("thresholds"), heads),
        plate_alone=table.number("plate_alone", 0.0, 0.0, 1.0),
    )
    _check_labels(table, manifest)
    return manifest


def _check_labels(table: Table, manifest: Manifest) -> None:
    labels = manifest.labels
    if not labels or len(set(labels)) != len(labels):
        raise table.refused("heads", "have no label, or one label twice")
    if manifest.task == "privacy" and not set(labels) >= MUST_HIDE:
        raise table.refused("heads", f"lack {', '.join(sorted(MUST_HIDE - set(labels)))}: too little would be hidden")
    hiding = {label.name for label in LABELS if label.kind == "hiding"}
    if manifest.task == "roads" and hiding & set(labels):
        raise table.refused("heads", f"have {', '.join(sorted(hiding & set(labels)))}, found only to be hidden, never reported")
    others = {label.name for label in LABELS if label.kind != "safety"}
    if manifest.task == "safety" and others & set(labels):
        raise table.refused("heads", f"have {', '.join(sorted(others & set(labels)))}; a safety model finds fire and smoke alone")


def _input(table: Table) -> Input:
    _require(table, "width", "height", "colour", "mean", "std", "dtype")
    table.choice("colour", ("rgb",), "rgb")
    return Input(
        width=table.whole("width", 0, 1, MOST_PX),
        height=table.whole("height", 0, 1, MOST_PX),
        mean=table.number("mean", math.nan, -1e6, 1e6),
        std=table.number("std", math.nan, 1e-6, 1e6),
        numbers=_numbers(table),
    )


def _numbers(table: Table) -> Numbers:
    _require(table, "dtype")
    dtype: Dtype = table.choice("dtype", get_args(Dtype), "int8")
    if dtype == "float32":
        return Numbers(dtype, 1.0, 0)
    _require(table, "scale", "zero_point")
    limits = np.iinfo(dtype)
    scale = table.number("scale", math.nan, 1e-12, 1e6)
    return Numbers(dtype, scale, table.whole("zero_point", 0, int(limits.min), int(limits.max)))


def _head(table: Table, raw: dict[str, Any], points: int) -> Head:
    _require(table, "labels", "scores", "boxes", "encoding")
    names = tuple(label.name for label in LABELS)
    labels = table.choices("labels", names, ())
    encoding: Encoding = table.choice("encoding", get_args(Encoding), "log_distance")
    scores = _tensor(table.table("scores"), raw["scores"], (1, points, len(labels)))
    boxes = _tensor(table.table("boxes"), raw["boxes"], (1, points, NUMBERS_PER_BOX[encoding]))
    return Head(labels, scores, boxes, encoding)


def _tensor(table: Table, raw: dict[str, Any], expected: tuple[int, ...]) -> Tensor:
    _require(table, "name", "shape")
    shape = _wholes(table, "shape", raw["shape"])
    if shape != expected:
        raise table.refused("shape", f"is {list(shape)}; input, strides, labels and encoding make it {list(expected)}")
    return Tensor(table.text("name"), shape, _numbers(table))


def _thresholds(table: Table, heads: tuple[Head, ...]) -> Mapping[str, float]:
    labels = [label for head in heads for label in head.labels]
    _require(table, *labels)
    return MappingProxyType({label: table.number(label, math.nan, 1e-4, 1.0) for label in labels})


def _wholes(table: Table, key: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(isinstance(each, int) and not isinstance(each, bool) for each in value):
        raise table.refused(key, f"is {value!r}; allowed: a list of whole numbers")
    return tuple(value)


def _require(table: Table, *keys: str) -> None:
    for key in keys:
        if not table.has(key):
            raise table.refused(key, "is missing")
