"""A made-up town's events, for the bench and the tests of the map: rounds through crooked streets, and what was found in them.

The same seed gives the same events. They are made by the functions that a unit makes its own with, and enter a receiver's
database by its own door, so that nothing but where things lie is made up.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from math import atan2, cos, degrees, hypot, radians, sin
from typing import Any, Final

from device.earth import offset
from device.frame import Place
from inference.finding import Finding
from provisioning.settings import Unit
from sync.broker import Received
from sync.event import Event, compact, event_id, finding_data, gap_data, health_data, payload, state_data, topic, track_data
from sync.receiver.reading import Reading, read
from sync.receiver.store import Store

ORIGIN: Final = (43.5528, 7.0174)
COLUMNS: Final = 13
ROWS: Final = 9
BLOCK_M: Final = 118.0
CROOKED_M: Final = 27.0
CLOSED: Final = 0.22
"""Share of the streets that are none."""
PIECE_M: Final = 500.0
SPEED_MPS: Final = 7.5
BATCH: Final = 500
MODEL: Final = "ab" * 32
BOOT: Final = "0123456789abcdef" * 2

OFTEN: Final = {
    "crack_longitudinal": 22,
    "crack_transverse": 12,
    "crack_alligator": 9,
    "pothole": 14,
    "patch": 15,
    "manhole": 16,
    "manhole_open": 1,
    "drain": 14,
    "sign_danger": 4,
    "sign_prohibition": 9,
    "sign_mandatory": 4,
    "sign_yield": 3,
    "sign_stop": 3,
    "traffic_light": 4,
}
"""How many of each class among a hundred or so."""

DAMAGE: Final = ("pothole", "crack_alligator", "crack_longitudinal", "crack_transverse")

Node = tuple[int, int]
Spot = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Town:
    """Where the corners of the streets lie, in metres east and north, and which corners a street joins."""

    corners: dict[Node, Spot]
    beside: dict[Node, Sequence[Node]]


def lay_out(seed: int) -> Town:
    """A town of crooked blocks, some of which are one."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    corners = {
        (column, row): (
            (column - COLUMNS / 2) * BLOCK_M + chance.uniform(-CROOKED_M, CROOKED_M) + 14.0 * row,
            (row - ROWS / 2) * BLOCK_M + chance.uniform(-CROOKED_M, CROOKED_M) - 9.0 * column,
        )
        for column in range(COLUMNS)
        for row in range(ROWS)
    }
    beside: dict[Node, list[Node]] = {corner: [] for corner in corners}
    for column, row in corners:
        for there in ((column + 1, row), (column, row + 1)):
            if there in corners and chance.random() > CLOSED:
                beside[column, row].append(there)
                beside[there].append((column, row))
    return Town(corners, {corner: tuple(those) for corner, those in beside.items() if those})


def rounds_of(
    unit: Unit, findings: int, *, seed: int = 1, began_at: datetime, rounds: int = 1, days: float = 7.0
) -> Iterator[Event]:
    """The events of `rounds` rounds of a unit, `days` apart, with so many findings in all: tracks, findings, and its health."""
    town = lay_out(1)
    for number in range(rounds):
        share = findings * (number + 1) // rounds - findings * number // rounds
        at = began_at + timedelta(days=days * number)
        chance = random.Random(f"{seed} {unit.name} {number}")  # noqa: S311
        yield from _Round(unit, f"{BOOT[:8]}-{number + 1}", at, chance).events(town, share)


def fill(store: Store, events: Sequence[Event] | Iterator[Event]) -> int:
    """Puts events into a receiver's database as if they had come over MQTT; how many were stored."""
    stored, batch = 0, list[Reading]()
    for event in events:
        batch.append(reading_of(event))
        if len(batch) == BATCH:
            stored += store.keep(batch).stored
            batch.clear()
    return stored + store.keep(batch).stored


def reading_of(event: Event) -> Reading:
    """What a receiver reads of an event."""
    reading = read(Received(topic(event.unit, event.stream), payload(event, 1), 1))
    assert reading is not None
    return reading


def connected(unit: Unit, *, lost: bool = False) -> Reading:
    """The message by which a unit says that it is on line, or its last will."""
    told = state_data("lost" if lost else "online", BOOT, "0.1.0")
    reading = read(Received(topic(unit, "state"), compact(told), 1))
    assert reading is not None
    return reading


def health_of(unit: Unit, at: datetime, **told: Any) -> Event:
    """How a unit is: recording, all well, unless told otherwise."""
    well: dict[str, Any] = {
        "boot": BOOT,
        "uptime_s": 5400.0,
        "state": "recording",
        "time_source": "gnss",
        "outbox": (0, None),
        "fix_age_s": 0.6,
        "frames": 2400,
        "disk_free_bytes": 41_000_000_000,
        "temperature_c": 58.0,
    }
    data = health_data(**{**well, **told})
    return Event(unit, "health", event_id(unit, "health", BOOT, int(at.timestamp())), at, data)


