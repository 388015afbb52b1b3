"""`ronde bench quality`: whether each reason of the quality gate is recognised on the simulated street, and none in fair weather.

Towns of the bench are driven in each light and weather, a photo each 4 m. The camera is known from fair weather, as a unit's is
after its first kilometre.
"""

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from device.frame import Pixels
from device.street.drive import TownDrive, drive_loop
from device.street.furnish import make_scene
from device.street.geometry import Pinhole
from device.street.optics import sun
from device.street.recording import HEIGHT_M, HFOV_DEG, PITCH_DEG, YAW_DEG
from device.street.scene import Lens as Windscreen
from device.street.scene import Weather
from device.street.seeds import Purpose
from device.street.view import View
from inference.lens import Lens
from inference.letterbox import letterbox
from inference.mount import FRAMES, drift_of
from inference.quality import Glance, glance
from inference.quality_gate import WINDOW, Gate, Norm
from inference.scale import Scale
from inference.vanishing import lines_of
from sync.bar import Bar
from sync.bench_findings import BenchRefused
from sync.exit import DONE, UNDONE

PURPOSE: Final[Purpose] = "bench"
TOWNS: Final = 3
PHOTOS: Final = 48
"""In each light and weather of each town."""
KNOWN_BY: Final = 125
"""Photos in each of two fair lights, a kilometre in all, after which the camera is known."""
SPACING_M, FROM_M = 4.0, 80.0
SMALL_PX: Final = (512, 384)
"""What the models look at."""
CAMERA: Final = Pinhole(640, 480, HEIGHT_M, PITCH_DEG, YAW_DEG, HFOV_DEG)
LENS: Final = Lens(CAMERA.width, CAMERA.height, CAMERA.height_m, CAMERA.pitch_deg, CAMERA.yaw_deg, CAMERA.hfov_deg)
SLIPS_DEG: Final = ((2.5, 0.0), (-2.5, 0.0), (0.0, 2.5), (0.0, -2.5), (0.0, 0.0))
"""Pitch and yaw by which the camera was moved; the last one was not."""
SUN_WITHIN_DEG = 26.0
LEAST_RECOGNISED, MOST_FALSE, MOST_MS = 0.95, 0.02, 3.0
"""The goals."""

Progress = Callable[[int, int], None]


def _weather(hour: float, rain: float = 0.0, wet: float = 0.0, lens: Windscreen = "clean", exposure_ms: float = 1.5) -> Weather:
    return Weather(0.0, 1e9, hour, rain, wet, lens, exposure_ms)


@dataclass(frozen=True, slots=True)
class Case:
    """A light and weather, and the reason that it is; None where all is well. In `sunny` ones the sun stands in the picture."""

    name: str
    weather: Weather
    reason: str | None = None
    sunny: bool = False


CASES: Final = (
    Case("morning, 9 h", _weather(9.0)),
    Case("noon, 12 h", _weather(12.0)),
    Case("afternoon, 16 h", _weather(16.0, exposure_ms=2.0)),
    Case("evening, 17.5 h", _weather(17.5, exposure_ms=2.0)),
    Case("wet road", _weather(14.0, wet=0.6), "wet"),
    Case("drizzle", _weather(12.0, rain=0.3, wet=0.8), "wet"),
    Case("rain", _weather(12.0, rain=0.8, wet=1.0), "wet"),
    Case("dusk, 20.2 h", _weather(20.2, exposure_ms=4.0), "dark"),
    Case("night, 21 h", _weather(21.0, exposure_ms=4.0), "dark"),
    Case("sun ahead, 19.3 h", _weather(19.3), "glare", sunny=True),
    Case("sun ahead, 19.6 h", _weather(19.6), "glare", sunny=True),
    Case("exposure 10 ms", _weather(12.0, exposure_ms=10.0), "blur"),
    Case("exposure 20 ms", _weather(12.0, exposure_ms=20.0), "blur"),
    Case("dirt, noon", _weather(12.0, lens="dirty"), "dirty_lens"),
    Case("dirt, 17 h", _weather(17.0, lens="dirty"), "dirty_lens"),
    Case("covered", _weather(12.0, lens="covered"), "covered"),
)


