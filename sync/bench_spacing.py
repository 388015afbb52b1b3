"""`ronde bench spacing`: four metres, against simulated truth, with the naive trigger beside it in the same run."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, Literal

import numpy as np

from device.chooser import Chooser
from device.fix import Fix
from device.frame import Exposure
from device.gate import FixGate
from device.ring import Ring
from device.simulated import PROFILES
from device.simulated_round import HEIGHT, WIDTH, Round, drive_round, judged
from device.simulated_senses import Camera, Receiver, senses
from sync.spacing_measures import measure

SPACING_M = 4.0
SECONDS, SEEDS = 900.0, 3
BREAK_EVERY_S = 90.0
TUNNEL_TIMES: Final = 4
"""So many times as many drives of the cases with tunnels: a receiver keeps its error for a minute, so a drive is no more than a
dozen independent tunnels, too few to say how often a radius holds."""

STANDING_PER_MINUTE: Final = 0.15
COST_LIMIT: Final = 0.01
"""Of one core, at the fastest rates: what odometer and choice may take."""

SHORTEST_S = 60.0
"""A shorter drive says nothing: in town it is one street."""


class BenchRefused(Exception):
    """The bench cannot be run like this; one sentence that says why."""


Judged = Literal["share", "step", "tunnel", "nothing"]
"""What a case is held to: its share of gaps within the tolerance, each gap by the frame step, its tunnels, or standing alone."""

LEAST_SHARE: Final = {
    ("town", 30.0): 0.99,
    ("50 km/h", 30.0): 0.99,
    ("90 km/h", 30.0): 0.99,
    ("town", 15.0): 0.95,
}
"""Of gaps within the tolerance, by profile and frames per second. At 15 a second and 90 km/h frames lie 1.7 m apart."""


@dataclass(frozen=True, slots=True)
class Case:
    """A way of driving, a receiver and a camera, and the goal (product's numbers) for them."""

    profile: str
    hz: float
    fps: float
    judged: Judged = "nothing"
    least_share: float = 0.0
    breaks: bool = False

    @property
    def name(self) -> str:
        """As a person calls it."""
        return f"{self.profile}{', breaks' if self.breaks else ''}, {self.hz:g} Hz, {self.fps:g} fps"

    @property
    def receiver(self) -> Receiver:
        """The receiver."""
        return Receiver(hz=self.hz, break_every_s=BREAK_EVERY_S if self.breaks else None)


def _cases() -> tuple[Case, ...]:
    rates = [(hz, fps) for fps in (30.0, 15.0) for hz in (1.0, 5.0, 10.0)]
    open_road = [
        Case(profile, hz, fps, "share" if (profile, fps) in LEAST_SHARE else "nothing", LEAST_SHARE.get((profile, fps), 0.0))
        for profile in ("town", "50 km/h", "90 km/h")
        for hz, fps in rates
    ]
    open_road += [Case("130 km/h", hz, fps, "step") for hz, fps in rates]
    others = [Case("town", 1.0, 30.0, breaks=True), Case("standing", 1.0, 30.0), Case("standing", 10.0, 30.0)]
    tunnels = [Case(profile, hz, 30.0, "tunnel") for profile in ("tunnel", "tunnel, stop") for hz in (1.0, 10.0)]
    return (*open_road, *others, *tunnels)


CASES: Final = _cases()

Progress = Callable[[int, int], None]


def bench_spacing(
    seconds: float = SECONDS, seeds: int = SEEDS, progress: Progress = lambda _done, _of: None, cases: tuple[Case, ...] = CASES
) -> dict[str, Any]:
    """Drive each case `seconds` long with each of so many seeds; every number with the goal it is held to.

    Raises:
        BenchRefused: the drives are too short, or there is none.
    """
    if not SHORTEST_S <= seconds < math.inf:
        raise BenchRefused(f"--seconds {seconds:g}: a drive of at least {SHORTEST_S:g} s is needed")
    if seeds < 1:
        raise BenchRefused(f"--seeds {seeds}: at least one drive of each case is needed")
    start_s = time.perf_counter()
    results: list[dict[str, Any]] = []
    for number, case in enumerate(cases, 1):
        drives = seeds * TUNNEL_TIMES if case.judged == "tunnel" else seeds
        rounds = {seed: drive_case(case, seconds, seed) for seed in range(1, drives + 1)}
        numbers = measure(rounds, SPACING_M)
        results.append({"case": case.name, "least_share": case.least_share, **numbers, "goals": goals_of(case, numbers)})
        progress(number, len(cases) + 1)
    cost = cost_of(seconds)
    progress(len(cases) + 1, len(cases) + 1)
    missed = [f"{each['case']}: {goal}" for each in results for goal, met in each["goals"].items() if not met]
    missed += [] if cost["share_of_core"] < COST_LIMIT else [f"cost: under {COST_LIMIT:.0%} of one core"]
    return {
        "software": version("ronde"),
        "spacing_m": SPACING_M,
        "seconds": seconds,
        "seeds": seeds,
        "cases": results,
        "worst": _worst(results),
        "cost": cost,
        "goals_missed": missed,
        "took_s": round(time.perf_counter() - start_s, 1),
    }


def drive_case(case: Case, seconds: float, seed: int) -> Round:
    """One drive of a case."""
    rng = np.random.default_rng(seed)
    truth = PROFILES[case.profile](seconds, rng)
    return drive_round(truth, case.receiver, Camera(fps=case.fps), rng, SPACING_M)


def goals_of(case: Case, numbers: Mapping[str, Any]) -> dict[str, bool]:
    """Each goal of a case in words, and whether it is met."""
    goals: dict[str, bool] = {}
    if case.judged == "share":
        goals[f">= {case.least_share:.0%} within"] = (numbers["share_within"] or 0.0) >= case.least_share
    if case.judged == "step":
        goals["each gap within half a frame step + 0.3 m"] = numbers["gaps_beyond_step"] == 0
    # In a tunnel nothing tells a standing car from a moving one.
    if numbers["standing_per_minute"] is not None and case.judged != "tunnel":
        goals[f"<= {STANDING_PER_MINUTE} a minute standing"] = numbers["standing_per_minute"] <= STANDING_PER_MINUTE
    if case.judged == "tunnel" and numbers["tunnels"] is not None:
        inside = numbers["tunnels"]
        goals["tunnel: in order, nothing called good"] = inside["in_order"] and inside["called_good"] == 0
        goals["tunnel: radius holds 90 to 99 %"] = 0.90 <= (inside["in_radius"] or 0.0) <= 0.99
        if case.profile == "tunnel":
            # A mark that nothing serves leaves two spacings without a photo.
            present = inside["longest_gap_m"] < 2.0 * SPACING_M and not numbers["missed"].get("no_fix")
            goals["tunnel: every mark present"] = present
            goals["tunnel: placed within 5 %"] = (inside["error_share"] or 1.0) <= 0.05
    return goals


def cost_of(seconds: float, seed: int = 1) -> dict[str, float]:
    """CPU time of odometer and choice per second of a town drive at the fastest rates, and of its first and last quarter.

    What the receiver and the camera say is made up beforehand, so that nothing else is counted.
    """
    rng = np.random.default_rng(seed)
    truth = PROFILES["town"](seconds, rng)
    arrived = list(judged(senses(truth, Receiver(hz=10.0), Camera(fps=30.0), rng), FixGate()))
    chooser = Chooser(SPACING_M, Ring.for_camera(WIDTH, HEIGHT))
    quarter = len(arrived) // 4
    spent_s = [_feed(chooser, arrived[n * quarter : (n + 1) * quarter]) for n in range(4)]
    return {
        "share_of_core": round(sum(spent_s) / seconds, 5),
        "share_first_quarter": round(spent_s[0] / (seconds / 4.0), 5),
        "share_last_quarter": round(spent_s[3] / (seconds / 4.0), 5),
        "hz": 10.0,
        "fps": 30.0,
    }


def _feed(chooser: Chooser, arrived: list[Fix | Exposure]) -> float:
    """CPU seconds that it takes."""
    start_s = time.process_time()
    for each in arrived:
        if isinstance(each, Fix):
            chooser.take_fix(each)
        else:
            chooser.ring.push(each)
        while chooser.choose() is not None:
            pass
    return time.process_time() - start_s


def in_words(result: Mapping[str, Any]) -> str:
    """The result as a table, the worst case and the goals that are missed."""
    lines = [
        (
            f"{result['seeds']} drives of {result['seconds']:g} s each, {TUNNEL_TIMES} times as many of tunnels; "
            "gaps between photos, in true metres of road"
        ),
        (
            f"{'case':<28}{'within':>8}{'worst':>8}{'mean':>7}{'longest':>9}{'stand/min':>10}{'filled':>8}"
            f"{'naive: within':>16}{'mean':>7}   goals"
        ),
    ]
    lines += [_row(each) for each in result["cases"]]
    lines += [_tunnel_row(each) for each in result["cases"] if each["tunnels"]]
    worst, cost = result["worst"], result["cost"]
    if worst:
        lines.append(
            f"worst: {worst['case']}: {worst['share_within']:.1%} within (seed {worst['seed']}); "
            f"longest gap of all {worst['longest_m']:.1f} m in {worst['longest_case']}, seed {worst['longest_seed']}, "
            f"{worst['longest_at_s']:.0f} s"
        )
    lines.append(
        f"cost: {cost['share_of_core']:.2%} of one core for odometer and choice at {cost['hz']:g} Hz and {cost['fps']:g} fps "
        f"(first quarter {cost['share_first_quarter']:.2%}, last {cost['share_last_quarter']:.2%})"
    )
    lines += [f"missed: {each}" for each in result["goals_missed"]] or ["all goals are met"]
    lines.append(f"took {result['took_s']:.0f} s")
    return "\n".join(lines)


def _row(each: Mapping[str, Any]) -> str:
    met = list(each["goals"].values())
    longest_m = each["longest"]["length_m"] if each["longest"] else None
    return (
        f"{each['case']:<28}{_percent(each['share_within']):>8}{_percent(each['worst_seed_share']):>8}{_metres(each['mean_m']):>7}"
        f"{_metres(longest_m):>9}{_number(each['standing_per_minute']):>10}{_percent(each['filled_share']):>8}"
        f"{_percent(each['naive_share_within']):>16}{_metres(each['naive_mean_m']):>7}   {sum(met)}/{len(met)}"
    )


def _tunnel_row(each: Mapping[str, Any]) -> str:
    inside = each["tunnels"]
    return (
        f"{each['case']}: {inside['tunnels']} tunnels of 300 m: {_percent(inside['marks_share'])} of the marks, longest gap "
        f"{_metres(inside['longest_gap_m'])} m, place wrong by {_metres(inside['error_m'])} m at most, "
        f"{_percent(inside['in_radius'])} within the stated radius, {inside['called_good']} called good"
    )


def _worst(results: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The drive whose share is nearest to its goal, or farthest below; and where the longest gap of all is."""
    driven = [each for each in results if each["longest"] is not None]
    if not driven:
        return None
    held = [each for each in driven if each["least_share"]] or driven
    least = min(held, key=lambda each: each["worst_seed_share"] - each["least_share"])
    longest = max(driven, key=lambda each: each["longest"]["length_m"])
    return {
        "case": least["case"],
        "seed": least["worst_seed"],
        "share_within": least["worst_seed_share"],
        "longest_case": longest["case"],
        "longest_m": longest["longest"]["length_m"],
        "longest_seed": longest["longest"]["seed"],
        "longest_at_s": longest["longest"]["at_s"],
    }


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _metres(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
