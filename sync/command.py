"""`ronde`: the one command, for a person."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

from device.camera import CameraStalled
from device.drive import DriveRefused
from inference.manifest import ModelRefused
from provisioning.log import set_up
from provisioning.settings import read_settings
from provisioning.supervisor import Supervisor
from provisioning.table import SettingsError
from sync.arguments import build_parser
from sync.audit_check import AuditRefused
from sync.audit_command import run_audit
from sync.bar import Bar
from sync.benches import REFUSED as BENCH_REFUSED
from sync.benches import run_bench
from sync.calibrate import CalibrationRefused
from sync.calibrate_command import run_calibrate
from sync.capture import run_capture
from sync.delivery import deliver_once, run_sync
from sync.demo_options import DemoRefused
from sync.doctor import check_unit
from sync.erase import EraseRefused, run_erase
from sync.exit import DONE, OUR_FAULT, UNDONE, WRONG_USE
from sync.export import ExportRefused, export_findings, export_tracks
from sync.failure import DatabaseFailed, DatabaseRefused
from sync.map.options import MapRefused, map_options
from sync.panel.refusal import PanelRefused
from sync.panel_command import run_panel
from sync.plot import PlotRefused, check_plot, plot_round
from sync.provision import REFUSED as PROVISION_REFUSED
from sync.provision import run_provision
from sync.receiver import ReceiverRefused, run_receiver
from sync.replay import ReplayRefused, replay
from sync.report import in_words
from sync.rounds import AlreadyRunning, only_one
from sync.sequence import export_images

REFUSED = (
    AlreadyRunning,
    AuditRefused,
    CalibrationRefused,
    DatabaseRefused,
    DemoRefused,
    DriveRefused,
    EraseRefused,
    ExportRefused,
    MapRefused,
    ModelRefused,
    PanelRefused,
    PlotRefused,
    ReceiverRefused,
    ReplayRefused,
    SettingsError,
    *BENCH_REFUSED,
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
    from sync.demo_command import run_demo_command  # noqa: PLC0415 - it serves a map and draws a street: a unit starts sooner

    return run_demo_command(args, _until_told)


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


def _panel(args: argparse.Namespace) -> int:
    return run_panel(args, _until_told)


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


def _until_told() -> threading.Event:
    """An event that SIGTERM and ctrl-C set."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop


COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "demo": _demo,
    "replay": _replay,
    "capture": _capture,
    "sync": _sync,
    "receive": _receive,
    "panel": _panel,
    "calibrate": _calibrate,
    "doctor": _doctor,
    "export": _export,
    "audit": run_audit,
    "erase": run_erase,
    "provision": _provision,
    "bench": run_bench,
}


if __name__ == "__main__":
    sys.exit(main())
