"""Writes the table of docs/programme.md from what the programme itself has told.

Usage: python docs/measured.py RESULT.json...
Each is the output of `ronde bench faults --load full --json`. Of a row that stands in several, the latest counts.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sync.faults.programme import ROWS

PAGE: Final = Path(__file__).parent / "programme.md"
HEADING: Final = "## Measured\n"
COLUMNS: Final = ("row", "injected", "took effect", "committed", "lost", "twice", "result", "took", "begun (UTC)", "commit")

Measured = Mapping[str, Any]


def latest(results: Sequence[Measured]) -> list[Measured]:
    """The rows in the programme's order, each with when it began and of which commit it is."""
    found: dict[str, Measured] = {}
    for result in sorted(results, key=lambda result: result["begun_at"]):
        for row in result["rows"]:
            found[row["row"]] = row | {name: result[name] for name in ("begun_at", "commit", "seed")}
    return [found[row.name] for row in ROWS if row.name in found]


def section(rows: Sequence[Measured]) -> str:
    """The text below the heading."""
    seeds = sorted({row["seed"] for row in rows})
    missing = [f"`{row.name}`" for row in ROWS if row.name not in {each["row"] for each in rows}]
    told = [
        f"`nice -n 15 ronde bench faults --only ROW --load full --json`, seed {', '.join(map(str, seeds))}, on two x86-64 cores",
        "that other work shared. `docs/measured.py` has made this table of what the command printed. A `+` behind a commit: with",
        "changes that were not committed yet.\n",
        "| " + " | ".join(COLUMNS) + " |",
        "|" + "---|" * len(COLUMNS),
        *(_line(row) for row in rows),
        "",
        *(_details(row) for row in rows if row["measured"]),
    ]
    if missing:
        told.append(f"\nNot measured at their full load yet: {', '.join(missing)}.")
    return "\n".join(told) + "\n"


def _line(row: Measured) -> str:
    cells = (
        f"`{row['row']}`",
        f"{row['load']:,}",
        f"{row['injected']:,}",
        f"{row['committed']:,}" if row["committed"] else "",
        row["lost"],
        row["twice"],
        row["verdict"],
        _took(row["seconds"]),
        row["begun_at"][:16].replace("T", " "),
        row["commit"],
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _took(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _details(row: Measured) -> str:
    return f"- `{row['row']}`: " + "; ".join(f"{name} {value}" for name, value in row["measured"].items()) + "."


def main() -> None:
    """Replace what stands below the heading."""
    rows = latest([json.loads(Path(file).read_text(encoding="utf-8")) for file in sys.argv[1:]])
    before, _, after = PAGE.read_text(encoding="utf-8").partition(HEADING)
    _, mark, rest = after.partition("\n## ")
    PAGE.write_text(f"{before}{HEADING}\n{section(rows)}{mark}{rest}", encoding="utf-8")


if __name__ == "__main__":
    main()
