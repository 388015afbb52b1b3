"""The cars that come towards: they stop at red lights and behind one another. Pure: where they are is a function of the time.

All of them are moved together in small steps from the start of the drive; the steps that were asked for are kept.
"""

import numpy as np

from device.street.scene import Light, Scene, Thing

TICK_S = 0.25
SPEED_UP_MPS2, BRAKE_MPS2, HARDEST_MPS2 = 1.4, 1.8, 3.5
LEAST_GAP_M = 2.5
"""Between two that stand."""
BEFORE_M = 0.8
"""So far before a stop line they stand."""
BLOCK = 256
"""So many steps are made at once."""


class Oncoming:
    """The vehicles that drive against the line, each by its id."""

    def __init__(self, scene: Scene, things: tuple[Thing, ...]) -> None:
        """Take them; none is fine."""
        ordered = sorted(things, key=lambda thing: -thing.along_m)
        self._number = {thing.id: number for number, thing in enumerate(ordered)}
        self._length_m = scene.path.length_m
        self._lights = [(light, _stop_m(scene, light)) for light in scene.lights]
        self._speeds_mps = np.array([thing.motion.speed_mps for thing in ordered])
        halves_m = np.array([thing.length_m / 2 for thing in ordered])
        # Ahead of each is the one before it in this order, for they drive backwards; ahead of the first is the last.
        self._gaps_m = halves_m + np.roll(halves_m, -1) + LEAST_GAP_M
        self._places_m = [np.array([thing.along_m for thing in ordered])]
        self._now_mps = self._speeds_mps.copy()

    def along_m(self, thing: Thing, at_s: float) -> float:
        """Where one of them is so long after the start of the drive."""
        ticks, share = divmod(at_s / TICK_S, 1.0)
        before = int(ticks)
        while len(self._places_m) <= before + 1:
            for _ in range(BLOCK):
                self._step()
        number = self._number[thing.id]
        here_m, there_m = (float(self._places_m[tick][number]) for tick in (before, before + 1))
        return (here_m + (there_m - here_m) * share) % self._length_m

    def _step(self) -> None:
        places_m = self._places_m[-1]
        if len(places_m):
            at_s = (len(self._places_m) - 1) * TICK_S
            now_mps = self._now_mps
            # The next one has less metres along; alone on the line, it is a whole round ahead of itself.
            ahead_m = (places_m - np.roll(places_m, -1)) % self._length_m
            room_m = np.where(ahead_m > 0.0, ahead_m, self._length_m) - self._gaps_m
            for light, stop_m in self._lights:
                if light.state(at_s) != "green":
                    left_m = (places_m - stop_m) % self._length_m
                    stops = left_m > now_mps**2 / (2.0 * HARDEST_MPS2)
                    room_m = np.where(stops, np.minimum(room_m, left_m - BEFORE_M), room_m)
            safe_mps = np.sqrt(2.0 * BRAKE_MPS2 * np.maximum(room_m - now_mps * TICK_S, 0.0))
            after_mps = np.minimum(np.minimum(now_mps + SPEED_UP_MPS2 * TICK_S, self._speeds_mps), safe_mps)
            places_m = places_m - (now_mps + after_mps) / 2.0 * TICK_S
            self._now_mps = after_mps
        self._places_m.append(places_m)


def _stop_m(scene: Scene, light: Light) -> float:
    """Where those who come towards stop: as far behind the crossing as this lane's line is before it."""
    gaps_m = [scene.path.gap(light.at_m, crossing.at_m) for crossing in scene.crossings]
    return light.at_m + 2.0 * min((gap_m for gap_m in gaps_m if gap_m > 0.0), default=0.0)
