"""What a map shows of what a receiver has stored. `seq` is the number of the event that told it: later is greater.

Times are ISO 8601 in UTC with milliseconds. What a unit did not say is None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

State = Literal["new", "seen_again", "worse", "repaired", "gone", "not_seen", "out_of_view"]
STATES: Final[tuple[State, ...]] = get_args(State)
"""What a round makes of a thing. `not_seen`: it was in view and was not found, which is not yet enough to say that it is gone;
`out_of_view`: the car passed, and could not have seen it. Neither is ever a thing's own state."""
Judgement = Literal["confirmed", "rejected"]
JUDGEMENTS: Final[tuple[Judgement, ...]] = get_args(Judgement)


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the map in degrees; it does not reach over the 180th meridian."""

    west_deg: float
    south_deg: float
    east_deg: float
    north_deg: float

    def __post_init__(self) -> None:
        if not (-180 <= self.west_deg <= self.east_deg <= 180 and -90 <= self.south_deg <= self.north_deg <= 90):
            raise ValueError(f"{self} is no box: west <= east, south <= north, in degrees")


@dataclass(frozen=True, slots=True)
class FindingSeen:
    """A thing on or beside the road. `time` is the event's, always there; `photo`: its picture has arrived.

    `note` is what a driver says of a hazard.
    """

    seq: int
    source: str
    finding_id: str
    round_id: str | None
    label: str
    score: float | None
    latitude_deg: float
    longitude_deg: float
    uncertainty_m: float | None
    area_m2: float | None
    severity: int | None
    frames: int | None
    time: str
    seen_at: str | None
    position_source: str | None
    heading_deg: float | None
    photo: bool
    note: str | None = None


@dataclass(frozen=True, slots=True)
class TrackDriven:
    """A piece of road driven. `line` is longitude and latitude in degrees; `gaps` have odometer_m, length_m and reason."""

    seq: int
    source: str
    round_id: str | None
    time: str
    began_at: str | None
    ended_at: str | None
    length_m: float | None
    frames: int | None
    filled_m: float | None
    gaps: Sequence[dict[str, Any]]
    line: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class StretchGraded:
    """A stretch of road and its grade, 1 to 5, with its interval. `reasons`: how many cells did not count, and why."""

    seq: int
    n: int
    source: str
    round_id: str | None
    time: str
    from_m: float | None
    to_m: float | None
    grade: float | None
    low: float | None
    high: float | None
    coverage: float | None
    cells: int | None
    reasons: Mapping[str, int]
    line: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class ThingKnown:
    """One real thing, joined from the findings of rounds and units. Numbers grow in the order in which things became known.

    `state` is what the latest round that saw it or had it in view made of it (`STATES`). `rounds` saw it; `missed` had it in view
    since and did not. `visited_at`: when it was last seen or in view. `judgement` is what a person said (`JUDGEMENTS`), or None.
    `source`, `finding_id`, `frames` and `photo` are those of its latest finding, `finding_id` None where it was deleted.
    `in_round` is what the round that was asked for made of it, None where none was.
    """

    number: int
    id: str
    label: str
    state: str
    state_at: str
    score: float | None
    latitude_deg: float
    longitude_deg: float
    uncertainty_m: float | None
    area_m2: float | None
    severity: int | None
    frames: int | None
    rounds: int
    missed: int
    first_seen_at: str
    last_seen_at: str
    visited_at: str
    judgement: str | None
    judged_at: str | None
    judged_by: str | None
    note: str | None
    source: str | None
    finding_id: str | None
    photo: bool
    in_round: str | None


@dataclass(frozen=True, slots=True)
class Visit:
    """What a round made of a thing. `finding_id` None: it was not found; `reason` then says why it was out of view.

    `patch` is the id of the thing, a patch, that was found where it was.
    """

    source: str
    round_id: str
    at: str
    state: str
    reason: str | None
    finding_id: str | None
    label: str | None
    score: float | None
    latitude_deg: float | None
    longitude_deg: float | None
    uncertainty_m: float | None
    area_m2: float | None
    severity: int | None
    heading_deg: float | None
    patch: str | None
    photo: bool


@dataclass(frozen=True, slots=True)
class Judged:
    """What a person said of a thing; `judgement` None took back what was said before."""

    judgement: str | None
    by: str
    note: str | None
    at: str


@dataclass(frozen=True, slots=True)
class RoundDriven:
    """A round of a unit: from its first to its last event, how many findings, how many metres of track.

    `last_seq` is the number of its latest event; up to `joined_seq` its findings are joined into things.
    """

    source: str
    round_id: str
    began_at: str
    ended_at: str
    findings: int
    length_m: float
    last_seq: int
    joined_seq: int


@dataclass(frozen=True, slots=True)
class UnitHeard:
    """A unit: `connection` is online or lost (None: it never said), `heard_at` the last contact; then its latest health."""

    source: str
    heard_at: str
    connection: str | None
    connection_at: str | None
    boot: str | None
    software: str | None
    health_at: str | None
    state: str | None
    reasons: Sequence[str]
    uptime_s: float | None
    fix_age_s: float | None
    frames: int | None
    refused: int | None
    disk_free_bytes: int | None
    temperature_c: float | None
    time_source: str | None
    outbox_rows: int | None
    outbox_oldest_s: float | None

    @property
    def fleet(self) -> str:
        """Whose it is."""
        return self.source.split("/")[2]

    @property
    def name(self) -> str:
        """What it is called in its fleet."""
        return self.source.split("/")[3]


@dataclass(frozen=True, slots=True)
class Changes:
    """What has come, up to `seq`: the next `after`. `photos` are the findings whose picture has come: source and finding_id."""

    seq: int
    findings: Sequence[FindingSeen]
    tracks: Sequence[TrackDriven]
    grades: Sequence[StretchGraded]
    photos: Sequence[tuple[str, str]]
