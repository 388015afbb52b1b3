"""TensorFlow Lite, in one place: a model file checked against its manifest, from a letterboxed picture to raw outputs."""

from pathlib import Path
from typing import Any

import numpy as np

from device.frame import Pixels
from inference.manifest import Head, Input, Manifest, ModelRefused, Numbers, Values, read_model
from inference.model import ModelFailed, Output

try:  # the successor wherever it has a wheel; the runtime of old on 32-bit Arm (docs/adr/0002)
    from ai_edge_litert.interpreter import Interpreter
except ImportError:
    from tflite_runtime.interpreter import Interpreter

RUNTIME = str(Interpreter.__module__).partition(".")[0]
SCALE_TOLERANCE = 1e-5
"""Relative: a manifest carries the file's float32 scales as decimal text."""


class TfliteModel:
    """A .tflite file, loaded from the very bytes whose sha256 was checked. Used by one thread at a time."""

    def __init__(self, path: Path, threads: int = 1, *, plain: bool = False) -> None:
        """Load and check; `plain` without XNNPACK, whose kernels round otherwise (ai-edge-litert alone).

        Raises:
            ModelRefused: the file, its manifest, or what the runtime finds in the file.
        """
        self._manifest, content = read_model(path)
        try:
            self._interpreter = Interpreter(model_content=content, num_threads=threads, **_resolver(plain=plain))
            self._interpreter.allocate_tensors()
        except (RuntimeError, ValueError) as error:
            raise ModelRefused(f"{path}: the runtime cannot load it ({_first_line(error)})") from error
        picture = self._manifest.input
        self._input_index = _checked_input(path, self._interpreter.get_input_details(), picture)
        outputs = {str(details["name"]): details for details in self._interpreter.get_output_details()}
        self._output_indices = [_checked_output(path, outputs, head) for head in self._manifest.heads]
        self._shape = (picture.height, picture.width, 3)
        self._table = _table(picture)
        self._bits = _bits(self._table)

    @property
    def manifest(self) -> Manifest:
        """What the file was checked against."""
        return self._manifest

    def invoke(self, picture: Pixels) -> tuple[Output, ...]:
        """See `Model`. The runtime lets go of the interpreter lock meanwhile."""
        if picture.shape != self._shape:
            raise ModelFailed(f"{self._manifest.name} takes pictures of shape {self._shape}, not {picture.shape}")
        try:
            self._interpreter.set_tensor(self._input_index, self._written(picture)[np.newaxis])
            self._interpreter.invoke()
        except (RuntimeError, ValueError) as error:
            raise ModelFailed(f"{self._manifest.name} failed in the runtime ({_first_line(error)})") from error
        tensor = self._interpreter.get_tensor
        return tuple(Output(tensor(scores)[0], tensor(boxes)[0]) for scores, boxes in self._output_indices)

    def _written(self, picture: Pixels) -> Values:
        if self._bits is None:
            return self._table[picture]
        return np.bitwise_xor(picture, self._bits).view(self._table.dtype)


def _resolver(*, plain: bool) -> dict[str, Any]:
    if not plain:
        return {}
    from ai_edge_litert.interpreter import OpResolverType  # noqa: PLC0415  # the runtime of old has none, and is asked for none

    return {"experimental_op_resolver_type": OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES}


def _table(picture: Input) -> Values:
    """For each of the 256 values of a pixel, the number that the model is given."""
    real = (np.arange(256, dtype=np.float64) - picture.mean) / picture.std
    numbers = picture.numbers
    if numbers.dtype == "float32":
        return real.astype(np.float32)
    limits = np.iinfo(numbers.dtype)
    return np.clip(np.round(real / numbers.scale + numbers.zero_point), limits.min, limits.max).astype(numbers.dtype)


def _bits(table: Values) -> np.uint8 | None:
    """The bits to flip where the table does no more than that (value, or value - 128): a tenth of the time of a look-up."""
    if table.dtype.itemsize != 1:
        return None
    flipped = np.arange(256, dtype=np.uint8) ^ table.view(np.uint8)
    return np.uint8(flipped[0]) if (flipped == flipped[0]).all() else None


def _checked_input(path: Path, inputs: list[dict[str, Any]], picture: Input) -> int:
    if len(inputs) != 1:
        raise ModelRefused(f"{path}: has {len(inputs)} inputs where one picture is expected")
    _check(path, "input", inputs[0], (1, picture.height, picture.width, 3), picture.numbers)
    return int(inputs[0]["index"])


def _checked_output(path: Path, outputs: dict[str, dict[str, Any]], head: Head) -> tuple[int, int]:
    for tensor in (head.scores, head.boxes):
        if tensor.name not in outputs:
            raise ModelRefused(f"{path}: has no output {tensor.name!r}; it has {', '.join(sorted(outputs))}")
        _check(path, f"output {tensor.name!r}", outputs[tensor.name], tensor.shape, tensor.numbers)
    return int(outputs[head.scores.name]["index"]), int(outputs[head.boxes.name]["index"])


def _check(path: Path, what: str, details: dict[str, Any], shape: tuple[int, ...], numbers: Numbers) -> None:
    """Holds what the file says of a tensor against what its manifest says."""
    found = tuple(int(size) for size in details["shape"])
    if found != shape:
        raise ModelRefused(f"{path}: its {what} has shape {list(found)} where its manifest makes it {list(shape)}")
    dtype = np.dtype(details["dtype"]).name
    if dtype != numbers.dtype:
        raise ModelRefused(f"{path}: its {what} is {dtype} where its manifest says {numbers.dtype}")
    if dtype == "float32":
        return
    scales = np.atleast_1d(details["quantization_parameters"]["scales"])
    zero_points = np.atleast_1d(details["quantization_parameters"]["zero_points"])
    if len(scales) != 1 or len(zero_points) != 1 or not scales[0] > 0:
        raise ModelRefused(f"{path}: its {what} has the scales {scales.tolist()} where one above 0 is needed")
    scale, zero_point = float(scales[0]), int(zero_points[0])
    if abs(scale - numbers.scale) > SCALE_TOLERANCE * scale or zero_point != numbers.zero_point:
        said = f"scale {numbers.scale:g} and zero point {numbers.zero_point}"
        raise ModelRefused(f"{path}: its {what} has scale {scale:g} and zero point {zero_point}, its manifest says {said}")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
