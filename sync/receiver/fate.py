"""What becomes of a thing, visit by visit. Pure: a thing and a visit go in, the thing after it and what came of it come out.

A visit is one time that a round saw the thing, had it in view and did not see it, or passed and could not have seen it. Visits
are taken in the order of time; a thing whose visits came in another order is gone through anew, and ends as if they had not.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from sync.receiver.seen import State
from sync.receiver.visits import Memory, Visited

MOST_DOUBT: Final = 0.05
"""A thing is gone when it is less likely than this that all who had it in view since missed it."""

GROWN: Final = 1.5
GROWN_M2: Final = 0.1
"""A thing is worse whose area is so many times its mean since it was worse last, and larger by so many m2."""
GROWN_SEVERITY: Final = 1.2
"""Or so many times, where that makes it severer: just over the boundary is noise."""

RANKS: Final[Mapping[str, int]] = MappingProxyType({"crack_alligator": 1, "manhole_open": 1})
"""Of labels that are worse than those they compete with (0)."""

FADES: Final = 0.5
"""What earlier labels count for at each sighting: a thing that has become another is called so at the second."""

COMMON: Final = 0.25
"""The share of a receiver's error (variance) that the same street gives it on another day: houses stay where they are."""
UNSURE_M: Final = 5.0
"""The radius of a place that came without one."""
RADII_M: Final = (0.1, 1000.0)
"""Radii beyond these are taken for these."""
MOST_MEAN: Final = 20
"""So many sightings make the place that rounds are aligned with; then the earlier ones fade."""


@dataclass(frozen=True, slots=True)
class Fate:
    """A thing: the columns of `thing` that follow from its visits."""

    label: str
    state: State
    state_at: str
    score: float | None
    latitude_deg: float
    longitude_deg: float
    uncertainty_m: float
    area_m2: float | None
    severity: int | None
    rounds: int
    missed: int
    first_seen_at: str
    last_seen_at: str
    visited_at: str
    last_seq: int
    aligned_latitude_deg: float
    aligned_longitude_deg: float
    seen_from: int
    memory: Memory


def begin(visit: Visited) -> tuple[Fate, State]:
    """A thing that was seen for the first time."""
    label, place, unsure_m = _label(visit), _place(visit), _unsure_m(visit)
    memory = Memory(
        evidence={label: visit.score or 0.0},
        weight=unsure_m**-2,
        sightings=1,
        doubt=1.0,
        areas=_areas((0.0, 0), visit.area_m2),
        severity=visit.severity,
        first_round=visit.round,
        last_round=visit.round,
    )
    fate = Fate(
        label=label,
        state="new",
        state_at=visit.at,
        score=visit.score,
        latitude_deg=place[0],
        longitude_deg=place[1],
        uncertainty_m=unsure_m,
        area_m2=visit.area_m2,
        severity=visit.severity,
        rounds=1,
        missed=0,
        first_seen_at=visit.at,
        last_seen_at=visit.at,
        visited_at=visit.at,
        last_seq=visit.n,
        aligned_latitude_deg=place[2],
        aligned_longitude_deg=place[3],
        seen_from=sector(visit.heading_deg),
        memory=memory,
    )
    return fate, "new"


def go_on(fate: Fate, visit: Visited) -> tuple[Fate, State]:
    """The next visit."""
    if visit.seen:
        return _seen(fate, visit)
    if visit.reason is not None:
        return fate, "out_of_view"
    memory = replace(fate.memory, doubt=fate.memory.doubt * (1.0 if visit.miss is None else visit.miss))
    fate = replace(fate, missed=fate.missed + 1, visited_at=visit.at, memory=memory)
    if visit.patch is not None and fate.state != "repaired":
        return _now(fate, "repaired", visit.at), "repaired"
    if fate.state in ("repaired", "gone"):
        return fate, fate.state
    if memory.doubt <= MOST_DOUBT:
        return _now(fate, "gone", visit.at), "gone"
    return fate, "not_seen"


def whole(visits: Sequence[Visited]) -> tuple[Fate | None, Sequence[tuple[Visited, State]]]:
    """All visits of a thing, in any order: the thing, None where nobody has seen it; and what each made of it."""
    fate: Fate | None = None
    told: list[tuple[Visited, State]] = []
    for visit in sorted(visits, key=lambda each: (each.at, each.round, each.n)):
        if fate is not None:
            fate, state = go_on(fate, visit)
        elif visit.seen:
            fate, state = begin(visit)
        else:  # whoever came by before it was first seen says nothing of it
            state = "out_of_view" if visit.reason is not None else "not_seen"
        told.append((visit, state))
    return fate, told


