"""What must be hidden: a first look, and a closer one at vehicles. The tiny model takes green for vehicles and red for plates."""

import numpy as np
import pytest

from inference.closer import gather
from inference.detect import Detection
from inference.letterbox import letterbox
from inference.model import ModelFailed, Output
from inference.people import find_people, kept, plates_in
from inference.tflite import TfliteModel

VEHICLE, PLATE = (400, 200, 560, 360), (444, 272, 516, 344)


@pytest.fixture
def privacy(model_file):
    return TfliteModel(model_file("privacy"))


def frame(plate=PLATE):
    pixels = np.full((640, 960, 3), 128, np.uint8)
    left, top, right, bottom = VEHICLE
    pixels[top:bottom, left:right] = (0, 255, 0)
    if plate:
        left, top, right, bottom = plate
        pixels[top:bottom, left:right] = (255, 0, 0)
    return pixels


def found(privacy, pixels, label):
    size = privacy.manifest.input.width, privacy.manifest.input.height
    return [each for each in find_people(privacy, pixels, letterbox(pixels, *size)) if each.label == label]


def test_a_plate_too_small_for_the_first_look_is_found_by_the_closer_one(privacy):
    pixels = frame()
    assert found(privacy, pixels, "vehicle")
    plates = found(privacy, pixels, "plate")
    assert plates
    for plate in plates:
        x, y = (plate.box[0] + plate.box[2]) / 2, (plate.box[1] + plate.box[3]) / 2
        assert PLATE[0] - 24 <= x <= PLATE[2] + 24
        assert PLATE[1] - 24 <= y <= PLATE[3] + 24
    assert not found(privacy, frame(plate=None), "plate")


def test_without_a_vehicle_there_is_one_invoke_and_with_some_there_are_two(privacy):
    class Counted:
        manifest, invokes = privacy.manifest, 0

        def invoke(self, picture):
            self.invokes += 1
            return privacy.invoke(picture)

    for pixels, wanted in ((np.full((640, 960, 3), 128, np.uint8), 1), (frame(), 2)):
        model, stages = Counted(), []
        find_people(model, pixels, letterbox(pixels, 96, 64), stages.append)
        assert model.invokes == wanted
        assert stages.count("invoke") == wanted


def test_a_plate_in_no_vehicle_needs_a_higher_score():
    inside, outside = Detection("plate", 0.3, (10, 10, 20, 20)), Detection("plate", 0.3, (80, 10, 90, 20))
    vehicle = Detection("vehicle", 0.5, (0, 0, 40, 40))
    thresholds = {"plate": 0.2, "vehicle": 0.25}
    assert set(kept([inside, outside, vehicle], thresholds, 0.0)) == {inside, outside, vehicle}
    assert set(kept([inside, outside, vehicle], thresholds, 0.5)) == {inside, vehicle}
    assert set(kept([inside, outside, vehicle], thresholds | {"vehicle": 0.6}, 0.5)) == set()


def test_a_closer_look_that_is_saturated_is_a_failure(privacy, monkeypatch):
    monkeypatch.setattr("inference.people.MOST_CANDIDATES", 20)
    outputs = privacy.invoke(np.full((64, 96, 3), 128, np.uint8))
    full = [Output(np.full_like(output.scores, 127), output.boxes) for output in outputs]
    with pytest.raises(ModelFailed, match="saturated"):
        plates_in(gather(frame(), [VEHICLE], 96, 64), privacy.manifest, full, 0.5)
