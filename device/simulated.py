"""A simulated drive: the truth that no recording has. Pure: the same seed gives the same drive.

A car follows a road that bends gently; its speed is known at every moment, so its odometer and its place are too. What a receiver
and a camera say of it is in device/simulated_senses.py.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from device.earth import offset
from device.speeds import STEP_S, Floats, Speeds, odometers_of, summed, value_at

SMOOTH_S = 1.0
"""Accelerations begin and end over this time: a car does not jerk."""

KMH = 1.0 / 3.6

HERE_DEG = (43.5528, 7.0174)
RING_M, WIGGLE_DEG, WIGGLE_M = 20_000.0, 3.0, 150.0
"""The road closes after so many metres, so that the longest drive stays near; besides it bends to and fro by a few degrees."""

TUNNEL_M, TUNNEL_EVERY_M, TUNNEL_FROM_M = 300.0, 1_000.0, 500.0

UNSTEADY = 0.05
"""Two waves of this share of the speed: steady to 10 %, as on an open road."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth(Speeds):
    """A drive as it was. Time is in seconds since its start; arrays hold one entry each `STEP_S`.

    `tunnels_m` are stretches of the odometer, from and to, in which no receiver sees the sky.
    """

    speeds_mps: Floats
    tunnels_m: tuple[tuple[float, float], ...] = ()
    odometers_m: Floats = field(init=False)
    _easts_m: Floats = field(init=False)
    _norths_m: Floats = field(init=False)

    def __post_init__(self) -> None:
        odometers_m = odometers_of(self.speeds_mps)
        middles_m = (odometers_m[1:] + odometers_m[:-1]) / 2.0
        courses, driven_m = np.radians(course_deg(middles_m)), np.diff(odometers_m)
        for name, values in (
            ("odometers_m", odometers_m),
            ("_easts_m", summed(driven_m * np.sin(courses))),
            ("_norths_m", summed(driven_m * np.cos(courses))),
        ):
            object.__setattr__(self, name, values)

    def course_deg(self, at_s: float) -> float:
        """Direction of the road here."""
        return float(course_deg(np.array(self.odometer_m(at_s))))

    def place_deg(self, at_s: float, east_m: float = 0.0, north_m: float = 0.0) -> tuple[float, float]:
        """Latitude and longitude, or those of a point so far from the car."""
        return offset(*HERE_DEG, value_at(self._easts_m, at_s) + east_m, value_at(self._norths_m, at_s) + north_m)

    def in_tunnel(self, at_s: float) -> bool:
        """Whether the car is in a tunnel."""
        odometer_m = self.odometer_m(at_s)
        return any(from_m <= odometer_m <= to_m for from_m, to_m in self.tunnels_m)


def course_deg(odometers_m: Floats) -> Floats:
    """The road's direction at readings of the odometer, clockwise from true north."""
    return (360.0 * odometers_m / RING_M + WIGGLE_DEG * np.sin(odometers_m / WIGGLE_M)) % 360.0


def town(seconds: float, rng: np.random.Generator) -> Truth:
    """Up to 50 km/h between stops of 5 to 40 s; corners are taken slowly."""
    legs = [(0.0, 0.0), (rng.uniform(5.0, 15.0), 0.0)]
    while legs[-1][0] < seconds:
        cruise_mps = rng.uniform(30.0, 50.0) * KMH
        _ramp(legs, cruise_mps, rng.uniform(1.0, 2.0))
        _hold(legs, rng.uniform(5.0, 25.0), cruise_mps * rng.uniform(0.9, 1.0))
        if rng.random() < 0.3:
            _ramp(legs, rng.uniform(2.5, 5.0), rng.uniform(1.2, 2.5))
            _hold(legs, rng.uniform(2.0, 4.0))
        else:
            _ramp(legs, 0.0, rng.uniform(1.2, 2.5))
            _hold(legs, rng.uniform(5.0, 40.0))
    return Truth(_smooth(legs, seconds))


def steady(kmh: float) -> Callable[[float, np.random.Generator], Truth]:
    """On the open road at a speed that is steady to 10 %."""

    def drive(seconds: float, rng: np.random.Generator) -> Truth:
        return Truth(_steady(kmh, seconds, rng))

    return drive


