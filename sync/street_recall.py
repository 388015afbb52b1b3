"""What a model finds on the street and on real pictures, by label and by size.

A box's size is the root of its area in pixels of the model's input. Where sizes are told apart, real pictures are shown in full,
halved and quartered, so that both have boxes of each size: who finds no small real thing finds no small drawn one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from device.frame import Pixels
from device.street.coco import is_hard
from device.street.truth import FrameTruth
from inference.coco import TruePicture, read_set
from inference.detect import Detection, detect
from inference.letterbox import PAD, letterbox
from inference.scoring import Picture, pair
from inference.tflite import TfliteModel

IOU = 0.5
SIZES_PX: Final = (16.0, 32.0, 64.0)
SIZE_NAMES: Final = ("< 16 px", "16-32", "32-64", ">= 64")
SHRUNK: Final = (1, 2, 4)
"""A real picture is shown so much smaller, on grey."""
REAL: Final[Mapping[str, tuple[str, ...]]] = {
    "roads": ("rdd2022-china-motorbike", "potholes-web", "manholes-web", "signs-france", "signs-germany"),
    "privacy": ("plates-romania", "plates", "faces"),
}
"""The sets whose val pictures each kind of model is asked about."""

Boxes = npt.NDArray[np.float64]


@dataclass
class Found:
    """Of one label: how many boxes are found and there, how many of each size, and which things are found at least once.

    `whole` leaves out pictures that are shown smaller than they are.
    """

    whole: list[int] = field(default_factory=lambda: [0, 0])
    hits: list[int] = field(default_factory=lambda: [0] * len(SIZE_NAMES))
    there: list[int] = field(default_factory=lambda: [0] * len(SIZE_NAMES))
    things: dict[str, bool] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """Recall of all boxes, of those of each size, and of things; None where there are none."""
        hits, there = self.whole
        told: dict[str, Any] = {
            "recall": _share(hits, there),
            "boxes": there,
            "by_size": [[_share(*each), each[1]] for each in zip(self.hits, self.there, strict=True)],
        }
        if self.things:
            told["things"] = [_share(sum(self.things.values()), len(self.things)), len(self.things)]
        return told


Counts = dict[str, Found]


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 3) if whole else None


def on_street(model: TfliteModel, frames: Iterable[FrameTruth], *, things: bool) -> Counts:
    """What is found on drawn frames; with `things`, these are of one drive, and a thing counts once however often it is seen.

    A box that a person might not have labelled (`is_hard`) counts neither way.
    """
    counts: Counts = {}
    for number, frame in enumerate(frames):
        # Frames of one drive alone say that a thing is the same one again.
        prefix = "" if things else f"{number} "
        names = [prefix + each.id for each in frame.seen]
        true = _True([each.label for each in frame.seen], np.array([each.box for each in frame.seen]).reshape(-1, 4), names)
        _count(model, frame.pixels, true, np.array([is_hard(each) for each in frame.seen], np.bool_), counts)
    if not things:
        for each in counts.values():
            each.things = {}
    return counts


def on_real(model: TfliteModel, data: Path) -> Counts:
    """What is found on the val pictures of the real sets of its task."""
    counts: Counts = {}
    for name in REAL[model.manifest.task]:
        for picture in read_set(data / name / "val.json", data / name / "images").pictures:
            pixels = picture.pixels()
            for by in SHRUNK:
                _count(model, _smaller(pixels, by), _true(picture, by), picture.crowd, counts, whole=by == 1)
    for each in counts.values():
        each.things = {}
    return counts


@dataclass(frozen=True, slots=True, eq=False)
class _True:
    labels: Sequence[str]
    boxes: Boxes
    names: Sequence[str]


def _true(picture: TruePicture, by: int) -> _True:
    return _True(picture.labels, picture.boxes / by, [str(n) for n in range(len(picture.labels))])


def _smaller(pixels: Pixels, by: int) -> Pixels:
    """A picture of the same size that shows it smaller, in its top left corner."""
    if by == 1:
        return pixels
    height, width = pixels.shape[:2]
    canvas = np.full_like(pixels, PAD)
    small = np.asarray(Image.fromarray(pixels).resize((max(1, width // by), max(1, height // by)), Image.Resampling.BOX))
    canvas[: small.shape[0], : small.shape[1]] = small
    return canvas


def _count(
    model: TfliteModel, pixels: Pixels, true: _True, crowd: npt.NDArray[np.bool_], counts: Counts, *, whole: bool = True
) -> None:
    picture = letterbox(pixels, model.manifest.input.width, model.manifest.input.height)
    found = detect(model.manifest, model.invoke(picture.pixels), picture)
    for label in model.manifest.labels:
        mine = np.array([each == label for each in true.labels], np.bool_)
        alone: npt.NDArray[np.intp] = np.flatnonzero(mine & ~crowd) if len(mine) else np.zeros(0, np.intp)
        if not len(alone):
            continue
        _, _, taken = pair(_picture(true.boxes, crowd, mine, [each for each in found if each.label == label]), IOU)
        for number, hit in zip(alone, taken.tolist(), strict=True):
            left, top, right, bottom = true.boxes[number].tolist()
            root_px = ((right - left) * picture.scale_x * (bottom - top) * picture.scale_y) ** 0.5
            size = int(np.searchsorted(SIZES_PX, root_px, side="right"))
            one = counts.setdefault(label, Found())
            one.there[size] += 1
            one.hits[size] += int(hit)
            if whole:
                one.whole = [one.whole[0] + int(hit), one.whole[1] + 1]
            name = true.names[number]
            one.things[name] = one.things.get(name, False) or hit


def _picture(boxes: Boxes, crowd: npt.NDArray[np.bool_], mine: npt.NDArray[np.bool_], found: Sequence[Detection]) -> Picture:
    here = np.array([each.box for each in found], np.float64).reshape(-1, 4)
    return Picture(boxes[mine], crowd[mine], here, np.array([each.score for each in found], np.float64))


def table(result: Mapping[str, Any]) -> list[str]:
    """One model's recall in lines: the street, and below it real pictures."""
    heads = "".join(f"{name:>12}" for name in ("all", *SIZE_NAMES, "things"))
    lines = ["", f"{result['model']:<19}{'':<7}{heads}   recall (boxes) at the model's thresholds, by the root of their area"]
    for label, sources in result["labels"].items():
        for source in ("street", "real"):
            told = sources[source]
            if told is None:
                lines.append(f"{label:<19}{source:<7}{'-':>12}")
                continue
            cells = [[told["recall"], told["boxes"]], *told["by_size"], *([told["things"]] if "things" in told else [])]
            lines.append(f"{label:<19}{source:<7}" + "".join(f"{_cell(*each):>12}" for each in cells))
    if result["real_pictures"] is None:
        lines.append("no real pictures here (RONDE_DATA): docs/models.md has what val says; the street alone proves nothing")
    return lines


def _cell(recall: float | None, count: int) -> str:
    return "-" if recall is None else f"{recall:.2f} ({count})"
