"""`ronde bench NAME`: which bench takes which options, and how its result is printed."""

import argparse
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TextIO

from provisioning.settings import read_settings
from sync import bench, bench_findings, bench_fleet, bench_map, bench_model, bench_outbox, bench_spacing, bench_street
from sync.bar import Bar
from sync.exit import DONE, OUR_FAULT, UNDONE
from sync.faults import programme

REFUSED = (
    bench_findings.BenchRefused,
    bench_model.BenchRefused,
    bench_outbox.BenchRefused,
    bench_spacing.BenchRefused,
    programme.FaultsRefused,
)
"""What is wrong with what a bench was given: one sentence, exit code 2."""

OPTIONS: Mapping[str, Sequence[str]] = {
    "line": ("drive", "config"),
    "spacing": ("seconds", "seeds"),
    "faults": ("only", "load", "seed"),
    "outbox": ("behind",),
    "street": ("hours", "pictures"),
    "findings": ("towns", "drawn"),
}
"""The options that belong to one bench alone; each is None where it was not given."""


def run_bench(args: argparse.Namespace) -> int:
    """Measure, print, and say by the exit code whether the goals are met."""
    for name, options in OPTIONS.items():
        for option in options:
            if name != args.name and getattr(args, option) is not None:
                raise bench_spacing.BenchRefused(f"--{option} belongs to bench {name}, not to bench {args.name}")
    return BENCHES[args.name](args)


def _bench_line(args: argparse.Namespace) -> int:
    result = bench.bench_line(args.drive, read_settings(args.config) if args.config else None)
    print(json.dumps(result) if args.json else bench.in_words(result))
    return DONE


def _bench_spacing(args: argparse.Namespace) -> int:
    seconds = bench_spacing.SECONDS if args.seconds is None else args.seconds
    seeds = bench_spacing.SEEDS if args.seeds is None else args.seeds
    with Bar("bench spacing") as progress:
        result = bench_spacing.bench_spacing(seconds, seeds, progress)
    print(json.dumps(result) if args.json else bench_spacing.in_words(result))
    return UNDONE if result["goals_missed"] else DONE


def _bench_faults(args: argparse.Namespace) -> int:
    seed = programme.SEED if args.seed is None else args.seed
    result = programme.bench_faults(
        args.only or (), args.load or "full", seed, lambda line: print(line, file=_told(args), flush=True)
    )
    print(json.dumps(result) if args.json else programme.in_words(result))
    return OUR_FAULT if result["failed"] else DONE


def _bench_street(args: argparse.Namespace) -> int:
    hours = bench_street.HOURS if args.hours is None else args.hours
    pictures = bench_street.PICTURES if args.pictures is None else args.pictures
    with Bar("bench street") as progress:
        result = bench_street.bench_street(hours, pictures, progress)
    print(json.dumps(result) if args.json else bench_street.in_words(result))
    return UNDONE if result["goals_missed"] else DONE


def _bench_findings(args: argparse.Namespace) -> int:
    towns = bench_findings.TOWNS if args.towns is None else args.towns
    drawn = bench_findings.DRAWN if args.drawn is None else args.drawn
    with Bar("bench findings") as progress:
        result = bench_findings.bench_findings(towns, drawn, progress)
    print(json.dumps(result) if args.json else bench_findings.in_words(result))
    return UNDONE if result["goals_missed"] else DONE


def _bench_model(args: argparse.Namespace) -> int:
    with Bar("bench model") as progress:
        result = bench_model.bench_model(progress)
    print(json.dumps(result) if args.json else bench_model.in_words(result))
    return UNDONE if result["goals_missed"] else DONE


def _bench_outbox(args: argparse.Namespace) -> int:
    result = bench_outbox.bench_outbox(bench_outbox.ROWS if args.behind is None else args.behind)
    print(json.dumps(result) if args.json else bench_outbox.in_words(result))
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
    "fleet": bench_fleet.command,
    "map": bench_map.run,
    "model": _bench_model,
}
