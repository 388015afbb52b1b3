"""What the demo's rounds came to, against the street's truth: what was found, and what was hidden. Pure.

A thing counts once it could plainly be seen in two photos: large, clear and free enough that a person would have labelled it
(`device.street.coco.is_hard`). What could not is neither missed nor wrong to find.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from device.earth import east_north_m
from device.street.coco import is_hard
from device.street.scene import LYING, SIGNS, Scene, Thing
from device.street.truth import FrameTruth, Seen

REPORTED: Final = (*LYING, *SIGNS, "traffic_light")
LEAST_PHOTOS = 2
NEAR_M = 3.0
"""A finding is of the nearest thing of its class within the radius that it states itself, and within this at least."""

CLEAR_PX: Final = {"plate": 32.0, "head": 16.0}
"""Width of a plate and height of a head from which on they could tell who it is: 62 pixels a metre, EN 62676-4's "observe"."""
MOST_COVERED = 0.5
HIDDEN_SHARE = 0.9
"""Of its pixels: then it counts as hidden."""
HIDING_GOAL = 0.95

Region = tuple[int, int, int, int]


@dataclass
class Witness:
    """Looks at each photo beside the line: how often each thing was there to be seen, and which heads and plates stayed open.

    `parts` maps "plate" and "head" to whether each was clear and whether it was hidden.
    """

    plainly: Counter[str] = field(default_factory=Counter)
    hardly: set[str] = field(default_factory=set)
    parts: defaultdict[str, list[tuple[bool, bool]]] = field(default_factory=lambda: defaultdict(list))
    _drawn: FrameTruth | None = None

    def drew(self, frame: FrameTruth) -> None:
        """The line has read this picture."""
        self._drawn = frame

    def hid(self, regions: Iterable[Region]) -> None:
        """The line has looked at the picture that was read last, and hidden these."""
        if self._drawn is None:
            raise ValueError("nothing was drawn")
        covered = np.zeros(self._drawn.pixels.shape[:2], np.bool_)
        for left, top, right, bottom in regions:
            covered[top:bottom, left:right] = True
        for seen in self._drawn.seen:
            if seen.label in REPORTED:
                self._thing(seen)
            elif seen.label in CLEAR_PX and seen.covered < MOST_COVERED:
                self._part(seen, covered)
        self._drawn = None

    def _thing(self, seen: Seen) -> None:
        if is_hard(seen):
            self.hardly.add(seen.id)
        else:
            self.plainly[seen.id] += 1

    def _part(self, seen: Seen, covered: Any) -> None:
        left, top, right, bottom = (round(each) for each in seen.box)
        there = covered[top : max(bottom, top + 1), left : max(right, left + 1)]
        size_px = seen.box[2] - seen.box[0] if seen.label == "plate" else seen.box[3] - seen.box[1]
        self.parts[seen.label].append((size_px >= CLEAR_PX[seen.label], bool(there.size) and float(there.mean()) >= HIDDEN_SHARE))

    def hiding(self) -> dict[str, dict[str, int]]:
        """For plates and heads: how many there were and how many of them were hidden, of any size and of the clear ones."""
        return {
            label: {
                "all": len(parts),
                "all_hidden": sum(hidden for _, hidden in parts),
                "clear": sum(clear for clear, _ in parts),
                "clear_hidden": sum(clear and hidden for clear, hidden in parts),
            }
            for label, parts in ((label, self.parts[label]) for label in CLEAR_PX)
        }


@dataclass(frozen=True, slots=True)
class Told:
    """A finding as the unit stored it."""

    label: str
    latitude_deg: float
    longitude_deg: float
    uncertainty_m: float


@dataclass(frozen=True, slots=True)
class Known:
    """What the town knows of a thing after both rounds: whether it is over (repaired or gone), and whether round 2 brought it."""

    told: Told
    is_over: bool
    is_new: bool


@dataclass(frozen=True, slots=True)
class Scored:
    """One round against truth: per class how many were there, found, and told without being there; the things themselves."""

    labels: dict[str, dict[str, int]]
    there: frozenset[str]
    found: frozenset[str]


def score(scene: Scene, number: int, witness: Witness, told: Sequence[Told]) -> Scored:
    """Each finding belongs to one thing of its class at most, the nearest pairs first; one that is left over is wrong."""
    things = [thing for thing in scene.in_round(number) if thing.kind in REPORTED]
    there = {thing.id: thing for thing in things if witness.plainly[thing.id] >= LEAST_PHOTOS}
    pairs = sorted(_pairs(scene, things, told))
    taken: dict[str, int] = {}
    used: set[int] = set()
    for _, finding, thing_id in pairs:
        if finding not in used and thing_id not in taken:
            taken[thing_id] = finding
            used.add(finding)
    labels: dict[str, dict[str, int]] = {}
    for thing in there.values():
        _row(labels, thing.kind)["there"] += 1
        _row(labels, thing.kind)["found"] += thing.id in taken
    for finding, each in enumerate(told):
        if finding not in used:
            _row(labels, each.label)["wrong"] += 1
    return Scored(dict(sorted(labels.items())), frozenset(there), frozenset(taken))


def changes(scene: Scene, first: Scored, second: Scored, known: Sequence[Known]) -> dict[str, int]:
    """What was done between the rounds, as far as it could be seen; what the rounds found of it, and what the town was told."""
    damage = {thing.id: thing for thing in scene.things if thing.severity is not None}
    repaired = [each for each in damage.values() if each.rounds == (1,) and each.id in first.there]
    found_before = [each for each in repaired if each.id in first.found]
    new = [each for each in damage.values() if each.rounds == (2,) and each.id in second.there]
    found = [each for each in new if each.id in second.found]
    over = {id_ for _, _, id_ in _pairs(scene, found_before, [each.told for each in known if each.is_over])}
    begun = {id_ for _, _, id_ in _pairs(scene, found, [each.told for each in known if each.is_new])}
    return {
        "repaired": len(repaired),
        "repaired_found_before": len(found_before),
        "repaired_told": len(over),
        "new": len(new),
        "new_found": len(found),
        "new_told": len(begun),
    }


def _pairs(scene: Scene, things: Sequence[Thing], told: Sequence[Told]) -> Iterable[tuple[float, int, str]]:
    by_label: defaultdict[str, list[Thing]] = defaultdict(list)
    for thing in things:
        by_label[thing.kind].append(thing)
    origin = scene.origin
    for number, finding in enumerate(told):
        east_m, north_m = east_north_m(origin.latitude_deg, origin.longitude_deg, finding.latitude_deg, finding.longitude_deg)
        reach_m = max(NEAR_M, finding.uncertainty_m)
        for thing in by_label[finding.label]:
            apart_m = float(np.hypot(thing.east_m - east_m, thing.north_m - north_m))
            if apart_m <= reach_m:
                yield apart_m, number, thing.id


def _row(labels: dict[str, dict[str, int]], label: str) -> dict[str, int]:
    return labels.setdefault(label, {"there": 0, "found": 0, "wrong": 0})