def sector(heading_deg: float | None) -> int:
    """The eighth of the compass into which a camera looked, as a bit; 0 where that is not known."""
    return 0 if heading_deg is None else 1 << (round(heading_deg / 45.0) % 8)


def _seen(fate: Fate, visit: Visited) -> tuple[Fate, State]:
    memory = fate.memory
    worse = visit.round != memory.last_round and _is_worse(fate, visit)
    evidence = {label: each * FADES for label, each in memory.evidence.items()}
    label = _label(visit)
    evidence[label] = evidence.get(label, 0.0) + (visit.score or 0.0)
    state: State = "worse" if worse else "new" if visit.round == memory.first_round else "seen_again"
    latitude_deg, longitude_deg, aligned_latitude_deg, aligned_longitude_deg = _place(visit)
    weight, sightings = _unsure_m(visit) ** -2, memory.sightings + 1
    share, step = weight / (memory.weight + weight), 1.0 / min(sightings, MOST_MEAN)
    after = replace(
        fate,
        label=max(sorted(evidence), key=lambda each: evidence[each]),
        score=max((each for each in (fate.score, visit.score) if each is not None), default=None),
        latitude_deg=fate.latitude_deg + share * (latitude_deg - fate.latitude_deg),
        longitude_deg=fate.longitude_deg + share * _turn(longitude_deg - fate.longitude_deg),
        uncertainty_m=math.sqrt((COMMON * sightings + 1.0 - COMMON) / (memory.weight + weight)),
        area_m2=visit.area_m2 if visit.area_m2 is not None else fate.area_m2,
        severity=visit.severity if visit.severity is not None else fate.severity,
        rounds=fate.rounds + (visit.round != memory.last_round),
        missed=0,
        last_seen_at=visit.at,
        visited_at=visit.at,
        last_seq=visit.n,
        aligned_latitude_deg=fate.aligned_latitude_deg + step * (aligned_latitude_deg - fate.aligned_latitude_deg),
        aligned_longitude_deg=fate.aligned_longitude_deg + step * _turn(aligned_longitude_deg - fate.aligned_longitude_deg),
        seen_from=fate.seen_from | sector(visit.heading_deg),
        memory=replace(
            memory,
            evidence=evidence,
            weight=memory.weight + weight,
            sightings=sightings,
            doubt=1.0,
            areas=_areas((0.0, 0) if worse else memory.areas, visit.area_m2),
            severity=visit.severity if worse or memory.severity is None else memory.severity,
            last_round=visit.round,
        ),
    )
    return (after if state == fate.state else _now(after, state, visit.at)), state


def _is_worse(fate: Fate, visit: Visited) -> bool:
    """Larger, severer, or of a label that is worse than the thing's."""
    if RANKS.get(_label(visit), 0) > RANKS.get(fate.label, 0):
        return True
    logs, number = fate.memory.areas
    if visit.area_m2 is None or visit.area_m2 <= 0.0 or not number:
        return False
    mean_m2 = math.exp(logs / number)
    if visit.area_m2 > GROWN * mean_m2 and visit.area_m2 > mean_m2 + GROWN_M2:
        return True
    severer = visit.severity is not None and fate.memory.severity is not None and visit.severity > fate.memory.severity
    return severer and visit.area_m2 > GROWN_SEVERITY * mean_m2


def _now(fate: Fate, state: State, at: str) -> Fate:
    return replace(fate, state=state, state_at=at)


def _areas(before: tuple[float, int], area_m2: float | None) -> tuple[float, int]:
    return before if area_m2 is None or area_m2 <= 0.0 else (before[0] + math.log(area_m2), before[1] + 1)


def _unsure_m(visit: Visited) -> float:
    return min(max(visit.uncertainty_m or UNSURE_M, RADII_M[0]), RADII_M[1])


def _label(visit: Visited) -> str:
    assert visit.label is not None
    return visit.label


def _place(visit: Visited) -> tuple[float, float, float, float]:
    """Latitude and longitude as they were told, and on what was known."""
    places = (visit.latitude_deg, visit.longitude_deg, visit.aligned_latitude_deg, visit.aligned_longitude_deg)
    assert None not in places
    return places  # type: ignore[return-value]


def _turn(degrees: float) -> float:
    """The short way around."""
    return (degrees + 180.0) % 360.0 - 180.0
