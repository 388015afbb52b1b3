"""How good findings are, measured against a scene whose truth is known. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from device.earth import east_north_m
from device.frame import Place
from device.street.geometry import Pose
from device.street.scene import Scene, Thing
from inference.finding import Finding
from inference.merge import Thing as Merged

END_M = 60.0
"""The line is driven once around: what lies so near to where it begins and ends is in view at both, and not judged."""
LEAST_FRAMES = 2

PERFECT_MEDIAN_M, PERFECT_95_M, ABSOLUTE_MORE_M = 0.5, 1.5, 0.5
RADIUS_HOLDS: Final = (0.90, 0.99)
LEAST_ONCE, MOST_TWICE = 0.95, 0.02
MOST_MS = 5.0
"""The goals."""


@dataclass
class Trial:
    """One drive: what was detected, of which thing, and what came of it.

    `whose` maps (frame, number of the detection) to the true thing, where there is one. `cameras` are, for each frame, where
    ronde says the camera was and where it was. `frame_ms` is what locating and merging took for each frame.
    """

    scene: Scene
    whose: dict[tuple[str, int], Thing] = field(default_factory=dict)
    detections: int = 0
    cameras: dict[str, tuple[Place, Pose]] = field(default_factory=dict)
    found: list[tuple[Finding, Merged]] = field(default_factory=list)
    frame_ms: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Error:
    """Of one finding, metres: against truth shifted by the receiver's error in its best frame (`shifted_m`), and as it is."""

    label: str
    shifted_m: float
    absolute_m: float
    receiver_m: float
    held: bool


def measure(trials: Sequence[Trial]) -> dict[str, Any]:
    """The numbers of several drives together."""
    errors: list[Error] = []
    counts: Counter[str] = Counter()
    for trial in trials:
        errors += _judge(trial, counts)
    frame_ms = [each for trial in trials for each in trial.frame_ms]
    seen = counts["seen_twice"]
    return {
        "detections": sum(trial.detections for trial in trials),
        "findings": sum(len(trial.found) for trial in trials),
        "of_no_thing": counts["of_no_thing"],
        "shifted_m": _spread([each.shifted_m for each in errors]),
        "absolute_m": _spread([each.absolute_m for each in errors]),
        "receiver_m": _spread([each.receiver_m for each in errors]),
        "radius_holds": _share(sum(each.held for each in errors), len(errors)),
        "seen_twice": seen,
        "told_once": _share(counts["once"], seen),
        "told_twice": _share(counts["twice"], seen),
        "not_told": _share(counts["never"], seen),
        "label_right": _share(sum(counts[f"right {label}"] for label in _labels(errors)), len(errors)),
        "frame_ms": {"mean": _rounded(np.mean(frame_ms)), "p95": _rounded(np.percentile(frame_ms, 95))} if frame_ms else None,
        "labels": {
            label: {"findings": len(those), **_spread([each.shifted_m for each in those])}
            for label in _labels(errors)
            if (those := [each for each in errors if each.label == label])
        },
    }


def goals_of(numbers: Mapping[str, Any]) -> dict[str, bool]:
    """Each goal for perfect boxes in words, and whether it is met."""
    shifted, absolute, receiver = numbers["shifted_m"], numbers["absolute_m"], numbers["receiver_m"]
    low, high = RADIUS_HOLDS
    return {
        f"place: median <= {PERFECT_MEDIAN_M} m": shifted["median"] <= PERFECT_MEDIAN_M,
        f"place: 95 % <= {PERFECT_95_M} m": shifted["p95"] <= PERFECT_95_M,
        f"absolute place: no worse than the receiver + {ABSOLUTE_MORE_M} m": all(
            absolute[key] <= receiver[key] + ABSOLUTE_MORE_M for key in ("median", "p95")
        ),
        f"the radius holds {low:.0%} to {high:.0%}": low <= numbers["radius_holds"] <= high,
        f">= {LEAST_ONCE:.0%} of what is seen twice is told once": numbers["told_once"] >= LEAST_ONCE,
        f"<= {MOST_TWICE:.0%} of it twice": numbers["told_twice"] <= MOST_TWICE,
        f"locate and merge < {MOST_MS:g} ms a frame": numbers["frame_ms"]["mean"] < MOST_MS,
    }


def _judge(trial: Trial, counts: Counter[str]) -> list[Error]:
    """The errors of a drive's findings; what became of its things is counted."""
    frames_of: dict[str, set[str]] = {}
    for (frame_id, _), thing in trial.whose.items():
        frames_of.setdefault(thing.id, set()).add(frame_id)
    told: Counter[str] = Counter()
    errors: list[Error] = []
    for finding, merged in trial.found:
        whose = [trial.whose[each] for each in merged.seen if each in trial.whose]
        if not whose:
            counts["of_no_thing"] += 1
            continue
        thing = Counter(whose).most_common(1)[0][0]
        told[thing.id] += 1
        counts[f"right {thing.kind}"] += finding.label == thing.kind
        errors.append(_error(trial, finding, thing))
    judged = [thing for thing in {each.id: each for each in trial.whose.values()}.values() if _is_judged(trial.scene, thing)]
    for thing in judged:
        if len(frames_of[thing.id]) >= LEAST_FRAMES:
            counts["seen_twice"] += 1
            counts["never" if told[thing.id] == 0 else "once" if told[thing.id] == 1 else "twice"] += 1
    return errors


def _error(trial: Trial, finding: Finding, thing: Thing) -> Error:
    place, pose = trial.cameras[finding.best_frame_id]
    said = _metres(trial.scene, finding.latitude_deg, finding.longitude_deg)
    camera = _metres(trial.scene, place.latitude_deg, place.longitude_deg)
    receiver = camera[0] - pose.east_m, camera[1] - pose.north_m
    east_m, north_m = said[0] - thing.east_m, said[1] - thing.north_m
    absolute_m = math.hypot(east_m, north_m)
    return Error(
        thing.kind,
        math.hypot(east_m - receiver[0], north_m - receiver[1]),
        absolute_m,
        math.hypot(*receiver),
        absolute_m <= finding.uncertainty_m,
    )


def _metres(scene: Scene, latitude_deg: float, longitude_deg: float) -> tuple[float, float]:
    """East and north of the scene's origin."""
    return east_north_m(scene.origin.latitude_deg, scene.origin.longitude_deg, latitude_deg, longitude_deg)


def _is_judged(scene: Scene, thing: Thing) -> bool:
    return END_M < thing.along_m < scene.path.length_m - END_M


def _labels(errors: Sequence[Error]) -> list[str]:
    return sorted({each.label for each in errors})


def _spread(values: Sequence[float]) -> dict[str, Any]:
    if not values:
        return {"median": None, "p95": None}
    return {"median": _rounded(np.median(values)), "p95": _rounded(np.percentile(values, 95))}


def _share(part: int, whole: int) -> float | None:
    return _rounded(part / whole, 4) if whole else None


def _rounded(value: Any, digits: int = 2) -> float:
    return round(float(value), digits)
