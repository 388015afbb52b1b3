"""The options of `ronde demo`. Imports nothing that serves a map or draws a street: a unit has no use for it."""

import argparse
from pathlib import Path
from typing import Final

DOES: Final = (
    "See all of ronde on this machine: a car drives two rounds of a street that ronde draws, and the town's map fills. Photos, "
    "hiding, findings, outbox, broker, receiver and map are those of a town; what is found is compared with what is there. "
    "Writes below --out; a finished demo there is shown again."
)
METRES: Final = 1000.0
LEAST_M, MOST_M = 40.0, 2500.0


class DemoRefused(Exception):
    """The demo cannot be driven like this; one sentence that says why."""


def add_demo_options(command: argparse.ArgumentParser) -> None:
    """The options of the command."""
    command.add_argument("--out", type=Path, default=Path("demo"), metavar="DIR", help="where to write (default: %(default)s)")
    command.add_argument(
        "--metres",
        type=float,
        default=METRES,
        metavar="M",
        help=f"length of each of the two rounds, {LEAST_M:g} to {MOST_M:g} (default: %(default)g)",
    )
    command.add_argument("--no-browser", action="store_true", help="do not open the map in a browser: its address is printed")
    command.add_argument(
        "--no-wait", action="store_true", help="end after the summary; without a terminal, and with --json, it always does"
    )
