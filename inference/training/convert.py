"""From a trained network to the INT8 file that runs in the car: litert-torch makes it float, ai-edge-quantizer makes it INT8."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import litert_torch
import numpy as np
import numpy.typing as npt
import torch
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import quantizer, recipe
from torch import nn

from inference.training.network import BINS
from inference.training.weights import HEIGHT, MEAN, STD, WIDTH

Pixels = npt.NDArray[np.uint8]
Ranges = dict[str, dict[str, Any]]

INPUT_SCALE: Final = 1 / STD
# Channels of every map before the last layers are a multiple of this; those of scores and boxes are not.
NARROWEST_MAP: Final = 16
BOX_WIDTHS: Final = (4, 4 * BINS)
SPREAD: Final = 1.0  # standard deviations
LEAST_LOGIT: Final = -8.0  # a score of 0.0003
# With this range of the input, INT8 is exactly the pixel minus 128.
INPUT_RANGE: Final = (-128 / STD, 127 / STD)


class _ChannelsLast(nn.Module):  # type: ignore[misc]  # torch is untyped where it is not installed
    """The network as TFLite wants it: pictures of (n, height, width, 3)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Any) -> Any:
        """The outputs of the network inside."""
        return self.network(pixels.permute(0, 3, 1, 2))


def normalise(pixels: Pixels) -> npt.NDArray[np.float32]:
    """(h, w, 3) RGB -> (1, h, w, 3) as the networks take it."""
    return ((pixels.astype(np.float32) - MEAN) / STD)[None]


def write_float(network: Any, path: Path) -> None:
    """Writes the network, in evaluation mode, as a float .tflite of fixed input size; outputs keep their order."""
    sample = (torch.zeros(1, HEIGHT, WIDTH, 3),)
    litert_torch.convert(_ChannelsLast(network).eval(), sample).export(str(path))


def write_int8(source: Path, path: Path, pictures: Sequence[Pixels]) -> None:
    """Quantizes a float .tflite to INT8, input and outputs too, with the ranges that letterboxed training pictures show.

    A tensor's range reaches one standard deviation beyond the mean of single pictures' extremes, but the last layers keep the
    extremes of all: most labels are absent from most pictures, so a mean would clip every rare high score, and good boxes would
    lose their order. On val this lost less than the mean alone or the extremes of all everywhere (docs/models.md).
    Scores that nobody asks for are not told apart: the range of logits ends at `LEAST_LOGIT`, so that all others are finer.
    """
    interpreter = Interpreter(str(source))
    key = next(iter(interpreter.get_signature_list()))
    argument = next(iter(interpreter.get_signature_runner().get_input_details()))
    (entry,) = (detail["name"] for detail in interpreter.get_input_details())
    narrow = {
        detail["name"]: int(detail["shape"][-1])
        for detail in interpreter.get_tensor_details()
        if len(detail["shape"]) and int(detail["shape"][-1]) % NARROWEST_MAP
    }
    work = quantizer.Quantizer(str(source), recipe.static_wi8_ai8())
    each = [work.calibrate({key: [{argument: normalise(picture)}]}, num_threads=2) for picture in pictures]
    ranges = joined_ranges(each, set(narrow))
    for name in ranges.keys() & {name for name, width in narrow.items() if width not in BOX_WIDTHS}:
        ranges[name]["min"] = np.maximum(ranges[name]["min"], np.float32(LEAST_LOGIT))
    for bound, value in zip(("min", "max"), INPUT_RANGE, strict=True):
        ranges[entry][bound] = np.full_like(ranges[entry][bound], value)
    path.write_bytes(work.quantize(ranges).quantized_model)


def joined_ranges(each: Sequence[Mapping[str, Mapping[str, Any]]], last: Collection[str]) -> Ranges:
    """Joins the ranges of single pictures, for tensors in `last` as wide as any, for others as `write_int8` says."""
    joined: Ranges = {name: dict(values) for name, values in each[0].items()}
    for name, values in joined.items():
        for bound, outwards, widest in (("min", -SPREAD, np.min), ("max", SPREAD, np.max)):
            if values.get(bound) is None:
                continue
            stack = np.stack([np.asarray(picture[name][bound]) for picture in each])
            usual = stack.mean(0) + outwards * stack.std(0)
            extreme = widest(stack, axis=0)
            within = np.maximum(usual, extreme) if bound == "min" else np.minimum(usual, extreme)
            values[bound] = (extreme if name in last else within).astype(stack.dtype)
    return joined


def describe_outputs(path: Path) -> list[dict[str, Any]]:
    """Name, type, scale, zero point and shape of each output tensor, in the order of the network's outputs.

    Raises:
        AssertionError: the input is not what every manifest says it is.
    """
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    if entry["dtype"] is np.int8:
        assert entry["quantization"] == (INPUT_SCALE, 0), entry["quantization"]
    outputs = interpreter.get_signature_runner().get_output_details()
    described = []
    for name in sorted(outputs, key=lambda name: int(name.rpartition("_")[2])):
        detail = outputs[name]
        scale, zero_point = detail["quantization"]
        shape = [int(size) for size in detail["shape"]]
        described.append(
            {
                "name": detail["name"],
                "dtype": np.dtype(detail["dtype"]).name,
                "scale": float(scale),
                "zero_point": int(zero_point),
                "shape": shape,
            }
        )
    return described


def multiplications(path: Path) -> int:
    """Multiplications of one invoke, in its convolutions: each number that they write takes one per weight that it depends on."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(path.read_bytes(), 0))
    (graph,) = model.subgraphs
    total = 0
    for operator in graph.operators:
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if code in (schema.BuiltinOperator.CONV_2D, schema.BuiltinOperator.DEPTHWISE_CONV_2D):
            weights, written = graph.tensors[operator.inputs[1]].shape, graph.tensors[operator.outputs[0]].shape
            each = weights[1:] if code == schema.BuiltinOperator.CONV_2D else weights[1:3]
            total += math.prod(int(side) for side in (*written, *each))
    return total
