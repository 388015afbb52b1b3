"""A round beside what is known: which finding is which thing, which things are new, and which were in view and not seen. Pure.

What was joined before stays joined. So a round may be joined again when more of it has come, and whatever comes twice is nothing
new.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import floor
from statistics import median
from types import MappingProxyType
from typing import Final

import numpy as np

from inference.ellipse import RADIUS_95
from inference.labels import BY_NAME
from inference.sighting import RIVALS, STRETCHES
from sync.receiver.aligning import Aligned, Drift, Seen, align
from sync.receiver.aligning import Known as Column
from sync.receiver.driven import Found, Joined, Known, Round, Track, second, thing_id, written
from sync.receiver.fate import UNSURE_M
from sync.receiver.passing import Path, Piece
from sync.receiver.plane import Plane, plane_at
from sync.receiver.visits import Visited

ALIKE: Final[Mapping[str, frozenset[str]]] = MappingProxyType({each: frozenset(group) for group in RIVALS for each in group})

Cell = tuple[int, int]

OWN_M, OWN_STRETCH_M = 0.3, 0.8
"""How far a place is off in one round without the receiver's share, one sigma for each axis: of most, and of what is long."""
SIGMA_M: Final = (1.5, 6.0)
"""Of the shift between a round and what is known, at least and at most."""
NEW_PER_M2: Final = 0.004
"""So many things that were not known lie on a square metre of what a round shows."""
CELL_M: Final = 28.0
"""Farther than a round and what is known can lie apart: three sigmas of the largest shift on each axis, and of the places."""
AGAIN_S: Final = 60.0
"""A round that finds something in the square, or one beside it, in which it found something so long before passes there again."""
SHIFT_S: Final = 60.0
"""A piece of track is shifted as the findings of this time around it."""
REPAIR_M, MOST_PATCH_M2 = 1.0, 60.0
"""A patch whose edge is so near to the middle of damage lies on it; as if it were a square, and no larger than this."""
LEAST_KNOWN: Final = 30
"""So many things of a kind in view say how many of that kind a round finds; else all kinds together do."""


def join(driven: Round, known: Sequence[Known], first_number: int) -> Joined:
    """Joins a round with what is known around it; new things are numbered from `first_number` on."""
    if not driven.found and not driven.tracks:
        return Joined((), {})
    work = _Work(driven, _plane(driven), {each.number: each for each in known}, first_number)
    for some in _passes(sorted(driven.found, key=lambda each: (each.at, each.seq)), work.plane):
        work.take(some)
    return Joined([*work.seen, *work.unseen()], work.new)


