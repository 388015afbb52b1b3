"""One row of the programme: what is broken how often, and what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from sync.faults.ground import Ground
from sync.faults.need import Need

Load = Literal["short", "full"]
Verdict = Literal["passed", "failed", "skipped"]
Rng = np.random.Generator

MOST_SENTENCES: Final = 5
"""Of what went wrong, in the table; how many more there are is said."""


class RowFailed(Exception):
    """A row could not go on, or broke a promise at once: one sentence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a row is asked to do: `load` faults that take effect, chosen by `rng`, below `ground.folder`."""

    load: int
    rng: Rng
    ground: Ground
    full: bool = False


@dataclass(slots=True)
class Tally:
    """What a row has seen: `injected` counts the faults that took effect, `wrong` has one sentence for each broken promise."""

    injected: int = 0
    committed: int = 0
    lost: int = 0
    twice: int = 0
    wrong: list[str] = field(default_factory=list)
    measured: dict[str, Any] = field(default_factory=dict)

    def check(self, promise: bool, sentence: str) -> None:
        """Note a promise that was not kept."""
        if not promise:
            self.wrong.append(sentence)


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of fault. `run` fills the tally; it raises `RowFailed` where it cannot go on."""

    name: str
    what: str
    short: int
    full: int
    needs: tuple[Need, ...]
    run: Callable[[Plan, Tally], None]

    def load(self, load: Load) -> int:
        """How many faults."""
        return self.short if load == "short" else self.full


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a row."""

    row: str
    load: int
    injected: int
    committed: int
    lost: int
    twice: int
    verdict: Verdict
    seconds: float
    reasons: tuple[str, ...] = ()
    measured: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        names = ("row", "load", "injected", "committed", "lost", "twice", "verdict", "seconds")
        return {name: getattr(self, name) for name in names} | {"reasons": list(self.reasons), "measured": dict(self.measured)}


def result_of(row: Row, load: int, tally: Tally, seconds: float) -> Result:
    """The verdict: every promise kept, nothing lost, nothing twice, and as many faults took effect as were asked for."""
    wrong = list(tally.wrong)
    if tally.lost or tally.twice:
        wrong.append(f"{tally.lost} lost, {tally.twice} twice")
    if tally.injected < load:
        wrong.append(f"only {tally.injected} of {load} faults took effect")
    more = len(wrong) - MOST_SENTENCES
    reasons = (*wrong[:MOST_SENTENCES], f"and {more} more") if more > 0 else tuple(wrong)
    return Result(
        row=row.name,
        load=load,
        injected=tally.injected,
        committed=tally.committed,
        lost=tally.lost,
        twice=tally.twice,
        verdict="failed" if wrong else "passed",
        seconds=round(seconds, 1),
        reasons=reasons,
        measured=dict(tally.measured),
    )


def skipped(row: Row, load: int, reason: str) -> Result:
    """A row that cannot be tried here: it counts as neither passed nor failed."""
    return Result(row.name, load, 0, 0, 0, 0, "skipped", 0.0, (reason,))
