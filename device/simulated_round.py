"""A simulated drive through the real gate and the real choice, with the naive trigger beside it. Pure.

The naive trigger is what a first attempt does: at each fix it asks whether the car is a spacing away from the last photo, and
takes the newest frame if so.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from device.choice import Ahead, Chosen, Missed, Placed
from device.chooser import Chooser
from device.earth import distance_m
from device.fix import Fix
from device.frame import Exposure, Place
from device.gate import FixGate
from device.ring import Ring
from device.simulated import Truth
from device.simulated_senses import BOOT_S, Arrival, Camera, Receiver, senses
from device.tpv import report_of

WIDTH, HEIGHT = 1456, 1088
"""The unit's camera: the ring holds as many frames as would fit with this size."""

SEEN_M = 0.05
"""A move that changes the picture."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A kept frame: when it was taken, in seconds since the drive's start, and where ronde says it was."""

    at_s: float
    place: Place


@dataclass
class Round:
    """What came of a drive: photos in the order of the road.

    `unplaced` are moments of photos kept ahead of the fix that are still without a place, by number; `naive_s` are those of the
    naive trigger's photos.
    """

    truth: Truth
    fps: float
    photos: list[Photo] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)
    unplaced: dict[int, float] = field(default_factory=dict)
    naive_s: list[float] = field(default_factory=list)
    rejected: Mapping[str, int] = field(default_factory=dict)
    _tried_m: float | None = None

    def fixed(self) -> None:
        """A fix has come: what was tried before it is compared no more."""
        self._tried_m = None

    def moved(self, ahead: Ahead) -> bool:
        """Whether the car has moved since the exposure that was tried before: what the pictures would show."""
        before_m, self._tried_m = self._tried_m, self.truth.odometer_m(ahead.exposure.shutter_boot_s - BOOT_S)
        return ahead.moving if before_m is None else self._tried_m - before_m > SEEN_M


def drive_round(truth: Truth, receiver: Receiver, camera: Camera, rng: np.random.Generator, spacing_m: float = 4.0) -> Round:
    """Drive it: what arrives is fed in as in the car, one thing at a time."""
    driven = Round(truth, camera.fps)
    gate, chooser, naive = FixGate(), Chooser(spacing_m, Ring.for_camera(WIDTH, HEIGHT)), _Naive(spacing_m, driven.naive_s)
    for arrived in judged(senses(truth, receiver, camera, rng), gate):
        if isinstance(arrived, Fix):
            chooser.take_fix(arrived)
            driven.fixed()
            naive.take_fix(arrived)
        else:
            chooser.ring.push(arrived)
            naive.take_exposure(arrived)
        _take_choices(chooser, driven)
    # It is not ended: the mark that still waits then would have frames on one side only.
    driven.rejected = gate.rejected
    return driven


def judged(arrivals: Iterable[Arrival], gate: FixGate) -> Iterator[Fix | Exposure]:
    """What the gate lets through, in order of arrival."""
    for arrival_boot_s, arrived in arrivals:
        if isinstance(arrived, Exposure):
            yield arrived
            continue
        report = report_of(arrived)
        if report is not None:
            yield from gate.accept(report, arrival_boot_s)


def _take_choices(chooser: Chooser, driven: Round) -> None:
    while (choice := chooser.choose()) is not None:
        if isinstance(choice, Chosen):
            driven.photos.append(Photo(choice.exposure.shutter_boot_s - BOOT_S, choice.place))
        elif isinstance(choice, Ahead) and not driven.moved(choice):
            chooser.was_still(choice.number)
        elif isinstance(choice, Ahead):
            driven.unplaced[choice.number] = choice.exposure.shutter_boot_s - BOOT_S
        elif isinstance(choice, Placed):
            driven.photos.append(Photo(driven.unplaced.pop(choice.number), choice.place))
        elif isinstance(choice, Missed):
            driven.missed[choice.reason] += 1
        else:
            del driven.unplaced[choice.number]


class _Naive:
    """The naive trigger."""

    def __init__(self, spacing_m: float, taken_s: list[float]) -> None:
        self._spacing_m = spacing_m
        self._taken_s = taken_s
        self._newest: Exposure | None = None
        self._last: Fix | None = None

    def take_exposure(self, exposure: Exposure) -> None:
        """The newest frame."""
        self._newest = exposure

    def take_fix(self, fix: Fix) -> None:
        """Is it a spacing away from the last photo?"""
        if self._newest is None or (self._last is not None and _apart_m(self._last, fix) < self._spacing_m):
            return
        self._taken_s.append(self._newest.shutter_boot_s - BOOT_S)
        self._last = fix


def _apart_m(here: Fix, there: Fix) -> float:
    return distance_m(here.latitude_deg, here.longitude_deg, there.latitude_deg, there.longitude_deg)
