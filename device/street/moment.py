"""Where everything of a scene is at one moment: what moves has moved, lights show their colour. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from device.street.drive import TownDrive
from device.street.geometry import Pose
from device.street.oncoming import Oncoming
from device.street.scene import Scene, Thing

LEAD_S, LEAD_M = 1.9, 5.0
"""A car ahead is where this one will be after so long, and so much farther."""
CROSS_AFTER_S = 2.0
"""People begin to cross so long after the light has turned red for cars."""
SEEN_M = 130.0


@dataclass(frozen=True, slots=True)
class Placed:
    """A thing and where it is now: its foot's place, where it faces, and a word for its state (a light's colour, a step)."""

    thing: Thing
    pose: Pose
    state: str = ""


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment of a drive: seconds since its start, where the lens is, and what the lead car needs to know."""

    at_s: float
    pose: Pose
    along_m: float
    ahead_m: float
    speed_mps: float


def instant(drive: TownDrive, at_s: float) -> Instant:
    """The moment `at_s` of a drive."""
    odometer_m = drive.odometer_m(at_s)
    ahead_m = drive.odometer_m(at_s + LEAD_S) - odometer_m + LEAD_M
    return Instant(at_s, drive.pose(at_s), drive.along_m(at_s), ahead_m, drive.speed_mps(at_s))


class Things:
    """The things of one round, found by where they are."""

    def __init__(self, scene: Scene, number: int) -> None:
        self._scene = scene
        self._still = [thing for thing in scene.in_round(number) if thing.motion.way == "none"]
        self._moving = [thing for thing in scene.in_round(number) if thing.motion.way != "none"]
        comes = [thing for thing in self._moving if thing.kind == "vehicle" and thing.motion.way == "against"]
        self._oncoming = Oncoming(scene, tuple(comes))
        self._cells: dict[tuple[int, int], list[Thing]] = {}
        for thing in self._still:
            self._cells.setdefault(_cell(thing.east_m, thing.north_m), []).append(thing)

    def seen_from(self, now: Instant) -> Iterator[Placed]:
        """All within `SEEN_M` of the lens; what cannot be seen for other reasons is not left out."""
        pose = now.pose
        column, row = _cell(pose.east_m, pose.north_m)
        for x in range(column - 1, column + 2):
            for y in range(row - 1, row + 2):
                for thing in self._cells.get((x, y), ()):
                    if math.hypot(thing.east_m - pose.east_m, thing.north_m - pose.north_m) < SEEN_M:
                        yield Placed(thing, Pose(thing.east_m, thing.north_m, thing.heading_deg), self._shown(thing, now.at_s))
        for thing in self._moving:
            if (placed := self._moved(thing, now)) is not None:
                yield placed

    def _shown(self, thing: Thing, at_s: float) -> str:
        return self._scene.lights_by_id[thing.light].state(at_s) if thing.kind == "traffic_light" and thing.light else ""

    def _moved(self, thing: Thing, now: Instant) -> Placed | None:
        motion, path = thing.motion, self._scene.path
        if motion.way == "leading":
            into_m = (now.along_m - thing.along_m) % path.length_m
            return self._on_line(thing, now.along_m + now.ahead_m, now, 0.0) if into_m < motion.span_m else None
        if motion.way == "across":
            return self._crossing(thing, now)
        if motion.way == "against" and thing.kind == "vehicle":
            return self._on_line(thing, self._oncoming.along_m(thing, now.at_s), now, 180.0)
        walked_m = motion.speed_mps * now.at_s
        back = motion.way == "against"
        if motion.span_m:  # to and fro
            into_m = walked_m % (4.0 * motion.span_m)
            back = back != (into_m > 2.0 * motion.span_m)
            walked_m = abs(into_m - 2.0 * motion.span_m) - motion.span_m
            walked_m = walked_m if motion.way == "against" else -walked_m
        elif back:
            walked_m = -walked_m
        step = f"step-{int(now.at_s * 2.4 + thing.seed % 4) % 4}" if thing.kind == "person" else ""
        return self._on_line(thing, thing.along_m + walked_m, now, 180.0 if back else 0.0, step)

    def _on_line(self, thing: Thing, along_m: float, now: Instant, turn_deg: float, state: str = "") -> Placed | None:
        if abs(self._scene.path.gap(now.along_m, along_m)) > SEEN_M or self._hidden(along_m, thing):
            return None
        pose = self._scene.path.at(along_m, thing.right_m)
        return Placed(thing, replace(pose, heading_deg=(pose.heading_deg + turn_deg) % 360.0), state)

    def _hidden(self, along_m: float, thing: Thing) -> bool:
        """Whether a moving thing is where nothing drives, as a walker under ground."""
        return thing.kind == "person" and self._scene.in_tunnel(along_m)

    def _crossing(self, thing: Thing, now: Instant) -> Placed | None:
        """They cross while cars wait; before and after they stand at the kerb."""
        path, motion = self._scene.path, thing.motion
        if abs(path.gap(now.along_m, thing.along_m)) > SEEN_M:
            return None
        light = self._scene.lights_by_id[thing.light]
        into_s = (now.at_s - light.offset_s) % light.period_s
        walked_m = min(max(0.0, into_s - CROSS_AFTER_S) * motion.speed_mps, motion.span_m)
        walks = 0.0 < walked_m < motion.span_m
        pose = path.at(thing.along_m, thing.right_m + math.copysign(walked_m, -thing.right_m))
        state = f"step-{int(now.at_s * 2.6) % 4}" if walks else ""
        return Placed(thing, replace(pose, heading_deg=thing.heading_deg), state)


def _cell(east_m: float, north_m: float) -> tuple[int, int]:
    return math.floor(east_m / SEEN_M), math.floor(north_m / SEEN_M)
