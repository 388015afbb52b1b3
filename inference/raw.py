"""`python -m inference.raw`: the raw outputs of a model for a set's pictures, by whichever runtime this Python has.

It needs numpy, pillow and a runtime, nothing else of ronde's: the runtime of old is asked in an environment of its own.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from inference.coco import DataRefused, TrueSet, read_set
from inference.letterbox import letterbox
from inference.manifest import ModelRefused
from inference.model import Model, Output
from inference.tflite import RUNTIME, TfliteModel

DONE, REFUSED = 0, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; gives its exit code."""
    parser = argparse.ArgumentParser(prog="python -m inference.raw", description=__doc__)
    for name in ("model", "data", "images", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--plain", action="store_true", help="the runtime's own kernels, without XNNPACK")
    given = parser.parse_args(arguments)
    try:
        outputs = raw_outputs(TfliteModel(given.model, plain=given.plain), read_set(given.data, given.images))
    except (DataRefused, ModelRefused) as error:
        print(error, file=sys.stderr)
        return REFUSED
    write_raw(given.out, outputs)
    print(json.dumps({"runtime": RUNTIME, "numpy": np.__version__}))
    return DONE


def raw_outputs(model: Model, truth: TrueSet) -> list[tuple[Output, ...]]:
    """What the model writes for each picture.

    Raises:
        DataRefused: a picture cannot be read.
    """
    size = model.manifest.input.width, model.manifest.input.height
    return [model.invoke(letterbox(picture.pixels(), *size).pixels) for picture in truth.pictures]


def write_raw(path: Path, outputs: Sequence[Sequence[Output]]) -> None:
    """Writes them as .npz: number of the picture, number of the head, what."""
    arrays = {
        f"{picture}/{head}/{what}": getattr(output, what)
        for picture, heads in enumerate(outputs)
        for head, output in enumerate(heads)
        for what in ("scores", "boxes")
    }
    np.savez(path, **arrays)


def read_raw(path: Path) -> list[tuple[Output, ...]]:
    """What `write_raw` wrote."""
    with np.load(path) as arrays:
        numbers = sorted({(int(name.split("/")[0]), int(name.split("/")[1])) for name in arrays.files})
        pictures: list[list[Output]] = [[] for _ in range(numbers[-1][0] + 1)]
        for picture, head in numbers:
            pictures[picture].append(Output(arrays[f"{picture}/{head}/scores"], arrays[f"{picture}/{head}/boxes"]))
    return [tuple(heads) for heads in pictures]


if __name__ == "__main__":
    sys.exit(main())
