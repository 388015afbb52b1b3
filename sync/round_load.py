"""A town's rounds in bulk: things that stay along a grid of streets, and cars that pass them by chance, for `ronde bench rounds`.

The same seed gives the same rounds. Each finding has its receiver's error, which lasts for a minute, and its own.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import atan2, degrees, exp, hypot, sqrt
from pathlib import Path
from typing import Final

from device.earth import offset
from device.frame import Place
from inference.finding import Finding
from provisioning.settings import Unit
from sync.event import Event, event_id, finding_data, track_data
from sync.map.sample import DAMAGE, MODEL, OFTEN, ORIGIN, utc

BLOCK_M: Final = 120.0
BLOCKS: Final = 40
"""So many blocks from west to east, and from south to north: 394 km of streets."""
THING_M: Final = 6.0
"""Along a street there is a thing so often."""
SPEED_MPS: Final = 8.0
SEEN, REPLACED = 0.95, 0.001
"""What is there is found so often; and it is replaced by another thing so often from one round to the next, once at most."""
RECEIVER_M, LASTS_S, OWN_M = 2.0, 60.0, 0.4
BEGAN_AT: Final = utc("2026-03-02T07:00:00")
UNITS: Final = tuple(Unit("bench", f"car-{n:02d}", Path("/nowhere")) for n in range(1, 6))
SPACING: Final = {
    "histogram_m": {},
    "share_within": 1.0,
    "longest_m": 4.0,
    "filled_frames": 0,
    "standing_frames": 0,
    "standing_s": 0,
}

Corner = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Stands:
    """A thing beside a street: how far along it, how far right of its middle."""

    label: str
    along_m: float
    right_m: float
    area_m2: float


class BulkTown:
    """All things of the town, street by street; a street is named by its two corners, the smaller first."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self.told: set[tuple[Corner, Corner, int, str]] = set()
        """What was found of it so far: street, number along it, label."""

    def street(self, one: Corner, other: Corner, round_: int) -> Sequence[Stands]:
        """What stands along a street in a round."""
        street = f"{self._seed} {min(one, other)} {max(one, other)}"
        things = []
        for n in range(round(BLOCK_M / THING_M)):
            chance = random.Random(f"{street} {n}")  # noqa: S311 - no secret
            replaced = int(chance.expovariate(REPLACED))  # in this round another thing stands there
            if round_ >= replaced:
                chance = random.Random(f"{street} {n} later")  # noqa: S311
            label = chance.choices(list(OFTEN), list(OFTEN.values()))[0]
            aside_m = 4.5 if label.startswith(("sign", "traffic")) else chance.uniform(-2.6, 2.6)
            things.append(Stands(label, (n + chance.random()) * THING_M, aside_m, round(chance.uniform(0.1, 1.4), 2)))
        return things


def way_of(blocks: int, seed: str) -> Sequence[Corner]:
    """Corner after corner, by chance, never straight back."""
    chance = random.Random(seed)  # noqa: S311
    way = [(chance.randrange(BLOCKS + 1), chance.randrange(BLOCKS + 1))]
    while len(way) <= blocks:
        column, row = way[-1]
        steps = [(column + 1, row), (column - 1, row), (column, row + 1), (column, row - 1)]
        inside = [each for each in steps if min(each) >= 0 and max(each) <= BLOCKS and each not in way[-2:]]
        way.append(chance.choice(inside))
    return way


