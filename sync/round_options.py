"""The options of `ronde bench rounds`, and what they are where nobody says. Nothing heavy is imported for them."""

import argparse
from typing import Final

TOWNS, DRAWN, ROUNDS = 16, 400, 500
"""Towns that are driven around twice with perfect boxes, pictures drawn of each round of the first, and rounds in bulk."""
FINDINGS: Final = 2_000
"""Of each round in bulk."""
DATABASES: Final = ("sqlite", "postgresql")


def add_round_options(command: argparse.ArgumentParser) -> None:
    """Adds the options that belong to this bench alone."""
    group = command.add_argument_group("rounds")
    group.add_argument(
        "--rounds", type=int, metavar="N", help=f"joined in bulk, of {FINDINGS:,} findings each (default: {ROUNDS})"
    )
    group.add_argument("--database", choices=DATABASES, help="of the rounds in bulk (default: sqlite)")
