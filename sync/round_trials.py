"""Two rounds of one town, told to a receiver's database as units tell them, and joined: whether each thing is named right."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

from device.earth import distance_m
from device.frame import Place
from device.street.scene import Thing
from inference.finding import Finding
from inference.sighting import rivals_of
from provisioning.settings import Unit
from sync.event import Event, event_id, finding_data, track_data
from sync.finding_measures import END_M, LEAST_FRAMES, Trial
from sync.map.sample import MODEL, fill
from sync.receiver.databases import open_atlas, open_store
from sync.receiver.joiner import Joiner, Outcome
from sync.receiver.joins import open_joins
from sync.receiver.seen import ThingKnown, Visit

BENCH: Final = Unit("bench", "car-01", Path("/nowhere"))
APART: Final = timedelta(days=30)
PIECE_M: Final = 500.0
NAIVE_M: Final = 6.0
"""The naive way: what has the same label and is nearest, within so much, is the same thing."""
ALONE_M: Final = 15.0
"""A thing stands alone that has no other of its label, or of one that competes with it, so near."""

Fate = Literal["unchanged", "new", "repaired", "missed"]
FATES: Final[tuple[Fate, ...]] = ("unchanged", "new", "repaired")
"""What became of a thing, and is to be named. `missed` is there in both rounds, and the second does not tell of it: that is no
change, and neither gone nor repaired."""
ENDED: Final = ("gone", "repaired")

SPACING: Final = {
    "histogram_m": {},
    "share_within": 1.0,
    "longest_m": 4.0,
    "filled_frames": 0,
    "standing_frames": 0,
    "standing_s": 0,
}


@dataclass(frozen=True, slots=True)
class Told:
    """A finding of a round and the thing that it really is, None where it is none."""

    finding: Finding
    thing: Thing | None


@dataclass(frozen=True, slots=True)
class Named:
    """A real thing, what became of it, and what two ways of telling say; `alone`: none of its label stands near."""

    thing: Thing
    fate: Fate
    alone: bool
    joined: str
    naive: str

    def right(self, said: str) -> bool:
        """Whether that is so."""
        return said not in ENDED if self.fate == "missed" else said == self.fate


def name_things(first: Trial, second: Trial, folder: Path) -> Sequence[Named]:
    """Two rounds of one town: what became of each thing that both rounds tell of, as far as it is there in them."""
    rounds = [_told(first, "r1"), _told(second, "r2")]
    states = _joined(rounds, [first, second], folder)
    naive = _nearest([each.finding for each in rounds[0]], [each.finding for each in rounds[1]])
    judged = list(_judged(rounds, (first, second)))
    everything = [thing for thing in first.scene.things if thing.lies or thing.kind.startswith(("sign", "traffic"))]
    return [
        Named(thing, fate, _alone(thing, everything), _said(before, after, states), _said(before, after, naive))
        for thing, fate, before, after in judged
    ]


def measure(named: Sequence[Named]) -> dict[str, Any]:
    """How many were named right, both ways: of things that stand alone, of all, and of each fate."""
    changed = [each for each in named if each.fate != "missed"]
    return {
        "alone": _shares([each for each in changed if each.alone]),
        "whole": _shares(changed),
        "fates": {fate: _shares([each for each in changed if each.fate == fate]) for fate in FATES},
        "missed": _shares([each for each in named if each.fate == "missed"]),
    }


def _shares(named: Sequence[Named]) -> dict[str, Any]:
    number = len(named)
    right = {"joined": sum(each.right(each.joined) for each in named), "naive": sum(each.right(each.naive) for each in named)}
    return {"things": number, **{way: round(count / number, 4) if number else None for way, count in right.items()}}


Links = Mapping[str, str]
"""Of findings (by id) of the second round: `new`, or the first round's finding that is the same thing. Of the first round's: what
became of them where it is not found again: `repaired`, or another state."""


def _said(before: Finding | None, after: Finding | None, links: Links) -> str:
    """What was told of a thing by the findings of it."""
    if after is not None:
        said = links.get(after.id, "")
        return "unchanged" if before is not None and said == before.id else "new" if said == "new" else said
    return links.get(before.id, "not told") if before is not None else "not told"


def _judged(
    rounds: Sequence[Sequence[Told]], trials: tuple[Trial, Trial]
) -> Iterator[tuple[Thing, Fate, Finding | None, Finding | None]]:
    """Things that are told of in the rounds in which they are there, and of which it is known what became of them."""
    scene = trials[0].scene
    before, after = (_by_thing(told, trial) for told, trial in zip(rounds, trials, strict=True))
    end_m = _end_m(trials)
    for thing in scene.things:
        first, second = before.get(thing.id), after.get(thing.id)
        if not END_M < thing.along_m < end_m:
            continue
        if thing.rounds == (1, 2) and first and second:
            yield thing, "unchanged", first, second
        elif thing.rounds == (1, 2) and first:
            yield thing, "missed", first, None
        elif thing.rounds == (2,) and second:
            yield thing, "new", None, second
        elif thing.rounds == (1,) and first and f"repair-{thing.id.rpartition('-')[2]}" in after:  # the patch has to be found
            yield thing, "repaired", first, None


def _end_m(trials: Iterable[Trial]) -> float:
    """How far along the line both rounds have driven, without the last metres."""
    scenes = [(each.scene.path.length_m, max(place.odometer_m for place, _ in each.cameras.values())) for each in trials]
    return min(min(each) for each in scenes) - END_M


def _by_thing(told: Iterable[Told], trial: Trial) -> Mapping[str, Finding]:
    """The first finding of each thing that was detected in two frames."""
    frames = Counter(thing_id for thing_id, _ in {(thing.id, frame_id) for (frame_id, _), thing in trial.whose.items()})
    found: dict[str, Finding] = {}
    for each in told:
        if each.thing is not None and frames[each.thing.id] >= LEAST_FRAMES:
            found.setdefault(each.thing.id, each.finding)
    return found


def _told(trial: Trial, round_id: str) -> Sequence[Told]:
    """The findings of a trial as those of a round, each with the thing that most of its boxes are of."""
    told = []
    for n, (found, merged) in enumerate(trial.found, 1):
        finding = replace(found, id=f"{round_id}-f{n}", round_id=round_id, model=MODEL)
        whose = [trial.whose[each] for each in merged.seen if each in trial.whose]
        told.append(Told(finding, Counter(whose).most_common(1)[0][0] if whose else None))
    return told


def _alone(thing: Thing, things: Iterable[Thing]) -> bool:
    rivals = rivals_of(thing.kind)
    return not any(
        other.kind in rivals
        and other.id != thing.id
        and math.hypot(other.east_m - thing.east_m, other.north_m - thing.north_m) < ALONE_M
        for other in things
    )


def _nearest(before: Sequence[Finding], after: Sequence[Finding]) -> Links:
    """The naive way, without any alignment; damage that is not found again is repaired where a new patch is near."""
    pairs = sorted(
        (apart_m, one.id, other.id)
        for one in before
        for other in after
        if one.label == other.label and (apart_m := _apart_m(one, other)) <= NAIVE_M
    )
    links: dict[str, str] = {}
    taken: set[str] = set()
    for _, one, other in pairs:
        if one not in taken and other not in links:
            taken.add(one)
            links[other] = one
    links |= {each.id: "new" for each in after if each.id not in links}
    patches = [each for each in after if each.label == "patch" and links[each.id] == "new"]
    for each in before:
        if each.id not in taken:
            links[each.id] = "repaired" if any(_apart_m(each, patch) <= NAIVE_M for patch in patches) else "gone"
    return links


def _apart_m(one: Finding, other: Finding) -> float:
    return distance_m(one.latitude_deg, one.longitude_deg, other.latitude_deg, other.longitude_deg)


def _joined(rounds: Sequence[Sequence[Told]], trials: Sequence[Trial], folder: Path) -> Links:
    """Stores both rounds, joins each as it comes, and asks the database what became of the findings."""
    url = f"sqlite:///{folder / 'rounds.db'}"
    store, joiner = open_store(url), Joiner(lambda: open_joins(url), now=lambda: datetime.now(timezone.utc) + APART)
    try:
        for number, (told, trial) in enumerate(zip(rounds, trials, strict=True), 1):
            fill(store, events_of(f"r{number}", [each.finding for each in told], trial, APART * number))
            while joiner.step() is Outcome.JOINED:
                pass
    finally:
        joiner.close()
        store.close()
    return _links(url)


def _links(url: str) -> Links:
    atlas = open_atlas(url)
    links: dict[str, str] = {}
    try:
        things, after = list[ThingKnown](), 0
        while page := atlas.things(after=after):
            things += page
            after = page[-1].number
        for thing in things:
            history = atlas.history(thing)
            own = [(each, each.finding_id) for each in history if each.finding_id is not None]
            before = [id_ for each, id_ in own if each.round_id == "r1"]
            for each, id_ in own:
                if each.round_id == "r2":
                    links[id_] = (
                        "new" if each.state == "new" else before[0] if each.state == "seen_again" and before else each.state
                    )
            if before and not any(each.round_id == "r2" for each, _ in own):
                links[before[0]] = thing.state
    finally:
        atlas.close()
    return links


def _link(visit: Visit, before: Sequence[str]) -> str:
    """What the second round made of a thing that it found; the first round's finding where it is the same."""
    return before[0] if visit.state == "seen_again" and before else visit.state


