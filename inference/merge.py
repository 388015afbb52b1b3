"""From the boxes of a round's frames to things: each real thing once. Pure: a frame goes in, a new state comes out.

A frame's sightings are given to the things in view, the best fitting pair first, each thing and each sighting once. What fits
nothing begins a thing. A thing is settled when the car has passed it, or when it was not seen for a while; then labels that
competed for it are weighed, and what was seen but once and not surely is dropped. What is dangerous is settled at once
(`URGENT`), and followed on so that it is not told again.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from device.frame import Place
from inference.detect import Detection
from inference.ellipse import Ellipse
from inference.lens import Lens
from inference.locate import DOUBT, Doubt
from inference.lying import Lying
from inference.reckoning import Reckoned, reckon
from inference.severity import SEVERE, severity_of
from inference.sighting import STRETCHES, Sighting, rivals_of, sightings_of
from inference.standing import Standing

SURE_SCORE = 0.8
"""A thing that was seen but once, and whole, is told from this score on."""
MOST_UNSURE_M = 4.0
"""What is more unsure (a standard deviation, but for the receiver's error) has no place worth telling: a sign of which one far
ray is all that is known."""
OTHER_LABEL_COST = 3.0
"""A rival's sighting is taken for the same thing, but rather one that has the label already."""
PASSED_M = 1.0
"""Behind the lens by so much, a thing is not seen again."""
FORGOTTEN_M = 30.0
"""Nor after so much road without a sighting: hidden by a corner, or by what stands before it."""
URGENT: Final = frozenset({"pothole", "manhole_open"})
"""Told as soon as it was seen whole in two frames and is severe even if it is smaller by what its size is unsure of: a wheel may
fall into it."""
URGENT_UNSURE_M = 0.5
"""It is told from where it is known as well as things are once they are passed (a standard deviation)."""
SAME_AS_TOLD_M: Final = 40.0
"""What was settled is remembered for so much road: a second one in its place that was never seen beside it is the same thing."""
SAME_SQUARED = 9.2
"""Squared distance, two axes: 99 % of true pairs are nearer."""


@dataclass(frozen=True, slots=True)
class Best:
    """The clearest sighting: its frame, where the camera was, on the reckoning and on the map, and how clear it was."""

    frame_id: str
    east_m: float
    north_m: float
    place: Place
    clearness: float


@dataclass(frozen=True, slots=True)
class Thing:
    """One thing in view. `number` counts those of the round as they appear.

    `evidence` sums the scores of each label, `scores` holds the highest of each. `seen` are (frame, number of the detection).
    `alerted`: it was told at once.
    """

    number: int
    shape: Lying | Standing
    best: Best
    seen: tuple[tuple[str, int], ...]
    evidence: Mapping[str, float]
    scores: Mapping[str, float]
    alerted: bool = False

    @property
    def label(self) -> str:
        """The label with the most evidence; of equals, the one that is first by name."""
        return max(sorted(self.evidence), key=lambda label: self.evidence[label])

    @property
    def score(self) -> float:
        """The highest score of that label."""
        return self.scores[self.label]

    @property
    def frames(self) -> tuple[str, ...]:
        """The frames in which it was seen, the first first."""
        return tuple(dict.fromkeys(frame_id for frame_id, _ in self.seen))

    @property
    def sure(self) -> bool:
        """Whether it is told."""
        if max(self.shape.each.xx, self.shape.each.yy) > MOST_UNSURE_M**2:
            return False
        whole = isinstance(self.shape, Standing) or self.shape.whole
        return len(self.frames) >= 2 or (whole and self.score >= SURE_SCORE)


@dataclass(frozen=True, slots=True)
class View:
    """A frame that has its place, and what was detected in it."""

    frame_id: str
    place: Place
    lens: Lens
    detections: Sequence[Detection]


@dataclass(frozen=True, slots=True)
class Merge:
    """The state between two frames: where the car was in the last one, the things in view, and those settled lately."""

    at: Reckoned | None = None
    place: Place | None = None
    things: Mapping[int, Thing] = field(default_factory=lambda: MappingProxyType({}))
    told: tuple[Thing, ...] = ()
    numbered: int = 0

    def take(self, view: View, doubt: Doubt = DOUBT) -> "Taken":
        """The next frame along the road."""
        at = reckon(self.at, view.place, self.place)
        if at is None or view.place.heading_deg is None:
            return Taken(replace(self, at=at, place=view.place), ())
        sightings = sightings_of(view.detections, view.lens, at, view.place.speed_mps, doubt)
        things, numbered = dict(self.things), self.numbered
        pairs = _pairs(things.values(), sightings, at)
        for number, index in pairs:
            things[number] = _taken(things[number], sightings[index], view, at)
        paired = {index for _, index in pairs}
        for index, sighting in enumerate(sightings):
            if index not in paired:
                numbered += 1
                things[numbered] = _begun(numbered, sighting, view, at)
        return _settled(replace(self, at=at, place=view.place, things=things, numbered=numbered), at)

    def finish(self) -> "Taken":
        """The round is over: all that is in view is settled."""
        return _settled(self, None)


@dataclass(frozen=True, slots=True)
class Taken:
    """What a frame led to: the state after it, and the things that it settled, in the order of their first sighting."""

    merge: Merge
    settled: tuple[Thing, ...]


def _settled(merge: Merge, at: Reckoned | None) -> Taken:
    """What is past is settled; all of it where there is no `at`."""
    left, told, settled = dict(merge.things), list(merge.told), []
    if at is not None:
        told = [each for each in told if at.odometer_m - each.shape.odometer_m < SAME_AS_TOLD_M]
    for number in sorted(merge.things):
        thing = left[number]
        if at is not None and not _past(thing, at):
            if _urgent(thing) and not any(_same(thing, each) for each in told):
                left[number] = replace(thing, alerted=True)
                settled.append(left[number])
            continue
        del left[number]
        same = next((each for each in left.values() if _same(thing, each)), None)
        if same is not None:
            left[same.number] = _joined(same, thing)
        elif thing.sure and not any(_same(thing, each) for each in told):
            told.append(thing)
            settled += [] if thing.alerted else [thing]
    return Taken(replace(merge, things=MappingProxyType(left), told=tuple(told)), tuple(settled))


def _pairs(things: Iterable[Thing], sightings: Sequence[Sighting], at: Reckoned) -> list[tuple[int, int]]:
    """Which thing (its number) gets which sighting (its index): the cheapest pair first."""
    costs: list[tuple[float, int, int]] = []
    for thing in things:
        rivals = rivals_of(thing.label)
        for index, sighting in enumerate(sightings):
            if sighting.label not in rivals:
                continue
            cost = _cost(thing, sighting, at)
            if cost is not None:
                other = sighting.label != thing.label
                costs.append((cost + (OTHER_LABEL_COST if other else 0.0), thing.number, index))
    pairs: list[tuple[int, int]] = []
    taken_things: set[int] = set()
    taken_sightings: set[int] = set()
    for _, number, index in sorted(costs):
        if number not in taken_things and index not in taken_sightings:
            pairs.append((number, index))
            taken_things.add(number)
            taken_sightings.add(index)
    return pairs


def _cost(thing: Thing, sighting: Sighting, at: Reckoned) -> float | None:
    shape = thing.shape
    if isinstance(shape, Lying):
        return None if sighting.ground is None else shape.cost(sighting.ground, at, stretches=sighting.label in STRETCHES)
    return None if sighting.bearing is None else shape.cost(sighting.bearing, at)


def _begun(number: int, sighting: Sighting, view: View, at: Reckoned) -> Thing:
    shape: Lying | Standing
    if sighting.ground is not None:
        shape = Lying.first(sighting.ground, at)
    else:
        assert sighting.bearing is not None
        shape = Standing.first(sighting.label, sighting.bearing, at)
    evidence, scores = _weighed({}, {}, sighting)
    return Thing(number, shape, _best_of(sighting, view, at), ((view.frame_id, sighting.number),), evidence, scores)


def _taken(thing: Thing, sighting: Sighting, view: View, at: Reckoned) -> Thing:
    """A thing with one more sighting."""
    shape = thing.shape
    if isinstance(shape, Lying):
        assert sighting.ground is not None
        shape = shape.taken(sighting.ground, at, stretches=sighting.label in STRETCHES)
    else:
        assert sighting.bearing is not None
        shape = shape.taken(sighting.bearing, at)
    best = _best_of(sighting, view, at)
    evidence, scores = _weighed(thing.evidence, thing.scores, sighting)
    return Thing(
        thing.number,
        shape,
        best if best.clearness > thing.best.clearness else thing.best,
        (*thing.seen, (view.frame_id, sighting.number)),
        evidence,
        scores,
        thing.alerted,
    )


def _weighed(
    evidence: Mapping[str, float], scores: Mapping[str, float], sighting: Sighting
) -> tuple[dict[str, float], dict[str, float]]:
    """Evidence and highest scores with those of a sighting."""
    summed, highest = dict(evidence), dict(scores)
    for label, score in sighting.evidence:
        summed[label] = summed.get(label, 0.0) + score
        highest[label] = max(highest.get(label, 0.0), score)
    return summed, highest


def _best_of(sighting: Sighting, view: View, at: Reckoned) -> Best:
    """Large, sure and whole is clear: the score times the root of the area, a fifth of it where the picture's edge cuts it."""
    left, top, right, bottom = sighting.box
    clearness = sighting.score * ((right - left) * (bottom - top)) ** 0.5 * (0.2 if sighting.cut else 1.0)
    return Best(view.frame_id, at.east_m, at.north_m, view.place, clearness)


def _urgent(thing: Thing) -> bool:
    """Whether it is told before the car has passed it: surely severe, and surely where it is."""
    shape = thing.shape
    if thing.alerted or not isinstance(shape, Lying) or not shape.whole or len(thing.frames) < 2 or not thing.sure:
        return False
    if max(shape.each.xx, shape.each.yy) > URGENT_UNSURE_M**2:
        return False
    width_m, length_m = shape.width_m - math.sqrt(shape.width_m2), shape.length_m - math.sqrt(shape.length_m2)
    return thing.label in URGENT and severity_of(thing.label, max(0.0, width_m), max(0.0, length_m)) == SEVERE


def _past(thing: Thing, at: Reckoned) -> bool:
    unseen_m = at.odometer_m - thing.shape.odometer_m
    return thing.shape.ahead_m(at) < -PASSED_M or unseen_m > FORGOTTEN_M


def _same(one: Thing, other: Thing) -> bool:
    """Whether two are one: of rival labels, in one place, and never seen in one frame."""
    if one.number == other.number or other.label not in rivals_of(one.label) or set(one.frames) & set(other.frames):
        return False
    if type(one.shape) is not type(other.shape):
        return False
    spread: Ellipse = one.shape.each.plus(other.shape.each)
    return spread.squared(one.shape.east_m - other.shape.east_m, one.shape.north_m - other.shape.north_m) < SAME_SQUARED


def _joined(kept: Thing, gone: Thing) -> Thing:
    """A thing with the sightings of another that is the same; its place is that of the surer one."""
    surer = min((kept, gone), key=lambda each: each.shape.each.xx + each.shape.each.yy)
    evidence = {
        label: kept.evidence.get(label, 0.0) + gone.evidence.get(label, 0.0) for label in {*kept.evidence, *gone.evidence}
    }
    scores = {label: max(kept.scores.get(label, 0.0), gone.scores.get(label, 0.0)) for label in evidence}
    best = max((kept.best, gone.best), key=lambda each: each.clearness)
    seen, alerted = tuple(sorted({*kept.seen, *gone.seen})), kept.alerted or gone.alerted
    return Thing(kept.number, surer.shape, best, seen, evidence, scores, alerted)
