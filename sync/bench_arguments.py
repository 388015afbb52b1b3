"""The options of `ronde bench`, each with the bench that it belongs to."""

import argparse
from pathlib import Path
from typing import Final

from sync.bench_findings import DRAWN, TOWNS
from sync.bench_outbox import ROWS
from sync.bench_spacing import SECONDS, SEEDS
from sync.bench_street import HOURS, PICTURES
from sync.faults.programme import SEED

DOES: Final = (
    "The numbers that ronde is judged by, each by name. Reads a drive, or draws or simulates one; writes nothing that stays."
)


def add_bench_options(command: argparse.ArgumentParser) -> None:
    """Adds the bench's name and the options of all benches; each is None where it was not given."""
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
    line.add_argument("--config", type=Path, metavar="FILE", help="configuration (default: none)")
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
    street.add_argument("--pictures", type=int, metavar="N", help=f"drawn for the models (default: {PICTURES})")
    findings = command.add_argument_group("findings")
    findings.add_argument("--towns", type=int, metavar="N", help=f"driven with perfect boxes (default: {TOWNS})")
    findings.add_argument("--drawn", type=int, metavar="N", help=f"pictures drawn for the model (default: {DRAWN})")
