import json

import numpy as np
import pytest
from PIL import Image

from device.street.geometry import Pose
from device.street.scene import Weather
from device.street.truth import FrameTruth, Seen
from inference.manifest import locate
from inference.tflite import TfliteModel
from provisioning.settings import Models
from sync.street_recall import Found, on_real, on_street, table


@pytest.fixture(scope="module")
def model():
    return TfliteModel(locate(Models().privacy), 1)


class Says:
    """A model that finds a vehicle wherever the picture is white: the real one's manifest, and an answer of its own."""

    def __init__(self, model):
        self.manifest = model.manifest

    def invoke(self, pixels):
        return pixels


@pytest.fixture
def says(model, monkeypatch):
    from inference.detect import Detection
    from sync import street_recall

    def found(_, pixels, picture):
        white = (pixels == 255).all(axis=2)
        rows, columns = np.flatnonzero(white.any(axis=1)), np.flatnonzero(white.any(axis=0))
        if not len(rows):
            return ()
        box = np.array([[columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]], np.float32)
        return (Detection("vehicle", 0.9, tuple(picture.in_frame(box)[0].tolist())),)

    monkeypatch.setattr(street_recall, "detect", found)
    return Says(model)


def frame(box, name="car", shown=True, covered=0.0):
    pixels = np.zeros((384, 512, 3), np.uint8)
    left, top, right, bottom = box
    if shown:
        pixels[top:bottom, left:right] = 255
    seen = Seen(name, "vehicle", box, box, covered, 5.0, 0.0, 0.0, 0.0)
    return FrameTruth(pixels, 0.0, Pose(0.0, 0.0, 0.0), 0.0, Weather(0.0, 1.0, 12.0, 0.0, 0.0, "clean", 1.0), (seen,))


def test_boxes_are_counted_by_the_root_of_their_area(says):
    frames = [frame((10, 10, 20, 20)), frame((10, 10, 50, 50)), frame((10, 10, 50, 50), shown=False), frame((0, 0, 200, 100))]
    told = on_street(says, frames, things=False)["vehicle"].told()
    assert told == {"recall": 0.75, "boxes": 4, "by_size": [[1.0, 1], [None, 0], [0.5, 2], [1.0, 1]]}


def test_a_thing_counts_once_and_is_found_if_it_is_found_once(says):
    frames = [frame((10, 10, 50, 50), "a", shown=False), frame((10, 10, 50, 50), "a"), frame((10, 10, 50, 50), "b", shown=False)]
    assert on_street(says, frames, things=True)["vehicle"].told()["things"] == [0.5, 2]


def test_what_nobody_would_have_labelled_counts_neither_way(says):
    assert on_street(says, [frame((10, 10, 50, 50), covered=0.9), frame((10, 10, 50, 14))], things=False) == {}


def test_real_pictures_are_shown_in_full_halved_and_quartered(says, tmp_path, monkeypatch):
    from sync import street_recall

    monkeypatch.setattr(street_recall, "REAL", {"privacy": ("cars",)})
    (tmp_path / "cars" / "images").mkdir(parents=True)
    pixels = np.zeros((384, 512, 3), np.uint8)
    pixels[40:120, 80:160] = 255
    Image.fromarray(pixels).save(tmp_path / "cars" / "images" / "1.png")
    document = {
        "images": [{"id": 1, "file_name": "1.png", "width": 512, "height": 384}],
        "categories": [{"id": 1, "name": "vehicle"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [80, 40, 80, 80]}],
    }
    (tmp_path / "cars" / "val.json").write_text(json.dumps(document))
    told = on_real(says, tmp_path)["vehicle"].told()
    assert told == {"recall": 1.0, "boxes": 1, "by_size": [[None, 0], [1.0, 1], [1.0, 1], [1.0, 1]]}


def test_the_table_has_a_line_for_the_street_and_one_for_real_pictures():
    found = Found([3, 6], [1, 0, 2, 0], [4, 0, 2, 0], {"a": True, "b": False})
    result = {"model": "m-1", "labels": {"vehicle": {"street": found.told(), "real": None}}, "real_pictures": None}
    text = "\n".join(table(result))
    assert "0.50 (6)" in text
    assert "0.25 (4)" in text
    assert "1.00 (2)" in text
    assert "0.50 (2)" in text
    assert "no real pictures here" in text
