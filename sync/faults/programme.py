"""`ronde bench faults`: the rows, one after the other, each in a place of its own."""

import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import numpy as np

from sync.faults import (
    brokers,
    clocks,
    commands,
    cuts,
    databases,
    disks,
    images,
    io_errors,
    kills,
    links,
    models,
    outage,
    receivers,
    soak,
    table,
    tls,
    writes,
)
from sync.faults.ground import TooLate, ground
from sync.faults.row import Load, Plan, Result, Row, RowFailed, Tally, result_of, skipped

ROWS: Final[tuple[Row, ...]] = (
    kills.ROW,
    writes.ROW,
    cuts.ROW,
    outage.ROW,
    brokers.ROW,
    links.ROW,
    disks.ROW,
    io_errors.ROW,
    clocks.ROW,
    databases.ROW,
    models.ROW,
    receivers.ROW,
    commands.ROW,
    images.ROW,
    tls.ROW,
    soak.ROW,
)
"""In the order of the table in docs/programme.md."""

SEED = 1

WORLD: Final = (RowFailed, TooLate, sqlite3.DatabaseError, OSError)
"""What ends a row and no more than that row."""


class FaultsRefused(Exception):
    """The programme is asked for something that it does not have: one sentence."""


def bench_faults(only: Sequence[str], load: Load, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Run the rows named in `only` (all where empty); `say` is told each line as its row ends.

    Raises:
        FaultsRefused: there is no such row.
    """
    known = {row.name: row for row in ROWS}
    unknown = [name for name in only if name not in known]
    if unknown:
        raise FaultsRefused(f"there is no row {unknown[0]}; there are {', '.join(known)}")
    begun_at = datetime.now(timezone.utc).isoformat(timespec="seconds").replace("+00:00", "Z")
    of = {"software": version("ronde"), "commit": commit(), "begun_at": begun_at, "load": load, "seed": seed}
    # What ends by SIGTERM shall clean up as after ctrl-C.
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        say(table.heading())
        results = []
        for row in [known[name] for name in only] or ROWS:
            results.append(run_row(row, row.load(load), seed, full=load == "full"))
            say(table.line(results[-1]))
    finally:
        signal.signal(signal.SIGTERM, before)
    failed = any(result.verdict == "failed" for result in results)
    return {**of, "failed": failed, "rows": [result.as_json() for result in results]}


in_words = table.in_words


def run_row(row: Row, load: int, seed: int, *, full: bool = False) -> Result:
    """One row, whatever comes of it; what it started and mounted is gone afterwards."""
    missing = [sentence for need in row.needs if (sentence := need.missing()) is not None]
    if missing:
        return skipped(row, load, missing[0])
    tally, begun_s = Tally(), time.monotonic()
    with ground() as place:
        try:
            row.run(Plan(load, np.random.default_rng(seed), place, full=full), tally)
        except WORLD as error:
            tally.wrong.append(f"{error}; last said: {place.last_words()}")
    return result_of(row, load, tally, time.monotonic() - begun_s)


def commit() -> str | None:
    """The commit of the very code that runs, with a `+` where the files differ from it; None where it is not a git tree."""
    tree = Path(__file__).parents[2]
    if not (tree / ".git").exists() or shutil.which("git") is None:
        return None
    head = _git(tree, "rev-parse", "--short", "HEAD")
    return head + ("+" if _git(tree, "status", "--porcelain", "--untracked-files=no") else "") if head else None


def _git(tree: Path, *words: str) -> str:
    return subprocess.run(("git", "-C", str(tree), *words), capture_output=True, text=True, check=False).stdout.strip()


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt
