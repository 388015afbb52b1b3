"""`ronde bench rounds`: between two rounds of a town, what is new, repaired and unchanged; and how fast many rounds are joined.

The rounds are told to a receiver's database as units tell them and joined as the receiver joins them. Beside it stands the naive
way: the nearest of the same label within six metres is the same thing.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from device.street.seeds import Purpose
from inference.manifest import locate
from inference.tflite import TfliteModel
from provisioning.log import set_up
from provisioning.settings import Models
from sync.bar import Bar
from sync.bench_findings import KINDS, PURPOSE, BenchRefused, drive_drawn, drive_perfect
from sync.exit import DONE, UNDONE
from sync.map.sample import fill
from sync.receiver.databases import open_store
from sync.receiver.joiner import Joiner, Outcome
from sync.receiver.joins import open_joins
from sync.round_load import BulkTown, round_of
from sync.round_options import DRAWN, FINDINGS, ROUNDS, TOWNS
from sync.round_trials import measure, name_things
from sync.scratch_postgres import PostgresMissing, scratch_postgres

LEAST_ALONE, LEAST_WHOLE, LEAST_PER_S = 0.95, 0.85, 2_000.0
"""The goals."""
PARTS: Final = 10

Progress = Callable[[int, int], None]


def nothing(_done: int, _of: int) -> None:
    """Shows no progress."""


def bench_rounds(
    towns: int = TOWNS, drawn: int = DRAWN, rounds: int = ROUNDS, database: str = "sqlite", progress: Progress = nothing
) -> dict[str, Any]:
    """Name what became of things in `towns`, and in so many `drawn` pictures; join so many `rounds` in bulk. Each may be 0.

    Raises:
        BenchRefused: a number is none, or PostgreSQL is not here.
    """
    if min(towns, drawn, rounds) < 0:
        raise BenchRefused(f"--towns {towns} --drawn {drawn} --rounds {rounds}: no number may be below 0")
    result: dict[str, Any] = {"software": version("ronde"), "towns": towns, "drawn": drawn}
    with tempfile.TemporaryDirectory(prefix="ronde-bench-") as folder:
        if towns:
            named = [each for seed in range(1, towns + 1) for each in _town(PURPOSE, seed, Path(folder), progress, towns)]
            result["perfect"] = measure(named)
        if drawn:
            result |= _drawn(PURPOSE, drawn, Path(folder))
        if rounds:
            result["bulk"] = join_in_bulk(rounds, database, Path(folder), progress)
    return result | {"goals_missed": [goal for goal, met in goals_of(result).items() if not met]}


def goals_of(result: Mapping[str, Any]) -> dict[str, bool]:
    """Each goal in words, and whether it is met; of what was not measured there is none."""
    goals: dict[str, bool] = {}
    if "perfect" in result:
        alone, whole = result["perfect"]["alone"], result["perfect"]["whole"]
        goals[f"where things stand alone >= {LEAST_ALONE:.0%} are named right"] = alone["joined"] >= LEAST_ALONE
        goals[f"on the whole street >= {LEAST_WHOLE:.0%} are named right"] = whole["joined"] >= LEAST_WHOLE
        goals["more than by the nearest match"] = alone["joined"] > alone["naive"] and whole["joined"] > whole["naive"]
    if "bulk" in result:
        goals[f">= {LEAST_PER_S:,.0f} findings are joined a second"] = result["bulk"]["per_s"] >= LEAST_PER_S
    return goals


def _town(purpose: Purpose, seed: int, folder: Path, progress: Progress, towns: int) -> Sequence[Any]:
    own = folder / f"town-{seed}"
    own.mkdir()
    named = name_things(drive_perfect(purpose, seed), drive_perfect(purpose, seed, 2), own)
    progress(seed, towns)
    return named


def _drawn(purpose: Purpose, pictures: int, folder: Path) -> dict[str, Any]:
    """Both rounds of the first town in pictures: with the true boxes of what is seen in them, and with the model's."""
    model = TfliteModel(locate(Models().roads), 1)
    rounds = [drive_drawn(purpose, 1, pictures, model, number) for number in (1, 2)]
    told: dict[str, Any] = {"model": model.manifest.name}
    for kind, (first, second) in zip(("truth", "detector"), zip(*rounds, strict=True), strict=True):
        own = folder / kind
        own.mkdir()
        told[kind] = measure(name_things(first, second, own))
    return told


