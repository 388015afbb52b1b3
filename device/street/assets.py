"""The pictures of things, drawn when they are first seen and kept within bounds. A picture depends on its seed and kind alone."""

from collections.abc import Callable

import numpy as np

from device.street.cars import Panel
from device.street.figures import person, tree
from device.street.frontages import gable, house
from device.street.moment import Placed
from device.street.riders import RIDES, rider
from device.street.roadart import lying
from device.street.scene import Thing
from device.street.sheet import Rng, Sheet
from device.street.shelf import Shelf
from device.street.signals import sign, traffic_light
from device.street.vehicles import far_vehicle, vehicle

MOST_BYTES, MOST_PANEL_BYTES = 120_000_000, 60_000_000
BACK = (118, 120, 122)
FACING_DEG = 70.0
"""A face is seen from so far to its side."""
OBLIQUE_DEG = 42.0
"""From so far aside a rider is seen from beside."""
Named = tuple[Sheet, tuple[object, ...], bool]
"""A sheet, its name (equal names are equal pictures), and whether it is to be mirrored."""


class Assets:
    """The sheets of a scene."""

    def __init__(self) -> None:
        self._sheets: Shelf[Sheet] = Shelf(MOST_BYTES, lambda sheet: int(sheet.rgba.nbytes))
        self._panels: Shelf[tuple[Panel, ...]] = Shelf(
            MOST_PANEL_BYTES, lambda panels: sum(int(panel.sheet.rgba.nbytes) for panel in panels)
        )

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
            return Sheet(rgba, sheet.px_per_m, {"back": sheet.parts.get("board", ())})

        return self._kept(name, placed.thing, grey), name, True

    def round(self, placed: Placed, from_deg: float) -> Named:
        """A person or tree, seen from so many degrees to the right of where it faces."""
        thing = placed.thing
        if thing.kind == "tree":
            name: tuple[object, ...] = ("tree", thing.seed, thing.height_m)
            return self._kept(name, thing, lambda rng: tree(rng, thing.height_m)), name, False
        if thing.variant in RIDES:
            view = "front" if abs(from_deg) < OBLIQUE_DEG else "back" if abs(from_deg) > 180.0 - OBLIQUE_DEG else "side"
            name = ("rider", thing.seed, thing.variant, view, thing.height_m)
            # The picture's nose is to the left: so it is seen from the rider's own left.
            return (
                self._kept(name, thing, lambda rng: rider(rng, thing.height_m, thing.variant, view)),
                name,
                view == "side" and from_deg > 0,
            )
        step = int(placed.state.removeprefix("step-")) if placed.state else 1
        facing = abs(from_deg) < FACING_DEG
        name = ("person", thing.seed, step % 4, facing, thing.height_m)
        return self._kept(name, thing, lambda rng: person(rng, thing.height_m, step, facing=facing)), name, False

    def panels(self, thing: Thing, *, far: bool) -> tuple[tuple[Panel, ...], tuple[object, ...]]:
        """A vehicle's panels, and the name that each of theirs begins with."""
        name = ("vehicle", thing.seed, thing.variant, far)
        if not far:
            return self._panels.get(name, lambda: vehicle(thing)), name
        return self._panels.get(name, lambda: far_vehicle(thing, self.panels(thing, far=False)[0])), name

    def _kept(self, name: tuple[object, ...], thing: Thing, draw: Callable[[Rng], Sheet]) -> Sheet:
        return self._sheets.get(name, lambda: draw(np.random.default_rng(thing.seed)))
