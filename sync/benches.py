"""`ronde bench NAME`: which bench takes which options, and how its result is printed."""

import argparse
import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TextIO

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
    return _say(args, result, bench_spacing.in_words(result))


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
    return _say(args, result, bench_street.in_words(result))


def _bench_findings(args: argparse.Namespace) -> int:
    from sync import bench_findings

    towns = bench_findings.TOWNS if args.towns is None else args.towns
    drawn = bench_findings.DRAWN if args.drawn is None else args.drawn
    with Bar("bench findings") as progress:
        result = bench_findings.bench_findings(towns, drawn, progress)
    return _say(args, result, bench_findings.in_words(result))


def _bench_model(args: argparse.Namespace) -> int:
    from sync import bench_model

    with Bar("bench model") as progress:
        result = bench_model.bench_model(progress)
    return _say(args, result, bench_model.in_words(result))


def _bench_outbox(args: argparse.Namespace) -> int:
    from sync import bench_outbox

    result = bench_outbox.bench_outbox(bench_outbox.ROWS if args.behind is None else args.behind)
    return _say(args, result, bench_outbox.in_words(result))


def _run(place: str, args: argparse.Namespace) -> int:
    """A bench that prints its result itself."""
    code: int = importlib.import_module(place).run(args)
    return code


def _say(args: argparse.Namespace, result: Mapping[str, Any], words: str) -> int:
    print(json.dumps(result) if args.json else words)
    return UNDONE if result["goals_missed"] else DONE


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
    "rounds": partial(_run, "sync.bench_rounds"),
    "quality": partial(_run, "sync.bench_quality"),
    "grade": partial(_run, "sync.bench_grade"),
    "start": partial(_run, "sync.bench_start"),
    "alert": partial(_run, "sync.bench_alert"),
    "bytes": partial(_run, "sync.bench_bytes"),
    "fleet": partial(_run, "sync.bench_fleet"),
    "map": partial(_run, "sync.bench_map"),
    "model": _bench_model,
}
