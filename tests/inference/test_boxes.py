"""Geometry of boxes, against counting pixels."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.boxes import areas, intersections, iou

box = st.tuples(*[st.integers(0, 12)] * 4).map(lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])))


def mask(each):
    drawn = np.zeros((12, 12), bool)
    drawn[each[1] : each[3], each[0] : each[2]] = True
    return drawn


@settings(deadline=None)
@given(st.lists(box, min_size=1, max_size=4), st.lists(box, min_size=1, max_size=4))
def test_shares_are_those_of_drawn_boxes(ours, theirs):
    one, other = np.array(ours, float), np.array(theirs, float)
    assert areas(one).tolist() == [mask(each).sum() for each in ours]
    for i, mine in enumerate(ours):
        for j, yours in enumerate(theirs):
            both, either = (mask(mine) & mask(yours)).sum(), (mask(mine) | mask(yours)).sum()
            assert intersections(one, other)[i, j] == both
            assert np.isclose(iou(one, other)[i, j], both / either if either else 0)


def test_a_box_turned_inside_out_has_no_area():
    assert areas(np.array([[5.0, 5, 1, 9]])).tolist() == [0]
