"""`ronde bench model`: what an invoke costs by threads in both runtimes, and a whole look by stage with 0 to 4 vehicles in view.

The look is held against the time between two photos. For a Raspberry Pi there are estimates alone, and they say so.
"""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from device.frame import Frame
from device.street.coco import random_frames
from device.street.geometry import Pinhole
from device.street.recording import HEIGHT_M, HFOV_DEG, PITCH_DEG, YAW_DEG
from device.street.seeds import Purpose
from inference.letterbox import letterbox
from inference.look import Look
from inference.manifest import locate
from inference.people import find_people
from inference.tflite import TfliteModel
from inference.timing import timed
from inference.trial import NOWHERE
from provisioning.settings import Models
from sync.bench import DRAWN_HEIGHT, DRAWN_WIDTH

CAMERA: Final = Pinhole(DRAWN_WIDTH, DRAWN_HEIGHT, HEIGHT_M, PITCH_DEG, YAW_DEG, HFOV_DEG)
PURPOSE: Final[Purpose] = "bench"
SEED: Final = 2
MOST_VEHICLES: Final = 4
MOST_DRAWN: Final = 60
LOOKS: Final = 12
SPACING_M: Final = 4.0
BUDGETS_MS: Final = {speed: SPACING_M / (speed / 3.6) * 1e3 for speed in (50, 90)}
"""Between two photos at a speed in km/h: 288 and 160 ms."""
MOST_LOOK_MS: Final = 60.0
OTHER_PYTHON: Final = "RONDE_TFLITE_PYTHON"
# Not measured here. Pi 4 at 1.8 GHz: ncnn's own table, resnet18_int8 (1.82 thousand million multiplications) in 158.5 ms with one
# thread and 83.9 ms with four: https://github.com/Tencent/ncnn/blob/master/benchmark/README.md
PI_4_MS_PER_GMAC: Final = {1: 158.5 / 1.82, 4: 83.9 / 1.82}
# Pi 5 against Pi 4, MobileNet v2 and v1 SSD in TensorFlow Lite, 112.6 to 23.5 ms and 82.7 to 16.9 ms:
# https://github.com/aallan/benchmarking-ml-on-the-edge
PI_5_TIMES: Final = statistics.fmean((112.6 / 23.5, 82.7 / 16.9))
SOURCES: Final = "Tencent/ncnn benchmark/README.md (Pi 4), aallan/benchmarking-ml-on-the-edge (Pi 5 against Pi 4)"


class BenchRefused(Exception):
    """The bench cannot run as it is asked: one sentence."""


Progress = Callable[[int, int], None]


def bench_model(progress: Progress = lambda _done, _of: None) -> dict[str, Any]:
    """Measures both models, the look, and says what is missed."""
    paths = {"roads": locate(Models().roads), "privacy": locate(Models().privacy)}
    frames = frames_by_vehicles(TfliteModel(paths["privacy"]), progress)
    looks = {count: look_ms(paths, here) for count, here in frames.items()}
    invokes = [entry for path in paths.values() for entry in invoke_ms(path)]
    progress(1, 1)
    most = max(look["median_ms"] for look in looks.values())
    goals = {f"a look of at most {MOST_LOOK_MS:g} ms with up to {MOST_VEHICLES} vehicles": most <= MOST_LOOK_MS}
    goals |= {
        f"no look longer than {budget:.0f} ms, between two photos at {speed} km/h": all(
            look["worst_ms"] <= budget for look in looks.values()
        )
        for speed, budget in BUDGETS_MS.items()
    }
    return {
        "software": version("ronde"),
        "cores": len(os.sched_getaffinity(0)),
        "invoke": invokes,
        "look": looks,
        "estimates": [estimate(path) for path in paths.values()],
        "estimates_from": SOURCES,
        "goals_missed": [goal for goal, met in goals.items() if not met],
    }


def frames_by_vehicles(privacy: TfliteModel, progress: Progress) -> dict[int, list[Frame]]:
    """Frames of the street in the size of the unit's camera, by how many vehicles are found; more count as the most."""
    found: dict[int, list[Frame]] = {}
    for number, drawn in enumerate(random_frames(MOST_DRAWN, SEED, PURPOSE, CAMERA)):
        progress(number, MOST_DRAWN)
        frame = Frame(drawn.pixels, 0.0, NOWHERE)
        size = privacy.manifest.input.width, privacy.manifest.input.height
        people = find_people(privacy, frame.pixels, letterbox(frame.pixels, *size))
        count = min(MOST_VEHICLES, sum(one.label == "vehicle" for one in people))
        found.setdefault(count, []).append(frame)
        if all(len(found.get(each, ())) >= 2 for each in range(MOST_VEHICLES + 1)):
            break
    return {count: found[count][:2] for count in sorted(found)}


