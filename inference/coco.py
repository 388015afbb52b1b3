"""A set of pictures with true boxes, as COCO writes it down, in our labels."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image

from device.frame import Pixels
from inference.boxes import Boxes
from inference.labels import label_of
from inference.scoring import Flags

MOST_PIXELS = 64_000_000
"""A picture of more is refused before its pixels are decoded."""


class DataRefused(Exception):
    """A set that cannot be used: one sentence naming the file and the reason."""


@dataclass(frozen=True, slots=True, eq=False)
class TruePicture:
    """`labels` (n), `boxes` (n, 4: left, top, right, bottom), `crowd` (n) of one picture; `size` is (width, height) if given."""

    id: int
    file: Path
    size: tuple[int, int] | None
    labels: tuple[str, ...]
    boxes: Boxes
    crowd: Flags

    def pixels(self) -> Pixels:
        """The pixels as stored (a rotation in the EXIF is not applied: boxes are in the file's own pixels).

        Raises:
            DataRefused: the file is missing, unreadable, too large, or not of the size that the set says.
        """
        try:
            with Image.open(self.file) as picture:
                if picture.width * picture.height > MOST_PIXELS:
                    raise DataRefused(f"{self.file}: {picture.width}x{picture.height} pixels are too many")
                if self.size is not None and picture.size != self.size:
                    raise DataRefused(f"{self.file}: is {picture.size}, its set says {self.size}: boxes would be misplaced")
                return np.asarray(picture.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataRefused(f"{self.file}: cannot be read as a picture ({error})") from error


@dataclass(frozen=True, slots=True, eq=False)
class TrueSet:
    """Pictures in the order of their ids. `categories` maps each of our labels to the set's (lowest) category id for it."""

    pictures: tuple[TruePicture, ...]
    categories: Mapping[str, int]


def read_set(data: Path, images: Path, called: Mapping[str, str] = MappingProxyType({})) -> TrueSet:
    """The COCO file `data`, its pictures in the folder `images`; boxes of categories that are no label of ours are left out.

    `called` says what a category is to be called instead.

    Raises:
        DataRefused: it cannot be read, or is no COCO.
    """
    if not images.is_dir():
        raise DataRefused(f"{images}: is no folder of pictures")
    try:
        document = json.loads(data.read_bytes())
    except OSError as error:
        raise DataRefused(f"{data}: cannot be read ({error.strerror})") from error
    except ValueError as error:
        raise DataRefused(f"{data}: is no JSON ({error})") from error
    try:
        labels = {
            int(category["id"]): label_of({**category, "name": called.get(category["name"], category["name"])})
            for category in document["categories"]
        }
        boxes: dict[int, list[Mapping[str, Any]]] = {int(image["id"]): [] for image in document["images"]}
        for annotation in document["annotations"]:
            boxes[int(annotation["image_id"])].append(annotation)
        ordered = sorted(document["images"], key=lambda image: int(image["id"]))
        pictures = tuple(_picture(image, images, boxes[int(image["id"])], labels) for image in ordered)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataRefused(f"{data}: is no COCO file of boxes ({type(error).__name__}: {error})") from error
    categories: dict[str, int] = {}
    for number, label in sorted(labels.items()):
        if label is not None:
            categories.setdefault(label, number)
    return TrueSet(pictures, MappingProxyType(categories))


def _picture(
    image: Mapping[str, Any], folder: Path, annotations: list[Mapping[str, Any]], labels: Mapping[int, str | None]
) -> TruePicture:
    ours = [(annotation, labels[int(annotation["category_id"])]) for annotation in annotations]
    known = [(annotation, label) for annotation, label in ours if label is not None]
    boxes = np.array([annotation["bbox"] for annotation, _ in known], np.float64).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    if not np.isfinite(boxes).all():
        raise ValueError(f"a box of picture {image['id']} is not finite")
    return TruePicture(
        id=int(image["id"]),
        file=folder / str(image["file_name"]),
        size=(int(image["width"]), int(image["height"])) if "width" in image and "height" in image else None,
        labels=tuple(label for _, label in known),
        boxes=boxes,
        crowd=np.array([bool(annotation.get("iscrowd", 0)) for annotation, _ in known], np.bool_),
    )
