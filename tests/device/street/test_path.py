import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.earth import turn_deg
from device.street.path import closed

PATH = closed([(0, 0), (300, 20), (320, 280), (100, 200), (-40, 300)], [10, 12, 40, 9, 15])


def test_it_closes_without_a_kink():
    for number, piece in enumerate(PATH.pieces):
        end, after = piece.at(piece.length_m), PATH.pieces[(number + 1) % len(PATH.pieces)]
        assert math.hypot(end.east_m - after.east_m, end.north_m - after.north_m) < 1e-6
        assert abs(turn_deg(end.heading_deg - after.heading_deg)) < 1e-6
    assert PATH.at(PATH.length_m + 7.0) == PATH.at(7.0)


@given(st.floats(0, 1), st.floats(-6, 6))
def test_beside_is_the_inverse_of_at(share, right_m):
    pose = PATH.at(share * PATH.length_m, right_m)
    along_m, off_m = PATH.beside(np.array([pose.east_m]), np.array([pose.north_m]))
    assert abs(PATH.gap(share * PATH.length_m, float(along_m[0]))) < 1e-5
    assert off_m[0] == pytest.approx(right_m, abs=1e-6)


def test_the_shorter_way_around():
    assert PATH.gap(PATH.length_m - 5.0, 10.0) == pytest.approx(15.0)
    assert PATH.gap(10.0, PATH.length_m - 5.0) == pytest.approx(-15.0)


def test_roundings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        closed([(0, 0), (30, 0), (30, 30), (0, 30)], [20, 20, 20, 20])
