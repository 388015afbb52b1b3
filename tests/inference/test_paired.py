"""What one model loses against another: exact where nothing is drawn, and sure only as far as pictures go."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.paired import paired_loss, ranked
from inference.scoring import Picture, average_precision, match


def picture(truths, found, scores):
    boxes = np.array(truths, float).reshape(-1, 4)
    return Picture(boxes, np.zeros(len(boxes), bool), np.array(found, float).reshape(-1, 4), np.array(scores, float))


def some(rng, count):
    """Pictures of two truths each, of which a model finds some, and something else."""
    pictures = []
    for _ in range(count):
        truths = [(10, 10, 50, 50), (100, 10, 140, 50)]
        found = [truth for truth in truths if rng.random() < 0.7] + [(200, 200, 220, 220)] * int(rng.integers(0, 3))
        pictures.append(picture(truths, found, rng.random(len(found))))
    return pictures


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_counting_every_picture_once_is_the_usual_precision(seed):
    pictures = some(np.random.default_rng(seed), 12)
    assert ranked(pictures, 0.5).precision(np.ones(12)) == pytest.approx(average_precision(match(pictures, 0.5)), abs=0.011)


def test_counting_a_picture_twice_is_the_same_as_having_it_twice():
    pictures = some(np.random.default_rng(3), 6)
    times = np.array([2, 0, 1, 1, 3, 1], float)
    again = [one for one, count in zip(pictures, times, strict=True) for _ in range(int(count))]
    assert ranked(pictures, 0.5).precision(times) == pytest.approx(ranked(again, 0.5).precision(np.ones(len(again))), abs=0.011)


def test_a_model_loses_nothing_against_itself():
    pictures = {"pothole": some(np.random.default_rng(1), 40)}
    loss = paired_loss(pictures, pictures, 0.5, draws=50)
    assert (loss.lost, loss.lost_at_most, loss.boxes) == (0, 0, 80)


def test_the_bound_is_above_what_was_lost_and_nearer_with_more_pictures():
    bounds = []
    for count in (30, 480):
        rng = np.random.default_rng(4)
        before = some(rng, count)
        after = [one if rng.random() < 0.9 else picture(one.truth, one.found[1:], one.scores[1:]) for one in before]
        loss = paired_loss({"pothole": before}, {"pothole": after}, 0.5, draws=200)
        assert loss.lost_at_most > loss.lost > 0
        bounds.append(loss.lost_at_most - loss.lost)
    assert bounds[1] < bounds[0]


def test_a_label_with_few_boxes_is_left_out_where_another_has_enough():
    rng = np.random.default_rng(5)
    many, few = some(rng, 20), some(rng, 20)
    few = [*few[:3], *(picture([], [], []) for _ in range(17))]
    blind = [picture(one.truth, [], []) for one in few]
    loss = paired_loss({"pothole": many, "patch": few}, {"pothole": many, "patch": blind}, 0.5, draws=20)
    assert loss.lost == 0
    assert loss.boxes == 46
    assert paired_loss({"patch": few}, {"patch": blind}, 0.5, draws=20).lost > 0
