"""Whether a frame may grade the road, and if not, why: wet, dark, glare, blur, a dirty or covered lens, traffic. Pure state.

Light and blur are seen in one frame. What sits on the lens stays put while the road moves: it is told by several frames together,
and of all of them. A wet road mirrors the sky the more the flatter it is seen: it is told by how much brighter the road gets with
distance, against what this camera sees under a blue sky, when roads are dry.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from inference.lens import Lens
from inference.quality import Box, Floats, Glance
from inference.quality_sun import sun_of
from inference.quality_zones import Zones, unlike, zones_of

WINDOW, EVERY = 20, 4
"""Frames that are judged together, 80 m of road, in which every cell of the picture has shown many things; and how often."""
DARK_MEDIAN, DARK_ROAD = 48.0, 34.0
"""Of 255. Half of the picture, or the road itself, is darker: cracks drown in noise."""
DARK_BRIGHTEST = 135.0
"""Nor is anything bright: so many of 255 are reached by less than a twentieth of the picture."""
BLUR_SKEW, BLUR_FRAMES = -0.10, 5
"""Steps between neighbours along the car's way are weak against those across it (see `_skew`): it moved too far meanwhile.
The median of so many frames."""
SUN_FRAMES, SUN_SEEN, SUN_MOVES = 5, 3, 6
"""The sun is seen in three of the latest five photos, then in two, and moves by so many cells at most: walls are soon passed."""
SOFT = 0.54
"""Steps to the next pixel are hardly more than half of those to the next but one, in both directions: out of focus."""
DIRTY, CLEAN = 0.09, 0.085
"""Spread of the lane's texture (of its logarithm, between quartiles) that is no road's: from here on it is dirt, until it falls
below the second."""
QUARTILES = 1.349
"""Between the quartiles of what is normally distributed, in standard deviations."""
STUCK, SMOOTH, STUCK_SHARE, FREE_SHARE = 4.0, 3.5, 0.22, 0.17
"""A cell is covered if its brightness changes by fewer levels from frame to frame, and steps between its pixels are smaller than
the second; the lens is, from one share of the cells on, until fewer than the other are."""
BLACK = 30.0
"""What is darker changes little by night, cover or not."""
BLUE, BLUE_SHARE = 1.10, 0.25
GREY, GREY_SHARE = 0.12, 0.3
"""Blue over red of a blue sky, and how much of what looks up is blue under one; the same of a grey sky, by its saturation."""
NORM_FRAMES, NORM_LEAST, NORM_MOST = 20, 4, 40
"""So many frames make one median of the dry road; so many medians are needed to know a camera, and the last so many are kept."""
WET_MARGIN, WET_SPREADS = 0.035, 3.0
"""A wet road is brighter with distance than a dry one by at least this, and by so many spreads of the dry ones."""
FEW_CELLS = 4
REASONS: Final = ("covered", "dark", "glare", "dirty_lens", "blur", "wet", "traffic")
"""The first of a frame's reasons is the one that counts for its cells."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A frame's reasons, none where it may grade; `before` says of how many earlier frames a reason holds as well."""

    reasons: tuple[str, ...] = ()
    before: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Norm:
    """Medians of how the dry road brightens with distance in this camera, the latest last."""

    medians: tuple[float, ...] = ()
    waiting: tuple[float, ...] = ()

    def taken(self, rise: float) -> "Norm":
        """With a frame of a dry road."""
        waiting = (*self.waiting, rise)
        if len(waiting) < NORM_FRAMES:
            return Norm(self.medians, waiting)
        return Norm((*self.medians[1 - NORM_MOST :], float(np.median(waiting))))

    @property
    def wet_from(self) -> float | None:
        """From which rise on a road is wet; None where too little is known of the camera."""
        if len(self.medians) < NORM_LEAST:
            return None
        middle = float(np.median(self.medians))
        spread = 1.4826 * float(np.median(np.abs(np.array(self.medians) - middle)))
        return middle + max(WET_MARGIN, WET_SPREADS * spread)


@dataclass
class Gate:
    """Judges the frames of one camera in the order of the road. `norm` may come from an earlier round."""

    lens: Lens
    covered_share: float
    norm: Norm = Norm()
    _zones: dict[tuple[int, int], Zones] = field(default_factory=dict)
    _edges: deque[Floats] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _cells: deque[Floats] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _steps: deque[Floats] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _skies: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _lasting: set[str] = field(default_factory=set)
    _glares: bool = False
    _skews: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=BLUR_FRAMES))
    _taken: int = 0
    _suns: deque[tuple[int, int] | None] = field(default_factory=lambda: deque(maxlen=SUN_FRAMES))

    def take(self, glance: Glance) -> Judged:
        """The next frame."""
        zones = self._zones_of(glance)
        self._look_back(glance, zones)
        reasons, before = self._momentary(glance, zones), dict[str, int]()
        self._suns.append(None if "dark" in reasons else sun_of(glance))
        self._glares = _stays([sun for sun in self._suns if sun is not None], SUN_SEEN - self._glares)
        if self._glares:
            reasons, before = (*reasons, "glare"), {"glare": len(self._suns) - 1}
        self._taken += 1
        begun = self._last() if len(self._cells) == WINDOW and self._taken % EVERY == 0 else set()
        found = (*reasons, *self._lasting)
        ordered = tuple(reason for reason in REASONS if reason in found)
        return Judged(ordered, MappingProxyType(before | dict.fromkeys(sorted(begun), WINDOW - 1)))

    def _momentary(self, glance: Glance, zones: Zones) -> tuple[str, ...]:
        """What one frame shows by itself."""
        dark = is_dark(glance, zones)
        skew = _skew(glance.steps[:, :, zones.sharp])
        self._skews += [] if skew is None or dark else [skew]
        blurred = not dark and is_blurred(self._skews)
        hidden = hidden_share(glance.vehicles, zones, glance.cells.shape) > self.covered_share
        return tuple(reason for reason, holds in (("dark", dark), ("blur", blurred), ("traffic", hidden)) if holds)

    def _zones_of(self, glance: Glance) -> Zones:
        size = glance.width, glance.height
        if size not in self._zones:
            self._zones = {size: zones_of(self.lens, glance)}
            for each in (self._edges, self._cells, self._steps, self._skies):
                each.clear()
        return self._zones[size]

    def _look_back(self, glance: Glance, zones: Zones) -> None:
        self._edges.append(np.log(glance.edges[zones.lane] / 4.0 + 0.5))
        self._cells.append(glance.cells[zones.moves].astype(np.float32))
        self._steps.append(glance.edges[zones.moves].astype(np.float32) / 4.0)
        (blue, grey), rise = _sky_of(glance, zones), _rise_of(glance, zones)
        self._skies.append((blue, grey, rise))
        if blue >= BLUE_SHARE and np.isfinite(rise):
            self.norm = self.norm.taken(rise)

    def _last(self) -> set[str]:
        """Judge the window; the reasons that begin with it."""
        before = set(self._lasting)
        self._set("covered", _stuck_of(self._cells, self._steps), STUCK_SHARE, FREE_SHARE)
        zones = next(iter(self._zones.values()))
        spread = _spread_of(self._edges, zones) if zones.has_lane and "covered" not in self._lasting else 0.0
        self._set("dirty_lens", spread, DIRTY, CLEAN)
        blue, grey, rise = np.median(np.array(self._skies), axis=0)
        wet_from = self.norm.wet_from
        wet = wet_from is not None and blue < BLUE_SHARE and grey >= GREY_SHARE and rise >= wet_from
        self._set("wet", float(wet), 1.0, 1.0)
        return self._lasting - before

    def _set(self, reason: str, value: float, on: float, off: float) -> None:
        if value >= (off if reason in self._lasting else on):
            self._lasting.add(reason)
        else:
            self._lasting.discard(reason)


def is_dark(glance: Glance, zones: Zones) -> bool:
    """Whether there is too little light."""
    cells, sees_sky = glance.cells, int(zones.sky.sum()) >= FEW_CELLS
    if float(np.median(cells)) < DARK_MEDIAN or (sees_sky and float(np.percentile(cells, 95)) < DARK_BRIGHTEST):
        return True
    return zones.has_lane and float(np.median(cells[zones.lane])) < DARK_ROAD


def _stays(suns: Sequence[tuple[int, int]], least: int) -> bool:
    """Whether what is taken for the sun is seen often enough, and stays where it is."""
    rows, columns = [sun[0] for sun in suns], [sun[1] for sun in suns]
    return len(suns) >= least and max(max(rows) - min(rows), max(columns) - min(columns)) <= SUN_MOVES


def is_blurred(skews: Sequence[tuple[float, float]]) -> bool:
    """Whether the road is smeared along the car's way in the latest frames, or out of focus in the last."""
    if not skews:
        return False
    return float(np.median([skew for skew, _ in skews])) < BLUR_SKEW or skews[-1][1] < SOFT


