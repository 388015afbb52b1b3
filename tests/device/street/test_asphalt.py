import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.street.asphalt import AGES, asphalt


def tile(seed=1, age=3, size_m=(4.0, 8.0), px_per_m=40.0, lanes_m=None):
    return asphalt(np.random.default_rng(seed), age, size_m, px_per_m, lanes_m)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from(sorted(AGES)),
    st.floats(0.2, 4),
    st.floats(0.2, 4),
    st.sampled_from((20.0, 40.0, 100.0)),
)
def test_a_tile_has_its_size_and_is_the_same_each_time(seed, age, wide_m, long_m, px_per_m):
    one, other = (tile(seed, age, (wide_m, long_m), px_per_m) for _ in range(2))
    assert one.shape == (max(1, round(long_m * px_per_m)), max(1, round(wide_m * px_per_m)), 3)
    assert one.dtype == np.uint8
    assert (one == other).all()


def test_two_seeds_differ():
    assert (tile(1) != tile(2)).mean() > 0.5


def test_asphalt_pales_with_age():
    tones = [tile(age=age).mean() for age in sorted(AGES)]
    assert tones == sorted(tones)
    assert tones[-1] - tones[0] > 50


@pytest.mark.parametrize("age", AGES)
def test_grain_averages_out_where_a_pixel_holds_several_stones(age):
    near, far = (tile(age=age, size_m=(3.0, 3.0), px_per_m=px, lanes_m=()) for px in (100.0, 20.0))
    assert np.diff(far.astype(float), axis=1).std() < 0.8 * np.diff(near.astype(float), axis=1).std()


def test_tyres_darken_their_tracks():
    across = np.mean([tile(seed, age=4, lanes_m=(2.0,)).mean(axis=(0, 2)) for seed in range(6)], axis=0)
    for off_m in (-0.78, 0.78):
        assert across[round((2.0 + off_m) * 40)] < across[round(0.3 * 40)] - 5


def test_lanes_are_where_they_are_said_to_be():
    left, right = (tile(age=4, size_m=(8.0, 8.0), lanes_m=(middle,)).mean(axis=(0, 2)) for middle in (2.0, 6.0))
    assert left[: 4 * 40].mean() < right[: 4 * 40].mean() - 1
    assert right[4 * 40 :].mean() < left[4 * 40 :].mean() - 1


@pytest.mark.parametrize("age", AGES)
def test_two_tiles_meet_without_a_seam(age):
    """Their mean tones at the end differ no more than two rows in the middle of one tile do from each other."""
    one, other = tile(3, age), tile(4, age)
    step = abs(one[-3:].mean() - other[:3].mean())
    inside = [abs(one[row : row + 3].mean() - one[row + 3 : row + 6].mean()) for row in range(0, 310, 6)]
    assert step <= max(inside) + 1.0


@pytest.mark.parametrize(("age", "seamed"), [(1, False), (3, True), (5, True)])
def test_worn_passes_part_where_two_lanes_meet_and_nowhere_else(age, seamed):
    def darkest(lanes_m):
        columns = tile(age=age, size_m=(6.0, 8.0), lanes_m=lanes_m).astype(float).mean(axis=(0, 2))
        dips = (columns[:-2] + columns[2:]) / 2 - columns[1:-1]
        return int(dips.argmax()) + 1, float(dips.max())

    column, depth = darkest((1.5, 4.5))
    assert (depth > 8) == seamed
    if seamed:
        assert abs(column - 3.0 * 40) <= 2
    assert darkest(())[1] < 5
    assert darkest((3.0,))[1] < 5
