"""`ronde bench`: the numbers that ronde is judged by, measured here and now."""

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from device.chooser import Chooser
from device.drive import Drive, read_drive
from device.frame import Exposure
from device.ring import Ring
from device.street.recording import draw_drive
from inference.look import Look
from provisioning.settings import Models, Settings, Trigger
from sync.database import open_database
from sync.line import Line, Step
from sync.replay import arrivals, load_models
from sync.round_store import Recipients, RoundStore

DRAWN_S, DRAWN_WIDTH, DRAWN_HEIGHT, DRAWN_FPS = 20.0, 1456, 1088, 5
"""The drive that is drawn where none is given: in the size of the unit's camera."""

NOT_OURS = frozenset({"read"})
"""Stages of a recording alone: a camera delivers pixels, it does not decode JPEGs."""


def bench_line(drive_folder: Path | None, settings: Settings | None = None) -> dict[str, Any]:
    """Drive a round twice, once by the wall clock and once by the processor's, and say what a frame costs."""
    with tempfile.TemporaryDirectory(prefix="ronde-bench-") as folder:
        if drive_folder is None:
            drive_folder = Path(folder) / "drive"
            size = {"width": DRAWN_WIDTH, "height": DRAWN_HEIGHT, "fps": DRAWN_FPS}
            draw_drive(drive_folder, seconds=DRAWN_S, purpose="bench", **size)
        drive = read_drive(drive_folder)
        wall, worst_s = _run(drive, settings, Path(folder) / "wall", time.perf_counter)
        cpu, _ = _run(drive, settings, Path(folder) / "cpu", time.process_time)
        height, width = _size(drive)
    frames = wall.spacing.frames
    ours_s = sum(spent for stage, spent in wall.tally.seconds.items() if stage not in NOT_OURS)
    return {
        "software": version("ronde"),
        "frames": frames,
        "width": width,
        "height": height,
        "frames_per_s": round(frames / ours_s, 1) if ours_s else None,
        "worst_frame_ms": round(worst_s * 1e3, 1),
        "wall_ms_per_frame": _per_frame(wall.tally.seconds, frames),
        "cpu_ms_per_frame": _per_frame(cpu.tally.seconds, frames),
        "invoke_share": round(wall.tally.seconds["invoke"] / ours_s, 3) if ours_s else None,
    }


def in_words(result: Mapping[str, Any]) -> str:
    """The result as a table."""
    lines = [
        (
            f"{result['frames']} frames of {result['width']}x{result['height']}: {result['frames_per_s']} frames/s, "
            f"{result['invoke_share']:.0%} of the time inside invoke(), worst frame {result['worst_frame_ms']} ms"
        ),
        f"{'stage':<12}{'wall ms':>10}{'CPU ms':>10}   per frame",
    ]
    for stage, wall_ms in result["wall_ms_per_frame"].items():
        note = "   (of the recording; not in frames/s)" if stage in NOT_OURS else ""
        lines.append(f"{stage:<12}{wall_ms:>10.2f}{result['cpu_ms_per_frame'].get(stage, 0.0):>10.2f}{note}")
    return "\n".join(lines)


def _run(drive: Drive, settings: Settings | None, folder: Path, clock: Callable[[], float]) -> tuple[Line, float]:
    """One round into a folder of its own; the line, and the longest that one frame took without reading the recording."""
    folder.mkdir()
    db = open_database(folder / "ronde.db")
    try:
        roads, privacy = load_models(settings.models if settings else Models())
        store = RoundStore(db, folder, drive.digest, Recipients(), roads.manifest.sha256)
        store.begin(drive.started_at, version("ronde"), {}, {})
        chooser = Chooser((settings.trigger if settings else Trigger()).spacing_m, Ring())
        line = Line(chooser, Look(roads, privacy, deadline_s=math.inf, clock=clock), store, clock)
        worst_s = 0.0
        for _, arrived in arrivals(drive):
            if isinstance(arrived, Exposure):
                line.take_exposure(arrived)
            else:
                line.take_fix(arrived.fix)
            worst_s = max(worst_s, _step_all(line, clock))
        line.end()
    finally:
        db.close()
    return line, worst_s


def _step_all(line: Line, clock: Callable[[], float]) -> float:
    """Step until idle; the longest time of one frame."""
    worst_s = 0.0
    while True:
        start_s, read_s = clock(), line.tally.seconds["read"]
        step = line.step()
        if step is Step.IDLE:
            return worst_s
        worst_s = max(worst_s, clock() - start_s - (line.tally.seconds["read"] - read_s))


def _size(drive: Drive) -> tuple[int, int]:
    height, width, _ = drive.exposures[0].read().shape
    return height, width


def _per_frame(seconds: Mapping[str, float], frames: int) -> dict[str, float]:
    return {stage: round(spent / frames * 1e3, 2) for stage, spent in sorted(seconds.items())} if frames else {}