def bench_quality(
    towns: int = TOWNS,
    progress: Progress = lambda _done, _of: None,
    purpose: Purpose = PURPOSE,
    photos: int = PHOTOS,
    cases: Sequence[Case] = CASES,
) -> dict[str, Any]:
    """Drive `towns` in each case, and look through a camera that has slipped.

    Raises:
        BenchRefused: there is no town to drive, or too few photos for a window.
    """
    if towns < 1 or photos <= WINDOW:
        raise BenchRefused(f"{towns} towns, {photos} photos: at least one town, and more than {WINDOW} photos")
    counted: dict[str, Counter[str]] = {case.name: Counter() for case in cases}
    spent_ms: list[float] = []
    moved: list[bool] = []
    for seed in range(1, towns + 1):
        drive = drive_loop(make_scene(purpose, seed))
        view = View(drive, CAMERA)
        norm = _norm(view)
        for number, case in enumerate(cases):
            times_s = _towards_sun(drive, case.weather.hour) if case.sunny else _times_s(drive, photos)
            judge(case, (view.frame(at_s, case.weather) for at_s in times_s), norm, counted[case.name], spent_ms)
            progress((seed - 1) * (len(cases) + 1) + number + 1, towns * (len(cases) + 1))
        moved += [_recognised(drive, slip_deg) for slip_deg in SLIPS_DEG]
        progress(seed * (len(cases) + 1), towns * (len(cases) + 1))
    result = {"software": version("ronde"), "towns": towns, "photos": sum(each["photos"] for each in counted.values())}
    result |= {"cases": {case.name: _told(case, counted[case.name]) for case in cases}}
    result |= {"reasons": _by_reason(cases, counted, moved), "fair": _fair(cases, counted)}
    result["glance_and_gate_ms"] = round(float(np.mean(spent_ms)), 2)
    return result | {"goals_missed": [goal for goal, met in goals_of(result).items() if not met]}


def judge(case: Case, frames: Iterator[Pixels], norm: Norm, counts: Counter[str], spent_ms: list[float]) -> None:
    """Feed a case's photos to a gate; what it says of them is counted, also what it says of earlier ones."""
    gate = Gate(LENS, Scale().covered_share, norm)
    said: list[set[str]] = []
    for pixels in frames:
        small = letterbox(pixels, *SMALL_PX).picture
        begun_s = time.process_time()
        judged = gate.take(glance(small))
        spent_ms.append((time.process_time() - begun_s) * 1000.0)
        said.append(set(judged.reasons))
        for reason, count in judged.before.items():
            for earlier in said[-1 - count : -1]:
                earlier.add(reason)
    counts["photos"] += len(said)
    counts["graded"] += sum(not reasons for reasons in said)
    counts.update(reason for reasons in said for reason in reasons)
    if case.reason == "covered":  # nothing is seen through a cover: that it is dark as well is no mistake
        counts["right"] += sum(bool(reasons & {"covered"}) for reasons in said)
    elif case.reason is not None:
        counts["right"] += sum(case.reason in reasons for reasons in said)


def glances(frames: Iterator[Pixels]) -> Iterator[Glance]:
    """What the small pictures of frames say."""
    return (glance(letterbox(pixels, *SMALL_PX).picture) for pixels in frames)


def _norm(view: View) -> Norm:
    """How the dry road looks in this camera: a drive in fair weather."""
    gate = Gate(LENS, Scale().covered_share)
    for hour in (10.0, 15.0):
        for each in glances(view.frame(at_s, _weather(hour)) for at_s in _times_s(view.drive, KNOWN_BY, from_m=600.0)):
            gate.take(each)
    return gate.norm


def _times_s(drive: TownDrive, photos: int, from_m: float = FROM_M) -> list[float]:
    """When the car passes the marks; none in a tunnel, where there is no weather."""
    marks_m = from_m + SPACING_M * np.arange(3 * photos)
    times_s = np.interp(marks_m, drive.odometers_m, np.arange(len(drive.odometers_m)) * 0.01)
    return [float(at_s) for at_s in times_s if not _near_tunnel(drive, float(at_s))][:photos]


def _near_tunnel(drive: TownDrive, at_s: float) -> bool:
    return any(drive.in_tunnel(at_s + more_s) for more_s in (-2.0, 0.0, 2.0, 5.0))


def _towards_sun(drive: TownDrive, hour: float) -> list[float]:
    """Marks at which the sun stands ahead, in the picture."""
    azimuth_deg, _ = sun(hour)
    times_s = _times_s(drive, int(drive.odometers_m[-1] / SPACING_M))
    aside_deg = [(azimuth_deg - drive.pose(at_s).heading_deg + 180.0) % 360.0 - 180.0 for at_s in times_s]
    return [at_s for at_s, aside in zip(times_s, aside_deg, strict=True) if abs(aside) < SUN_WITHIN_DEG][:PHOTOS]


