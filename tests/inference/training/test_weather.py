"""What a windscreen camera adds: each change does what it says, and moves nothing."""

import numpy as np
import pytest

from inference.training.weather import compression, drops, dusk, low_sun, motion, weathered

CHANGES = [dusk, low_sun, drops, motion, compression]


def street():
    pixels = np.full((160, 208, 3), 120, np.uint8)
    pixels[60:100, 80:120] = (220, 40, 40)
    return pixels


@pytest.mark.parametrize("change", CHANGES)
def test_the_picture_keeps_its_size_and_changes(change):
    before = street()
    after = change(before, np.random.default_rng(0))
    assert after.shape == before.shape
    assert after.dtype == np.uint8
    assert (after != before).any()


@pytest.mark.parametrize("change", CHANGES)
def test_a_thing_stays_where_it_was(change):
    """The red square is still the reddest part of the picture, in its place within two pixels."""
    after = change(street(), np.random.default_rng(3)).astype(int)
    red = after[..., 0] - after[..., 1]
    rows, columns = np.nonzero(red > red.max() / 2)
    assert abs(rows.mean() - 79.5) < 2
    assert abs(columns.mean() - 99.5) < 2


def test_dusk_is_darker_and_low_sun_lighter():
    before = street()
    for seed in range(5):
        assert dusk(before, np.random.default_rng(seed)).mean() < 0.8 * before.mean()
    assert np.mean([low_sun(before, np.random.default_rng(seed)).mean() for seed in range(20)]) > before.mean()


def test_most_pictures_are_left_alone():
    before = street()
    same = sum(np.array_equal(weathered(before, np.random.default_rng(seed)), before) for seed in range(200))
    assert 100 < same < 170
