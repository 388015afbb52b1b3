"""A photo, before and after it has a place. Both stay in memory: only an `inference.anonymise.AnonymousFrame` is written."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
"""(height, width, 3) RGB."""

PositionSource = Literal["between_fixes", "ahead_of_fix", "filled"]
TimeSource = Literal["gnss", "system", "unset"]


class FrameUnreadable(Exception):
    """A recorded picture cannot be decoded; the message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when a frame was taken.

    `accuracy_m` is the radius that holds 95 %. `heading_deg` is the path's tangent, clockwise from true north, None where the
    car has not moved yet. `odometer_m` is the distance driven since the round began. `taken_at` is UTC, None while unknown.
    """

    latitude_deg: float
    longitude_deg: float
    accuracy_m: float
    heading_deg: float | None
    speed_mps: float
    odometer_m: float
    position_source: PositionSource
    taken_at: datetime | None
    time_source: TimeSource


@dataclass(frozen=True, slots=True, eq=False)
class Exposure:
    """What a camera delivers: one photo that has no place yet.

    `shutter_boot_s` is the middle of the exposure on the boot clock. `read` gives the pixels; a live camera has them in memory,
    a recording decodes them when they are wanted and raises `FrameUnreadable`. `source` is the file name in a recording.
    """

    shutter_boot_s: float
    read: Callable[[], Pixels]
    source: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One photo with the place where it was taken, None before the first fix. Raw pixels: never written, logged or sent."""

    pixels: Pixels
    shutter_boot_s: float
    place: Place | None
    source: str | None = None
