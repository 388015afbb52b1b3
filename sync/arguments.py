"""The command line of `ronde`: what each command is called, takes and does. docs/commands.md says the same."""

import argparse
from importlib.metadata import version
from pathlib import Path
from typing import Any

from provisioning.settings import DEFAULT_FILE
from sync.bench_findings import DRAWN, TOWNS
from sync.bench_outbox import ROWS
from sync.bench_spacing import SECONDS, SEEDS
from sync.bench_street import HOURS, PICTURES
from sync.calibrate_command import DOES as CALIBRATE_DOES
from sync.calibrate_command import add_calibrate_options
from sync.faults.programme import SEED
from sync.map.options import add_map_options
from sync.provision_arguments import DOES as PROVISION_DOES
from sync.provision_arguments import add_subcommands

EXIT_CODES = "exit codes: 0 done; 1 a fault of ronde's; 2 wrong use or wrong configuration; 3 something is still undone"


def build_parser() -> argparse.ArgumentParser:
    """The command line, whole."""
    parser = argparse.ArgumentParser(
        prog="ronde",
        description="The road survey of a town, on the car: a photo every four metres, people hidden before anything is written.",
        epilog=EXIT_CODES,
    )
    parser.add_argument("--version", action="version", version=f"ronde {version('ronde')}")
    commands = parser.add_subparsers(title="commands", dest="command", metavar="COMMAND", required=True)
    _add_demo(commands)
    _add_replay(commands)
    _add_capture(commands)
    _add_sync(commands)
    _add_receive(commands)
    _add_doctor(commands)
    _add_export(commands)
    _add_erase(commands)
    _add_calibrate(commands)
    add_subcommands(_add(commands, "provision", PROVISION_DOES), EXIT_CODES)
    _add_bench(commands)
    return parser


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
    command = _add(commands, "calibrate", CALIBRATE_DOES)
    add_calibrate_options(command)
    _add_json(command)


def _add_json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print the result as one JSON object and nothing else")


def _add_demo(commands: Any) -> None:
    command = _add(
        commands,
        "demo",
        "Drive a street that ronde draws itself, from the camera to the backend. Draws a recorded drive, replays it, delivers "
        "its events through a broker on this machine to the receiver, and says what came of it. Writes below --out.",
    )
    command.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="where to write (default: %(default)s)")
    command.add_argument("--seconds", type=float, default=60.0, help="length of the drive (default: %(default)g)")
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
    command = _add(
        commands,
        "export",
        "Findings or tracks as GeoJSON, or the photos as an image sequence. Reads ronde.db in DIR; writes --out, or prints.",
    )
    command.add_argument(
        "folder", type=Path, nargs="?", metavar="DIR", help="folder that holds ronde.db (default: the configuration's state)"
    )
    _add_config(command, DEFAULT_FILE)
    command.add_argument(
        "--to", choices=["geojson", "images"], default="geojson", help="format; images: geotagged photos (default: %(default)s)"
    )
    command.add_argument(
        "--layer", choices=["findings", "tracks"], default="findings", help="what is GeoJSON (default: %(default)s)"
    )
    command.add_argument("--out", type=Path, metavar="FILE", help="file to write (default: print it); images: a new folder")


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


def _add_bench(commands: Any) -> None:
    command = _add(
        commands,
        "bench",
        "The numbers that ronde is judged by, each by name. Reads a drive, or draws or simulates one; writes nothing that stays.",
    )
    command.add_argument(
        "name",
        choices=["line", "spacing", "faults", "outbox", "street", "model", "findings", "fleet", "map"],
        help="line: frames/s, CPU per frame by stage, share spent inside invoke(); "
        "spacing: gaps between photos against simulated truth, beside the naive trigger, 3 where a goal is missed; "
        "faults: the programme of faults, a table, 1 where a row fails; "
        "outbox: durable inserts/s, drain/s beside a bare publisher, bytes written, 3 where a goal is missed; "
        "street: how the simulated street is drawn, and recall on it beside recall on real pictures, 3 where a goal is missed; "
        "model: an invoke by threads and runtime, a look by stage with 0 to 4 vehicles in view, 3 where a goal is missed; "
        "findings: places, radii and merging on the street, with perfect boxes and with the model's, 3 where a goal is missed; "
        "fleet: 200 units and one or two receivers on SQLite or PostgreSQL: events/s, lag, one killed; 1 where an event is lost; "
        "map: how soon 10,000 findings and a filter are on the screen, in a real browser, 3 where a goal is missed",
    )
    line = command.add_argument_group("line")
    line.add_argument("--drive", type=Path, metavar="DRIVE", help="a recorded drive (default: one that is drawn)")
    _add_config(line, None)
    spacing = command.add_argument_group("spacing")
    spacing.add_argument("--seconds", type=float, metavar="S", help=f"length of each simulated drive (default: {SECONDS:g})")
    spacing.add_argument("--seeds", type=int, metavar="N", help=f"how many drives of each case (default: {SEEDS})")
    faults = command.add_argument_group("faults")
    faults.add_argument("--only", nargs="+", metavar="ROW", help="these rows (default: all)")
    faults.add_argument("--load", choices=["short", "full"], help="how many faults in each row (default: full)")
    faults.add_argument("--seed", type=int, metavar="N", help=f"of what is left to chance (default: {SEED})")
    outbox = command.add_argument_group("outbox")
    outbox.add_argument(
        "--behind", type=int, metavar="N", help=f"rows behind what is drained the second time (default: {ROWS:,})"
    )
    street = command.add_argument_group("street")
    street.add_argument("--hours", type=float, metavar="H", help=f"of driving over which memory is watched (default: {HOURS:g})")
    findings = command.add_argument_group("findings")
    findings.add_argument("--towns", type=int, metavar="N", help=f"driven with perfect boxes (default: {TOWNS})")
    findings.add_argument("--drawn", type=int, metavar="N", help=f"pictures drawn for the model (default: {DRAWN})")
    street.add_argument("--pictures", type=int, metavar="N", help=f"drawn for the models (default: {PICTURES})")
    _add_json(command)
