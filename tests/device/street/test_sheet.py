import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from device.street.sheet import OPAQUE, Part, Sheet, bled


def sheet(rows, columns, px_per_m=50.0):
    return Sheet(np.zeros((rows, columns, 4), np.uint8), px_per_m)


def test_its_size_in_metres_is_that_of_its_pixels():
    assert (sheet(150, 40).width_m, sheet(150, 40).height_m) == (0.8, 3.0)


def test_nothing_opaque_has_no_box():
    empty = sheet(9, 9)
    empty.rgba[..., 3] = OPAQUE - 1
    assert empty.truth is None


@given(st.integers(0, 29), st.integers(0, 19), st.integers(1, 9), st.integers(1, 9))
def test_the_box_holds_what_is_opaque_and_no_more(top, left, high, wide):
    drawn = sheet(40, 30, 10.0)
    drawn.rgba[..., 3] = OPAQUE - 1
    drawn.rgba[top : top + high, left : left + wide, 3] = OPAQUE
    assert drawn.truth == Part(left / 10, top / 10, (left + wide) / 10, (top + high) / 10)


def test_what_is_clear_gets_the_colour_of_what_is_beside():
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[:, :20] = (200, 40, 60, 255)
    filled = bled(rgba.copy())
    assert (filled[..., 3] == rgba[..., 3]).all()
    assert (filled[:, :20] == rgba[:, :20]).all()
    assert (np.abs(filled[:, 20:, :3].astype(int) - (200, 40, 60)) <= 2).all()
