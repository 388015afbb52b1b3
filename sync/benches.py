"""`ronde bench NAME`: which bench takes which options, and how its result is printed."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from provisioning.settings import read_settings
from sync.bar import Bar
from sync.exit import DONE, OUR_FAULT, UNDONE

OPTIONS: Mapping[str, Sequence[str]] = {
    "line": ("drive", "config"),
    "spacing": ("seconds", "seeds"),
    "faults": ("only", "load", "seed"),
    "outbox": ("behind",),
    "alert": ("behind",),
    "bytes": ("drive",),
    "street": ("hours", "pictures"),
    "findings": ("towns", "drawn"),
    "quality": ("towns",),
    "grade": ("towns",),
    "start": ("starts",),
    "rounds": ("towns", "drawn", "rounds", "database"),
}
"""The options that belong to one bench or two; each is None where it was not given."""


def run_bench(args: argparse.Namespace) -> int:
    """Measure, print, and say by the exit code whether the goals are met."""
    for name, options in OPTIONS.items():
        for option in options:
            if option not in OPTIONS.get(args.name, ()) and getattr(args, option) is not None:
                from sync.bench_spacing import BenchRefused

                raise BenchRefused(f"--{option} belongs to bench {name}, not to bench {args.name}")
    return BENCHES[args.name](args)


def _bench_line(args: argparse.Namespace) -> int:
    from sync import bench

    result = bench.bench_line(args.drive, read_settings(args.config) if args.config else None)
    print(json.dumps(result) if args.json else bench.in_words(result))
    return DONE


def _bench_spacing(args: argparse.Namespace) -> int:
    from sync import bench_spacing

    seconds = bench_spacing.SECONDS if args.seconds is None else args.seconds
    seeds = bench_spacing.SEEDS if args.seeds is None else args.seeds
    with Bar("bench spacing") as progress:
        result = bench_spacing.bench_spacing(seconds, seeds, progress)
    print(json.dumps(result) if args.json else bench_spacing.in_words(result))
    return UNDONE if result["goals_missed"] else DONE


def _bench_faults(args: argparse.Namespace) -> int:
    from sync.faults import programme

    seed = programme.SEED if args.seed is None else args.seed
    result = programme.bench_faults(
        args.only or (), args.load or "full", seed, lambda line: print(line, file=_told(args), flush=True)
    )
    print(json.dumps(result) if args.json else programme.in_words(result))
    return OUR_FAULT if result["failed"] else DONE


def _bench_street(args: argparse.Namespace) -> int:
    from sync import bench_street

    hours = bench_street.HOURS if args.hours is None else args.hours
    pictures = bench_street.PICTURES if args.pictures is None else args.pictures
    with Bar("bench street") as progress:
        result = bench_street.bench_street(hours, pictures, progress)
    print(json.dumps(result) if args.json else bench_street.in_words(result))
    return UNDONE if result["goals_missed"] else DONE


def _bench_findings(args: argparse.Namespace) -> int:
    from sync import bench_findings

    towns = bench_findings.TOWNS if args.towns is None else args.towns
    drawn = bench_findings.DRAWN if args.drawn is None else args.drawn
    with Bar("bench findings") as progress:
        result = bench_findings.bench_findings(towns, drawn, progress)
    print(json.dumps(result) if args.json else bench_findings.in_words(result))
    return UNDONE if result["goals_missed"] else DONE


def _bench_model(args: argparse.Namespace) -> int:
    from sync import bench_model

    with Bar("bench model") as progress:
        result = bench_model.bench_model(progress)
    print(json.dumps(result) if args.json else bench_model.in_words(result))
    return UNDONE if result["goals_missed"] else DONE


def _bench_outbox(args: argparse.Namespace) -> int:
    from sync import bench_outbox

    result = bench_outbox.bench_outbox(bench_outbox.ROWS if args.behind is None else args.behind)
    print(json.dumps(result) if args.json else bench_outbox.in_words(result))
    return UNDONE if result["goals_missed"] else DONE


def _bench_fleet(args: argparse.Namespace) -> int:
    from sync.bench_fleet import command

    return command(args)


def _bench_map(args: argparse.Namespace) -> int:
    from sync.bench_map import run

    return run(args)


def _bench_quality(args: argparse.Namespace) -> int:
    from sync.bench_quality import run

    return run(args)


def _bench_grade(args: argparse.Namespace) -> int:
    from sync.bench_grade import run

    return run(args)


def _bench_rounds(args: argparse.Namespace) -> int:
    from sync.bench_rounds import run

    return run(args)


def _bench_start(args: argparse.Namespace) -> int:
    from sync.bench_start import run

    return run(args)


def _bench_alert(args: argparse.Namespace) -> int:
    from sync.bench_alert import run

    return run(args)


def _bench_bytes(args: argparse.Namespace) -> int:
    from sync.bench_bytes import run

    return run(args)


def _told(args: argparse.Namespace) -> TextIO:
    """Where lines go that come before the result."""
    return sys.stderr if args.json else sys.stdout


BENCHES: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "line": _bench_line,
    "spacing": _bench_spacing,
    "faults": _bench_faults,
    "outbox": _bench_outbox,
    "street": _bench_street,
    "findings": _bench_findings,
    "rounds": _bench_rounds,
    "quality": _bench_quality,
    "grade": _bench_grade,
    "start": _bench_start,
    "alert": _bench_alert,
    "bytes": _bench_bytes,
    "fleet": _bench_fleet,
    "map": _bench_map,
    "model": _bench_model,
}
