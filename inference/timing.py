"""How long an invoke takes, by threads, in whichever runtime this Python has: numpy and a runtime are all it needs."""

import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np

from inference.tflite import RUNTIME, TfliteModel

INVOKES = 30
THREADS = (1, 2, 4)


def timed(path: Path, threads: tuple[int, ...] = THREADS) -> list[dict[str, Any]]:
    """Median and worst milliseconds of an invoke, by threads.

    Raises:
        ModelRefused: the model cannot be used.
    """
    return [_timed(path, each) for each in threads]


def _timed(path: Path, threads: int) -> dict[str, Any]:
    model = TfliteModel(path, threads)
    size = model.manifest.input
    picture = np.random.default_rng(0).integers(0, 256, (size.height, size.width, 3), dtype=np.uint8)
    model.invoke(picture)  # the first is always slow
    took_ms = []
    for _ in range(INVOKES):
        begun = time.perf_counter()
        model.invoke(picture)
        took_ms.append((time.perf_counter() - begun) * 1e3)
    return {
        "model": model.manifest.name,
        "runtime": RUNTIME,
        "threads": threads,
        "median_ms": round(statistics.median(took_ms), 1),
        "worst_ms": round(max(took_ms), 1),
    }
