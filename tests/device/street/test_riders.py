import numpy as np
import pytest

from device.street.riders import PX, RIDES, rider


def drawn(variant="cyclist", view="front", seed=1):
    return rider(np.random.default_rng(seed), 1.72, variant, view)


@pytest.mark.parametrize("variant", RIDES)
@pytest.mark.parametrize("view", ["front", "back", "side"])
def test_a_rider_sits_on_what_is_ridden(variant, view):
    sheet = drawn(variant, view)
    assert sheet.height_m == pytest.approx(1.72, abs=2 / PX)
    assert sheet.truth.bottom_m > sheet.height_m - 0.03
    (body,), (ride,), (head,) = (sheet.parts[name] for name in ("board", "vehicle", "head"))
    assert head.top_m < 0.03
    assert body.left_m < (head.left_m + head.right_m) / 2 < body.right_m
    assert body.top_m <= head.top_m < ride.top_m < body.bottom_m
    assert ride.bottom_m == pytest.approx(sheet.height_m, abs=0.02)
    assert len(sheet.parts["face"]) == int(view == "front")
    assert (drawn(variant, view).rgba == sheet.rgba).all()
    assert (drawn(variant, view, 2).rgba != sheet.rgba).any()


def test_from_beside_there_are_two_wheels_on_the_ground():
    for variant in RIDES:
        ground = drawn(variant, "side").rgba[-4, :, 3] > 128
        assert len(np.flatnonzero(np.diff(ground.astype(int)) == 1)) == 2, variant
