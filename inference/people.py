"""What of a frame must be hidden: what the privacy model finds in all of it, and plates by a closer look at the vehicles."""

import math
from collections.abc import Callable, Mapping, Sequence

from device.frame import Pixels
from inference.anonymise import belongs
from inference.closer import Closer, gather
from inference.decode import MOST_CANDIDATES, decode, grid_of
from inference.detect import Detection, detect
from inference.letterbox import Letterboxed
from inference.manifest import Manifest
from inference.model import Model, ModelFailed, Output

Lap = Callable[[str], None]


def find_people(privacy: Model, pixels: Pixels, picture: Letterboxed, lap: Lap = lambda _stage: None) -> tuple[Detection, ...]:
    """Persons, faces, vehicles and plates of a frame; `picture` is it letterboxed. `lap` hears when a stage has ended.

    Raises:
        ModelFailed: the model gave nothing usable, in either look.
    """
    manifest = privacy.manifest
    outputs = privacy.invoke(picture.pixels)
    lap("invoke")
    found = detect(manifest, outputs, picture)
    vehicles = [one for one in found if one.label == "vehicle"]
    certain = kept(found, manifest.thresholds, manifest.plate_alone)
    lap("decode")
    closer = gather(pixels, [vehicle.box for vehicle in vehicles], manifest.input.width, manifest.input.height)
    lap("letterbox")
    if closer is None:
        return certain
    outputs = privacy.invoke(closer.pixels)
    lap("invoke")
    plates = plates_in(closer, manifest, outputs, manifest.thresholds["plate"])
    lap("decode")
    return certain + plates


def plates_in(closer: Closer, manifest: Manifest, outputs: Sequence[Output], threshold: float) -> tuple[Detection, ...]:
    """The plates of the closer look, in pixels of the frame.

    Raises:
        ModelFailed: so many are found that it cannot be true.
    """
    plates: list[Detection] = []
    for head, output in zip(manifest.heads, outputs, strict=True):
        if "plate" not in head.labels:
            continue
        found = decode(head, output, grid_of(manifest), {label: threshold if label == "plate" else 1.0 for label in head.labels})
        if found.candidates > MOST_CANDIDATES:
            raise ModelFailed(f"{manifest.name} finds plates at {found.candidates} points: its output is saturated")
        for cut in closer.cuts:
            here = cut.holds(found.boxes) & (found.columns == head.labels.index("plate"))
            boxes = cut.in_frame(found.boxes[here]).tolist()
            plates += [
                Detection("plate", score, (left, top, right, bottom))
                for score, (left, top, right, bottom) in zip(found.scores[here].tolist(), boxes, strict=True)
            ]
    return tuple(plates)


def kept(found: Sequence[Detection], thresholds: Mapping[str, float], plate_alone: float) -> tuple[Detection, ...]:
    """What counts of the first look. A plate that lies in no vehicle needs `plate_alone`: it is more often something else."""
    reached = [one for one in found if one.score >= thresholds.get(one.label, math.inf)]
    vehicles = [one.box for one in reached if one.label == "vehicle"]
    return tuple(
        one
        for one in reached
        if one.label != "plate" or one.score >= plate_alone or any(belongs(one.box, vehicle) for vehicle in vehicles)
    )
