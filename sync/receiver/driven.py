"""What is joined: a round as it was told, and the things that are known around it; and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha256

from device.utc import iso_ms
from sync.receiver.visits import Visited


@dataclass(frozen=True, slots=True)
class Found:
    """A finding of a round, and the id of its event. `thing` is the number of the thing that it was joined to before."""

    seq: int
    id: str
    at: str
    label: str
    score: float | None
    latitude_deg: float
    longitude_deg: float
    uncertainty_m: float | None
    area_m2: float | None
    severity: int | None
    heading_deg: float | None
    thing: int | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """A piece of track as it was told: positions with longitude first; `gaps` as in `passing.Piece`."""

    line: Sequence[Sequence[float]]
    began_at: str
    ended_at: str
    length_m: float
    gaps: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class Round:
    """All that has come of a round; `poor` are the lines of stretches whose pictures could not be judged."""

    source: str
    round_id: str
    found: Sequence[Found]
    tracks: Sequence[Track] = ()
    poor: Sequence[Sequence[Sequence[float]]] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """A thing that was known before this round was joined. `ended`: it is repaired, gone, or rejected by a person.

    `own`: this round alone has seen it.
    """

    number: int
    id: str
    label: str
    latitude_deg: float
    longitude_deg: float
    seen_from: int
    first_seen_at: str
    ended: bool = False
    own: bool = False


@dataclass(frozen=True, slots=True)
class Joined:
    """What a round made of things, by their numbers. `new` are the ids of those that it saw first."""

    visits: Sequence[tuple[int, Visited]]
    new: Mapping[int, str]


def thing_id(source: str, event_id: str) -> str:
    """The id of a thing: by the event that told it first, so the same whenever it is joined."""
    return sha256(f"{source} {event_id}".encode()).hexdigest()[:16]


def second(at: str) -> float:
    """A moment as seconds since 1970."""
    return datetime.fromisoformat(at.replace("Z", "+00:00")).timestamp()


def written(second_s: float) -> str:
    """The moment of so many seconds since 1970."""
    return iso_ms(datetime.fromtimestamp(second_s, timezone.utc))