def _recognised(drive: TownDrive, slip_deg: tuple[float, float]) -> bool:
    """Whether a camera that slipped is told to have moved, and one that did not is not."""
    slipped = replace(CAMERA, pitch_deg=CAMERA.pitch_deg + slip_deg[0], yaw_deg=CAMERA.yaw_deg + slip_deg[1])
    view = View(drive, slipped)
    straight = [at_s for at_s in _times_s(drive, 400) if _is_straight(drive, at_s)]
    picked = [straight[round(n)] for n in np.linspace(0, len(straight) - 1, FRAMES)]
    drift = drift_of([lines_of(view.frame(at_s, _weather(12.0)), LENS) for at_s in picked], LENS)
    return drift is not None and drift.moved == (slip_deg != (0.0, 0.0))


def _is_straight(drive: TownDrive, at_s: float) -> bool:
    before, after = drive.pose(at_s - 0.5).heading_deg, drive.pose(at_s + 2.0).heading_deg
    return abs((after - before + 180.0) % 360.0 - 180.0) < 0.5 and drive.speed_mps(at_s) > 5.0


def _told(case: Case, counts: Counter[str]) -> dict[str, Any]:
    told: dict[str, Any] = {"reason": case.reason, "photos": counts["photos"], "graded": counts["graded"]}
    told["said"] = {reason: count for reason, count in sorted(counts.items()) if reason not in {"photos", "graded", "right"}}
    return told | {"recognised": None if case.reason is None else round(counts["right"] / max(1, counts["photos"]), 4)}


def _by_reason(cases: Sequence[Case], counted: Mapping[str, Counter[str]], moved: Sequence[bool]) -> dict[str, float]:
    shares: dict[str, float] = {}
    for reason in dict.fromkeys(case.reason for case in cases if case.reason):
        mine = [counted[case.name] for case in cases if case.reason == reason]
        shares[reason] = round(sum(each["right"] for each in mine) / max(1, sum(each["photos"] for each in mine)), 4)
    return shares | {"mount_moved": round(sum(moved) / len(moved), 4)}


def _fair(cases: Sequence[Case], counted: Mapping[str, Counter[str]]) -> dict[str, Any]:
    fair = [counted[case.name] for case in cases if case.reason is None]
    photos = sum(each["photos"] for each in fair)
    return {"photos": photos, "false": round(1.0 - sum(each["graded"] for each in fair) / max(1, photos), 4)}


def goals_of(result: Mapping[str, Any]) -> dict[str, bool]:
    """Each goal in words, and whether it is met."""
    goals = {
        f"{reason}: >= {LEAST_RECOGNISED:.0%} recognised": share >= LEAST_RECOGNISED
        for reason, share in result["reasons"].items()
    }
    goals[f"fair weather: <= {MOST_FALSE:.0%} false"] = result["fair"]["false"] <= MOST_FALSE
    goals[f"glance and gate <= {MOST_MS:g} ms a frame"] = result["glance_and_gate_ms"] <= MOST_MS
    return goals


def in_words(result: Mapping[str, Any]) -> str:
    """The result as a table."""
    lines = [f"{result['towns']} towns, {result['photos']} photos", "", f"{'':<22}{'photos':>8}{'graded':>8}  said"]
    for name, told in result["cases"].items():
        said = ", ".join(f"{reason} {count}" for reason, count in told["said"].items())
        lines.append(f"{name:<22}{told['photos']:>8}{told['graded']:>8}  {said or '-'}")
    lines += ["", *(f"{reason:<22}{share:>8.1%} recognised" for reason, share in result["reasons"].items())]
    lines.append(f"{'fair weather':<22}{result['fair']['false']:>8.1%} false, of {result['fair']['photos']} photos")
    lines.append(f"glance and gate: {result['glance_and_gate_ms']} ms of CPU a frame")
    return "\n".join([*lines, *(f"missed: {goal}" for goal in result["goals_missed"])])


def run(args: argparse.Namespace) -> int:
    """Runs the bench for the command line; 3 where a goal is missed."""
    with Bar("bench quality") as progress:
        result = bench_quality(TOWNS if args.towns is None else args.towns, progress)
    print(json.dumps(result) if args.json else in_words(result))
    return UNDONE if result["goals_missed"] else DONE
