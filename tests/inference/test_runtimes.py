"""The two runtimes of TensorFlow Lite: ai-edge-litert, and tflite-runtime with numpy < 2 where the first has no wheel.

The second cannot live beside numpy 2: `RONDE_TFLITE_PYTHON` names the Python of an environment that has tflite-runtime, numpy < 2
and pillow, and nothing of ronde's other dependencies.
"""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from inference.boxes import iou
from inference.manifest import SHIPPED, read_manifest

SCORES_APART = 0.6
"""Logits: a score of 0.5 moves to 0.65 at most. Measured on the shipped models: 99 of 100 within 0.26 (roads) and 0.51."""
BOXES_APART = 0.35
"""Logarithms of distances, or logits of their bins; measured: 99 of 100 within 0.30."""

ROOT = Path(__file__).parents[2]
SCRIPT = """
import functools, json, sys
import numpy as np
import inference.tflite
from PIL import Image
from inference.detect import detect
from inference.letterbox import letterbox
from inference.tflite import Interpreter, TfliteModel

if sys.argv[3] == "plain":
    from ai_edge_litert.interpreter import OpResolverType
    plain = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    inference.tflite.Interpreter = functools.partial(Interpreter, experimental_op_resolver_type=plain)
model = TfliteModel(__import__("pathlib").Path(sys.argv[1]))
size = model.manifest.input.width, model.manifest.input.height
random = np.random.default_rng(5)
pictures = [np.kron(random.integers(0, 2, (17, 23, 3)) * 255, np.ones((32, 32, 1))).astype(np.uint8) for _ in range(3)]
for name in sys.argv[4:]:
    with Image.open(name) as picture:
        pictures.append(np.asarray(picture.convert("RGB")))
raw, found = {}, []
for number, pixels in enumerate(pictures):
    boxed = letterbox(pixels, *size)
    outputs = model.invoke(boxed.pixels)
    for head, output in enumerate(outputs):
        raw[f"{number}/{head}/scores"], raw[f"{number}/{head}/boxes"] = output.scores, output.boxes
    found.append([[each.label, each.score, each.box] for each in detect(model.manifest, outputs, boxed)])
np.savez(sys.argv[2], **raw)
print(json.dumps({"runtime": Interpreter.__module__, "numpy": np.__version__, "found": found}))
"""


def run(python, model, out, kernels, pictures):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [python, "-c", SCRIPT, str(model), str(out), kernels, *map(str, pictures)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=out.parent,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), np.load(out)


@pytest.fixture(scope="session")
def other_python():
    python = os.environ.get("RONDE_TFLITE_PYTHON")
    if not python:
        pytest.skip("set RONDE_TFLITE_PYTHON to the python of an environment with tflite-runtime, numpy<2 and pillow")
    return python


def shared_pictures():
    folder = Path(os.environ.get("RONDE_DATA", ROOT / ".." / "shared" / "data"))
    return [
        picture
        for name in ("signs-germany", "plates-romania", "dnit-brazil")
        for picture in sorted(folder.glob(f"{name}/images/*"))[:2]
    ]


def compare(here, there, far):
    """Of two runs: 99 of 100 raw numbers not farther apart than `far` tells for their kind, and detections alike."""
    (said_here, ours), (said_there, theirs) = here, there
    assert said_here["runtime"].startswith("ai_edge_litert")
    assert said_there["runtime"].startswith("tflite_runtime")
    assert said_there["numpy"].startswith("1.")
    assert set(ours) == set(theirs)
    for kind in ("scores", "boxes"):
        apart = [np.abs(ours[key].astype(float) - theirs[key].astype(float)).ravel() / far(key) for key in ours if kind in key]
        assert (np.concatenate(apart) <= 1.0).mean() >= 0.99, kind
    alike(said_here["found"], said_there["found"])
    alike(said_there["found"], said_here["found"])
    return said_here["found"]


def alike(ones, others):
    """What one finds for certain the other finds too; of the doubtful, where rounding decides, five in six."""
    again = []
    for one, other in zip(ones, others, strict=True):
        for label, score, box in one:
            same = [each for each in other if each[0] == label and iou(np.array([box]), np.array([each[2]]))[0, 0] > 0.7]
            again.append(any(abs(_logit(each[1]) - _logit(score)) < SCORES_APART for each in same))
            assert again[-1] or score < 0.5, (label, score, box)
    assert not again or np.mean(again) >= 0.83


def _logit(score):
    return math.log(score / (1.0 - score))


def quanta(count, *, real=False):
    """So many quanta; of a float model, 1e-4."""
    return lambda _key: 1e-4 if real else count


def real_numbers(model):
    """In real numbers: XNNPACK rounds otherwise in every layer, and how many quanta that makes depends on their size."""
    heads = read_manifest(model.with_suffix(".json")).heads

    def far(key):
        _, head, kind = key.split("/")
        tensor = getattr(heads[int(head)], kind)
        return (SCORES_APART if kind == "scores" else BOXES_APART) / tensor.numbers.scale

    return far


@pytest.mark.parametrize("task", ["roads", "privacy"])
@pytest.mark.parametrize("how", [{"io": "int8"}, {"io": "uint8"}, {"io": "float32"}, {"io": "float32", "real": True}])
def test_tiny_models_give_the_same_with_both(model_file, other_python, tmp_path, task, how):
    model = model_file(task, **how)
    here = run(sys.executable, model, tmp_path / "here.npz", "usual", [])
    there = run(other_python, model, tmp_path / "there.npz", "usual", [])
    assert all(compare(here, there, quanta(1, real=how.get("real", False))))


@pytest.mark.parametrize("task", ["roads", "privacy"])
def test_the_shipped_models_give_the_same_with_both(other_python, tmp_path, task):
    """With the same kernels within a quantum; with XNNPACK within what moves no certain detection."""
    shipped = [path for path in sorted(SHIPPED.glob("*.tflite")) if read_manifest(path.with_suffix(".json")).task == task]
    if not shipped:
        pytest.skip(f"no model for {task} is shipped in {SHIPPED.name}")
    pictures = shared_pictures()
    there = run(other_python, shipped[-1], tmp_path / "there.npz", "usual", pictures)
    compare(run(sys.executable, shipped[-1], tmp_path / "plain.npz", "plain", pictures), there, quanta(1))
    compare(run(sys.executable, shipped[-1], tmp_path / "here.npz", "usual", pictures), there, real_numbers(shipped[-1]))
