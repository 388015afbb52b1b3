"""A look: found, hidden and kept; and not kept where hiding is in doubt."""

from itertools import count
from threading import Event

import numpy as np
import pytest

from device.frame import Frame, Place
from inference.look import HidingFailed, Look
from inference.manifest import ModelRefused
from inference.model import ModelFailed, Output
from inference.tflite import TfliteModel

PLACE = Place(43.55, 7.01, 3.0, 90.0, 8.0, 120.0, "between_fixes", None, "unset")
GREY, RED, BLUE = 128, (255, 0, 0), (0, 0, 255)


def street():
    """Twice the model's size: something red (a pothole to one model, a plate and a person to the other) and something blue."""
    pixels = np.full((128, 192, 3), GREY, np.uint8)
    pixels[16:48, 32:64] = RED
    pixels[80:96, 144:160] = BLUE
    return Frame(pixels, 5.0, PLACE, "photo.jpg")


@pytest.fixture
def roads(model_file):
    return TfliteModel(model_file("roads"))


@pytest.fixture
def privacy(model_file):
    return TfliteModel(model_file("privacy"))


class Spoilt:
    """A model with something wrong: `spoil` gets its outputs."""

    def __init__(self, model, spoil):
        self._model, self._spoil, self.manifest, self.seen = model, spoil, model.manifest, []

    def invoke(self, picture):
        self.seen.append(picture)
        return self._spoil(self._model.invoke(picture))


def fails(_outputs):
    raise ModelFailed("the runtime gave up")


def not_finite(outputs):
    return tuple(Output(output.scores.astype(np.float32) * np.nan, output.boxes) for output in outputs)


def test_things_are_found_and_people_are_hidden(roads, privacy):
    frame = street()
    looked = Look(roads, privacy).look(frame)
    assert {found.label for found in looked.detections} == {"pothole", "patch"}
    best = max((found for found in looked.detections if found.label == "patch"), key=lambda found: found.score)
    left, top, right, bottom = best.box
    assert 128 < left < 152 < right < 176
    assert 64 < top < 88 < bottom < 112
    region = looked.frame.pixels[16:48, 32:64]
    assert (region == region[0, 0]).all()
    assert (region[0, 0] != RED).any()
    assert (looked.frame.pixels[80:96, 144:160] == BLUE).all()
    assert looked.roads_failed is None
    assert looked.frame.source == "photo.jpg"
    assert (frame.pixels[16:48, 32:64] == RED).all()
    assert set(looked.seconds) == {"letterbox", "invoke", "decode", "hide", "glance"}
    assert all(seconds > 0 for seconds in looked.seconds.values())


@pytest.mark.parametrize(("spoil", "reason"), [(fails, "the runtime gave up"), (not_finite, "not finite")])
def test_a_frame_whose_people_cannot_be_found_is_not_kept(roads, privacy, spoil, reason):
    with pytest.raises(HidingFailed, match=reason):
        Look(roads, Spoilt(privacy, spoil)).look(street())


def test_without_a_privacy_model_no_frame_is_kept(roads):
    with pytest.raises(HidingFailed, match="no privacy model"):
        Look(roads, None).look(street())


def test_a_saturated_privacy_model_does_not_let_a_frame_pass(roads, privacy, monkeypatch):
    monkeypatch.setattr("inference.detect.MOST_CANDIDATES", 100)
    everything = Spoilt(privacy, lambda outputs: tuple(Output(np.full_like(o.scores, 127), o.boxes) for o in outputs))
    with pytest.raises(HidingFailed, match="saturated"):
        Look(roads, everything).look(street())


def test_a_late_privacy_model_does_not_let_a_frame_pass(roads, privacy):
    ticks = count(step=0.3)
    with pytest.raises(HidingFailed, match=r"took \d\.\d\d s, allowed are 0\.50 s"):
        Look(roads, privacy, deadline_s=0.5, clock=lambda: next(ticks)).look(street())


@pytest.mark.parametrize(("spoil", "reason"), [(fails, "the runtime gave up"), (not_finite, "not finite")])
def test_a_failing_roads_model_does_not_lose_the_photo(roads, privacy, spoil, reason):
    looked = Look(Spoilt(roads, spoil), privacy).look(street())
    assert reason in looked.roads_failed
    assert looked.detections == ()
    assert looked.frame.hidden == Look(roads, privacy).look(street()).frame.hidden


def test_without_a_roads_model_the_photo_is_kept(privacy):
    looked = Look(None, privacy).look(street())
    assert looked.roads_failed == "no roads model is loaded"
    assert looked.frame.hidden


def test_a_look_that_ends_early_leaves_no_work_behind(roads, privacy):
    failing, through = Event(), []

    def slowly(outputs):
        assert failing.wait(20)
        through.append(True)
        return outputs

    def fails_first(_outputs):
        failing.set()
        raise ModelFailed("the runtime gave up")

    with pytest.raises(HidingFailed):
        Look(Spoilt(roads, slowly), Spoilt(privacy, fails_first), deadline_s=60).look(street())
    assert through == [True]


def test_the_frame_is_letterboxed_once_for_models_of_one_size(roads, privacy):
    one, other = Spoilt(roads, tuple), Spoilt(privacy, tuple)
    Look(one, other).look(street())
    assert one.seen[0] is other.seen[0]


def test_models_in_each_others_place_are_refused(roads, privacy):
    with pytest.raises(ModelRefused, match="privacy-tiny is a model for privacy and stands where one for roads belongs"):
        Look(privacy, roads)
    with pytest.raises(ModelRefused, match="stands where one for privacy belongs"):
        Look(None, roads)
