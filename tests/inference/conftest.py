"""Tiny .tflite models, written here number by number: they find pure colours, so that a test knows what must be found where."""

import hashlib
import json
import os
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

STRIDES = (8, 16, 32)
WIDTH, HEIGHT = 96, 64
IN_SCALE = 1 / 64
GAIN, BIAS = 4.0, -8.0
SCORES = {"scale": 0.125, "zero_point": -3}
DISTANCES = {"scale": 1 / 32, "zero_point": 5}
BINS = 11
QUANTIZED = schema.TensorType.INT8
TYPES = {"int8": schema.TensorType.INT8, "uint8": schema.TensorType.UINT8, "float32": schema.TensorType.FLOAT32}

SAFETY = [{"labels": ["fire", "smoke"], "encoding": "log_distance"}]
PRIVACY = [
    {"labels": ["person", "vehicle"], "encoding": "distance_bins"},
    {"labels": ["plate", "face"], "encoding": "log_distance"},
]
ROADS = [{"labels": ["pothole", "sign_stop", "patch"], "encoding": "log_distance"}]


class Graph:
    """A .tflite in the making; `real` makes it float inside, else it is INT8."""

    def __init__(self, real):
        self.real, self.tensors, self.operators, self.codes, self.buffers = real, [], [], [], [schema.BufferT()]

    def tensor(self, shape, kind, *, scale=None, zero_point=0, data=None, name=""):
        made = schema.TensorT()
        made.shape, made.type, made.name = list(shape), kind, name or f"t{len(self.tensors)}"
        made.buffer = 0
        if scale is not None:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = [float(each) for each in np.atleast_1d(scale)]
            made.quantization.zeroPoint = [int(zero_point)] * len(made.quantization.scale)
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            made.buffer = len(self.buffers)
            self.buffers.append(buffer)
        self.tensors.append(made)
        return len(self.tensors) - 1

    def run(self, code, version, inputs, output, *how):
        key = (code, version)
        if key not in self.codes:
            self.codes.append(key)
        made = schema.OperatorT()
        made.opcodeIndex, made.inputs, made.outputs = self.codes.index(key), inputs, [output]
        made.builtinOptions, made.builtinOptionsType = how or (None, 0)
        self.operators.append(made)
        return output

    def inner(self, shape, scale, zero_point, name=""):
        if self.real:
            return self.tensor(shape, schema.TensorType.FLOAT32, name=name)
        return self.tensor(shape, QUANTIZED, scale=scale, zero_point=zero_point, name=name)

    def pool(self, source, stride, shape):
        options = schema.Pool2DOptionsT()
        options.padding, options.strideW, options.strideH = schema.Padding.VALID, stride, stride
        options.filterWidth = options.filterHeight = stride
        target = self.inner(shape, IN_SCALE, 0)
        return self.run(schema.BuiltinOperator.AVERAGE_POOL_2D, 2, [source], target, options, schema.BuiltinOptions.Pool2DOptions)

    def conv(self, source, shape, weights, biases, numbers):
        """1x1; `weights` (outputs, 3) and `biases` (outputs,) in real numbers, quantized per channel."""
        outputs = len(weights)
        options = schema.Conv2DOptionsT()
        options.padding, options.strideW, options.strideH = schema.Padding.VALID, 1, 1
        options.dilationWFactor = options.dilationHFactor = 1
        if self.real:
            kernel = self.tensor(
                (outputs, 1, 1, 3), schema.TensorType.FLOAT32, data=weights.reshape(outputs, 1, 1, 3).astype("<f4")
            )
            bias = self.tensor((outputs,), schema.TensorType.FLOAT32, data=biases.astype("<f4"))
        else:
            scales = np.maximum(np.abs(weights).max(1), 1e-3) / 127
            written = np.round(weights / scales[:, None]).astype("i1").reshape(outputs, 1, 1, 3)
            kernel = self.tensor((outputs, 1, 1, 3), QUANTIZED, scale=scales, data=written)
            bias = self.tensor(
                (outputs,),
                schema.TensorType.INT32,
                scale=scales * IN_SCALE,
                data=np.round(biases / scales / IN_SCALE).astype("<i4"),
            )
        target = self.inner((*shape, outputs), numbers["scale"], numbers["zero_point"])
        return self.run(
            schema.BuiltinOperator.CONV_2D, 3, [source, kernel, bias], target, options, schema.BuiltinOptions.Conv2DOptions
        )

    def flat(self, source, points, columns, numbers):
        options = schema.ReshapeOptionsT()
        options.newShape = [1, points, columns]
        shape = self.tensor((3,), schema.TensorType.INT32, data=np.array(options.newShape, "<i4"))
        target = self.inner((1, points, columns), numbers["scale"], numbers["zero_point"])
        return self.run(schema.BuiltinOperator.RESHAPE, 1, [source, shape], target, options, schema.BuiltinOptions.ReshapeOptions)

    def join(self, sources, points, columns, numbers, name=""):
        options = schema.ConcatenationOptionsT()
        options.axis = 1
        target = self.inner((1, points, columns), numbers["scale"], numbers["zero_point"], name)
        kind = schema.BuiltinOptions.ConcatenationOptions
        return self.run(schema.BuiltinOperator.CONCATENATION, 2, sources, target, options, kind)

    def file(self, inputs, outputs):
        part = schema.SubGraphT()
        part.tensors, part.operators, part.inputs, part.outputs = self.tensors, self.operators, inputs, outputs
        model = schema.ModelT()
        model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [part], self.buffers, []
        for code, version in self.codes:
            made = schema.OperatorCodeT()
            made.builtinCode = made.deprecatedBuiltinCode = code
            made.version = version
            model.operatorCodes.append(made)
        builder = flatbuffers.Builder(4096)
        builder.Finish(model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def _weights(head, seed):
    """Scores: label number n is found where the colour is pure channel n mod 3. Boxes: about two strides wide."""
    random = np.random.default_rng(seed)
    labels = len(head["labels"])
    scores = np.full((labels, 3), -GAIN / 2)
    scores[np.arange(labels), np.arange(labels) % 3] = GAIN
    columns = 4 if head["encoding"] == "log_distance" else 4 * BINS
    boxes = random.normal(0, 0.05, (columns, 3))
    biases = np.zeros(4) if columns == 4 else np.tile(np.where(np.arange(BINS) == 1, 3.0, -3.0), 4)
    return scores, np.full(labels, BIAS), boxes, biases


def tiny_tflite(heads, io, real=False):
    """(file, manifest's heads): INT8 inside and `io` outside, or `real` (float all through)."""
    graph = Graph(real)
    sizes = [(HEIGHT // stride, WIDTH // stride) for stride in STRIDES]
    points = sum(high * wide for high, wide in sizes)
    shape = (1, HEIGHT, WIDTH, 3)
    outside = {"int8": 0, "uint8": 128, "float32": 0}[io]
    entry = graph.tensor(shape, TYPES[io], scale=None if io == "float32" else IN_SCALE, zero_point=outside, name="picture")
    source = entry
    if not real and io != "int8":
        source = graph.run(schema.BuiltinOperator.QUANTIZE, 2, [entry], graph.inner(shape, IN_SCALE, 0))
    pooled = [graph.pool(source, stride, (1, *size, 3)) for stride, size in zip(STRIDES, sizes, strict=True)]
    outputs, described = [], []
    for number, head in enumerate(heads):
        scores, score_biases, boxes, box_biases = _weights(head, number)
        made = {"labels": head["labels"], "encoding": head["encoding"]}
        for part, weights, biases, numbers in (
            ("scores", scores, score_biases, SCORES),
            ("boxes", boxes, box_biases, {"scale": 1 / 16, "zero_point": 5} if len(boxes) > 4 else DISTANCES),
        ):
            flat = []
            for each, (high, wide) in zip(pooled, sizes, strict=True):
                cells = graph.conv(each, (1, high, wide), weights, biases, numbers)
                flat.append(graph.flat(cells, high * wide, len(weights), numbers))
            name = f"{part}_{number}"
            ends = graph.join(flat, points, len(weights), numbers, name if real or io == "int8" else "")
            tensor = {"name": name, "dtype": io, "shape": [1, points, len(weights)]}
            if io == "uint8":
                end = graph.tensor(
                    tensor["shape"], TYPES[io], scale=numbers["scale"], zero_point=numbers["zero_point"] + 128, name=name
                )
                ends = graph.run(schema.BuiltinOperator.QUANTIZE, 2, [ends], end)
                tensor |= {"scale": numbers["scale"], "zero_point": numbers["zero_point"] + 128}
            elif io == "float32" and not real:
                end = graph.tensor(tensor["shape"], TYPES[io], name=name)
                ends = graph.run(schema.BuiltinOperator.DEQUANTIZE, 2, [ends], end)
            elif io == "int8":
                tensor |= numbers
            outputs.append(ends)
            made[part] = tensor
        described.append(made)
    return graph.file([entry], outputs), described


def write_model(folder, name, task, *, io="int8", real=False, edit=None, spoil=None):
    """Writes NAME.tflite and NAME.json. `spoil` damages the file's bytes before they are hashed, `edit` changes the manifest."""
    heads = {"privacy": PRIVACY, "roads": ROADS, "safety": SAFETY}[task]
    content, described = tiny_tflite(heads, io, real)
    if spoil:
        content = spoil(content)
    zero_point = {"int8": 0, "uint8": 128, "float32": 0}[io]
    picture = {"width": WIDTH, "height": HEIGHT, "colour": "rgb", "mean": 128.0, "std": 64.0, "dtype": io}
    manifest = {
        "name": name,
        "task": task,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "input": picture if io == "float32" else picture | {"scale": IN_SCALE, "zero_point": zero_point},
        "strides": list(STRIDES),
        "heads": described,
        "thresholds": {label: 0.5 for head in heads for label in head["labels"]},
        "data": [],
    }
    if edit:
        edit(manifest)
    path = folder / f"{name}.tflite"
    path.write_bytes(content)
    path.with_suffix(".json").write_text(json.dumps(manifest))
    return path


@pytest.fixture
def model_file(tmp_path):
    """Makes a tiny model: `model_file(task, io="int8", ...)` gives its path."""

    def make(task="roads", name=None, **how):
        return write_model(tmp_path, name or f"{task}-tiny", task, **how)

    return make


@pytest.fixture(scope="session")
def data():
    """The folder of recorded pictures."""
    folder = Path(os.environ.get("RONDE_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no pictures at {folder}: set RONDE_DATA to the folder of the data sets")
    return folder
