"""Windows cut out of pictures: boxes stay on the things they were drawn around."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from inference.letterbox import PAD
from inference.training.sets import Picture
from inference.training.windows import clip, cut, draw_mosaic, draw_window, mirrored, tinted

SIZE = (208, 160)
FULL = (512, 384)
THING = (0, 200, 0)


def picture(width, height, *boxes):
    """A grey picture with green things at `boxes`."""
    image = Image.new("RGB", (width, height), (60, 60, 60))
    for left, top, right, bottom in boxes:
        ImageDraw.Draw(image).rectangle((left, top, right - 1, bottom - 1), fill=THING)
    return Picture(image, np.array(boxes, np.float32).reshape(-1, 4), np.arange(len(boxes)))


def green(pixels):
    return (pixels[..., 1].astype(int) - pixels[..., 0]) > 70


def box_of_green(pixels):
    rows, columns = np.nonzero(green(pixels))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_a_window_inside_the_picture_holds_the_scaled_piece():
    window = cut(picture(400, 300, (100, 80, 180, 140)), 1.0, (50, 40), SIZE)
    assert window.pixels.shape == (160, 208, 3)
    assert window.boxes.tolist() == [[50, 40, 130, 100]]
    assert box_of_green(window.pixels) == (50, 40, 130, 100)


def test_what_lies_outside_the_picture_is_grey():
    window = cut(picture(100, 60), 1.0, (-20, -30), SIZE)
    assert (window.pixels[:30] == PAD).all()
    assert (window.pixels[:, :20] == PAD).all()
    assert (window.pixels[30:90, 20:120] == 60).all()
    assert (window.pixels[90:] == PAD).all()
    assert (window.pixels[:, 120:] == PAD).all()


def test_a_window_beside_the_picture_is_grey_and_empty():
    window = cut(picture(100, 60, (10, 10, 50, 50)), 1.0, (500, 0), SIZE)
    assert (window.pixels == PAD).all()
    assert len(window.boxes) == 0


def test_boxes_of_which_too_little_is_seen_are_dropped():
    boxes = np.array([[-90, 0, 10, 50], [-50, 0, 50, 50], [0, 0, 2, 50]], np.float32)
    kept, labels = clip(boxes, np.array([0, 1, 2]), (0, 0, 200, 100))
    assert labels.tolist() == [1]
    assert kept.tolist() == [[0, 0, 50, 50]]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    left=st.integers(0, 420),
    top=st.integers(0, 320),
    width=st.integers(30, 200),
    height=st.integers(30, 200),
)
def test_boxes_of_random_windows_lie_where_the_thing_is_drawn(seed, left, top, width, height):
    box = (left, top, min(left + width, 512), min(top + height, 384))
    window = draw_window(picture(512, 384, box), (0.5, 1.5), SIZE, FULL, np.random.default_rng(seed))
    assert window.pixels.shape == (SIZE[1], SIZE[0], 3)
    for drawn in window.boxes:
        assert np.abs(np.array(box_of_green(window.pixels)) - drawn).max() <= 2


def test_most_windows_show_a_thing_even_in_a_large_picture():
    rng = np.random.default_rng(1)
    wide = picture(2000, 1500, (1900, 1400, 1950, 1450))
    shown = sum(len(draw_window(wide, (3.0, 3.5), SIZE, FULL, rng).boxes) for _ in range(50))
    assert shown >= 25


def test_a_mosaic_keeps_each_box_in_its_own_quarter():
    rng = np.random.default_rng(3)
    four = [picture(300, 200, (100, 60, 200, 140)) for _ in range(4)]
    for _ in range(10):
        window = draw_mosaic(four, (0.6, 1.2), SIZE, FULL, rng)
        mask = green(window.pixels)
        assert len(window.labels) == len(window.boxes)
        outside = mask.copy()
        for left, top, right, bottom in window.boxes.round().astype(int):
            assert mask[top + 2 : bottom - 2, left + 2 : right - 2].mean() > 0.95
            outside[max(0, top - 2) : bottom + 2, max(0, left - 2) : right + 2] = False
        slivers = outside.mean()  # of things cut to less than is kept
        assert slivers < 0.08


def test_a_mirrored_window_is_its_own_mirror():
    window = cut(picture(208, 160, (10, 20, 60, 70)), 1.0, (0, 0), SIZE)
    turned = mirrored(window)
    assert box_of_green(turned.pixels) == tuple(turned.boxes[0].astype(int))
    assert mirrored(turned).boxes.tolist() == window.boxes.tolist()
    assert (mirrored(turned).pixels == window.pixels).all()


def test_tinting_keeps_shape_and_type_and_changes_most_pictures():
    pixels = np.asarray(picture(64, 48, (10, 10, 30, 30)).image)
    rng = np.random.default_rng(0)
    changed = 0
    for _ in range(20):
        tint = tinted(pixels, rng)
        assert tint.shape == pixels.shape
        assert tint.dtype == np.uint8
        changed += bool((tint != pixels).any())
    assert changed >= 12


def test_the_same_seed_draws_the_same_window():
    one = picture(512, 384, (100, 100, 200, 200))
    first, second = (draw_window(one, (0.5, 1.5), SIZE, FULL, np.random.default_rng(7)) for _ in range(2))
    assert (first.pixels == second.pixels).all()
    assert first.boxes.tolist() == pytest.approx(second.boxes.tolist())
