"""What a satellite receiver and a camera say of a simulated drive, in order of arrival. Pure.

The receiver speaks gpsd's TPV, so that what listens is the same as in the car. Its faults are those of a receiver in a street:
noisy Doppler, positions that keep their error for a minute, reports that are late by changing amounts or do not come.
"""

import heapq
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any, Final, Protocol

import numpy as np

from device.frame import Exposure, Pixels
from device.utc import iso_ms

STARTED_AT: Final = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)
BOOT_S = 100.0
"""The boot clock when a drive starts."""

RADIUS_95: Final = math.sqrt(-2.0 * math.log(0.05))
"""The radius that holds 95 % of a normal error on two axes, in standard deviations of one: 2.448."""

SHORTEST_BREAK_S, LONGEST_BREAK_S = 3.0, 8.0
LAST_S = 1.0
"""Reports end so long before the exposures, or the last photo would lack the frames after it."""

CRYSTAL = 2e-5
"""A camera's clock is off by so much: frames drift against fixes."""

PIXELS: Final[Pixels] = np.zeros((2, 2, 3), np.uint8)
"""All exposures share them: what is chosen does not depend on what is seen."""


class Driven(Protocol):
    """A drive whose truth is known: a `device.simulated.Truth`, or one through the street's town."""

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        ...

    def speed_mps(self, at_s: float) -> float:
        """Speed along the road."""
        ...

    def course_deg(self, at_s: float) -> float:
        """Direction of the road here."""
        ...

    def place_deg(self, at_s: float, east_m: float = 0.0, north_m: float = 0.0) -> tuple[float, float]:
        """Latitude and longitude, or those of a point so far from the car."""
        ...

    def in_tunnel(self, at_s: float) -> bool:
        """Whether no receiver sees the sky."""
        ...


Read = Callable[[float], Pixels]
"""The picture that a camera takes so many seconds into a drive."""


def blank(_at_s: float) -> Pixels:
    """The same two by two pixels at any time: what is chosen does not depend on what is seen."""
    return PIXELS


@dataclass(frozen=True, slots=True)
class Receiver:
    """A receiver's rate and its faults.

    `doppler_mps` and `position_m` are standard deviations per axis; positions keep their error for about `correlation_s`. A
    report is late by `latency_s` and, on top, by `jitter_s` on average. A share `missing` of the reports never comes. With
    `break_every_s` there is no fix for 3 to 8 s about so often.
    """

    hz: float = 1.0
    doppler_mps: float = 0.08
    position_m: float = 2.0
    correlation_s: float = 60.0
    latency_s: float = 0.1
    jitter_s: float = 0.06
    most_jitter_s: float = 0.4
    missing: float = 0.005
    break_every_s: float | None = None


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera's rate; an exposure is in memory `delay_s` after its middle, and `jitter_s` later on average."""

    fps: float = 30.0
    delay_s: float = 0.03
    jitter_s: float = 0.004


Arrival = tuple[float, Mapping[str, Any] | Exposure]
"""A moment on the boot clock, and the TPV or the exposure that arrives then."""


def senses(
    truth: Driven,
    receiver: Receiver,
    camera: Camera,
    rng: np.random.Generator,
    read: Read = blank,
    *,
    started_at: datetime = STARTED_AT,
) -> Iterator[Arrival]:
    """All that arrives in a drive, in order; `read` gives the pictures, when they are wanted."""
    told: list[Arrival] = [(BOOT_S + late_s, report) for late_s, report in reports(truth, receiver, rng, started_at)]
    return heapq.merge(told, _exposures(truth, camera, rng, read), key=lambda each: each[0])


def reports(
    truth: Driven, receiver: Receiver, rng: np.random.Generator, started_at: datetime = STARTED_AT
) -> list[tuple[float, dict[str, Any]]]:
    """What the receiver says, as gpsd's TPV, in order of arrival: each with the seconds since the start at which it arrives."""
    arrivals: list[tuple[float, dict[str, Any]]] = []
    error_m = rng.normal(0.0, receiver.position_m, 2)
    keeps = math.exp(-1.0 / (receiver.hz * receiver.correlation_s))
    renews_m = receiver.position_m * math.sqrt(1.0 - keeps * keeps)
    breaks = _breaks(truth.seconds, receiver, rng)
    before_s = 0.0
    for number in range(int((truth.seconds - LAST_S) * receiver.hz) + 1):
        at_s = number / receiver.hz
        error_m = keeps * error_m + rng.normal(0.0, renews_m, 2)
        velocity_error_mps = rng.normal(0.0, receiver.doppler_mps, 2)
        late_s = receiver.latency_s + min(receiver.most_jitter_s, rng.exponential(receiver.jitter_s))
        # A line is a queue: a report does not overtake the one before.
        before_s = max(at_s + late_s, before_s + 0.001)
        if rng.random() < receiver.missing:
            continue
        blind = truth.in_tunnel(at_s) or any(from_s <= at_s <= to_s for from_s, to_s in breaks)
        report = {"mode": 1} if blind else _fix(truth, receiver, at_s, error_m, velocity_error_mps)
        time = iso_ms(started_at + timedelta(seconds=at_s))
        arrivals.append((before_s, {"class": "TPV", "device": "/dev/ttyS0", "time": time, **report}))
    return arrivals


def _fix(truth: Driven, receiver: Receiver, at_s: float, error_m: Any, velocity_error_mps: Any) -> dict[str, Any]:
    """A report with a fix, rounded as gpsd rounds. An error across the road turns the course, and is speed at a standstill."""
    latitude_deg, longitude_deg = truth.place_deg(at_s, *error_m)
    along_mps, across_mps = truth.speed_mps(at_s) + velocity_error_mps[0], velocity_error_mps[1]
    turned_deg = math.degrees(math.atan2(across_mps, along_mps))
    return {
        "mode": 3,
        "lat": round(latitude_deg, 9),
        "lon": round(longitude_deg, 9),
        "eph": round(RADIUS_95 * receiver.position_m, 3),
        "speed": round(math.hypot(along_mps, across_mps), 3),
        "track": round((truth.course_deg(at_s) + turned_deg) % 360.0, 4),
    }


def _breaks(seconds: float, receiver: Receiver, rng: np.random.Generator) -> list[tuple[float, float]]:
    """When there is no fix under the open sky."""
    breaks: list[tuple[float, float]] = []
    at_s = 0.0
    while receiver.break_every_s is not None and at_s < seconds:
        at_s += rng.exponential(receiver.break_every_s)
        breaks.append((at_s, at_s + rng.uniform(SHORTEST_BREAK_S, LONGEST_BREAK_S)))
        at_s = breaks[-1][1]
    return breaks


def _exposures(truth: Driven, camera: Camera, rng: np.random.Generator, read: Read) -> Iterator[Arrival]:
    period_s = (1.0 + rng.uniform(-CRYSTAL, CRYSTAL)) / camera.fps
    phase_s = period_s * rng.random()
    for number in range(int((truth.seconds - phase_s) / period_s)):
        shutter_boot_s = BOOT_S + phase_s + number * period_s
        # Delays differ by less than a period, so the order stays.
        late_s = camera.delay_s + min(0.9 * period_s, rng.exponential(camera.jitter_s))
        yield shutter_boot_s + late_s, Exposure(shutter_boot_s, partial(read, shutter_boot_s - BOOT_S))
