"""What the chooser can say: keep this exposure, give up this mark, or what becomes of one that was kept ahead of the fix."""

from dataclasses import dataclass
from typing import Literal

from device.frame import Exposure, Place

MissReason = Literal["no_frame", "no_fix", "frame_unreadable"]


@dataclass(frozen=True, slots=True)
class Missed:
    """No photo can be had at this mark, and why."""

    odometer_m: float
    reason: MissReason


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The exposure that serves the mark at `mark_m`, and its place."""

    exposure: Exposure
    place: Place
    mark_m: float


@dataclass(frozen=True, slots=True, eq=False)
class Ahead:
    """An exposure to keep before its place is known; `number` names it later.

    `place` is predicted, None before the first fix. It is only to be kept if the picture has moved since the last one that was
    tried; where there is none to compare, `moving` says what to think.
    """

    number: int
    exposure: Exposure
    place: Place | None
    moving: bool


@dataclass(frozen=True, slots=True)
class Placed:
    """The exposure kept ahead under this number serves a mark, and this is its place."""

    number: int
    place: Place


@dataclass(frozen=True, slots=True)
class Surplus:
    """The exposure kept ahead under this number serves no mark: it is to be removed."""

    number: int


Choice = Chosen | Missed | Ahead | Placed | Surplus
