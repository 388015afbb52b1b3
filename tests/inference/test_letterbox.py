"""Fitting a frame into a model's input and bringing boxes back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.letterbox import PAD, letterbox


@settings(deadline=None)
@given(st.integers(1, 400), st.integers(1, 400))
def test_the_picture_lies_at_the_top_left_and_the_rest_is_grey(width, height):
    boxed = letterbox(np.full((height, width, 3), 7, np.uint8), 96, 64)
    assert boxed.pixels.shape == (64, 96, 3)
    fit_width, fit_height = round(boxed.scale_x * width), round(boxed.scale_y * height)
    assert fit_width == 96 or fit_height == 64
    assert (boxed.pixels[:fit_height, :fit_width] == 7).all()
    assert (boxed.pixels[fit_height:] == PAD).all()
    assert (boxed.pixels[:, fit_width:] == PAD).all()


@pytest.mark.parametrize(("width", "height"), [(1456, 1088), (2028, 1024), (300, 500), (96, 64), (48, 32)])
def test_a_box_seen_in_the_input_comes_back_to_its_place_in_the_frame(width, height):
    frame = np.zeros((height, width, 3), np.uint8)
    left, top, right, bottom = width // 4, height // 4, width // 2, height // 2
    frame[top:bottom, left:right] = 255
    boxed = letterbox(frame, 512, 384)
    rows, columns = np.nonzero(boxed.pixels[: round(height * boxed.scale_y), : round(width * boxed.scale_x), 0] >= 128)
    seen = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    pixel = max(1.0, 1 / boxed.scale_x)
    assert np.allclose(boxed.in_frame(seen), [left, top, right, bottom], atol=pixel)


def test_boxes_are_clipped_to_the_frame():
    boxed = letterbox(np.zeros((50, 200, 3), np.uint8), 96, 64)
    boxes = np.array([[-10, -10, 1000, 1000], [0, 40, 96, 64]], np.float32)
    assert boxed.in_frame(boxes).tolist() == [[0, 0, 200, 50], [0, 50, 200, 50]]


def test_a_picture_that_fits_is_not_touched():
    picture = np.random.default_rng(0).integers(0, 256, (64, 96, 3), dtype=np.uint8)
    assert (letterbox(picture, 96, 64).pixels == picture).all()
