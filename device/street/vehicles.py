"""A vehicle's panels, as they are needed near and far: far away its panes and lids are one with its ends and sides."""

from dataclasses import replace

import numpy as np
from PIL import Image

from device.street.cars import Car, Panel
from device.street.scene import Thing
from device.street.sheet import Part, Sheet
from device.street.vans import Van

BOXES = ("van", "lorry", "bus")
FAR_FINE = 2
"""Far away panels are so much coarser."""


def vehicle(thing: Thing) -> tuple[Panel, ...]:
    """Its panels, as they are."""
    size_m = (thing.width_m, thing.length_m, thing.height_m)
    made = Van(thing.seed, size_m, thing.variant) if thing.variant in BOXES else Car(thing.seed, size_m, thing.variant)
    return made.panels()


def far_vehicle(thing: Thing, panels: tuple[Panel, ...]) -> tuple[Panel, ...]:
    """The same vehicle as four upright panels, coarser, made of its `panels`."""
    by_name = {panel.name: panel for panel in panels}
    high = thing.height_m
    found = []
    for name, above in (("front", "screen"), ("rear", "window"), ("left flank", "left cabin"), ("right flank", "right cabin")):
        low = by_name[name]
        sheet = low.sheet if above not in by_name else _stacked(by_name[above].sheet, low.sheet, high)
        corner = (low.corner[0], low.corner[1], high)
        found.append(Panel(name, _coarse(sheet), corner, low.across, (0.0, 0.0, -high), low.mirrored))
    return tuple(found)


def _stacked(above: Sheet, below: Sheet, high_m: float) -> Sheet:
    """One picture upon the other, `high_m` together."""
    width, rows = below.rgba.shape[1], round((high_m - below.height_m) * below.px_per_m)
    top = Image.fromarray(above.rgba, "RGBA").resize((width, rows), Image.Resampling.BILINEAR)
    moved = {
        name: tuple(
            replace(part, top_m=part.top_m + rows / below.px_per_m, bottom_m=part.bottom_m + rows / below.px_per_m)
            for part in parts
        )
        for name, parts in below.parts.items()
    }
    return Sheet(np.concatenate((np.asarray(top), below.rgba)), below.px_per_m, moved)


def _coarse(sheet: Sheet) -> Sheet:
    picture = Image.frombuffer("RGBX", sheet.rgba.shape[1::-1], np.ascontiguousarray(sheet.rgba), "raw", "RGBX", 0, 1)
    small = picture.reduce(FAR_FINE)
    rgba = np.frombuffer(small.tobytes(), np.uint8).reshape(small.height, small.width, 4)
    # Reducing rounds up: parts are told in the whole's proportions.
    scale_x = small.width * FAR_FINE / sheet.rgba.shape[1]
    scale_y = small.height * FAR_FINE / sheet.rgba.shape[0]

    def scaled(part: Part) -> Part:
        return Part(part.left_m * scale_x, part.top_m * scale_y, part.right_m * scale_x, part.bottom_m * scale_y)

    return Sheet(rgba, sheet.px_per_m / FAR_FINE, {name: tuple(map(scaled, parts)) for name, parts in sheet.parts.items()})
