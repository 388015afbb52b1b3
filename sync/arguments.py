"""The command line of `ronde`: what each command is called, takes and does. docs/commands.md says the same."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from provisioning.settings import DEFAULT_FILE

EXIT_CODES = "exit codes: 0 done; 1 a fault of ronde's; 2 wrong use or wrong configuration; 3 something is still undone"


def build_parser(only: str | None = None) -> argparse.ArgumentParser:
    """The command line: whole, or with the one command that is called, so that what the others need is not imported."""
    parser = argparse.ArgumentParser(
        prog="ronde",
        description="The road survey of a town, on the car: a photo every four metres, people hidden before anything is written.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"ronde {version('ronde')}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    for name, add in ADDERS.items():
        if only in {None, name}:
            add(commands)
    return parser


def named_in(argv: Sequence[str]) -> str | None:
    """The command that a command line begins with; None where it begins with none."""
    return argv[0] if argv and argv[0] in ADDERS else None


def _add(commands: Any, name: str, does: str) -> argparse.ArgumentParser:
    """A command; `does` says what it does, reads and writes."""
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=does.split(". ", maxsplit=1)[0], description=does, epilog=EXIT_CODES
    )
    command.add_argument("--verbose", action="store_true", help="log one line per frame as well")
    return command


def _add_config(command: argparse._ActionsContainer, default: Path | None) -> None:
    command.add_argument(
        "--config", type=Path, default=default, metavar="FILE", help=f"configuration (default: {default or 'none'})"
    )


def _add_calibrate(commands: Any) -> None:
    from sync.calibrate_command import DOES, add_calibrate_options

    command = _add(commands, "calibrate", DOES)
    add_calibrate_options(command)
    _add_json(command)


def _add_audit(commands: Any) -> None:
    from sync.audit_command import DOES, add_audit_options

    command = _add(commands, "audit", DOES)
    add_audit_options(command)
    _add_json(command)


def _add_bench(commands: Any) -> None:
    from sync.bench_arguments import DOES, add_bench_options

    command = _add(commands, "bench", DOES)
    add_bench_options(command)
    _add_json(command)


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print the result as one JSON object and nothing else")


def _add_demo(commands: Any) -> None:
    from sync.demo_options import DOES, add_demo_options

    command = _add(commands, "demo", DOES)
    add_demo_options(command)
    _add_json(command)


def _add_replay(commands: Any) -> None:
    command = _add(
        commands,
        "replay",
        "Drive a recorded drive through the same line as in the car. Reads the folder DRIVE (docs/drives.md); writes ronde.db, "
        "frames/ and report.json below --out. With a configuration, its backends' events fill the outbox.",
    )
    command.add_argument("drive", type=Path, metavar="DRIVE", help="folder of a recorded drive, or of geotagged JPEGs")
    command.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write into; holds one drive")
    command.add_argument("--realtime", action="store_true", help="as fast as it was driven, not as fast as it goes")
    command.add_argument(
        "--plot", type=Path, metavar="FILE.svg", help="draw the distances between photos and the road; needs the extra [plot]"
    )
    _add_config(command, None)
    _add_json(command)


def _add_capture(commands: Any) -> None:
    command = _add(
        commands,
        "capture",
        "The round on the unit. Reads gpsd and the camera; writes photos and ronde.db below the configuration's state folder. "
        "Ends at SIGTERM or ctrl-C. Touches no network but gpsd.",
    )
    _add_config(command, DEFAULT_FILE)


def _add_sync(commands: Any) -> None:
    command = _add(
        commands,
        "sync",
        "Deliver the outbox to the backends of the configuration. Reads and empties the outbox of ronde.db; an event leaves it "
        "when its backend has confirmed it.",
    )
    command.add_argument("--once", action="store_true", help="end when the outbox is empty; 3 after 60 s without a confirmation")
    _add_config(command, DEFAULT_FILE)
    _add_json(command)


def _add_receive(commands: Any) -> None:
    from sync.map.options import add_map_options

    command = _add(
        commands,
        "receive",
        "The reference backend. Subscribes to the events of all units, stores each once, then acknowledges it. Writes the "
        "database of --db.",
    )
    command.add_argument("--broker", required=True, metavar="URL", help="mqtts://HOST:PORT, or mqtt:// on loopback")
    command.add_argument("--db", required=True, metavar="URL", help="sqlite:///FILE, or postgresql://USER@HOST/DATABASE")
    for name, what in (("ca", "authority of the broker's certificate"), ("cert", "own certificate"), ("key", "own key")):
        command.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"{what} (PEM), for mqtts://")
    command.add_argument(
        "--name", default="receiver", help="client id: keep it, it names the broker's session (default: %(default)s)"
    )
    command.add_argument("--share", metavar="NAME", help="divide the events among all receivers with this NAME and one --db")
    add_map_options(command)


def _add_doctor(commands: Any) -> None:
    command = _add(
        commands,
        "doctor",
        "Check this unit: each check with its reason and what to do. Reads everything, writes nothing. 3 if one fails.",
    )
    _add_config(command, DEFAULT_FILE)
    _add_json(command)


def _add_export(commands: Any) -> None:
    from sync.export_command import DOES, add_export_options

    add_export_options(_add(commands, "export", DOES))


def _add_judge(commands: Any) -> None:
    from sync.judge_command import DOES, add_judge_options

    command = _add(commands, "judge", DOES)
    add_judge_options(command)
    _add_json(command)


def _add_erase(commands: Any) -> None:
    command = _add(
        commands,
        "erase",
        "Erase every photo, place, time and waiting event of this unit, and say what was erased. Reads the configuration; writes "
        "the state folder. Refuses while a capture or a sync runs, and asks first. 3 if the answer was no.",
    )
    command.add_argument("--yes", action="store_true", help="do not ask")
    _add_config(command, DEFAULT_FILE)
    _add_json(command)


def _add_panel(commands: Any) -> None:
    from sync.panel_command import DOES, add_panel_options

    add_panel_options(_add(commands, "panel", DOES))


def _add_patrol(commands: Any) -> None:
    from sync.patrol_command import DOES, add_patrol_options

    add_patrol_options(_add(commands, "patrol", DOES))


def _add_provision(commands: Any) -> None:
    from sync.provision_arguments import DOES, add_subcommands

    add_subcommands(_add(commands, "provision", DOES), EXIT_CODES)


ADDERS: Final[Mapping[str, Callable[[Any], None]]] = {
    "demo": _add_demo,
    "replay": _add_replay,
    "capture": _add_capture,
    "sync": _add_sync,
    "receive": _add_receive,
    "panel": _add_panel,
    "patrol": _add_patrol,
    "doctor": _add_doctor,
    "export": _add_export,
    "judge": _add_judge,
    "erase": _add_erase,
    "audit": _add_audit,
    "calibrate": _add_calibrate,
    "provision": _add_provision,
    "bench": _add_bench,
}
"""Each command, in the order of `ronde --help`."""
