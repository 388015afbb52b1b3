"""The patrol log of a day: which streets were driven, when and how far, what was photographed, what was not and why. Pure.

A town shows with it that a street was inspected. So it says as plainly what was not: each gap with its reason, each pause.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

LEAST_M: Final = 1.0
"""Less road than this is no stretch of it."""

Spot = tuple[float, float]
"""Latitude and longitude in degrees."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A kept photo of a round: where along it, where and when."""

    frame_id: str
    odometer_m: float
    spot: Spot
    at: datetime | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Missing:
    """Road without a photo, and why."""

    from_m: float
    length_m: float
    reason: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a round in one street, or between two places where no street is known."""

    street: str | None
    from_m: float
    to_m: float
    began_at: datetime | None
    ended_at: datetime | None
    begin: Spot | None
    end: Spot | None
    photos: int
    missing: Mapping[str, float]

    @property
    def driven_m(self) -> float:
        """How long it is."""
        return self.to_m - self.from_m

    @property
    def photographed_m(self) -> float:
        """What is left of it without its gaps."""
        return max(0.0, self.driven_m - sum(self.missing.values()))


@dataclass(frozen=True, slots=True)
class Marked:
    """A hazard that the driver has marked."""

    finding_id: str
    at: datetime | None
    spot: Spot
    uncertainty_m: float
    note: str | None


@dataclass(frozen=True, slots=True)
class Drive:
    """One round."""

    round_id: str
    began_at: datetime
    ended_at: datetime | None
    length_m: float
    photos: int
    photos_sha256: str
    findings: int
    stretches: Sequence[Stretch]
    hazards: Sequence[Marked] = ()

    @property
    def missing(self) -> Mapping[str, float]:
        """Metres without a photo by reason, the most first."""
        return added(stretch.missing for stretch in self.stretches)

    @property
    def photographed_m(self) -> float:
        """What was photographed of it."""
        return max(0.0, self.length_m - sum(self.missing.values()))


@dataclass(frozen=True, slots=True)
class Paused:
    """Nothing was recorded, since the driver said so; open where it still holds."""

    began_at: datetime
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Day:
    """A unit's day, by the clock of the place where the log is made."""

    fleet: str
    unit: str
    day: date
    drives: Sequence[Drive]
    pauses: Sequence[Paused] = ()
    by_street: bool = False

    @property
    def length_m(self) -> float:
        """Driven in all rounds."""
        return sum(drive.length_m for drive in self.drives)

    @property
    def photographed_m(self) -> float:
        """Photographed in all rounds."""
        return sum(drive.photographed_m for drive in self.drives)

    @property
    def missing(self) -> Mapping[str, float]:
        """Metres without a photo by reason."""
        return added(drive.missing for drive in self.drives)

    @property
    def streets(self) -> Sequence["Street"]:
        """Each street of the day once, in the order in which it was first driven; none where no street is known."""
        found: dict[str, list[Stretch]] = {}
        for drive in self.drives:
            for stretch in drive.stretches:
                if stretch.street is not None:
                    found.setdefault(stretch.street, []).append(stretch)
        return [Street(name, tuple(stretches)) for name, stretches in found.items()]


@dataclass(frozen=True, slots=True)
class Street:
    """A street and all that was driven in it that day."""

    name: str
    stretches: Sequence[Stretch] = field(default=())

    @property
    def driven_m(self) -> float:
        """Every passage counts."""
        return sum(stretch.driven_m for stretch in self.stretches)

    @property
    def photographed_m(self) -> float:
        """The same of what was photographed."""
        return sum(stretch.photographed_m for stretch in self.stretches)

    @property
    def missing(self) -> Mapping[str, float]:
        """Metres without a photo by reason."""
        return added(stretch.missing for stretch in self.stretches)


def added(parts: Iterable[Mapping[str, float]]) -> Mapping[str, float]:
    """Metres by reason, added up, the most first."""
    total: Counter[str] = Counter()
    for part in parts:
        for reason, metres in part.items():
            total[reason] += metres  # type: ignore[assignment]  # a Counter counts metres as well
    return dict(total.most_common())


def share(part_m: float, whole_m: float) -> float:
    """0 to 1; all of nothing is all."""
    return 1.0 if whole_m <= 0.0 else max(0.0, min(1.0, part_m / whole_m))


def stretches_of(
    cuts: Sequence[tuple[float, str | None]], end_m: float, frames: Sequence[Frame], missing: Sequence[Missing]
) -> list[Stretch]:
    """A round in pieces: `cuts` say from which metre on it is which street, in order; `frames` are in the order of the road."""
    pieces: list[Stretch] = []
    for number, (from_m, street) in enumerate(cuts):
        to_m = cuts[number + 1][0] if number + 1 < len(cuts) else end_m
        if to_m - from_m < LEAST_M:
            continue
        last = number + 1 == len(cuts)
        inside = [frame for frame in frames if from_m <= frame.odometer_m < to_m or (last and frame.odometer_m == to_m)]
        pieces.append(
            Stretch(
                street=street,
                from_m=from_m,
                to_m=to_m,
                began_at=inside[0].at if inside else None,
                ended_at=inside[-1].at if inside else None,
                begin=inside[0].spot if inside else None,
                end=inside[-1].spot if inside else None,
                photos=len(inside),
                missing=_within(missing, from_m, to_m),
            )
        )
    return pieces


def _within(missing: Sequence[Missing], from_m: float, to_m: float) -> Mapping[str, float]:
    """What is missing of a piece: a gap that reaches over its end counts with the part inside."""
    parts = (
        {gap.reason: min(to_m, gap.from_m + gap.length_m) - max(from_m, gap.from_m)}
        for gap in missing
        if gap.from_m < to_m and gap.from_m + gap.length_m > from_m
    )
    return added(parts)
