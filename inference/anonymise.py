"""Hide, then keep: the only frame that may be stored, cropped or sent."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from device.frame import Frame, Pixels, Place
from inference.detect import Box, Detection

Region = tuple[int, int, int, int]

HEAD_SHARE = 0.35
"""The upper part of a standing person's box that holds the head (hair and neck with it)."""
SQUAT = 1.5
"""A person's box less than this many times as high as wide shows no whole standing person: all of it is hidden."""
EDGE_SHARE = 0.01
"""A box that ends this near to the picture's edge, in parts of its width or height, counts as cut by it."""
MARGIN = 0.3
"""What a face's, plate's or head's box is grown by on each side, in parts of the root of its area (docs/adr/0011)."""
MARGIN_PX = 2.0
"""At least so much: a small box is off by whole pixels of the model's input, not by parts of itself."""
BAND = (0.1, 0.38, 0.9, 0.95)
"""Where a vehicle's plate must be, in parts of its box: left, top, right, bottom. Nine plates of val in ten lie in it."""
SURE = 0.4
"""From this score on a vehicle is certain enough to hide its band: below, three in four are none (docs/adr/0011)."""
SIDE_ON = 2.0
"""A vehicle so many times as wide as high is seen from its side, where it has no plate."""
NESTED = 0.6
"""A vehicle that lies so far in one whose plate was found is that one, seen twice."""
NEAR_SHARE = 0.1
"""A plate belongs to a vehicle when its middle lies in the vehicle's box, grown by this part of its sides."""
COLOUR_SAMPLES = 32
"""A region's colour is the mean over a grid of at most so many of its rows and columns."""


@dataclass(frozen=True, slots=True, eq=False)
class AnonymousFrame:
    """A photo in which every person's head, face and plate that was found is hidden.

    It is no `Frame`: what writes takes only this type, so the type checker proves that no raw pixel is written.
    `hidden` are the hidden regions, (left, top, right, bottom) in pixels; `hidden_share` is their part of the picture's area.
    """

    pixels: Pixels
    place: Place | None
    hidden: tuple[tuple[int, int, int, int], ...]
    hidden_share: float
    source: str | None = None


def hide(frame: Frame, people: Sequence[Detection], signs: Sequence[Detection] = ()) -> AnonymousFrame:
    """Hides faces, plates and the heads of persons, in a copy of the frame's pixels; of a vehicle without a found plate the band.

    A region becomes one flat colour, the mean of what lay there; regions that overlap share one. Blur and coarse pixels still
    carry the structure from which faces and characters have been recognised again (McPherson et al. 2016,
    arXiv 1609.00408); one colour carries none, and costs less.

    A "plate" that lies wholly in one of `signs` is that sign's own writing and stays readable, unless a vehicle is there too.
    `people` are the detections of the privacy model, vehicles with them.
    """
    height, width = frame.pixels.shape[:2]
    regions = tuple(_regions(people, signs, width, height))
    pixels = frame.pixels.copy()
    covered = np.zeros((height, width), np.bool_)
    for group in _overlapping(regions):
        colour = _mean_colour(frame.pixels, group)
        for left, top, right, bottom in group:
            pixels[top:bottom, left:right] = colour
            covered[top:bottom, left:right] = True
    share = float(np.count_nonzero(covered)) / covered.size
    return AnonymousFrame(pixels, frame.place, regions, share, frame.source)


def _regions(people: Sequence[Detection], signs: Sequence[Detection], width: int, height: int) -> Iterable[Region]:
    vehicles = [found.box for found in people if found.label == "vehicle"]
    plates = [found.box for found in people if found.label == "plate"]
    boxes = [_outwards(box, width, height) for box in plates if not _is_writing(box, signs, vehicles)]
    boxes += [_outwards(found.box, width, height) for found in people if found.label == "face"]
    boxes += [_outwards(_head(found.box, width, height), width, height) for found in people if found.label == "person"]
    boxes += [_whole(band, width, height) for band in _bands(people, plates, width, height)]
    return ((left, top, right, bottom) for left, top, right, bottom in boxes if left < right and top < bottom)


def _bands(people: Sequence[Detection], plates: Sequence[Box], width: int, height: int) -> Iterable[Box]:
    """Where the plates of vehicles must be of which none was found."""
    vehicles = [found for found in people if found.label == "vehicle"]
    known = [vehicle.box for vehicle in vehicles if any(belongs(plate, vehicle.box) for plate in plates)]
    for vehicle in vehicles:
        left, top, right, bottom = box = vehicle.box
        wide, high = right - left, bottom - top
        certain = vehicle.score >= SURE and wide <= SIDE_ON * high
        if certain and box not in known and not any(_part_in(box, other) >= NESTED for other in known):
            band = left + BAND[0] * wide, top + BAND[1] * high, left + BAND[2] * wide, top + BAND[3] * high
            yield _to_the_edge(band, box, width, height)


