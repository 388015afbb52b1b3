import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.street.roadart import PX, lying
from device.street.scene import LYING

SIZES_M = {
    "crack_longitudinal": (0.7, 3.5),
    "crack_transverse": (2.8, 0.6),
    "crack_alligator": (1.6, 2.2),
    "pothole": (0.9, 0.7),
    "patch": (1.8, 2.4),
    "manhole": (0.7, 0.7),
    "manhole_open": (0.7, 0.7),
    "drain": (0.5, 0.5),
}


def drawn(kind, seed=1, severity=2, variant=""):
    return lying(kind, np.random.default_rng(seed), SIZES_M[kind], severity, variant)


def seen(sheet):
    """Its colours where it is opaque."""
    return sheet.rgba[sheet.rgba[..., 3] > 128][:, :3].astype(float)


@pytest.mark.parametrize("kind", LYING)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**53), severity=st.integers(1, 3))
def test_it_fills_the_size_that_the_scene_gives_and_is_the_same_each_time(kind, seed, severity):
    sheet = drawn(kind, seed, severity)
    width_m, length_m = SIZES_M[kind]
    assert sheet.rgba.dtype == np.uint8
    assert (sheet.width_m, sheet.height_m) == pytest.approx((width_m, length_m), abs=2 / PX)
    truth = sheet.truth
    assert truth is not None
    assert truth.right_m - truth.left_m > 0.4 * width_m
    assert truth.bottom_m - truth.top_m > 0.4 * length_m
    assert (drawn(kind, seed, severity).rgba == sheet.rgba).all()


@pytest.mark.parametrize("kind", LYING)
def test_no_two_seeds_give_the_same_picture(kind):
    sheets = [drawn(kind, seed).rgba.tobytes() for seed in range(6)]
    assert len(set(sheets)) == len(sheets)


@pytest.mark.parametrize("kind", ["crack_longitudinal", "crack_transverse", "crack_alligator"])
def test_a_crack_is_dark_and_covers_more_the_worse_it_is(kind):
    cover = [np.mean([(drawn(kind, seed, severity).rgba[..., 3] > 128).mean() for seed in range(6)]) for severity in (1, 3)]
    assert cover[1] > 1.2 * cover[0]
    assert seen(drawn(kind)).mean() < 60


def test_a_crack_runs_all_the_way():
    for kind, axis in (("crack_longitudinal", 1), ("crack_transverse", 0)):
        lines = (drawn(kind).rgba[..., 3] > 100).any(axis=axis)
        assert lines.mean() > 0.85, kind


def test_water_in_a_hole_is_brighter_and_smoother_than_its_ground():
    dry, wet = (drawn("pothole", variant=variant).rgba for variant in ("", "wet"))
    rows, columns = (slice(3 * size // 8, 5 * size // 8) for size in dry.shape[:2])
    dry, wet = (each[rows, columns, :3].astype(float) for each in (dry, wet))
    assert wet.mean() > dry.mean() + 25
    assert np.diff(wet, axis=1).std() < np.diff(dry, axis=1).std()


def test_a_deeper_hole_is_darker():
    assert np.mean([seen(drawn("pothole", s, 3)).mean() - seen(drawn("pothole", s, 1)).mean() for s in range(5)]) < -5


def test_an_open_shaft_is_darker_than_its_cover():
    middle = [drawn(kind).rgba[45:67, 45:67, :3].mean() for kind in ("manhole_open", "manhole")]
    assert middle[0] < middle[1] - 10


@pytest.mark.parametrize("kind", ["manhole", "manhole_open"])
def test_a_cover_is_round(kind):
    alpha = drawn(kind).rgba[..., 3] > 128
    assert not any((alpha[0, 0], alpha[0, -1], alpha[-1, 0], alpha[-1, -1]))
    assert alpha.mean() == pytest.approx(np.pi / 4, abs=0.05)