def _skew(steps: Floats) -> tuple[float, float] | None:
    """By how much less brightness steps at once along the road than across it, and how much it does at all.

    Of a sharp picture, steps over 1, 2 and 4 pixels are nearly alike; of a smeared one they grow with the lag. What perspective
    does to the texture falls out, since both ratios are taken in one direction.
    """
    if steps.shape[2] < FEW_CELLS:
        return None
    ratios = steps[:, :-1] / np.maximum(steps[:, 1:], 1e-3)
    near, far = np.median(ratios, axis=2).T
    return float(near[0] - near[1] + far[0] - far[1]), float(near.max())


def hidden_share(vehicles: Sequence[Box], zones: Zones, shape: tuple[int, ...]) -> float:
    """How much of the lane vehicles hide."""
    if not vehicles or not zones.has_lane:
        return 0.0
    x, y = (np.arange(shape[1]) + 0.5) / shape[1], (np.arange(shape[0]) + 0.5) / shape[0]
    hidden = np.zeros(shape, np.bool_)
    for left, top, right, bottom in vehicles:
        hidden |= ((y >= top) & (y < bottom))[:, None] & ((x >= left) & (x < right))[None, :]
    return float(hidden[zones.lane].mean())


def _stuck_of(cells: Sequence[Floats], steps: Sequence[Floats]) -> float:
    """The share of cells that stay as they are while the road moves, and show nothing."""
    seen = np.array(cells)
    if seen.size == 0:
        return 0.0
    stays = np.abs(np.diff(seen, axis=0)).mean(axis=0) < STUCK
    return float((stays & (seen.mean(axis=0) > BLACK) & (np.mean(np.array(steps), axis=0) < SMOOTH)).mean())


