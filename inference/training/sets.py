"""The picture sets: what each may teach, under which licence, and what its silence about a label means.

No set labels everything. A picture supervises the labels of its own set and, as never present, those that the set safely never
shows; about all others it says nothing. Everything is COCO: `train.json`, `val.json`, `images/`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image

from device.street.coco import write_set
from device.street.geometry import Pinhole
from inference.coco import TrueSet, read_set
from inference.labels import CRACK, CRACKS

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

SIGNS: Final = ("sign_danger", "sign_prohibition", "sign_mandatory", "sign_yield", "sign_stop")
POSTS: Final = (*SIGNS, "traffic_light")
SURFACE: Final = (*CRACKS, "pothole", "patch", "manhole", "manhole_open")
# No set at hand shows a drain: they are drawn (covers.py, and the street). Last, so that a run without it can be gone on with.
ROAD_LABELS: Final = (*SURFACE, *POSTS, "drain")
PRIVACY_LABELS: Final = ("plate", "face")
UNCLEAR: Final = "unclear"
OTHER: Final = -1
UNTOLD: Final = -2


@dataclass(frozen=True, slots=True)
class PictureSet:
    """One folder of pictures and its part in training.

    `per_batch` pictures of each batch come from it, half a one means one in every second batch. `zoom` is the range of scales,
    relative to the letterboxed picture. `absent` are labels that it does not label and that its pictures (almost) never show:
    there they are trained as not present. Onto pictures of `roads` drains and covers are drawn (covers.py). `called` renames
    its categories. With `others`, what it labels and the network does not know teaches that nothing else is there.
    With `partly` it labels only some plates: vehicles without one teach nothing (doubts.py).
    """

    name: str
    licence: str
    per_batch: float
    zoom: tuple[float, float]
    absent: tuple[str, ...] = ()
    roads: bool = False
    called: Mapping[str, str] = field(default_factory=dict)
    others: bool = False
    partly: bool = False


class Picture(NamedTuple):
    """`boxes` (n, 4): left, top, right, bottom in pixels; `labels` (n,): numbers of the labels, CRACK's, OTHER or UNTOLD."""

    image: Image.Image
    boxes: Floats
    labels: Integers


class Supervision(NamedTuple):
    """`judged` is (labels,) of 0 and 1. With `any_crack`, cracks are labelled without their kind: only the strongest counts."""

    judged: Floats
    any_crack: bool


RDD: Final = "CC BY-SA 4.0, credit the authors of RDD2022 (arXiv 2209.08538)"
DNIT: Final = "MIT; pictures released by DNIT, Brazil"
GTSDB: Final = "free for any purpose, cite Houben et al. 2013 (its ReadMe)"
ROMANIA: Final = "MIT (Robert Lucian Chiriac, 2020)"
OPENALPR: Final = f"{UNCLEAR}: repository AGPL-3.0, rights in the photographs not stated"
PORTRAITS: Final = f"{UNCLEAR}: repository MIT, rights in the press photographs not stated"

STREETS_AT: Final = Path(".runs")
# Drawn by ronde: as the car sees it, and the pavement on the right as if from near by. Frames and seed of each split.
STREETS: Final[Mapping[str, tuple[Pinhole, Mapping[str, tuple[int, int]]]]] = {
    "street": (Pinhole(640, 480, 1.35, 6.0, 0.0, 63.0), {"train": (480, 3), "val": (120, 4)}),
    "street-near": (Pinhole(640, 480, 1.35, 2.0, 8.0, 32.0), {"train": (320, 5), "val": (80, 6)}),
}
# What the street calls a head is a face to the privacy network, seen from any side; its faces are parts of these.
HEADS: Final = {"head": "face", "face": ""}
DRAWN: Final = "drawn by ronde"
WEB: Final = f"{UNCLEAR}: source unknown"