@dataclass
class _Work:
    """A round while it is joined."""

    round: Round
    plane: Plane
    known: dict[int, Known]
    next_number: int
    new: dict[int, str] = field(default_factory=dict)
    seen: list[tuple[int, Visited]] = field(default_factory=list)
    shifts: list[tuple[float, ...]] = field(default_factory=list)
    """Of each finding, in the order of time: when, where it was told (east, north), and what has to be added."""
    patches: dict[Cell, list[tuple[str, float, float, float, str]]] = field(default_factory=lambda: defaultdict(list))
    """New patches by their square: id, where, how far from their middle damage may have had its own, when."""
    places: dict[int, tuple[float, float]] = field(init=False)
    """Where things lie, in metres on what is known."""

    def __post_init__(self) -> None:
        self.places = {each.number: self.plane.metres(each.latitude_deg, each.longitude_deg) for each in self.known.values()}

    def take(self, some: Sequence[Found]) -> None:
        """The findings of one pass."""
        taken = {each.thing for each in some if each.thing is not None}
        rows = [self._row(each) for each in some]
        squares = {square for each in rows for square in _around(each.east_m, each.north_m)}
        columns = [each for number, each in self.known.items() if number in taken or _cell(*self.places[number]) in squares]
        aligned = align(
            rows,
            [
                Column(_mark(each.number) if each.number in taken else each.label, *self.places[each.number], _own_m(each.label))
                for each in columns
            ],
            ALIKE,
            self._drift(),
        )
        for row, found in enumerate(some):
            column = aligned.known_of[row]
            number = found.thing if found.thing is not None else None if column is None else columns[column].number
            self._put(found, number, aligned, row)

    def unseen(self) -> Iterator[tuple[int, Visited]]:
        """Things that were passed and not found: in view, out of it, or under a patch."""
        path = Path([self._piece(each) for each in self.round.tracks], [self.plane.line(each) for each in self.round.poor])
        seen = {number for number, _ in self.seen}
        missed: list[tuple[Known, Visited]] = []
        for thing in self.known.values():
            if thing.number in seen or thing.ended or thing.own:
                continue
            place = self.places[thing.number]
            passed, patch = path.passed(*place, thing.seen_from), self._patch_on(thing, place)
            at = patch[1] if patch else written(passed.at_s) if passed else None
            if at is None or at < thing.first_seen_at:
                continue
            reason = passed.reason if passed and not patch else None
            missed.append((thing, Visited(*self._whose, 0, at, reason, patch=patch[0] if patch else None)))
        misses = self._misses([thing for thing, visit in missed if visit.reason is None and visit.patch is None])
        for thing, visit in missed:
            told = visit.reason is not None or visit.patch is not None
            yield thing.number, visit if told else replace(visit, miss=misses[_kind(thing.label)])

    @property
    def _whose(self) -> tuple[str, str]:
        return self.round.source, self.round.round_id

    def _row(self, found: Found) -> Seen:
        label = found.label if found.thing is None else _mark(found.thing)
        return Seen(label, second(found.at), *self.plane.metres(found.latitude_deg, found.longitude_deg), _own_m(found.label))

    def _drift(self) -> Drift:
        """Two receivers that are as unsure as this one says it is."""
        told = [each.uncertainty_m for each in self.round.found if each.uncertainty_m]
        sigma_m = 2.0**0.5 * median(told or [UNSURE_M]) / RADIUS_95
        return Drift(sigma_m=min(max(sigma_m, SIGMA_M[0]), SIGMA_M[1]), new_per_m2=NEW_PER_M2)

    def _put(self, found: Found, number: int | None, aligned: Aligned, row: int) -> None:
        """A finding is a thing: one that is known, or a new one."""
        east_m, north_m = self.plane.metres(found.latitude_deg, found.longitude_deg)
        shift = float(aligned.east_m[row]), float(aligned.north_m[row])
        self.shifts.append((second(found.at), east_m, north_m, *shift))
        place = self.plane.degrees(east_m + shift[0], north_m + shift[1])
        if number is None:
            number, self.next_number = self.next_number, self.next_number + 1
            self.new[number] = thing_id(self.round.source, found.id)
            self.known[number] = Known(number, self.new[number], found.label, *place, 0, found.at, own=True)
            self.places[number] = east_m + shift[0], north_m + shift[1]
        if found.label == "patch" and number in self.known and self.known[number].own:
            reach_m = min(max(found.area_m2 or 0.0, 0.0), MOST_PATCH_M2) ** 0.5 / 2.0 + REPAIR_M
            where = east_m + shift[0], north_m + shift[1]
            self.patches[_cell(*where)].append((self.known[number].id, *where, reach_m, found.at))
        visit = Visited(
            *self._whose, found.seq, found.at, None, found.label, found.score, found.latitude_deg, found.longitude_deg,
            found.uncertainty_m, *place, found.heading_deg, found.area_m2, found.severity,
        )  # fmt: skip
        self.seen.append((number, visit))

    def _piece(self, track: Track) -> Piece:
        """A piece of track on what is known: each of its places is shifted as the finding that is nearest to it."""
        line, began_s, ended_s = self.plane.line(track.line), second(track.began_at), second(track.ended_at)
        first = bisect_left(self.shifts, (began_s - SHIFT_S,))
        those = np.array(self.shifts[first : bisect_left(self.shifts, (ended_s + SHIFT_S,))])
        if len(those):
            apart = ((line[:, None, :] - those[None, :, 1:3]) ** 2).sum(2)
            line = line + those[apart.argmin(1), 3:5]
        return Piece(line, began_s, ended_s, track.length_m, track.gaps)

    def _patch_on(self, thing: Known, place: tuple[float, float]) -> tuple[str, str] | None:
        """The new patch that lies where damage was, and when it was found."""
        if thing.label == "patch" or _kind(thing.label) != "road":
            return None
        near = [patch for square in _around(*place) for patch in self.patches.get(square, ())] if self.patches else ()
        for id_, east_m, north_m, reach_m, at in near:
            if (east_m - place[0]) ** 2 + (north_m - place[1]) ** 2 <= reach_m**2:
                return id_, at
        return None

    def _misses(self, missed: Sequence[Known]) -> Mapping[str, float]:
        """How likely this round does not find what is there, for each kind: by what was known, and found again or not.

        Laplace's rule of succession; what is really gone makes it look worse than it is, never better.
        """
        again = [self.known[number] for number in {number for number, _ in self.seen} if not self.known[number].own]
        kinds = {_kind(each.label) for each in (*again, *missed)}
        counts = {kind: (_of(kind, again), _of(kind, missed)) for kind in kinds}
        whole = (len(again), len(missed))
        return {kind: _miss(*(each if sum(each) >= LEAST_KNOWN else whole)) for kind, each in counts.items()}


def _plane(driven: Round) -> Plane:
    """Around the round's first place."""
    if driven.found:
        return plane_at(driven.found[0].latitude_deg, driven.found[0].longitude_deg)
    longitude_deg, latitude_deg = driven.tracks[0].line[0][:2]
    return plane_at(latitude_deg, longitude_deg)


def _passes(found: Sequence[Found], plane: Plane) -> Iterator[Sequence[Found]]:
    """The findings in order of time, cut where the car comes again to where it has found something."""
    some: list[Found] = []
    first_s: dict[Cell, float] = {}
    for each in found:
        east_m, north_m = plane.metres(each.latitude_deg, each.longitude_deg)
        at_s = second(each.at)
        if any(at_s - first_s.get(square, at_s) > AGAIN_S for square in _around(east_m, north_m)):
            yield some
            some, first_s = [], {}
        some.append(each)
        first_s.setdefault(_cell(east_m, north_m), at_s)
    if some:
        yield some


def _cell(east_m: float, north_m: float) -> Cell:
    """The square that a place lies in."""
    return floor(east_m / CELL_M), floor(north_m / CELL_M)


def _around(east_m: float, north_m: float) -> list[Cell]:
    """The squares that a place and all within `CELL_M` of it lie in."""
    column, row = _cell(east_m, north_m)
    return [(column + right, row + up) for right in (-1, 0, 1) for up in (-1, 0, 1)]


def _mark(number: int) -> str:
    """A label that this thing alone has: no unit can say it."""
    return f"\0{number}"


def _own_m(label: str) -> float:
    return OWN_STRETCH_M if label in STRETCHES else OWN_M


def _kind(label: str) -> str:
    return BY_NAME[label].kind if label in BY_NAME else label


def _of(kind: str, things: Sequence[Known]) -> int:
    return sum(_kind(each.label) == kind for each in things)


def _miss(again: int, missed: int) -> float:
    return (missed + 1) / (again + missed + 2)