def round_of(town: BulkTown, number: int, findings: int) -> Iterator[Event]:
    """The events of the number-th round of the town, with about so many findings."""
    unit, round_id = UNITS[number % len(UNITS)], f"bulk-{number}"
    way = way_of(max(1, round(findings * THING_M / SEEN / BLOCK_M)), f"{number}")
    began_at, chance = BEGAN_AT + timedelta(hours=6 * number), random.Random(number)  # noqa: S311
    error = _Error(chance)
    driven_m, n = 0.0, 0
    for piece, (here, there) in enumerate(pairwise(way)):
        for thing in sorted(town.street(here, there, number), key=lambda each: each.along_m if here < there else -each.along_m):
            if chance.random() < SEEN:
                n += 1
                town.told.add((min(here, there), max(here, there), int(thing.along_m / THING_M), thing.label))
                ahead_m = thing.along_m if here < there else BLOCK_M - thing.along_m
                at = began_at + timedelta(seconds=(driven_m + ahead_m) / SPEED_MPS)
                place = _place(here, there, ahead_m, thing.right_m if here < there else -thing.right_m)
                yield _finding((unit, round_id), n, thing, _Sight(at, place, _heading(here, there)), error)
        driven_m += BLOCK_M
        at = began_at + timedelta(seconds=driven_m / SPEED_MPS)
        line = [error.on(at, _place(here, there, BLOCK_M * share / 10.0, 0.0)) for share in range(11)]
        data = track_data(
            round_id, [offset(*ORIGIN, *each) for each in line], from_at=at - timedelta(seconds=BLOCK_M / SPEED_MPS), to_at=at,
            length_m=BLOCK_M, frames=30, filled_m=0.0, spacing=SPACING,
        )  # fmt: skip
        yield Event(unit, "track", event_id(unit, "track", round_id, piece), at, data)


@dataclass(frozen=True, slots=True)
class _Sight:
    """When and where (east, north) something was seen, and where the camera looked."""

    at: datetime
    place: tuple[float, float]
    heading_deg: float


class _Error:
    """The receiver's, east and north; asked in the order of time."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._at: datetime | None = None
        self._error = chance.gauss(0.0, RECEIVER_M), chance.gauss(0.0, RECEIVER_M)

    def on(self, at: datetime, place: tuple[float, float]) -> tuple[float, float]:
        """A place as the receiver says it."""
        if self._at is not None and at > self._at:
            keep = exp(-(at - self._at).total_seconds() / LASTS_S)
            fresh_m = RECEIVER_M * sqrt(1.0 - keep * keep)
            self._error = (
                keep * self._error[0] + self._chance.gauss(0.0, fresh_m),
                keep * self._error[1] + self._chance.gauss(0.0, fresh_m),
            )
        self._at = at
        return place[0] + self._error[0], place[1] + self._error[1]

    def seen(self, at: datetime, place: tuple[float, float]) -> tuple[float, float]:
        """The same for what is seen from there: it has an error of its own besides."""
        east_m, north_m = self.on(at, place)
        return east_m + self._chance.gauss(0.0, OWN_M), north_m + self._chance.gauss(0.0, OWN_M)


def _finding(whose: tuple[Unit, str], n: int, thing: Stands, sight: _Sight, error: _Error) -> Event:
    unit, round_id = whose
    latitude_deg, longitude_deg = offset(*ORIGIN, *error.seen(sight.at, sight.place))
    finding = Finding(
        id=f"{round_id}-f{n}", round_id=round_id, label=thing.label, score=0.8, latitude_deg=latitude_deg,
        longitude_deg=longitude_deg, uncertainty_m=5.0, frames=4, best_frame_id="1", seen_at=sight.at, model=MODEL,
        area_m2=thing.area_m2 if thing.label in DAMAGE else None, severity=2 if thing.label in DAMAGE else None,
    )  # fmt: skip
    camera = Place(latitude_deg, longitude_deg, 4.9, sight.heading_deg, SPEED_MPS, 0.0, "between_fixes", sight.at, "gnss")
    return Event(
        unit, "finding", event_id(unit, "finding", round_id, n), sight.at, finding_data(finding, camera, None), finding.id
    )


def _place(here: Corner, there: Corner, ahead_m: float, right_m: float) -> tuple[float, float]:
    """East and north of what lies so far along the way from one corner to the next, and right of it."""
    east, north = there[0] - here[0], there[1] - here[1]
    length = hypot(east, north)
    return (
        here[0] * BLOCK_M + (ahead_m * east + right_m * north) / length,
        here[1] * BLOCK_M + (ahead_m * north - right_m * east) / length,
    )


def _heading(here: Corner, there: Corner) -> float:
    return degrees(atan2(there[0] - here[0], there[1] - here[1])) % 360.0