def join_in_bulk(rounds: int, database: str, folder: Path, progress: Progress, findings: int = FINDINGS) -> dict[str, Any]:
    """Rounds of a large town, each stored and then joined; the seconds are those of the joins alone.

    `per_cpu_s`: findings for each second of this process, in which the database's own work is for SQLite, and is not for
    PostgreSQL. `parts_per_s` is the rate of each tenth of the rounds: it stays where an index finds things, and falls where all
    of them are looked at.
    """
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'bulk.db'}" if database == "sqlite" else stack.enter_context(_postgres())
        store = stack.enter_context(closing(open_store(url)))
        later = timedelta(days=1)
        joiner = stack.enter_context(closing(Joiner(lambda: open_joins(url), now=lambda: datetime.now(timezone.utc) + later)))
        town = BulkTown(1)
        timed = []
        for number in range(rounds):
            fill(store, round_of(town, number, findings))
            timed.append(_timed(joiner))
            progress(number + 1, rounds)
        with closing(open_joins(url)) as joins:
            things = joins.count()
    parts = [timed[len(timed) * part // PARTS : len(timed) * (part + 1) // PARTS] for part in range(PARTS)]
    return {
        "database": database,
        "rounds": rounds,
        "findings": joiner.findings,
        "things": things,
        "true_things": len(town.told),
        "per_s": _rate(timed, 1),
        "per_cpu_s": _rate(timed, 2),
        "parts_per_s": [_rate(part, 2) for part in parts if part],
    }


def _timed(joiner: Joiner) -> tuple[int, float, float]:
    """The findings of the round that is due, the seconds of its join, and those of CPU."""
    before, began_s, began_cpu_s = joiner.findings, time.perf_counter(), time.process_time()
    outcome = joiner.step()
    if outcome is not Outcome.JOINED:
        raise RuntimeError(f"a round was not joined: {outcome}")
    return joiner.findings - before, time.perf_counter() - began_s, time.process_time() - began_cpu_s


def _rate(timed: Sequence[tuple[int, float, float]], column: int) -> float:
    return round(sum(each[0] for each in timed) / sum(each[column] for each in timed), 1)


@contextmanager
def _postgres() -> Iterator[str]:
    """The address of an empty database of a server of its own."""
    try:
        with scratch_postgres() as server:
            yield server.url()
    except PostgresMissing as error:
        raise BenchRefused(str(error)) from error


def in_words(result: Mapping[str, Any]) -> str:
    """The result as tables."""
    lines = [
        f"{result['towns']} towns with perfect boxes, {result['drawn']} pictures drawn of each round",
        "things, and how many were named right: joined / by the nearest match",
    ]
    kinds = [kind for kind in KINDS if kind in result]
    if kinds:
        lines += ["", f"{'':<36}" + "".join(f"{KINDS[kind]:>30}" for kind in kinds)]
        lines += [f"{name:<36}" + "".join(f"{_told(_at(result[kind], path)):>30}" for kind in kinds) for name, path in ROWS]
    if "bulk" in result:
        bulk = result["bulk"]
        parts = ", ".join(f"{each:,.0f}" for each in bulk["parts_per_s"])
        lines += [
            "",
            f"{bulk['database']}: {bulk['findings']:,} findings of {bulk['rounds']} rounds, {bulk['things']:,} things",
            f"they were of {bulk['true_things']:,} things",
            f"{bulk['per_s']:,.0f} a second, {bulk['per_cpu_s']:,.0f} a second of CPU",
            f"of each tenth of the rounds, a second of CPU: {parts}",
        ]
    return "\n".join([*lines, *(f"missed: {goal}" for goal in result["goals_missed"])])


ROWS: Final = (
    ("where things stand alone", ("alone",)),
    ("on the whole street", ("whole",)),
    ("  unchanged", ("fates", "unchanged")),
    ("  new", ("fates", "new")),
    ("  repaired", ("fates", "repaired")),
    ("there and missed, not called gone", ("missed",)),
)


def _at(numbers: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    for name in path:
        numbers = numbers[name]
    return numbers


def _told(shares: Mapping[str, Any]) -> str:
    if not shares["things"]:
        return "-"
    return f"{shares['things']}: {shares['joined']:.1%} / {shares['naive']:.1%}"


def run(args: argparse.Namespace) -> int:
    """Runs the bench for the command line; 3 where a goal is missed."""
    towns, drawn = TOWNS if args.towns is None else args.towns, DRAWN if args.drawn is None else args.drawn
    rounds = ROUNDS if args.rounds is None else args.rounds
    set_up("warning")  # a line for each round that is joined would hide the bar
    with Bar("bench rounds") as progress:
        result = bench_rounds(towns, drawn, rounds, args.database or "sqlite", progress)
    print(json.dumps(result) if args.json else in_words(result))
    return UNDONE if result["goals_missed"] else DONE