def _to_the_edge(band: Box, vehicle: Box, width: int, height: int) -> Box:
    """Where the picture's edge cuts a vehicle, it does not end there, and neither does its band."""
    edge_x, edge_y = EDGE_SHARE * width, EDGE_SHARE * height
    return (
        vehicle[0] if vehicle[0] <= edge_x else band[0],
        band[1],
        vehicle[2] if vehicle[2] >= width - edge_x else band[2],
        vehicle[3] if vehicle[3] >= height - edge_y else band[3],
    )


def belongs(plate: Box, vehicle: Box) -> bool:
    """Whether a plate is this vehicle's."""
    more_x, more_y = NEAR_SHARE * (vehicle[2] - vehicle[0]), NEAR_SHARE * (vehicle[3] - vehicle[1])
    x, y = (plate[0] + plate[2]) / 2, (plate[1] + plate[3]) / 2
    return vehicle[0] - more_x <= x <= vehicle[2] + more_x and vehicle[1] - more_y <= y <= vehicle[3] + more_y


def _part_in(inner: Box, outer: Box) -> float:
    """Which part of the inner box's area lies in the outer: 0 to 1."""
    wide = min(inner[2], outer[2]) - max(inner[0], outer[0])
    high = min(inner[3], outer[3]) - max(inner[1], outer[1])
    area = (inner[2] - inner[0]) * (inner[3] - inner[1])
    return max(0.0, wide) * max(0.0, high) / area if area > 0 else 0.0


def _is_writing(plate: Box, signs: Sequence[Detection], vehicles: Sequence[Box]) -> bool:
    """Whether a plate is part of a sign. A vehicle's rear taken for a sign must not free its plate."""
    return any(_inside(plate, sign.box) for sign in signs) and not any(_inside(plate, vehicle) for vehicle in vehicles)


def _inside(inner: Box, outer: Box) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


def _head(box: Box, width: int, height: int) -> Box:
    """The part of a person's box to hide: the whole of it where one cannot say where the head is."""
    left, top, right, bottom = box
    edge_x, edge_y = EDGE_SHARE * width, EDGE_SHARE * height
    cut = left <= edge_x or top <= edge_y or right >= width - edge_x or bottom >= height - edge_y
    if cut or bottom - top < SQUAT * (right - left):
        return box
    return left, top, right, top + HEAD_SHARE * (bottom - top)


def _outwards(box: Box, width: int, height: int) -> Region:
    """Grown by the margin, rounded outwards to whole pixels, clipped to the picture."""
    left, top, right, bottom = box
    margin = max(MARGIN_PX, MARGIN * math.sqrt(max(0.0, (right - left) * (bottom - top))))
    return _whole((left - margin, top - margin, right + margin, bottom + margin), width, height)


def _whole(box: Box, width: int, height: int) -> Region:
    """Rounded outwards to whole pixels, clipped to the picture."""
    left, top, right, bottom = box
    return max(0, math.floor(left)), max(0, math.floor(top)), min(width, math.ceil(right)), min(height, math.ceil(bottom))


def _overlapping(regions: Sequence[Region]) -> list[list[Region]]:
    """The regions in groups: two that share a pixel are in one group, and so is all that hangs on them."""
    groups: list[list[Region]] = []
    for region in regions:
        joined = [region]
        apart = []
        for group in groups:
            if any(_share_pixels(region, other) for other in group):
                joined += group
            else:
                apart.append(group)
        groups = [*apart, joined]
    return groups


def _share_pixels(one: Region, other: Region) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _mean_colour(pixels: Pixels, group: Sequence[Region]) -> Pixels:
    """One RGB colour, (3,): the mean of the regions' means, weighted by their areas."""
    total, weight = np.zeros(3), 0
    for left, top, right, bottom in group:
        down, across = math.ceil((bottom - top) / COLOUR_SAMPLES), math.ceil((right - left) / COLOUR_SAMPLES)
        area = (bottom - top) * (right - left)
        total += pixels[top:bottom:down, left:right:across].mean(axis=(0, 1)) * area
        weight += area
    colour: Pixels = np.round(total / weight).astype(np.uint8)
    return colour
