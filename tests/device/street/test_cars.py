import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.street.cars import PLATE_M, PX, plate, vehicle

CAR_M, VAN_M = (1.78, 4.2, 1.5), (2.0, 5.4, 2.4)


def body(seed=1, variant="car"):
    return vehicle(seed, VAN_M if variant == "van" else CAR_M, variant)


def at_plate(sheet):
    (part,) = sheet.parts["plate"]
    rows = slice(round(part.top_m * PX), round(part.bottom_m * PX))
    return part, sheet.rgba[rows, round(part.left_m * PX) : round(part.right_m * PX)].astype(float)


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**53), st.sampled_from(("car", "van")), st.booleans())
def test_an_end_has_a_plate_of_its_size_in_the_middle_above_the_ground(seed, variant, front):
    sheet = body(seed, variant).end(front=front)
    width_m, _, height_m = VAN_M if variant == "van" else CAR_M
    assert (sheet.width_m, sheet.height_m) == pytest.approx((width_m, height_m), abs=1 / PX)
    part, pixels = at_plate(sheet)
    assert (part.right_m - part.left_m, part.bottom_m - part.top_m) == pytest.approx(PLATE_M, abs=1.5 / PX)
    assert (part.left_m + part.right_m) / 2 == pytest.approx(width_m / 2, abs=0.03)
    assert 0.2 < height_m - part.bottom_m < 1.3
    assert (pixels[..., 3] == 255).all()


@pytest.mark.parametrize("front", [True, False])
def test_a_plate_is_dark_writing_on_white_between_two_blue_ends(front):
    _, pixels = at_plate(body(3).end(front=front))
    grey = pixels[..., :3].mean(axis=2)
    writing = grey[3:-3, 10:-10]
    assert np.quantile(writing, 0.8) > 170
    assert writing.min() < 110
    ends = np.concatenate([pixels[3:-3, 1:4], pixels[3:-3, -4:-1]], axis=1)
    assert (ends[..., 2] - ends[..., 0]).mean() > 40


def test_plates_differ():
    assert len({plate(np.random.default_rng(seed)).tobytes() for seed in range(20)}) == 20


@pytest.mark.parametrize("variant", ["car", "van"])
def test_one_vehicle_has_one_paint_and_is_the_same_each_time(variant):
    for seed in range(5):
        ends = [at_plate(body(seed, variant).end(front=front))[1][..., :3].mean() for front in (True, False)]
        assert ends[0] == pytest.approx(ends[1], abs=25)
        assert (body(seed, variant).side().rgba == body(seed, variant).side().rgba).all()
        assert body(seed, variant).paint == body(seed, variant).paint


def test_its_lamps_are_red_behind_and_white_before():
    def red(sheet):
        rgba = sheet.rgba.astype(float)
        return int(((rgba[..., 0] > 2.5 * rgba[..., 1]) & (rgba[..., 0] > 110) & (rgba[..., 3] > 128)).sum())

    seed = next(seed for seed in range(50) if np.ptp(body(seed).paint) < 12)  # a grey car
    assert red(body(seed).end(front=False)) > 500
    assert red(body(seed).end(front=True)) == 0


def test_a_side_shows_two_wheels_on_the_ground_and_no_plate():
    sheet = body().side()
    assert sheet.width_m == pytest.approx(CAR_M[1], abs=1 / PX)
    assert "plate" not in sheet.parts or not sheet.parts["plate"]
    ground = sheet.rgba[-4, :, 3] > 128
    touches = np.flatnonzero(np.diff(ground.astype(int)) == 1)
    assert len(touches) == 2