def events_of(round_id: str, findings: Sequence[Finding], trial: Trial, later: timedelta) -> Iterator[Event]:
    """A round as a unit tells it."""
    for n, finding in enumerate(findings, 1):
        at = (finding.seen_at or datetime.now(timezone.utc)) + later
        data = finding_data(replace(finding, seen_at=at), trial.cameras[finding.best_frame_id][0], None)
        yield Event(BENCH, "finding", event_id(BENCH, "finding", round_id, n), at, data, finding.id)
    places = [place for place, _ in trial.cameras.values() if place.taken_at is not None]
    for n, piece in enumerate(_pieces(places)):
        at = _at(piece[-1]) + later
        yield Event(BENCH, "track", event_id(BENCH, "track", round_id, n), at, _track(round_id, piece, later))


def _pieces(places: Sequence[Place]) -> Iterator[Sequence[Place]]:
    piece: list[Place] = []
    for here, there in pairwise(places):
        piece = piece or [here]
        piece.append(there)
        if there.odometer_m - piece[0].odometer_m >= PIECE_M:
            yield piece
            piece = []
    if piece:
        yield piece


def _track(round_id: str, piece: Sequence[Place], later: timedelta) -> dict[str, Any]:
    return track_data(
        round_id,
        [(place.latitude_deg, place.longitude_deg) for place in piece],
        from_at=_at(piece[0]) + later,
        to_at=_at(piece[-1]) + later,
        length_m=piece[-1].odometer_m - piece[0].odometer_m,
        frames=len(piece),
        filled_m=0.0,
        spacing=SPACING,
    )


def _at(place: Place) -> datetime:
    assert place.taken_at is not None
    return place.taken_at