@dataclass(frozen=True, slots=True)
class _Round:
    """One drive: whose, which, from when on."""

    unit: Unit
    id: str
    began_at: datetime
    chance: random.Random

    def events(self, town: Town, findings: int) -> Iterator[Event]:
        """What is found on a way through the town, and its tracks between."""
        way = _way(town, self.chance, blocks=max(24, min(len(town.corners), findings // 4 + 24)))
        lengths = [hypot(there[0] - here[0], there[1] - here[1]) for here, there in pairwise(way)]
        whole_m = sum(lengths)
        places = sorted(self.chance.random() * whole_m for _ in range(findings))
        driven_m, piece, piece_m, n, tracks = 0.0, [way[0]], 0.0, 0, 0
        for (here, there), length_m in zip(pairwise(way), lengths, strict=True):
            while n < len(places) and places[n] < driven_m + length_m:
                n += 1
                share = (places[n - 1] - driven_m) / length_m
                spot = (here[0] + share * (there[0] - here[0]), here[1] + share * (there[1] - here[1]))
                heading_deg = degrees(atan2(there[0] - here[0], there[1] - here[1])) % 360.0
                yield self._finding(n, spot, heading_deg, places[n - 1])
            driven_m, piece_m = driven_m + length_m, piece_m + length_m
            piece.append(there)
            if piece_m >= PIECE_M or driven_m >= whole_m:
                tracks += 1
                yield self._track(tracks, piece, driven_m, piece_m)
                piece, piece_m = [there], 0.0

    def _at(self, odometer_m: float) -> datetime:
        return self.began_at + timedelta(seconds=odometer_m / SPEED_MPS)

    def _finding(self, n: int, spot: Spot, heading_deg: float, odometer_m: float) -> Event:
        chance, at = self.chance, self._at(odometer_m)
        label = chance.choices(list(OFTEN), list(OFTEN.values()))[0]
        stands = label.startswith(("sign", "traffic", "drain"))
        aside_m = chance.uniform(4.0, 6.0) if stands else chance.uniform(-2.6, 2.6)
        latitude_deg, longitude_deg = offset(*ORIGIN, *_moved(spot, heading_deg + 90.0, aside_m))
        finding = Finding(
            id=f"{self.id}-f{n}",
            round_id=self.id,
            label=label,
            score=round(0.42 + 0.56 * chance.random(), 3),
            latitude_deg=latitude_deg,
            longitude_deg=longitude_deg,
            uncertainty_m=round(chance.uniform(1.2, 4.5), 1),
            frames=chance.randint(2, 6),
            best_frame_id="1",
            seen_at=at,
            model=MODEL,
            area_m2=round(chance.uniform(0.05, 1.4), 2) if label in DAMAGE else None,
            severity=chance.choice((1, 1, 2, 2, 3)) if label in DAMAGE else None,
        )
        car = offset(*ORIGIN, *_moved(spot, heading_deg, -6.0))
        camera = Place(*car, 2.5, heading_deg, SPEED_MPS, odometer_m, "between_fixes", at, "gnss")
        data = finding_data(finding, camera, None)
        return Event(self.unit, "finding", event_id(self.unit, "finding", self.id, n), at, data, finding.id)

    def _track(self, n: int, piece: Sequence[Spot], driven_m: float, length_m: float) -> Event:
        frames = int(length_m / 4)
        data = track_data(
            self.id,
            [offset(*ORIGIN, *spot) for spot in piece],
            from_at=self._at(driven_m - length_m),
            to_at=self._at(driven_m),
            length_m=length_m,
            frames=frames,
            filled_m=0.0,
            spacing={
                "histogram_m": {"4.0": max(frames, 1)},
                "share_within": 1.0,
                "longest_m": 4.3,
                "filled_frames": 0,
                "standing_frames": 0,
                "standing_s": 0.0,
            },
            gaps=[gap_data(driven_m - length_m / 2, 8.0, "no_frame")],
        )
        return Event(self.unit, "track", event_id(self.unit, "track", self.id, n), self._at(driven_m), data)


def _moved(spot: Spot, heading_deg: float, by_m: float) -> Spot:
    return spot[0] + by_m * sin(radians(heading_deg)), spot[1] + by_m * cos(radians(heading_deg))


def _way(town: Town, chance: random.Random, blocks: int) -> list[Spot]:
    """Corner after corner, seldom back, and sooner where it was not yet."""
    here = chance.choice(list(town.beside))
    times = dict.fromkeys(town.beside, 0)
    way, before = [town.corners[here]], None
    for _ in range(blocks):
        times[here] += 1
        choices = [each for each in town.beside[here] if each != before] or list(town.beside[here])
        before, here = here, min(choices, key=lambda each: times[each] + chance.random())
        way.append(town.corners[here])
    return way


def utc(text: str) -> datetime:
    """A moment in UTC, written as 2026-05-04T09:00:00."""
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
