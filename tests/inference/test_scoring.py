"""Scoring, against cases computed by hand and against what must always hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.scoring import (
    IOUS,
    Matched,
    Picture,
    average_precision,
    best_threshold,
    centre_hit,
    covered,
    interval_95,
    match,
)


def picture(truth, found=(), crowd=None):
    """`found` are (left, top, right, bottom, score)."""
    found = np.array(found, float).reshape(-1, 5)
    truth = np.array(truth, float).reshape(-1, 4)
    return Picture(truth, np.array(crowd if crowd is not None else [False] * len(truth), bool), found[:, :4], found[:, 4])


A, B, FAR = (0, 0, 10, 10), (100, 0, 110, 10), (500, 500, 510, 510)


def test_all_found_is_1_and_nothing_found_is_0():
    assert average_precision(match([picture([A, B], [(*A, 0.9), (*B, 0.3)])], 0.5)) == 1
    assert average_precision(match([picture([A, B])], 0.5)) == 0
    assert average_precision(match([picture([A], [(*FAR, 0.9)])], 0.5)) == 0
    assert average_precision(match([picture([], [(*FAR, 0.9)])], 0.5)) is None


def test_an_alarm_before_the_second_hit():
    # Precision 1 up to recall 1/2 (51 of the 101 points), then 2/3.
    matched = match([picture([A, B], [(*A, 0.9), (*FAR, 0.8), (*B, 0.7)])], 0.5)
    assert matched.hits.tolist() == [True, False, True]
    assert average_precision(matched) == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_half_of_it_found():
    assert average_precision(match([picture([A, B], [(*A, 0.9)])], 0.5)) == pytest.approx(51 / 101)


def test_a_truth_is_hit_once_and_by_the_best_score():
    matched = match([picture([A], [(1, 0, 11, 10, 0.6), (*A, 0.5)])], 0.5)
    assert matched.hits.tolist() == [True, False]


def test_a_box_takes_the_truth_it_fits_best():
    close = (3, 0, 13, 10)
    matched = match([picture([A, close], [(2.8, 0, 12.8, 10, 0.9), (*A, 0.8)])], 0.5)
    assert matched.hits.tolist() == [True, True]


def test_pictures_are_matched_one_by_one_and_scored_together():
    matched = match([picture([A], [(*B, 0.95)]), picture([B], [(*B, 0.9)])], 0.5)
    assert (matched.scores.tolist(), matched.hits.tolist(), matched.truths) == ([0.95, 0.9], [False, True], 2)


def test_only_the_best_hundred_of_a_picture_count():
    found = [(*FAR, 0.9)] * 100 + [(*A, 0.1)]
    assert not match([picture([A], found)], 0.5).hits.any()


def test_the_overlap_must_reach_the_limit():
    pair = picture([A], [(0, 0, 10, 5, 0.9)])
    assert match([pair], 0.5).hits.tolist() == [True]
    assert match([pair], 0.51).hits.tolist() == [False]


def test_a_crowd_is_nothing_to_find_and_swallows_what_lies_in_it():
    crowd = (0, 0, 100, 100)
    matched = match([picture([crowd, B], [(10, 10, 20, 20, 0.9), (*B, 0.8)], [True, False])], 0.5)
    assert (matched.truths, matched.hits.tolist()) == (1, [True])


def test_the_best_threshold():
    # F1 after each box: 2/3, 1/2, 4/5, 2/3.
    matched = Matched(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, False, True, False]), 2)
    assert best_threshold(matched) == 0.7
    assert best_threshold(Matched(np.array([0.9]), np.array([False]), 2)) is None
    # One score cannot be cut in two: all three or nothing.
    assert best_threshold(Matched(np.array([0.5, 0.5, 0.5]), np.array([True, False, False]), 1)) == 0.5


def test_hits_by_centre():
    both = picture([A, B], [(-20, 0, 30, 10, 0.9), (104, 4, 120, 30, 0.9), (*B, 0.2)])
    assert centre_hit([both], 0.5) == 0.5
    assert centre_hit([both], 0.1) == 1
    assert centre_hit([picture([])], 0.1) is None


def test_covered_shares():
    assert covered((0, 0, 10, 10), [(0, 0, 5, 10)]) == 0.5
    assert covered((0, 0, 10, 10), [(0, 0, 6, 10), (4, 0, 8, 10)]) == pytest.approx(0.8)
    assert covered((0.5, 0, 1.5, 1), [(1, 0, 9, 9)]) == pytest.approx(0.5)
    assert covered((0, 0, 10, 10), []) == 0
    assert covered((0, 0, 10, 10), [(-5, -5, 50, 50)]) == 1
    assert covered((3, 3, 3, 9), [(0, 0, 50, 50)]) == 0


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 30)] * 4), max_size=6))
def test_covered_shares_are_those_of_a_mask(corners):
    regions = [(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in corners]
    mask = np.zeros((30, 30), bool)
    for left, top, right, bottom in regions:
        mask[top:bottom, left:right] = True
    assert covered((5, 7, 21, 24), regions) == pytest.approx(mask[7:24, 5:21].mean())


def test_the_interval_of_a_share():
    # Worked by hand from Wilson's formula: 95 of 100.
    low, high = interval_95(95, 100)
    assert low == pytest.approx(0.8882, abs=2e-4)
    assert high == pytest.approx(0.9785, abs=2e-4)
    assert interval_95(10, 10)[1] == pytest.approx(1)
    assert interval_95(0, 10)[0] == pytest.approx(0)


corner = st.floats(0, 60, allow_nan=False, width=16)
box = st.tuples(corner, corner, st.floats(1, 30, width=16), st.floats(1, 30, width=16)).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)
pictures = st.lists(
    st.builds(
        lambda truth, found: picture(truth, [(*each, score) for each, score in found]),
        st.lists(box, max_size=5),
        st.lists(st.tuples(box, st.integers(1, 100).map(lambda percent: percent / 100)), max_size=8),
    ),
    min_size=1,
    max_size=4,
)


@settings(max_examples=120, deadline=None)
@given(pictures)
def test_what_always_holds(given_pictures):
    matched = [match(given_pictures, at) for at in (0.3, *IOUS)]
    truths = sum(len(each.truth) for each in given_pictures)
    assert all(one.truths == truths and one.hits.sum() <= truths for one in matched)
    assert all((np.diff(one.scores) <= 0).all() for one in matched)
    values = [average_precision(one) for one in matched]
    if not truths:
        assert set(values) == {None}
        return
    assert all(0 <= value <= 1 for value in values)
    assert (values[0] == 0) == (not matched[0].hits.any())
    # Scores matter by their order alone.
    cubed = [Picture(p.truth, p.crowd, p.found, p.scores**3) for p in given_pictures]
    assert average_precision(match(cubed, 0.5)) == values[1]
    # A weaker false alarm after everything else takes nothing away.
    first = given_pictures[0]
    alarm = Picture(first.truth, first.crowd, np.vstack([first.found, [900, 900, 910, 910]]), np.append(first.scores, 0.001))
    assert average_precision(match([alarm, *given_pictures[1:]], 0.5)) == pytest.approx(values[1])
