"""The options of `ronde bench`, each with the bench that it belongs to."""

import argparse
import importlib
from pathlib import Path
from typing import Any, Final

from sync.round_options import add_round_options

DOES: Final = (
    "The numbers that ronde is judged by, each by name. Reads a drive, or draws or simulates one; writes nothing that stays."
)


class _Default:
    """A constant of a bench, looked up when the help is printed: the benches import all that ronde has."""

    def __init__(self, place: str, form: str = "") -> None:
        self._module, _, self._name = place.rpartition(".")
        self._form = form

    def __str__(self) -> str:
        return format(getattr(importlib.import_module(self._module), self._name), self._form)


class _Shown(argparse.Action):
    """Stores a value; `shown` stands in its help."""

    def __init__(self, *arguments: Any, shown: _Default, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.shown = shown

    def __call__(self, _parser: Any, namespace: argparse.Namespace, values: Any, _option: str | None = None) -> None:
        setattr(namespace, self.dest, values)


MEASURES: Final = {
    "line": "frames/s, CPU per frame by stage, share spent inside invoke()",
    "spacing": "gaps between photos against simulated truth, beside the naive trigger, 3 where a goal is missed",
    "faults": "the programme of faults, a table, 1 where a row fails",
    "outbox": "durable inserts/s, drain/s beside a bare publisher, bytes written, 3 where a goal is missed",
    "street": "how the simulated street is drawn, and recall on it beside recall on real pictures, 3 where a goal is missed",
    "model": "an invoke by threads and runtime, a look by stage with 0 to 4 vehicles in view, 3 where a goal is missed",
    "findings": "places, radii and merging on the street, with perfect boxes and with the model's, 3 where a goal is missed",
    "rounds": "what is new, repaired and unchanged between two rounds, a million findings joined, 3 where a goal is missed",
    "quality": "each reason for which a photo grades nothing, in all weathers of the street, 3 where a goal is missed",
    "grade": "grades with perfect boxes beside those of the truth, 3 where a goal is missed",
    "start": "from the start of `ronde capture` to its first photo, and from SIGTERM to its end, 3 where a goal is missed",
    "alert": "from the first frame of a fire to the broker, with a backlog in the way, 3 where the goal is missed",
    "bytes": "what a kilometre costs over the air, events and pictures, 3 where a goal is missed",
    "fleet": "200 units and one or two receivers on SQLite or PostgreSQL: events/s, lag, one killed; 1 where an event is lost",
    "map": "how soon 10,000 findings and a filter are on the screen, in a real browser, 3 where a goal is missed",
}
"""What each measures."""


def add_bench_options(command: argparse.ArgumentParser) -> None:
    """Adds the bench's name and the options of all benches; each is None where it was not given."""
    command.add_argument(
        "name",
        choices=list(MEASURES),
        help="; ".join(f"{name}: {does}" for name, does in MEASURES.items()),
    )
    line = command.add_argument_group("line")
    line.add_argument("--drive", type=Path, metavar="DRIVE", help="a recorded drive (default: one that is drawn)")
    line.add_argument("--config", type=Path, metavar="FILE", help="configuration (default: none)")
    spacing = command.add_argument_group("spacing")
    _add_number(
        spacing,
        "--seconds",
        float,
        _Default("sync.bench_spacing.SECONDS", "g"),
        "length of each simulated drive (default: %(shown)s)",
    )
    _add_number(
        spacing, "--seeds", int, _Default("sync.bench_spacing.SEEDS"), "how many drives of each case (default: %(shown)s)"
    )
    faults = command.add_argument_group("faults")
    faults.add_argument("--only", nargs="+", metavar="ROW", help="these rows (default: all)")
    faults.add_argument("--load", choices=["short", "full"], help="how many faults in each row (default: full)")
    _add_number(faults, "--seed", int, _Default("sync.faults.programme.SEED"), "of what is left to chance (default: %(shown)s)")
    outbox = command.add_argument_group("outbox")
    _add_number(
        outbox,
        "--behind",
        int,
        _Default("sync.bench_outbox.ROWS", ","),
        "rows behind what is drained the second time (default: %(shown)s)",
    )
    street = command.add_argument_group("street")
    _add_number(
        street,
        "--hours",
        float,
        _Default("sync.bench_street.HOURS", "g"),
        "of driving over which memory is watched (default: %(shown)s)",
    )
    _add_number(street, "--pictures", int, _Default("sync.bench_street.PICTURES"), "drawn for the models (default: %(shown)s)")
    findings = command.add_argument_group("findings, rounds, quality, grade")
    _add_number(
        findings,
        "--towns",
        int,
        _Default("sync.bench_findings.TOWNS"),
        "towns that are driven (default: %(shown)s; quality 3, grade 8)",
    )
    _add_number(
        findings, "--drawn", int, _Default("sync.bench_findings.DRAWN"), "pictures drawn for the model (default: %(shown)s)"
    )
    add_round_options(command)
    start = command.add_argument_group("start")
    _add_number(start, "--starts", int, _Default("sync.bench_start.STARTS"), "of the capture (default: %(shown)s)")


def _add_number(group: Any, option: str, kind: type, default: _Default, does: str) -> None:
    metavar = {"seconds": "S", "hours": "H"}.get(option.removeprefix("--"), "N")
    group.add_argument(option, type=kind, metavar=metavar, action=_Shown, shown=default, help=does)