def _spread_of(edges: Sequence[Floats], zones: Zones) -> float:
    """Between the quartiles of what the lane's texture has that no road has, less what so few frames have by chance.

    Rough or cracked roads vary more from frame to frame, so more of it is left by chance in their mean.
    """
    seen = np.array(edges)
    low, high = np.percentile(unlike(seen.mean(axis=0), zones), [25, 75])
    varies = np.median((seen - seen.mean(axis=1, keepdims=True)).std(axis=0))
    chance = QUARTILES * varies / math.sqrt(len(seen))
    return math.sqrt(max(0.0, float(high - low) ** 2 - float(chance) ** 2))


def _sky_of(glance: Glance, zones: Zones) -> tuple[float, float]:
    """The shares of blue and of grey in the brighter half of what looks up; none of both where nothing does."""
    if int(zones.sky.sum()) < FEW_CELLS:
        return 0.0, 0.0
    colours = glance.colours[zones.sky].astype(np.float32)
    bright = glance.cells[zones.sky]
    upper = colours[bright >= np.median(bright)]
    most, least = upper.max(axis=1), upper.min(axis=1)
    return float((upper[:, 2] > BLUE * upper[:, 0]).mean()), float((most - least < GREY * most).mean())


def _rise_of(glance: Glance, zones: Zones) -> float:
    """How much brighter the road is farther ahead, as a share of the near road; nan where it is not seen."""
    parts: list[Any] = [glance.cells[mask] for mask in (zones.near, zones.mid, zones.far)]
    if min(len(part) for part in parts) < FEW_CELLS:
        return float("nan")
    near, mid, far = (float(np.median(part)) for part in parts)
    return (mid + far) / 2.0 / max(near, 1.0)
