import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.street.scene import SIGNS
from device.street.signals import PX, sign, traffic_light

STATES = ("red", "amber", "green")


def rng(seed=1):
    return np.random.default_rng(seed)


def inside(sheet, part):
    """The pixels of a part, RGBA."""
    left, top, right, bottom = (round(each * sheet.px_per_m) for each in (part.left_m, part.top_m, part.right_m, part.bottom_m))
    return sheet.rgba[top:bottom, left:right].astype(float)


def within(sheet, part):
    return -0.01 <= part.left_m < part.right_m <= sheet.width_m + 0.01 and -0.01 <= part.top_m < part.bottom_m <= sheet.height_m


@pytest.mark.parametrize("kind", SIGNS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**53))
def test_a_signs_board_is_where_it_is_said_to_be_and_its_post_below(kind, seed):
    sheet = sign(rng(seed), kind)
    (board,) = sheet.parts["board"]
    assert within(sheet, board)
    assert (inside(sheet, board)[..., 3] > 128).mean() > 0.4
    below = sheet.rgba[round(board.bottom_m * PX) + 3 :, :, 3] > 128
    assert below.any(axis=1).all()
    assert below.sum(axis=1).max() < 0.1 * PX
    assert (sign(rng(seed), kind).rgba == sheet.rgba).all()


def reddish(pixels):
    return ((pixels[..., 0] > 1.8 * pixels[..., 2]) & (pixels[..., 0] > 90) & (pixels[..., 3] > 128)).mean()


def bluish(pixels):
    return ((pixels[..., 2] > 1.5 * pixels[..., 0]) & (pixels[..., 2] > 70) & (pixels[..., 3] > 128)).mean()


@pytest.mark.parametrize("kind", SIGNS)
def test_a_signs_colour_is_that_of_its_family(kind):
    sheet = sign(rng(), kind)
    board = inside(sheet, sheet.parts["board"][0])
    if kind == "sign_mandatory":
        assert bluish(board) > 0.3
        assert reddish(board) < 0.02
    else:
        assert reddish(board) > 0.15
        assert bluish(board) < 0.02


def test_a_yield_sign_stands_on_its_tip_and_a_danger_sign_on_its_base():
    for kind, wide_above in (("sign_yield", True), ("sign_danger", False)):
        sheet = sign(rng(), kind)
        alpha = inside(sheet, sheet.parts["board"][0])[..., 3] > 128
        quarter = len(alpha) // 4
        assert (alpha[:quarter].sum() > alpha[-quarter:].sum()) == wide_above


@pytest.mark.parametrize("state", STATES)
def test_the_lamp_that_burns_is_the_brightest_and_has_its_place(state):
    sheet = traffic_light(rng(), state)
    (board,) = sheet.parts["board"]
    lamps = inside(sheet, board)
    third = len(lamps) // 3
    bright = [lamps[n * third : (n + 1) * third, :, :3].max(axis=2).mean() for n in range(3)]
    assert int(np.argmax(bright)) == STATES.index(state)
