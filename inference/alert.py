"""When fire or smoke is an alert, where it is, and when it is over. Pure: a looked-at frame goes in, a new state comes out.

The rule is `TWO_OF_THREE`: what one frame shows may be a lamp or a reflection, what two of three show in one place is told.
Places come from bearings: the road's plane says how far away a fire's foot is where the box's bottom sees the road, and the
bearings of further frames cross there. A place that is unsure is told with its radius: an alert is never held back for want of a
good one.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, Literal

from device.frame import Place
from inference.detect import Detection
from inference.incident import LABELS, MOST_RAYS, Incident, Shown, ray_of, same
from inference.lens import Lens
from inference.reckoning import Reckoned, reckon

TWO_OF_THREE: Final = (2, 3)
"""The rule: in so many of so many of the last frames."""
RULE: Final = "two_of_three"
"""Its name, for whoever reads it in an event."""

UNSEEN_FRAMES: Final = 15
"""After so many frames without it, though it should be in view, an incident is over (60 m at a spacing of 4 m)."""
NEAREST_M: Final = 2.0
"""What is not so far ahead of the lens, or farther aside than the picture goes, is out of view."""

Over = Literal["out_of_view", "not_seen", "round_ended", "not_allowed"]
"""Why an alert is over: the car has passed, it is not there any more, no more will be seen, the permission has ended."""


@dataclass(frozen=True, slots=True)
class Looked:
    """A frame that was looked at for fire and smoke: its id, its place, and what was detected."""

    frame_id: str
    place: Place
    lens: Lens
    detections: Sequence[Detection]


@dataclass(frozen=True, slots=True)
class Told:
    """What a look led to: incidents that are told now, and those that are over, each with the reason."""

    watch: "Watch"
    begun: tuple[Incident, ...] = ()
    over: tuple[tuple[Incident, Over], ...] = ()


@dataclass(frozen=True, slots=True)
class Watch:
    """The state between two frames. `numbered` counts the alerts of the round."""

    at: Reckoned | None = None
    place: Place | None = None
    incidents: tuple[Incident, ...] = field(default_factory=tuple)
    numbered: int = 0

    def take(self, looked: Looked) -> Told:
        """The next frame that was looked at. A car that has no heading yet sees nothing that has a place."""
        at = reckon(self.at, looked.place, self.place)
        if at is None or looked.place.heading_deg is None:
            return Told(replace(self, at=at, place=looked.place))
        incidents = list(self.incidents)
        seen: dict[int, Shown] = {}
        for shown in _shown(looked, at):
            index = next((each for each, incident in enumerate(incidents) if same(incident, shown.ray)), None)
            if index is None:
                incidents.append(_begun(shown, looked, at))
                seen[len(incidents) - 1] = shown
            elif index not in seen or shown.score > seen[index].score:
                seen[index] = shown
        known = len(self.incidents)
        incidents = [
            incident if index >= known else _taken(incident, seen.get(index), looked, at)
            for index, incident in enumerate(incidents)
        ]
        return self._judged(incidents, at, looked)

    def end(self, why: Over) -> Told:
        """No more will be seen: what was told is over."""
        return Told(replace(self, incidents=()), over=tuple((each, why) for each in self.incidents if each.number is not None))

    def _judged(self, incidents: Iterable[Incident], at: Reckoned, looked: Looked) -> Told:
        kept: list[Incident] = []
        begun: list[Incident] = []
        over: list[tuple[Incident, Over]] = []
        numbered = self.numbered
        for incident in incidents:
            if incident.number is None and sum(incident.recent[-TWO_OF_THREE[1] :]) >= TWO_OF_THREE[0]:
                numbered += 1
                told = replace(incident, number=numbered)
                begun.append(told)
                kept.append(told)
            elif incident.number is None:
                kept += [incident] if any(incident.recent[-TWO_OF_THREE[1] :]) else []
            elif (why := _why_over(incident, at, looked.lens)) is not None:
                over.append((incident, why))
            else:
                kept.append(incident)
        return Told(Watch(at, looked.place, tuple(kept), numbered), tuple(begun), tuple(over))


def _shown(looked: Looked, at: Reckoned) -> Iterable[Shown]:
    for found in sorted(looked.detections, key=lambda each: -each.score):
        ray = ray_of(found.box, looked.lens, at) if found.label in LABELS else None
        if ray is not None:
            yield Shown(found.label, found.score, found.box, ray)


def _begun(shown: Shown, looked: Looked, at: Reckoned) -> Incident:
    scores, times = MappingProxyType({shown.label: shown.score}), MappingProxyType({shown.label: 1})
    place = looked.place
    return Incident((True,), (shown.ray,), scores, times, shown, looked.frame_id, place, at, first=place, seen=place)


def _taken(incident: Incident, shown: Shown | None, looked: Looked, at: Reckoned) -> Incident:
    """An incident after one more look, with what that showed of it."""
    recent = (*incident.recent, shown is not None)[-UNSEEN_FRAMES:]
    if shown is None:
        return replace(incident, recent=recent)
    incident = replace(
        incident,
        recent=recent,
        rays=(*incident.rays, shown.ray)[-MOST_RAYS:],
        scores=MappingProxyType({**incident.scores, shown.label: max(shown.score, incident.scores.get(shown.label, 0.0))}),
        times=MappingProxyType({**incident.times, shown.label: incident.times.get(shown.label, 0) + 1}),
        seen=looked.place,
        frames=incident.frames + 1,
    )
    if shown.score < incident.best.score:
        return incident
    return replace(incident, best=shown, best_frame_id=looked.frame_id, place=looked.place, at=at)


def _why_over(incident: Incident, at: Reckoned, lens: Lens) -> Over | None:
    if incident.unseen == 0:
        return None
    east_m, north_m, _ = incident.spot()
    right_m, ahead_m = at.car(east_m, north_m)
    seen = lens.project(right_m, ahead_m, lens.height_m)
    half_m = abs(ahead_m) * math.tan(incident.rays[-1].half)
    near = lens.project(right_m - math.copysign(half_m, right_m), ahead_m, lens.height_m)
    if ahead_m < NEAREST_M or seen is None or near is None or not 0.0 <= near[0] <= lens.width:
        return "out_of_view" if incident.unseen >= TWO_OF_THREE[1] else None
    return "not_seen" if incident.unseen >= UNSEEN_FRAMES else None
