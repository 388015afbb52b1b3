"""A package of NanoDet weights, small or whole, as the tests of training need it."""

import json

import numpy as np
import pytest


@pytest.fixture
def write_package():
    """Writes convolutions of (height, width, in, out) kernels and their biases into a folder as the npm package has them."""
    return _write


def _write(folder, kernels, biases):
    """A tfjs graph of numbered convolutions as the package has it: float16 weights, kernels as height, width, in, out."""
    nodes, entries, raw = [{"name": "input_1", "op": "Placeholder"}], [], b""
    for number, (kernel, bias) in enumerate(zip(kernels, biases, strict=True)):
        name = "graph/convolution" + (f"_{number}" if number else "")
        nodes.append({"name": name, "op": "Conv2D", "input": ["input_1", f"kernel_{number}"]})
        nodes.append({"name": f"graph/Add_{number}", "op": "Add", "input": [name, f"bias_{number}"]})
        for what, values in (("kernel", kernel), ("bias", bias)):
            half = values.astype(np.float16)
            entries.append(
                {"name": f"{what}_{number}", "shape": list(half.shape), "dtype": "float32", "quantization": {"dtype": "float16"}}
            )
            raw += half.tobytes()
    graph = {"modelTopology": {"node": nodes}, "weightsManifest": [{"weights": entries}]}
    (folder / "nanodet.json").write_text(json.dumps(graph))
    (folder / "nanodet.bin").write_bytes(raw)
