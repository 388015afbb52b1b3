"""The programme's table: a line for each row as it ends, and all of them at the end."""

from collections.abc import Mapping, Sequence
from typing import Any

from sync.faults.row import Result

HEADING = ("row", "load", "took effect", "committed", "lost", "twice", "verdict", "seconds")
WIDTHS = (12, 8, 12, 10, 6, 6, 9, 9)


def heading() -> str:
    """The names of the columns."""
    return _aligned(HEADING)


def line(result: Result) -> str:
    """A row, what was measured in it, and what went wrong."""
    cells = (
        result.row,
        result.load,
        result.injected,
        result.committed,
        result.lost,
        result.twice,
        result.verdict,
        result.seconds,
    )
    told = [_aligned(cells)]
    if result.measured:
        told.append("    " + ", ".join(f"{name} {value}" for name, value in result.measured.items()))
    told += [f"    {result.verdict}: {reason}" for reason in result.reasons]
    return "\n".join(told)


def _aligned(cells: Sequence[object]) -> str:
    first, *others = zip(cells, WIDTHS, strict=True)
    return f"{first[0]:<{first[1]}}" + "".join(f"{cell!s:>{width}}" for cell, width in others)


def in_words(results: Mapping[str, Any]) -> str:
    """The last line: how many rows came out how."""
    rows = results["rows"]
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in ("passed", "failed", "skipped")}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) + f" (seed {results['seed']})"
