"""What a round made of a thing, and what is remembered of a thing between rounds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Visited:
    """A row of `thing_history`, without its thing. `n` is the finding's number, 0 where nothing was found.

    Not found and no `reason`: it was in view, and `miss` is how likely a thing that is there is not found. `patch` is the id of a
    new patch where it was.
    """

    source: str
    round_id: str
    n: int
    at: str
    reason: str | None = None
    label: str | None = None
    score: float | None = None
    latitude_deg: float | None = None
    longitude_deg: float | None = None
    uncertainty_m: float | None = None
    aligned_latitude_deg: float | None = None
    aligned_longitude_deg: float | None = None
    heading_deg: float | None = None
    area_m2: float | None = None
    severity: int | None = None
    miss: float | None = None
    patch: str | None = None

    @property
    def seen(self) -> bool:
        """Whether it was found."""
        return self.n > 0

    @property
    def round(self) -> tuple[str, str]:
        """Whose round it was."""
        return self.source, self.round_id


@dataclass(frozen=True, slots=True)
class Memory:
    """What the next visit is judged by, besides what everybody sees.

    `evidence` of labels; `weight` (1/m2) and `sightings` of the mean place; `doubt` that it is still there; of the areas since it
    was worse last the sum of logarithms and how many they are, and the severity then; the round that saw it first and the one
    that saw it last.
    """

    evidence: Mapping[str, float]
    weight: float
    sightings: int
    doubt: float
    areas: tuple[float, int]
    severity: int | None
    first_round: tuple[str, str]
    last_round: tuple[str, str]


def memory_json(memory: Memory) -> dict[str, Any]:
    """As it is kept in the column `fold`."""
    return {
        "evidence": dict(memory.evidence),
        "weight": memory.weight,
        "sightings": memory.sightings,
        "doubt": memory.doubt,
        "areas": list(memory.areas),
        "severity": memory.severity,
        "first_round": list(memory.first_round),
        "last_round": list(memory.last_round),
    }


def memory_of(kept: Mapping[str, Any]) -> Memory:
    """What `memory_json` made."""
    first, last, areas = kept["first_round"], kept["last_round"], kept["areas"]
    return Memory(
        kept["evidence"],
        kept["weight"],
        kept["sightings"],
        kept["doubt"],
        (areas[0], areas[1]),
        kept["severity"],
        (first[0], first[1]),
        (last[0], last[1]),
    )