def look_ms(paths: Mapping[str, Path], frames: Sequence[Frame]) -> dict[str, Any]:
    """A look at each frame, again and again: the median, the worst, and the median of each stage."""
    look = Look(TfliteModel(paths["roads"]), TfliteModel(paths["privacy"]), clock=time.perf_counter)
    look.look(frames[0])  # the first is always slow
    whole, stages = [], []
    for _ in range(LOOKS):
        for frame in frames:
            begun = time.perf_counter()
            stages.append(look.look(frame).seconds)
            whole.append((time.perf_counter() - begun) * 1e3)
    return {
        "frames": len(frames),
        "median_ms": round(statistics.median(whole), 1),
        "worst_ms": round(max(whole), 1),
        "stages_ms": {stage: round(statistics.median(one[stage] for one in stages) * 1e3, 1) for stage in stages[0]},
    }


def invoke_ms(path: Path) -> list[dict[str, Any]]:
    """An invoke by threads, in this runtime and, where `RONDE_TFLITE_PYTHON` names its Python, in the one of old.

    Raises:
        BenchRefused: that Python cannot run them.
    """
    measured = timed(path)
    other = os.environ.get(OTHER_PYTHON)
    if not other:
        return measured
    script = "import json, pathlib, sys; from inference.timing import timed; print(json.dumps(timed(pathlib.Path(sys.argv[1]))))"
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    command = [other, "-c", script, str(path.resolve())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise BenchRefused(f"{OTHER_PYTHON}: {other} cannot run the models ({done.stderr.strip().splitlines()[-1:]})")
    old: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return measured + old


def estimate(path: Path) -> dict[str, Any]:
    """What an invoke might take on a Pi: multiplications of the model times published milliseconds. Not measured."""
    document = json.loads(path.with_suffix(".json").read_bytes())
    gmac = float(document["multiplications"]) / 1e9
    pi_4 = {threads: gmac * per_gmac for threads, per_gmac in PI_4_MS_PER_GMAC.items()}
    return {
        "model": document["name"],
        "gmac": round(gmac, 2),
        "pi_4_ms": {threads: round(ms) for threads, ms in pi_4.items()},
        "pi_5_ms": {threads: round(ms / PI_5_TIMES) for threads, ms in pi_4.items()},
    }


def in_words(result: Mapping[str, Any]) -> str:
    """The result as tables."""
    lines = [f"{'model':<14}{'runtime':<18}{'threads':>8}{'median ms':>11}{'worst ms':>10}   one invoke"]
    lines += [
        f"{one['model']:<14}{one['runtime']:<18}{one['threads']:>8}{one['median_ms']:>11.1f}{one['worst_ms']:>10.1f}"
        for one in result["invoke"]
    ]
    stages = list(next(iter(result["look"].values()))["stages_ms"])
    heading = "".join(f"{stage:>11}" for stage in stages)
    lines += ["", f"{'vehicles':<10}{'median ms':>11}{'worst ms':>10}{heading}   a whole look, {result['cores']} cores"]
    for count, look in result["look"].items():
        parts = "".join(f"{look['stages_ms'][stage]:>11.1f}" for stage in stages)
        lines.append(f"{count:<10}{look['median_ms']:>11.1f}{look['worst_ms']:>10.1f}{parts}")
    budgets = ", ".join(f"{budget:.0f} ms at {speed} km/h" for speed, budget in BUDGETS_MS.items())
    lines += [f"between two photos: {budgets}", "", "ESTIMATES of an invoke, not measured, with 1 and 4 threads:"]
    for one in result["estimates"]:
        four, five = ("/".join(map(str, one[pi].values())) for pi in ("pi_4_ms", "pi_5_ms"))
        lines.append(f"{one['model']:<14}{one['gmac']} GMAC   Pi 4 {four} ms   Pi 5 {five} ms")
    lines.append(f"from {result['estimates_from']}")
    lines += [f"missed: {goal}" for goal in result["goals_missed"]]
    return "\n".join(lines)
