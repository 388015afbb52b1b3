"""How the car drives the loop: its speed at every moment, from corners, red lights and comfort. Pure.

It has the role of `device.simulated.Truth`, so the same receiver speaks of it.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from device.speeds import STEP_S, Speeds, odometers_of
from device.street.geometry import Floats, Pose
from device.street.scene import Light, Scene

TICK_S = 0.05
"""The driver decides so often; between, speed is straight."""
CRUISE_MPS = 48.0 / 3.6
ASIDE_MPS2, SPEED_UP_MPS2, BRAKE_MPS2, HARDEST_MPS2 = 1.9, 1.4, 1.6, 3.0
"""Across in corners, ahead, and backwards: in comfort, and what is asked of the brakes before a light that has just turned."""
GRID_M = 0.5
CREEP_MPS = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class TownDrive(Speeds):
    """A drive as it was, in seconds since its start; `speeds_mps` holds one entry each `device.speeds.STEP_S`.

    `from_m` is where on the line it starts. `round` is the round it belongs to.
    """

    scene: Scene
    speeds_mps: Floats
    from_m: float = 0.0
    round: int = 1
    odometers_m: Floats = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "odometers_m", odometers_of(self.speeds_mps))

    def along_m(self, at_s: float) -> float:
        """Where on the line."""
        return (self.from_m + self.odometer_m(at_s)) % self.scene.path.length_m

    def pose(self, at_s: float) -> Pose:
        """Where the lens is above the ground, and where the car points."""
        return self.scene.path.at(self.along_m(at_s))

    def course_deg(self, at_s: float) -> float:
        """Direction of the road here."""
        return self.pose(at_s).heading_deg

    def place_deg(self, at_s: float, east_m: float = 0.0, north_m: float = 0.0) -> tuple[float, float]:
        """Latitude and longitude, or those of a point so far from the car."""
        pose = self.pose(at_s)
        return self.scene.place_deg(pose.east_m + east_m, pose.north_m + north_m)

    def in_tunnel(self, at_s: float) -> bool:
        """Whether the car is in a tunnel."""
        return self.scene.in_tunnel(self.along_m(at_s))


def drive_town(
    scene: Scene, seconds: float, *, from_m: float = 0.0, start_mps: float = 0.0, cruise_mps: float = CRUISE_MPS, number: int = 1
) -> TownDrive:
    """Drive `seconds` long from a place of the line, stopping at red lights and slow in corners; `number` is the round."""
    driver = _Driver(scene, cruise_mps)
    times_s = np.arange(math.ceil(seconds / TICK_S) + 2) * TICK_S
    speeds = np.empty(len(times_s))
    along_m, speed_mps = from_m, min(start_mps, driver.limit_mps(from_m))
    for tick, at_s in enumerate(times_s):
        speeds[tick] = speed_mps
        wanted_mps = driver.wanted_mps(along_m, speed_mps, float(at_s))
        after_mps = min(speed_mps + SPEED_UP_MPS2 * TICK_S, max(wanted_mps, speed_mps - HARDEST_MPS2 * TICK_S))
        along_m += (speed_mps + after_mps) / 2.0 * TICK_S
        speed_mps = after_mps
    fine_s = np.arange(round(seconds / STEP_S) + 1) * STEP_S
    return TownDrive(scene, np.interp(fine_s, times_s, speeds), from_m, number)


def drive_loop(scene: Scene, number: int = 1) -> TownDrive:
    """Once around, so that the next drive begins where this one ends, as fast as it ends."""
    long = drive_town(scene, scene.path.length_m / 3.0, start_mps=CRUISE_MPS, number=number)
    entries = int(np.searchsorted(long.odometers_m, scene.path.length_m))
    return TownDrive(scene, long.speeds_mps[: entries + 1], 0.0, number)


class _Driver:
    """What speed is right where."""

    def __init__(self, scene: Scene, cruise_mps: float) -> None:
        self._length_m = scene.path.length_m
        self._lights = sorted(scene.lights, key=lambda light: light.at_m)
        places_m = np.arange(0.0, self._length_m, GRID_M)
        bends = np.abs([scene.path.curvature_per_m(each) for each in places_m])
        limits = np.minimum(cruise_mps, np.sqrt(ASIDE_MPS2 / np.maximum(bends, 1e-9)))
        # Braking starts before the corner: backwards along the line, twice around since it closes.
        for number in range(2 * len(limits) - 1, -1, -1):
            here, after = number % len(limits), (number + 1) % len(limits)
            limits[here] = min(limits[here], math.sqrt(limits[after] ** 2 + 2.0 * BRAKE_MPS2 * GRID_M))
        self._limits = limits
        self._passed: str | None = None

    def limit_mps(self, along_m: float) -> float:
        """What the corners allow."""
        return float(self._limits[int(along_m % self._length_m / GRID_M) % len(self._limits)])

    def wanted_mps(self, along_m: float, speed_mps: float, at_s: float) -> float:
        """The same, or less before a light that is red."""
        limit_mps = self.limit_mps(along_m)
        light, left_m = self._next_light(along_m)
        if light is None or light.state(at_s) == "green" or light.id == self._passed:
            return limit_mps
        if speed_mps > CREEP_MPS and left_m < speed_mps * speed_mps / (2.0 * HARDEST_MPS2):
            self._passed = light.id  # it turned too late to stop
            return limit_mps
        if left_m < 0.05:
            return 0.0
        return min(limit_mps, math.sqrt(2.0 * BRAKE_MPS2 * left_m))

    def _next_light(self, along_m: float) -> tuple[Light | None, float]:
        along_m %= self._length_m
        for light in self._lights:
            if light.at_m >= along_m - 0.3:
                if self._passed is not None and self._passed != light.id:
                    self._passed = None
                return light, light.at_m - along_m
        return None, math.inf