ROAD_SETS: Final = (
    # Shows covers, does not label them.
    PictureSet("rdd2022-china-motorbike", RDD, 4, (0.6, 1.25), (*POSTS, "manhole_open", "drain"), roads=True),
    PictureSet("dnit-brazil", DNIT, 4, (0.6, 1.35), (*POSTS, "manhole", "manhole_open", "drain"), roads=True),
    PictureSet("signs-france", f"{UNCLEAR}: none stated", 2.5, (0.5, 1.3), (*SURFACE, "drain")),
    PictureSet("signs-germany", GTSDB, 2, (0.8, 1.7), (*SURFACE, "drain")),
    PictureSet("potholes-web", WEB, 1, (0.5, 1.2), (*POSTS, "manhole", "manhole_open", "drain")),
    PictureSet("manholes-web", WEB, 1, (0.4, 1.2), (*POSTS, "pothole", "drain")),
    PictureSet("street", DRAWN, 1.5, (0.8, 1.7)),
    # Nothing of the road is labelled in these; they teach what it is not.
    PictureSet("plates-romania", ROMANIA, 0.5, (0.7, 1.4), (*CRACKS, "pothole", "manhole_open", "drain")),
    PictureSet("plates", OPENALPR, 0.5, (0.5, 1.3), ("pothole", "manhole", "manhole_open", "drain", *SIGNS)),
    PictureSet("faces", PORTRAITS, 0.5, (0.4, 1.2), ROAD_LABELS),
    PictureSet("fire-smoke", WEB, 0.5, (0.4, 1.3), (*SURFACE, "drain", *SIGNS)),
)
PRIVACY_SETS: Final = (
    PictureSet("plates-romania", ROMANIA, 5, (0.6, 2.6), ("face",), partly=True),
    PictureSet("plates", OPENALPR, 3, (0.35, 1.3), partly=True),
    PictureSet("faces", PORTRAITS, 3, (0.12, 1.2), ("plate",)),
    PictureSet("street", DRAWN, 1.5, (0.8, 2.2), called=HEADS),
    PictureSet("street-near", DRAWN, 1.5, (0.5, 1.3), called=HEADS),
    PictureSet("rdd2022-china-motorbike", RDD, 1, (0.6, 1.3), PRIVACY_LABELS),
    PictureSet("dnit-brazil", DNIT, 1.5, (0.6, 1.3), PRIVACY_LABELS),
    # Their cars' plates are not labelled: only their signs say anything, that they are no plate and no face.
    PictureSet("signs-france", f"{UNCLEAR}: none stated", 0.75, (0.5, 1.6), others=True),
    PictureSet("signs-germany", GTSDB, 0.75, (0.8, 2.0), others=True),
)
SAFETY_LABELS: Final = ("fire", "smoke")
SAFETY_SETS: Final = (
    PictureSet("fire-smoke", WEB, 9, (0.5, 1.4)),
    # Lamps, traffic lights, low sun, dusk and wet road: none of them burns.
    PictureSet("signs-france", f"{UNCLEAR}: none stated", 1.5, (0.5, 1.3), SAFETY_LABELS),
    PictureSet("signs-germany", GTSDB, 1.5, (0.8, 1.7), SAFETY_LABELS),
    PictureSet("plates-romania", ROMANIA, 2, (0.6, 1.4), SAFETY_LABELS),
    PictureSet("dnit-brazil", DNIT, 1, (0.6, 1.3), SAFETY_LABELS),
    PictureSet("street", DRAWN, 1.5, (0.8, 1.7), SAFETY_LABELS),
)
TASKS: Final[Mapping[str, tuple[tuple[str, ...], tuple[PictureSet, ...]]]] = {
    "roads": (ROAD_LABELS, ROAD_SETS),
    "privacy": (PRIVACY_LABELS, PRIVACY_SETS),
    "safety": (SAFETY_LABELS, SAFETY_SETS),
}


def plans_of(task: str, *, clear: bool) -> tuple[PictureSet, ...]:
    """The sets of a task; `clear` leaves out those whose licence is unclear."""
    return tuple(plan for plan in TASKS[task][1] if not (clear and plan.licence.startswith(UNCLEAR)))


def read_street(name: str, split: str, called: Mapping[str, str]) -> TrueSet:
    """Reads a street, drawn where it is not yet: its towns are those of the purpose `training`."""
    folder = STREETS_AT / name / split
    camera, splits = STREETS[name]
    if not (folder / "truth.json").is_file():
        write_set(folder, *splits[split], "training", camera)
    return read_set(folder / "truth.json", folder / "images", called)


def read_split(data: Path, plan: PictureSet, split: str) -> TrueSet:
    """Reads what a set's pictures show; `split` is train or val.

    Raises:
        DataRefused: the set is missing, or is no COCO.
    """
    if plan.name in STREETS:
        return read_street(plan.name, split, plan.called)
    return read_set(data / plan.name / f"{split}.json", data / plan.name / "images", plan.called)


def supervision(own: Collection[str], absent: Sequence[str], labels: Sequence[str]) -> Supervision:
    """Says which of `labels` a set's pictures supervise, by the labels that are its own and those that it never shows."""
    any_crack = CRACK in own and CRACK in told(labels)
    judged = {*own, *absent, *(CRACKS if any_crack else ())}
    return Supervision(np.array([label in judged for label in labels], np.float32), any_crack)


def told(labels: Sequence[str]) -> set[str]:
    """What a set may say to a network of these labels: the labels, and CRACK if it has the three that this stands for."""
    return {*labels, *((CRACK,) if set(CRACKS) <= set(labels) else ())}


def decoded(truth: TrueSet, labels: Sequence[str], *, others: bool = False) -> list[Picture]:
    """Decodes all pictures of a split, with those of its boxes that are among `labels` (or CRACK, if these hold the cracks).

    With `others` its other boxes stay too, as `OTHER`.
    """
    place = {label: number for number, label in enumerate(labels)}
    if CRACK in told(labels):
        place[CRACK] = len(labels)
    pictures = []
    for picture in truth.pictures:
        kept = [number for number, label in enumerate(picture.labels) if (others or label in place) and not picture.crowd[number]]
        numbers = np.array([place.get(picture.labels[number], OTHER) for number in kept], np.int64)
        pictures.append(Picture(Image.fromarray(picture.pixels()), picture.boxes[kept].astype(np.float32), numbers))
    return pictures


def draw_weights(pictures: Sequence[Picture], labels: int) -> Floats:
    """How often to draw each picture: up to three times as often where it shows a label that fewer than 3 in 10 pictures show."""
    shown = np.zeros((len(pictures), labels + 1), bool)
    for row, picture in zip(shown, pictures, strict=True):
        row[picture.labels[picture.labels >= 0]] = True
    share = np.maximum(shown.mean(0), 1e-6)
    rarity = np.sqrt(0.3 / share).clip(1, 3)
    weights: Floats = np.where(shown, rarity, 1.0).max(1).astype(np.float32)
    weights /= weights.sum()
    return weights
