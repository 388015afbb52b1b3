"""`ronde bench start`: from the start of `ronde capture` to its first kept photo, and from SIGTERM to its end.

A real process, started anew each time, with the shipped models; a receiver that has a fix at hand, and the pictures of a drive
that was drawn before. The kernel has its files in memory already, which a computer that was just switched on has not.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, Final

from device.street.recording import draw_drive
from sync.bar import Bar
from sync.exit import DONE, UNDONE
from sync.faults.satellites import Satellites

STARTS: Final = 5
FIRST_PHOTO_S, END_S = 5.0, 5.0
"""The goals, both of a wall clock; a service that takes longer to end is killed (TimeoutStopSec)."""
SPEED_MPS, RATE_HZ = 12.0, 5.0
WIDTH, HEIGHT, FPS, SECONDS = 1456, 1088, 10.0, 2.0
PHOTOS: Final = 5
"""So many photos are kept before it is told to end: it has work in hand."""
PATIENCE_S = 120.0
SHOWN: Final = {"first photo": "first_photo_s", "end": "end_s"}


class StartRefused(Exception):
    """It cannot be measured: one sentence."""


@dataclass(frozen=True, slots=True)
class Start:
    """One start: seconds of the wall clock to the first photo and of the end, and what of the processor went into each."""

    first_photo_s: float
    first_photo_cpu_s: float
    end_s: float
    end_cpu_s: float


def bench_start(starts: int, progress: Callable[[int, int], None]) -> dict[str, Any]:
    """Start it so often; each start, the median and worst, and the goals that were missed.

    Raises:
        StartRefused: it does not start, or keeps no photo.
    """
    if starts < 1:
        raise StartRefused(f"--starts {starts}: at least 1")
    with tempfile.TemporaryDirectory(prefix="ronde-start-") as folder, closing(Satellites(SPEED_MPS, RATE_HZ)) as satellites:
        drive = Path(folder) / "drive"
        draw_drive(drive, SECONDS, width=WIDTH, height=HEIGHT, fps=FPS, purpose="bench")
        made = []
        for number in range(starts):
            made.append(_start(Path(folder) / str(number), drive, satellites.port))
            progress(number + 1, starts)
    worst_first, worst_end = max(each.first_photo_s for each in made), max(each.end_s for each in made)
    goals = {f"first photo in {FIRST_PHOTO_S:g} s": worst_first <= FIRST_PHOTO_S, f"end in {END_S:g} s": worst_end <= END_S}
    return {
        "software": version("ronde"),
        "processors": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "starts": [asdict(each) for each in made],
        "first_photo_s": {"median": round(median(each.first_photo_s for each in made), 2), "worst": worst_first},
        "cpu_s": {
            "first_photo": round(median(each.first_photo_cpu_s for each in made), 2),
            "end": round(median(each.end_cpu_s for each in made), 2),
        },
        "end_s": {"median": round(median(each.end_s for each in made), 2), "worst": worst_end},
        "goals_missed": [name for name, met in goals.items() if not met],
    }


def _start(folder: Path, drive: Path, port: int) -> Start:
    folder.mkdir()
    file = folder / "ronde.toml"
    file.write_text(
        f'[unit]\nfleet = "bench"\nname = "start"\nstate = "{folder / "state"}"\n[gps]\nport = {port}\n'
        f'[camera]\nkind = "recorded"\ndrive = "{drive}"\nwidth = {WIDTH}\nheight = {HEIGHT}\n',
        encoding="utf-8",
    )
    command = [sys.executable, "-m", "sync.command", "capture", "--verbose", "--config", str(file)]
    began, before_s = time.monotonic(), _children_s()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            _photos(process, 1)
            first_s, cpu_s = time.monotonic() - began, _cpu_s(process.pid)
            _photos(process, PHOTOS - 1)
            told, told_cpu_s = time.monotonic(), _cpu_s(process.pid)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE_S)
            end_s, end_cpu_s = time.monotonic() - told, _children_s() - before_s - told_cpu_s
            return Start(round(first_s, 2), round(cpu_s, 2), round(end_s, 2), round(end_cpu_s, 2))
        finally:
            process.kill()


def _photos(process: subprocess.Popen[str], count: int) -> None:
    """Waits until it has kept so many more."""
    assert process.stderr is not None
    said: list[str] = []
    while count:
        line = process.stderr.readline()
        if not line:
            raise StartRefused(f"ronde capture ended: {''.join(said)[-500:].strip() or 'it says nothing'}")
        said.append(line)
        count -= '"frame_kept"' in line


def _cpu_s(pid: int) -> float:
    """What a process has had of the processor so far: user and system, of all its threads (proc(5), stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _children_s() -> float:
    """What all processes that were started here and have ended had of the processor."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def in_words(result: Mapping[str, Any]) -> str:
    """A line for each start, and what came of all."""
    lines = ["start   first photo s   of CPU   end s   of CPU"]
    for number, each in enumerate(result["starts"], 1):
        first, end = (each["first_photo_s"], each["first_photo_cpu_s"]), (each["end_s"], each["end_cpu_s"])
        lines.append(f"{number:<8}{first[0]:<16}{first[1]:<9}{end[0]:<8}{end[1]}")
    told = [f"{what} {result[key]['median']} s, at worst {result[key]['worst']} s" for what, key in SHOWN.items()]
    lines.append("; ".join(told))
    lines.append(f"{result['processors']} processors, load {result['load']}")
    lines.append(f"goals missed: {', '.join(result['goals_missed']) or 'none'}")
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    """Runs the bench for the command line; 3 where a goal is missed."""
    with Bar("bench start") as progress:
        result = bench_start(STARTS if args.starts is None else args.starts, progress)
    print(json.dumps(result) if args.json else in_words(result))
    return UNDONE if result["goals_missed"] else DONE
