"""`ronde`: the one command, for a person."""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from provisioning.log import set_up
from sync.arguments import build_parser, named_in
from sync.exit import DONE, OUR_FAULT, UNDONE, WRONG_USE

REFUSED: Final = (
    "device.drive_frames.DriveRefused",
    "inference.manifest.ModelRefused",
    "provisioning.table.SettingsError",
    "sync.audit_check.AuditRefused",
    "sync.bench_alert.BenchRefused",
    "sync.bench_findings.BenchRefused",
    "sync.bench_model.BenchRefused",
    "sync.bench_outbox.BenchRefused",
    "sync.bench_spacing.BenchRefused",
    "sync.bench_start.StartRefused",
    "sync.calibrate.CalibrationRefused",
    "sync.demo_options.DemoRefused",
    "sync.erase.EraseRefused",
    "sync.judge_command.JudgeRefused",
    "sync.layers.ExportRefused",
    "sync.failure.DatabaseRefused",
    "sync.faults.programme.FaultsRefused",
    "sync.map.options.MapRefused",
    "sync.panel.refusal.PanelRefused",
    "sync.patrol_command.REFUSED",
    "sync.plot.PlotRefused",
    "sync.provision.REFUSED",
    "sync.receiver.service.ReceiverRefused",
    "sync.replay.ReplayRefused",
    "sync.rounds.AlreadyRunning",
)
"""What is wrong with what ronde was given: one sentence, exit code 2. By name, since a command imports only what it needs."""
FAILED: Final = ("sync.failure.DatabaseFailed",)
"""A fault of ours, or of the disk's: one sentence, exit code 1."""
STALLED: Final = ("device.camera.CameraStalled",)


def of(places: Sequence[str]) -> tuple[type[Exception], ...]:
    """The exceptions at these places, as far as their modules are imported: others cannot have been raised."""
    found: list[type[Exception]] = []
    for place in places:
        module, _, name = place.rpartition(".")
        if module in sys.modules:
            there = getattr(sys.modules[module], name)
            found += there if isinstance(there, tuple) else (there,)
    return tuple(found)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    given = sys.argv[1:] if argv is None else list(argv)
    args = build_parser(named_in(given)).parse_args(given)
    set_up("debug" if args.verbose else "info")
    try:
        return COMMANDS[args.command](args)
    except of(REFUSED) as error:
        print(f"ronde: {error}", file=sys.stderr)
        return WRONG_USE
    except of(FAILED) as error:
        print(f"ronde: {error}", file=sys.stderr)
        return OUR_FAULT
    except of(STALLED) as error:
        print(f"ronde: the camera does not come back: {error}", file=sys.stderr)
        return OUR_FAULT
    except KeyboardInterrupt:
        print("ronde: interrupted", file=sys.stderr)
        return OUR_FAULT


def _demo(args: argparse.Namespace) -> int:
    from sync.demo_command import run_demo_command

    return run_demo_command(args, _until_told)


def _replay(args: argparse.Namespace) -> int:
    from provisioning.settings import read_settings
    from sync.bar import Bar
    from sync.plot import check_plot, plot_round
    from sync.replay import replay
    from sync.report import in_words

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
    from provisioning.settings import read_settings
    from provisioning.supervisor import Supervisor
    from sync.capture import run_capture

    run_capture(read_settings(args.config), _until_told(), Supervisor().alive)
    return DONE


def _sync(args: argparse.Namespace) -> int:
    from provisioning.settings import read_settings
    from provisioning.supervisor import Supervisor
    from sync.delivery import deliver_once, run_sync
    from sync.rounds import only_one

    settings = read_settings(args.config)
    with only_one(settings.unit.state, "sync"):
        if not args.once:
            run_sync(settings, _until_told(), alive=Supervisor().alive)
            return DONE
        deliveries = deliver_once(settings, stop=_until_told())
    print(json.dumps(deliveries.as_json()) if args.json else deliveries.in_words())
    return DONE if deliveries.done else UNDONE


def _receive(args: argparse.Namespace) -> int:
    from sync.receiver import run_receiver

    with _map_of(args):
        papers = {"ca": args.ca, "cert": args.cert, "key": args.key}
        run_receiver(args.broker, db_url=args.db, stop=_until_told(), **papers, name=args.name, share=args.share)
    return DONE


def _map_of(args: argparse.Namespace) -> AbstractContextManager[object]:
    """The map beside the receiver, where it is asked for."""
    from sync.map.options import map_options

    options = map_options(args)
    if options is None:
        return nullcontext()
    from sync.map.server import map_place, serving_map

    return serving_map(args.db, map_place(**options))


def _doctor(args: argparse.Namespace) -> int:
    from provisioning.settings import read_settings
    from sync.doctor import check_unit

    checks = check_unit(read_settings(args.config))
    if args.json:
        print(json.dumps({"checks": [check.as_json() for check in checks]}))
    else:
        for check in checks:
            print(check.in_words())
    return UNDONE if any(check.state == "failed" for check in checks) else DONE


def _provision(args: argparse.Namespace) -> int:
    from sync.provision import run_provision

    return run_provision(args, _until_told)


def _panel(args: argparse.Namespace) -> int:
    from sync.panel_command import run_panel

    return run_panel(args, _until_told)


def _patrol(args: argparse.Namespace) -> int:
    from sync.patrol_command import run_patrol

    return run_patrol(args)


def _calibrate(args: argparse.Namespace) -> int:
    from sync.calibrate_command import run_calibrate

    result = run_calibrate(args, _until_told)
    print(json.dumps(result.as_json()) if args.json else result.in_words())
    return DONE


def _export(args: argparse.Namespace) -> int:
    from sync.export_command import run_export

    return run_export(args)


def _judge(args: argparse.Namespace) -> int:
    from sync.judge_command import run_judge

    return run_judge(args)


def _audit(args: argparse.Namespace) -> int:
    from sync.audit_command import run_audit

    return run_audit(args)


def _erase(args: argparse.Namespace) -> int:
    from sync.erase import run_erase

    return run_erase(args)


def _bench(args: argparse.Namespace) -> int:
    from sync.benches import run_bench

    return run_bench(args)


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
    "patrol": _patrol,
    "calibrate": _calibrate,
    "doctor": _doctor,
    "export": _export,
    "judge": _judge,
    "audit": _audit,
    "erase": _erase,
    "provision": _provision,
    "bench": _bench,
}


if __name__ == "__main__":
    sys.exit(main())
