"""`ronde bench grade`: grades of the simulated street with perfect boxes, beside those of its truth by the same formula."""

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from device.street.scene import Scene
from device.street.seeds import Purpose
from inference.grade import Damage
from inference.scale import FAMILY_OF, STRETCHES_M, Scale
from inference.streets import Photo
from inference.survey import Road, Stretch, damage_of, nearest_seen_m, survey
from sync.bar import Bar
from sync.bench_findings import LENS, BenchRefused, drive_perfect
from sync.exit import DONE, UNDONE
from sync.finding_measures import END_M, Trial

PURPOSE: Final[Purpose] = "bench"
TOWNS: Final = 8
WITHIN, LEAST_WITHIN = 0.5, 0.9
MOST_MS = 5.0
"""The goals: so many 100 m stretches with coverage are so near, and what a frame costs in all."""

Progress = Callable[[int, int], None]


def bench_grade(towns: int = TOWNS, progress: Progress = lambda _done, _of: None, purpose: Purpose = PURPOSE) -> dict[str, Any]:
    """Drive `towns` once around with perfect boxes, and grade them.

    Raises:
        BenchRefused: there is no town to drive.
    """
    if towns < 1:
        raise BenchRefused(f"{towns} towns: at least one is needed")
    pairs: list[tuple[Stretch, Stretch]] = []
    merge_ms: list[float] = []
    grade_ms: list[float] = []
    for seed in range(1, towns + 1):
        trial = drive_perfect(purpose, seed)
        begun_s = time.process_time()
        told = survey(road_of(trial, found_damages(trial)), Scale())
        grade_ms.append((time.process_time() - begun_s) * 1000.0 / len(trial.cameras))
        true = survey(road_of(trial, true_damages(trial)), Scale())
        pairs += zip(told, true, strict=True)
        merge_ms += trial.frame_ms
        progress(seed, towns)
    result: dict[str, Any] = {"software": version("ronde"), "towns": towns}
    result |= {f"{most_m:.0f}_m": _compared([each for each in pairs if each[0].most_m == most_m]) for most_m in STRETCHES_M}
    result["merge_ms"] = round(float(np.mean(merge_ms)), 2)
    result["grade_ms"] = round(float(np.mean(grade_ms)), 3)
    return result | {"goals_missed": [goal for goal, met in goals_of(result).items() if not met]}


def road_of(trial: Trial, damages: Sequence[Damage]) -> Road:
    """The road of a drive, but for its ends, where the loop's beginning is in view once more."""
    photos = [
        Photo(place.odometer_m, place.latitude_deg, place.longitude_deg, place.accuracy_m, place.heading_deg)
        for place, _ in trial.cameras.values()
    ]
    return Road(photos[0].odometer_m + END_M, photos[-1].odometer_m - END_M, photos, damages, nearest_seen_m(LENS))


def found_damages(trial: Trial) -> list[Damage]:
    """What the findings say of the road."""
    return [
        damage_of(finding.label, finding.odometer_m, finding.right_m, finding.width_m, finding.length_m)
        for finding, _ in trial.found
        if finding.label in FAMILY_OF
        and finding.odometer_m is not None
        and finding.right_m is not None
        and finding.width_m is not None
        and finding.length_m is not None
    ]


def true_damages(trial: Trial) -> list[Damage]:
    """What lies on the road, where the unit's odometer reads as it does there: the Doppler speed's error is not the grade's."""
    scene: Scene = trial.scene
    poses = [pose for _, pose in trial.cameras.values()]
    along_m, _ = scene.path.beside(np.array([each.east_m for each in poses]), np.array([each.north_m for each in poses]))
    odometer_m = np.array([place.odometer_m for place, _ in trial.cameras.values()])
    along_m = np.unwrap(along_m, period=scene.path.length_m)
    order = np.argsort(along_m)
    return [
        damage_of(thing.kind, float(np.interp(thing.along_m, along_m[order], odometer_m[order])), *_size(thing))
        for thing in scene.in_round(1)
        if thing.kind in FAMILY_OF
    ]


def _size(thing: Any) -> tuple[float, float, float]:
    return thing.right_m, thing.width_m, thing.length_m


def _compared(pairs: Sequence[tuple[Stretch, Stretch]]) -> dict[str, Any]:
    """How far told grades are from true ones, where there are grades."""
    graded = [(told.grade, true.grade) for told, true in pairs if told.grade.grade is not None and true.grade.grade is not None]
    apart = np.array([abs(float(told.grade or 0) - float(true.grade or 0)) for told, true in graded])
    held = [
        told.low - 0.05 <= true.grade <= told.high + 0.05
        for told, true in graded
        if told.low is not None and told.high is not None and true.grade is not None
    ]
    true_grades = [true.grade for _, true in graded if true.grade is not None]
    return {
        "stretches": len(pairs),
        "graded": len(graded),
        "within": round(float((apart <= WITHIN).mean()), 4) if len(apart) else None,
        "median_apart": round(float(np.median(apart)), 3) if len(apart) else None,
        "p95_apart": round(float(np.percentile(apart, 95)), 3) if len(apart) else None,
        "interval_holds": round(float(np.mean(held)), 4) if held else None,
        "true_from": round(min(true_grades), 2) if true_grades else None,
        "true_to": round(max(true_grades), 2) if true_grades else None,
    }


def goals_of(result: Mapping[str, Any]) -> dict[str, bool]:
    """Each goal in words, and whether it is met."""
    coarse = result[f"{STRETCHES_M[0]:.0f}_m"]
    return {
        f"{STRETCHES_M[0]:.0f} m: >= {LEAST_WITHIN:.0%} within {WITHIN} of the truth": (coarse["within"] or 0.0) >= LEAST_WITHIN,
        f"locate, merge and grade < {MOST_MS:g} ms a frame": result["merge_ms"] + result["grade_ms"] < MOST_MS,
    }


def in_words(result: Mapping[str, Any]) -> str:
    """The result as a table."""
    lines = [
        f"{result['towns']} towns with perfect boxes",
        "",
        f"{'':<34}" + "".join(f"{most_m:>10.0f} m" for most_m in STRETCHES_M),
    ]
    rows = {
        "stretches": "stretches",
        "graded": "  graded",
        "true_from": "grades by the truth, from",
        "true_to": "  to",
        "within": f"within {WITHIN} of the truth",
        "median_apart": "apart, median",
        "p95_apart": "  95 %",
        "interval_holds": "the interval holds the truth",
    }
    for key, name in rows.items():
        lines.append(f"{name:<34}" + "".join(f"{_shown(result[f'{most_m:.0f}_m'][key]):>12}" for most_m in STRETCHES_M))
    lines.append(f"locate and merge {result['merge_ms']} ms, grade {result['grade_ms']} ms of CPU a frame")
    return "\n".join([*lines, *(f"missed: {goal}" for goal in result["goals_missed"])])


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:g}"


def run(args: argparse.Namespace) -> int:
    """Runs the bench for the command line; 3 where a goal is missed."""
    with Bar("bench grade") as progress:
        result = bench_grade(TOWNS if args.towns is None else args.towns, progress)
    print(json.dumps(result) if args.json else in_words(result))
    return UNDONE if result["goals_missed"] else DONE
