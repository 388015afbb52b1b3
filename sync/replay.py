"""`ronde replay`: a recorded drive through the same line as in the car, in order of arrival.

The round's id comes from the drive itself, so the same drive with the same models gives the same rows: a replay that was cut
off goes on where it stopped, and one that is complete adds nothing.
"""

import heapq
import json
import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from device.boot import now_s
from device.chooser import Chooser
from device.drive import ArrivedFix, Drive, read_drive
from device.frame import Exposure
from device.ring import Ring
from inference.look import Look
from inference.manifest import locate
from inference.tflite import TfliteModel
from provisioning.settings import Camera, Grading, Models, Settings, Trigger
from sync.database import open_database
from sync.grader import grades_of, reasons_of
from sync.line import Line, Step
from sync.report import REPORT, report_of, write_report
from sync.round_store import Recipients, RoundStore
from sync.rounds import sweep

THREADS = 1
"""Of one model's invoke: the two models look side by side (inference/look.py)."""


class ReplayRefused(Exception):
    """The folder cannot take this replay; one sentence that says why."""


Progress = Callable[[int, int], None]
"""Told after each arrival: how many of how many have been fed."""


def replay(
    drive_folder: Path,
    out: Path,
    settings: Settings | None = None,
    *,
    realtime: bool = False,
    progress: Progress = lambda _done, _of: None,
) -> dict[str, Any]:
    """Drive the round of `drive_folder` into `out`; its report.

    Raises:
        DriveRefused: the drive is not usable.
        ModelRefused: a model is not usable.
        DatabaseRefused: `out` holds a database that is not.
        ReplayRefused: `out` holds another drive, or the same one seen by other models.
    """
    drive = read_drive(drive_folder)
    roads, privacy = load_models(settings.models if settings else Models())
    models = {model.manifest.name: model.manifest.sha256 for model in (roads, privacy)}
    out.mkdir(parents=True, exist_ok=True)
    db = open_database(out / "ronde.db")
    try:
        done = _report_of_same(db, out, drive, models)
        if done is not None:
            return done
        sweep(db, out)
        recipients = Recipients(settings.unit, settings.backends) if settings else Recipients()
        store = RoundStore(db, out, drive.digest, recipients, roads.manifest.sha256)
        spacing_m = (settings.trigger if settings else Trigger()).spacing_m
        told = {"spacing_m": spacing_m, "camera": geometry_of(drive, settings)}
        told["grade"] = dict((settings.grade if settings else Grading()).told())
        store.begin(drive.started_at, version("ronde"), models, told)
        # A recording waits for nobody: however slow the machine, the same drive gives the same photos.
        line = Line(Chooser(spacing_m, Ring()), Look(roads, privacy, deadline_s=math.inf), store)
        feed(line, drive, realtime=realtime, progress=progress)
        report = report_of(
            line,
            drive.digest,
            models,
            {
                "frames_unreadable": len(drive.unreadable) + line.tally.unreadable,
                "frames_outside_track": _outside(line, drive),
                "speed_source": drive.speed_source,
                "geometry": "configured" if drive.geometry is None and settings else drive.geometry_source,
                "grades": grades_of(db, drive.digest),
                "reasons": reasons_of(db, drive.digest),
            },
        )
        write_report(out, report)
        store.end(_ended_at(drive))
    finally:
        db.close()
    return report


def load_models(models: Models) -> tuple[TfliteModel, TfliteModel]:
    """The roads and the privacy model of a configuration.

    Raises:
        ModelRefused: one of them is not usable.
    """
    return TfliteModel(locate(models.roads), THREADS), TfliteModel(locate(models.privacy), THREADS)


def arrivals(drive: Drive) -> Iterator[tuple[float, ArrivedFix | Exposure]]:
    """Fixes and exposures of a drive with their moment on its time axis, in order of arrival; a fix before an exposure."""
    fixes = ((arrived.arrival_boot_s, 0, n, arrived) for n, arrived in enumerate(drive.fixes))
    exposures = ((exposure.shutter_boot_s, 1, n, exposure) for n, exposure in enumerate(drive.exposures))
    ordered: Iterator[tuple[float, int, int, ArrivedFix | Exposure]] = heapq.merge(fixes, exposures, key=lambda each: each[:3])
    return ((at_s, arrived) for at_s, _, _, arrived in ordered)


def feed(line: Line, drive: Drive, *, realtime: bool = False, progress: Progress = lambda _done, _of: None) -> None:
    """Drive a whole drive through a line, in order of arrival."""
    total = len(drive.fixes) + len(drive.exposures)
    start_s: float | None = None
    wait = threading.Event()
    for number, (at_s, arrived) in enumerate(arrivals(drive), 1):
        if realtime:
            start_s = now_s() - at_s if start_s is None else start_s
            wait.wait(max(0.0, start_s + at_s - now_s()))
        if isinstance(arrived, Exposure):
            line.take_exposure(arrived)
        else:
            line.take_fix(arrived.fix)
        while line.step() is not Step.IDLE:
            pass
        progress(number, total)
    line.end()


def _report_of_same(db: Database, out: Path, drive: Drive, models: dict[str, str]) -> dict[str, Any] | None:
    """The report of this very replay where `out` holds it whole; None where it is to be driven, or driven on."""
    for round_id, held_models, ended_at in db.conn.execute("SELECT id, models, ended_at FROM round"):
        if round_id != drive.digest:
            raise ReplayRefused(
                f"{out} holds another drive (round {round_id}; this one is {drive.digest}): choose another folder"
            )
        if json.loads(held_models) != models:
            raise ReplayRefused(f"{out} holds this drive as other models saw it: choose another folder")
        if ended_at is not None:
            report: dict[str, Any] = json.loads((out / REPORT).read_text(encoding="utf-8"))
            return report
    return None


def geometry_of(drive: Drive, settings: Settings | None) -> dict[str, Any]:
    """Where the camera looks from: the drive's own words, else the configuration's, else what is assumed.

    The round's row tells it, and findings are placed with it. The pictures' size is their own.
    """
    camera = asdict(settings.camera if settings else Camera())
    told = {key: camera[key] for key in ("height_m", "pitch_deg", "yaw_deg", "hfov_deg", "k1")}
    return dict(drive.geometry) if drive.geometry else told


def _outside(line: Line, drive: Drive) -> int:
    """Frames of the drive that lie before its first fix or after its last: they have no place."""
    last_s = drive.fixes[-1].fix.boot_s
    return line.chooser.before_first_fix + sum(exposure.shutter_boot_s > last_s for exposure in drive.exposures)


def _ended_at(drive: Drive) -> datetime:
    return drive.fixes[-1].fix.taken_at
