"""The pictures of things, drawn when they are first seen and kept within bounds. A picture depends on its seed and kind alone."""

from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from device.street.cars import Body, vehicle
from device.street.figures import person, tree
from device.street.frontages import gable, house
from device.street.moment import Placed
from device.street.roadart import lying
from device.street.scene import Thing
from device.street.sheet import Rng, Sheet
from device.street.signals import sign, traffic_light

MOST_BYTES = 180_000_000
BACK = (118, 120, 122)
FACING_DEG = 70.0
"""A face is seen from so far to its side."""
Named = tuple[Sheet, tuple[object, ...], bool]
"""A sheet, its name (equal names are equal pictures), and whether it is to be mirrored."""


class Assets:
    """The sheets of a scene."""

    def __init__(self) -> None:
        self._sheets: OrderedDict[tuple[object, ...], Sheet] = OrderedDict()
        self._bytes = 0

    def lying(self, thing: Thing) -> tuple[Sheet, tuple[object, ...]]:
        """What lies on the road, its far end up."""
        name = (thing.kind, thing.seed, thing.variant, thing.width_m, thing.length_m)
        size_m = (thing.width_m, thing.length_m)
        return self._kept(name, thing, lambda rng: lying(thing.kind, rng, size_m, thing.severity or 1, thing.variant)), name

    def front(self, placed: Placed) -> Named:
        """A sign, light or house from the side to which it looks."""
        thing = placed.thing
        name = (thing.kind, thing.seed, placed.state, thing.variant, thing.width_m, thing.height_m)

        def draw(rng: Rng) -> Sheet:
            if thing.kind == "house":
                return (gable if thing.variant == "gable" else house)(rng, thing.width_m, thing.height_m)
            return traffic_light(rng, placed.state) if thing.kind == "traffic_light" else sign(rng, thing.kind)

        return self._kept(name, thing, draw), name, False

    def back(self, placed: Placed) -> Named:
        """A sign or light from behind: grey, and no sign to anybody."""
        sheet, name, _ = self.front(placed)
        name = (*name, "back")

        def grey(_: Rng) -> Sheet:
            rgba = sheet.rgba.copy()
            rgba[..., :3] = BACK
            return Sheet(rgba, sheet.px_per_m)

        return self._kept(name, placed.thing, grey), name, True

    def round(self, placed: Placed, from_deg: float) -> Named:
        """A person or tree, seen from so many degrees to the right of where it faces."""
        thing = placed.thing
        if thing.kind == "tree":
            name: tuple[object, ...] = ("tree", thing.seed, thing.height_m)
            return self._kept(name, thing, lambda rng: tree(rng, thing.height_m)), name, False
        step = int(placed.state.removeprefix("step-")) if placed.state else 1
        facing = abs(from_deg) < FACING_DEG
        name = ("person", thing.seed, step % 4, facing, thing.height_m)
        return self._kept(name, thing, lambda rng: person(rng, thing.height_m, step, facing=facing)), name, False

    def side(self, placed: Placed, *, nose_left: bool) -> Named:
        """A vehicle from beside."""
        thing = placed.thing
        name = ("side", thing.seed, thing.variant)
        return self._kept(name, thing, lambda _: _vehicle(thing).side()), name, not nose_left

    def end(self, placed: Placed, *, front: bool) -> Named:
        """A vehicle from before or behind."""
        thing = placed.thing
        name = ("end", thing.seed, thing.variant, front)
        return self._kept(name, thing, lambda _: _vehicle(thing).end(front=front)), name, False

    def _kept(self, name: tuple[object, ...], thing: Thing, draw: Callable[[Rng], Sheet]) -> Sheet:
        found = self._sheets.get(name)
        if found is None:
            found = self._sheets[name] = draw(np.random.default_rng(thing.seed))
            self._bytes += found.rgba.nbytes
            while self._bytes > MOST_BYTES and len(self._sheets) > 1:
                _, old = self._sheets.popitem(last=False)
                self._bytes -= old.rgba.nbytes
        else:
            self._sheets.move_to_end(name)
        return found


def _vehicle(thing: Thing) -> Body:
    return vehicle(thing.seed, (thing.width_m, thing.length_m, thing.height_m), thing.variant)