def standing(seconds: float, _rng: np.random.Generator) -> Truth:
    """Parked all the time."""
    return Truth(np.zeros(_entries(seconds)))


def tunnels(seconds: float, rng: np.random.Generator) -> Truth:
    """A tunnel of 300 m in each kilometre, at 50 km/h steady to 10 %."""
    truth = Truth(_steady(50.0, seconds, rng))
    return Truth(truth.speeds_mps, _tunnels_within(truth))


def tunnels_with_stops(seconds: float, rng: np.random.Generator) -> Truth:
    """The same with a stop of 10 to 30 s somewhere in each tunnel."""
    speed_mps = 50.0 * KMH
    legs = [(0.0, speed_mps)]
    tunnel_m, moving_m = TUNNEL_FROM_M, 0.0
    while legs[-1][0] < seconds:
        stop_m = tunnel_m + TUNNEL_M * rng.uniform(0.1, 0.9)
        brakes_mps2, pulls_mps2 = rng.uniform(1.2, 2.5), rng.uniform(1.0, 2.0)
        _hold(legs, (stop_m - speed_mps * speed_mps / (2.0 * brakes_mps2) - moving_m) / speed_mps)
        _ramp(legs, 0.0, brakes_mps2)
        _hold(legs, rng.uniform(10.0, 30.0))
        _ramp(legs, speed_mps, pulls_mps2)
        tunnel_m, moving_m = tunnel_m + TUNNEL_EVERY_M, stop_m + speed_mps * speed_mps / (2.0 * pulls_mps2)
    truth = Truth(_smooth(legs, seconds))
    return Truth(truth.speeds_mps, _tunnels_within(truth))


PROFILES: Final[Mapping[str, Callable[[float, np.random.Generator], Truth]]] = {
    "town": town,
    "50 km/h": steady(50.0),
    "90 km/h": steady(90.0),
    "130 km/h": steady(130.0),
    "standing": standing,
    "tunnel": tunnels,
    "tunnel, stop": tunnels_with_stops,
}
"""By name: how long and which random numbers in, a drive out."""


def _steady(kmh: float, seconds: float, rng: np.random.Generator) -> Floats:
    times_s = np.arange(_entries(seconds)) * STEP_S
    waves = np.zeros_like(times_s)
    for shortest_s, longest_s in ((15.0, 40.0), (40.0, 120.0)):
        waves += UNSTEADY * np.sin(2.0 * math.pi * (times_s / rng.uniform(shortest_s, longest_s) + rng.random()))
    return kmh * KMH * (1.0 + waves)


def _tunnels_within(truth: Truth) -> tuple[tuple[float, float], ...]:
    """The tunnels that the drive leaves again, well before its end."""
    starts_m = np.arange(TUNNEL_FROM_M, truth.odometers_m[-1] - 1.5 * TUNNEL_M, TUNNEL_EVERY_M)
    return tuple((float(start_m), float(start_m) + TUNNEL_M) for start_m in starts_m)


def _ramp(legs: list[tuple[float, float]], speed_mps: float, change_mps2: float) -> None:
    """Speed up or brake."""
    at_s, before_mps = legs[-1]
    legs.append((at_s + abs(speed_mps - before_mps) / change_mps2, speed_mps))


def _hold(legs: list[tuple[float, float]], seconds: float, end_mps: float | None = None) -> None:
    """Go on so long, to the end at another speed where one is given."""
    at_s, before_mps = legs[-1]
    legs.append((at_s + seconds, before_mps if end_mps is None else end_mps))


def _smooth(legs: list[tuple[float, float]], seconds: float) -> Floats:
    """Speeds at each step: straight between the ends of the legs, then the mean over `SMOOTH_S`."""
    times_s = np.arange(_entries(seconds)) * STEP_S
    width = round(SMOOTH_S / STEP_S) | 1
    speeds = np.interp(times_s, *np.array(legs).T)
    padded = np.pad(speeds, width // 2, mode="edge")
    sums = summed(padded)
    # What rounding leaves of a standstill is one.
    return np.where(np.abs(means := (sums[width:] - sums[:-width]) / width) < 1e-9, 0.0, means)


def _entries(seconds: float) -> int:
    return round(seconds / STEP_S) + 1
