"""`ronde`: the one command, for a person."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TextIO

from device.camera import CameraStalled
from device.drive import DriveRefused
from inference.manifest import ModelRefused
from provisioning.log import set_up
from provisioning.settings import read_settings
from provisioning.supervisor import Supervisor
from provisioning.table import SettingsError
from sync import bench, bench_findings, bench_fleet, bench_map, bench_model, bench_outbox, bench_spacing, bench_street, demo
from sync.arguments import build_parser
from sync.bar import Bar
from sync.calibrate import CalibrationRefused
from sync.calibrate_command import run_calibrate
from sync.capture import run_capture
from sync.delivery import deliver_once, run_sync
from sync.doctor import check_unit
from sync.erase import EraseRefused, run_erase
from sync.export import ExportRefused, export_findings, export_tracks
from sync.failure import DatabaseFailed, DatabaseRefused
from sync.faults import programme
from sync.map.options import MapRefused, map_options
from sync.plot import PlotRefused, check_plot, plot_round
from sync.provision import REFUSED as PROVISION_REFUSED
from sync.provision import run_provision
from sync.receiver import ReceiverRefused, run_receiver
from sync.replay import ReplayRefused, replay
from sync.report import in_words
from sync.rounds import AlreadyRunning, only_one
from sync.sequence import export_images

DONE, OUR_FAULT, WRONG_USE, UNDONE = 0, 1, 2, 3

REFUSED = (
    AlreadyRunning,
    bench_model.BenchRefused,
    bench_findings.BenchRefused,
    bench_outbox.BenchRefused,
    bench_spacing.BenchRefused,
    CalibrationRefused,
    DatabaseRefused,
    DriveRefused,
    EraseRefused,
    ExportRefused,
    MapRefused,
    ModelRefused,
    PlotRefused,
    programme.FaultsRefused,
    ReceiverRefused,
    ReplayRefused,
    SettingsError,
    *PROVISION_REFUSED,
)
"""What is wrong with what ronde was given: one sentence, exit code 2."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    args = build_parser().parse_args(argv)
    set_up("debug" if args.verbose else "info")
    try:
        return COMMANDS[args.command](args)
    except REFUSED as error:
        print(f"ronde: {error}", file=sys.stderr)
        return WRONG_USE
    except DatabaseFailed as error:
        print(f"ronde: {error}", file=sys.stderr)
        return OUR_FAULT
    except CameraStalled as error:
        print(f"ronde: the camera does not come back: {error}", file=sys.stderr)
        return OUR_FAULT
    except KeyboardInterrupt:
        print("ronde: interrupted", file=sys.stderr)
        return OUR_FAULT


def _demo(args: argparse.Namespace) -> int:
    result = demo.run_demo(args.out, args.seconds, say=lambda line: print(line, file=sys.stderr))
    print(json.dumps(result) if args.json else demo.in_words(result))
    return DONE if result["done"] else UNDONE


def _replay(args: argparse.Namespace) -> int:
    settings = read_settings(args.config) if args.config else None
    if args.plot is not None:
        check_plot(args.plot)
    with Bar("replay") as progress:
        report = replay(args.drive, args.out, settings, realtime=args.realtime, progress=progress)
    if args.plot is not None:
        plot_round(args.out / "ronde.db", report, args.plot)
    print(json.dumps(report) if args.json else in_words(report))
    return DONE


def _capture(args: argparse.Namespace) -> int:
    run_capture(read_settings(args.config), _until_told(), Supervisor().alive)
    return DONE


def _sync(args: argparse.Namespace) -> int:
    settings = read_settings(args.config)
    with only_one(settings.unit.state, "sync"):
        if not args.once:
            run_sync(settings, _until_told(), alive=Supervisor().alive)
            return DONE
        deliveries = deliver_once(settings, stop=_until_told())
    print(json.dumps(deliveries.as_json()) if args.json else deliveries.in_words())
    return DONE if deliveries.done else UNDONE


def _receive(args: argparse.Namespace) -> int:
    with _map_of(args):
        papers = {"ca": args.ca, "cert": args.cert, "key": args.key}
        run_receiver(args.broker, db_url=args.db, stop=_until_told(), **papers, name=args.name, share=args.share)
    return DONE


def _map_of(args: argparse.Namespace) -> AbstractContextManager[object]:
    """The map beside the receiver, where it is asked for."""
    options = map_options(args)
    if options is None:
        return nullcontext()
    from sync.map.server import map_place, serving_map  # noqa: PLC0415 - a unit, which serves none, starts sooner without

    return serving_map(args.db, map_place(**options))


def _doctor(args: argparse.Namespace) -> int:
    checks = check_unit(read_settings(args.config))
    if args.json:
        print(json.dumps({"checks": [check.as_json() for check in checks]}))
    else:
        for check in checks:
            print(check.in_words())
    return UNDONE if any(check.state == "failed" for check in checks) else DONE


def _provision(args: argparse.Namespace) -> int:
    return run_provision(args, _until_told)


def _calibrate(args: argparse.Namespace) -> int:
    result = run_calibrate(args, _until_told)
    print(json.dumps(result.as_json()) if args.json else result.in_words())
    return DONE


def _export(args: argparse.Namespace) -> int:
    folder = args.folder or read_settings(args.config).unit.state
    if args.to == "images":
        if args.out is None:
            raise ExportRefused("--to images needs --out, a new folder for them")
        print(export_images(folder, args.out).in_words())
        return DONE
    export = export_findings if args.layer == "findings" else export_tracks
    text = json.dumps(export(folder / "ronde.db"), ensure_ascii=False)
    if args.out is None:
        print(text)
    else:
        args.out.write_text(text + "\n", encoding="utf-8")
    return DONE


OPTIONS: Mapping[str, Sequence[str]] = {
    "line": ("drive", "config"),
    "spacing": ("seconds", "seeds"),
    "faults": ("only", "load", "seed"),
    "outbox": ("behind",),
    "street": ("hours", "pictures"),
    "findings": ("towns", "drawn"),
}
"""The options that belong to one bench alone; each is None where it was not given."""


def _bench(args: argparse.Namespace) -> int:
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


def _until_told() -> threading.Event:
    """An event that SIGTERM and ctrl-C set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


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

COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "demo": _demo,
    "replay": _replay,
    "capture": _capture,
    "sync": _sync,
    "receive": _receive,
    "calibrate": _calibrate,
    "doctor": _doctor,
    "export": _export,
    "erase": run_erase,
    "provision": _provision,
    "bench": _bench,
}


if __name__ == "__main__":
    sys.exit(main())
