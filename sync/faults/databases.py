"""Damaged databases: set aside, salvaged, a new one in their place within seconds (`sync.damage` has the ways and the judge)."""

from sync.damage import damage_databases
from sync.faults.row import Plan, Row, Tally

TRIES = 2
"""Attempts for each damage that is to take effect: a byte may be flipped where nothing is written."""


def run(plan: Plan, tally: Tally) -> None:
    """So many databases, each damaged in one way and opened as the unit opens its own."""
    kinds: dict[str, list[float]] = {}
    for _ in range(TRIES):
        missing = plan.load - tally.injected
        if missing <= 0:
            break
        damages = damage_databases(plan.ground.folder, missing, seed=int(plan.rng.integers(2**31)))
        tally.injected += damages.hits
        tally.wrong += damages.wrong
        for case in damages.cases:
            kinds.setdefault(case.kind, []).append(case.ratio)
        tally.measured["set aside"] = tally.measured.get("set aside", 0) + sum(case.aside for case in damages.cases)
    tally.measured |= {f"salvaged, {kind}": f"{sum(ratios) / len(ratios):.0%}" for kind, ratios in kinds.items()}


ROW = Row("databases", "flips, truncations, a lost log, foreign and newer ones, a folder", short=26, full=260, needs=(), run=run)
