"""`ronde bench street`: how fast and how steadily the simulated street is drawn, and what the models find on it.

What is found on drawn pictures says nothing by itself: it stands beside what is found on real ones, or beside what the models'
manifests say of these where they are not at hand (`RONDE_DATA` names their folder).
"""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from device.speeds import STEP_S
from device.street.coco import random_frames
from device.street.drive import TownDrive, drive_town
from device.street.furnish import make_scene
from device.street.geometry import Pinhole
from device.street.recording import HEIGHT_M, HFOV_DEG, PITCH_DEG, YAW_DEG
from device.street.seeds import Purpose
from device.street.truth import true_frame
from device.street.view import View
from inference.manifest import locate
from inference.tflite import TfliteModel
from provisioning.settings import Models
from sync.street_recall import REAL, Found, on_real, on_street, table

CAMERA: Final = Pinhole(640, 480, HEIGHT_M, PITCH_DEG, YAW_DEG, HFOV_DEG)
PURPOSE: Final[Purpose] = "bench"
SEED = 1
SPACING_M, TIMED, WARM, HASHED = 4.0, 200, 40, 24
HOURS, PICTURES = 1.0, 200
LONGEST_S = 600.0
"""Of driving, for as many wanted frames as pictures."""
LEAST_PER_S: Final = 15.0
MOST_GROWTH: Final = 0.05
"""Of the most memory in the drive's first quarter: what the other three may add."""
PAGE = os.sysconf("SC_PAGE_SIZE")

Progress = Callable[[int, int], None]


def bench_street(hours: float = HOURS, pictures: int = PICTURES, progress: Progress = lambda _done, _of: None) -> dict[str, Any]:
    """Draw, compare, and ask the models; every number that has a goal stands beside it."""
    drive = drive_town(make_scene(PURPOSE, SEED), max(hours * 3600.0, 200.0), start_mps=8.0)
    times_s = wanted_s(drive)
    per_s = frames_per_s(drive, times_s)
    same = len({_digest_elsewhere(order) for order in ("forward", "backward")}) == 1
    progress(1, 4)
    memory = memory_over(drive, times_s)
    progress(2, 4)
    found = [recall_of(name, pictures) for name in (Models().roads, Models().privacy)]
    progress(4, 4)
    goals = {
        f">= {LEAST_PER_S:g} frames/s of {CAMERA.width}x{CAMERA.height} on one core": per_s >= LEAST_PER_S,
        "the same bytes from two processes in another order": same,
        f"memory grows by <= {MOST_GROWTH:.0%} over the drive": memory["growth"] <= MOST_GROWTH,
    }
    return {
        "software": version("ronde"),
        "frames_per_s": round(per_s, 1),
        "deterministic": same,
        "memory": memory,
        "recall": found,
        "goals_missed": [goal for goal, met in goals.items() if not met],
    }


def wanted_s(drive: TownDrive) -> list[float]:
    """The moments of a drive at which the line wants a frame."""
    marks_m = np.arange(0.0, float(drive.odometers_m[-1]), SPACING_M)
    return [float(each) for each in np.interp(marks_m, drive.odometers_m, np.arange(len(drive.odometers_m)) * STEP_S)]


def frames_per_s(drive: TownDrive, times_s: list[float]) -> float:
    """Frames of processor time, one spacing apart, after the first few."""
    view = View(drive, CAMERA)
    for at_s in times_s[:WARM]:
        view.frame(at_s)
    timed = times_s[WARM : WARM + TIMED]
    begun = time.process_time()
    for at_s in timed:
        view.frame(at_s)
    return len(timed) / (time.process_time() - begun)


def digest(order: str) -> str:
    """The SHA-256 of some frames of the bench's street, drawn in one order or the other."""
    drive = drive_town(make_scene(PURPOSE, SEED), 200.0, start_mps=8.0)
    view = View(drive, CAMERA)
    times_s = [200.0 * n / HASHED for n in range(HASHED)]
    frames = {at_s: view.frame(at_s).tobytes() for at_s in (times_s if order == "forward" else reversed(times_s))}
    return hashlib.sha256(b"".join(frames[at_s] for at_s in times_s)).hexdigest()


def _digest_elsewhere(order: str) -> str:
    command = [sys.executable, "-c", f"from sync.bench_street import digest; print(digest({order!r}))"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def memory_over(drive: TownDrive, times_s: list[float]) -> dict[str, Any]:
    """Resident memory while every wanted frame of a drive is drawn: the most in each quarter, and what the last three add."""
    view = View(drive, CAMERA)
    sizes: list[int] = []
    for at_s in times_s:
        view.frame(at_s)
        sizes.append(int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE)
    quarters = [max(part.tolist()) for part in np.array_split(np.array(sizes), 4) if len(part)]
    return {
        "frames": len(sizes),
        "driven_s": round(drive.seconds),
        "quarters_mb": [round(each / 1e6) for each in quarters],
        "growth": round(max(quarters) / quarters[0] - 1.0, 3),
    }


def recall_of(name: str, pictures: int) -> dict[str, Any]:
    """What one model finds on the street and on real val pictures, by label, at its own thresholds and IoU 0.5.

    `pictures` of any weather and place give the boxes; as many wanted frames of one drive on end give the things.
    """
    model = TfliteModel(locate(name), 1)
    drawn = on_street(model, random_frames(pictures, SEED, PURPOSE, CAMERA), things=False)
    drive = drive_town(make_scene(PURPOSE, SEED), LONGEST_S, start_mps=8.0)
    view = View(drive, CAMERA)
    for label, found in on_street(model, (true_frame(view, at_s) for at_s in wanted_s(drive)[:pictures]), things=True).items():
        drawn.setdefault(label, Found()).things = found.things
    data = real_data()
    real = on_real(model, data) if data else {}
    labels = [label for label in model.manifest.labels if label in drawn or label in real]
    return {
        "model": model.manifest.name,
        "labels": {
            label: {
                "street": drawn[label].told() if label in drawn else None,
                "real": real[label].told() if label in real else None,
            }
            for label in labels
        },
        "real_pictures": sorted(REAL[model.manifest.task]) if data else None,
    }


def real_data() -> Path | None:
    """The folder of the real sets, where there is one."""
    folder = Path(os.environ.get("RONDE_DATA", "../shared/data"))
    return folder if folder.is_dir() else None


def in_words(result: Mapping[str, Any]) -> str:
    """The result as tables."""
    memory = result["memory"]
    lines = [
        f"{result['frames_per_s']} frames/s of {CAMERA.width}x{CAMERA.height} on one core, one spacing apart",
        f"two processes, two orders: {'the same bytes' if result['deterministic'] else 'DIFFERENT BYTES'}",
        (
            f"{memory['frames']} frames of {memory['driven_s']} s: at most {', '.join(map(str, memory['quarters_mb']))} MB "
            f"in its quarters ({memory['growth']:+.1%} after the first)"
        ),
    ]
    for each in result["recall"]:
        lines += table(each)
    lines += [f"missed: {goal}" for goal in result["goals_missed"]]
    return "\n".join(lines)
