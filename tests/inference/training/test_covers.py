"""Covers drawn onto roads: where, what is told about them, and what stays as it was."""

import numpy as np
import pytest
from PIL import Image

from inference.training.covers import Ground, with_covers
from inference.training.sets import Picture

NUMBERS = {"drain": 3, "manhole": 5}


def road(boxes=()):
    rng = np.random.default_rng(1)
    pixels = np.clip(rng.normal(120, 8, (384, 512, 1)) + np.array((0, 0, 3)), 0, 255).astype(np.uint8)
    return Picture(Image.fromarray(pixels), np.array(boxes, np.float32).reshape(-1, 4), np.zeros(len(boxes), np.int64))


def drawn(picture, seeds=24):
    return [with_covers(picture, NUMBERS, np.random.default_rng(seed)) for seed in range(seeds)]


def test_what_is_drawn_differs_from_the_road_inside_its_box_and_nowhere_else_but_for_stripes():
    before = road()
    only_covers = [after for after in drawn(before) if len(after.labels) == 1]
    assert len(only_covers) > 10
    inside = []
    for after in only_covers:
        left, top, right, bottom = after.boxes[0].round().astype(int)
        changed = np.abs(np.asarray(after.image).astype(int) - np.asarray(before.image)).max(2) > 24
        inside.append(changed[top:bottom, left:right].mean())
    assert np.median(inside) > 0.25


def test_both_kinds_of_cover_are_labelled_and_stay_in_the_picture():
    after = drawn(road(), 50)
    labels = np.concatenate([each.labels for each in after])
    assert set(labels.tolist()) == set(NUMBERS.values())
    assert (labels == NUMBERS["drain"]).sum() > (labels == NUMBERS["manhole"]).sum()
    boxes = np.concatenate([each.boxes for each in after])
    assert (boxes >= 0).all()
    assert (boxes[:, [0, 2]] <= 512).all()
    assert (boxes[:, [1, 3]] <= 384).all()
    assert (boxes[:, 2:] - boxes[:, :2] >= 9).all()


def test_nothing_is_drawn_over_what_is_labelled():
    for after in drawn(road([(0, 0, 512, 384)])):
        assert after.labels.tolist() == [0]
    for after in drawn(road([(256, 0, 512, 384)])):
        assert (after.boxes[1:, 0] < 256).all()


def test_grass_is_no_road():
    grass = Picture(Image.new("RGB", (512, 384), (60, 140, 40)), np.zeros((0, 4), np.float32), np.zeros(0, np.int64))
    for after in drawn(grass, 10):
        assert not len(after.labels)
        assert np.array_equal(np.asarray(after.image), np.asarray(grass.image))


def test_the_same_seed_draws_the_same():
    one, other = (with_covers(road(), NUMBERS, np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(np.asarray(one.image), np.asarray(other.image))
    assert one.boxes.tolist() == other.boxes.tolist()


def test_a_metre_is_smaller_farther_away_and_pixels_lead_back_to_metres():
    ground = Ground(vanishing=250.0, horizon=-40.0, height=1.5, focal=500.0)
    near, far = ground.pixel(np.array([0.0, 1.0]), np.array([3.0, 3.0])), ground.pixel(np.array([0.0, 1.0]), np.array([6.0, 6.0]))
    assert near[1, 0] - near[0, 0] == pytest.approx(2 * (far[1, 0] - far[0, 0]))
    assert near[0, 1] > far[0, 1] > -40
    assert ground.metres(*far[1]) == pytest.approx((1.0, 6.0))
