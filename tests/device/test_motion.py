"""A moving picture is told from a still one, in light and in the dark."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from device.motion import Motion

SIZE = (640, 480)


def scene(seed):
    """Something to look at: coarse and fine structure, as a street has."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 200, (12, 16, 3), np.uint8)).resize(
        (2 * SIZE[0], SIZE[1]), Image.Resampling.BICUBIC
    )
    return np.asarray(coarse).astype(float) + rng.normal(0.0, 8.0, (SIZE[1], 2 * SIZE[0], 1))


def seen(street, moved_px=0, light=1.0, noise=3.0, seed=0):
    rng = np.random.default_rng(seed)
    pixels = street[:, moved_px : moved_px + SIZE[0]] * light
    return np.clip(pixels + rng.normal(0.0, noise, pixels.shape), 0, 255).astype(np.uint8)


def test_the_first_picture_is_what_it_is_thought_to_be():
    assert not Motion().moved(seen(scene(1)), at_first=False)
    assert Motion().moved(seen(scene(1)), at_first=True)


@given(seed=st.integers(0, 5), noise=st.floats(0.0, 12.0))
def test_noise_is_no_motion(seed, noise):
    street, motion = scene(seed), Motion()
    motion.moved(seen(street, noise=noise, seed=1), at_first=False)
    assert not motion.moved(seen(street, noise=noise, seed=2), at_first=False)


@pytest.mark.parametrize(("light", "noise"), [(1.0, 3.0), (0.4, 8.0)])
def test_a_street_that_passes_is_motion(light, noise):
    street, motion = scene(3), Motion()
    assert [motion.moved(seen(street, 40 * step, light, noise, step), at_first=False) for step in range(6)] == [False] + 5 * [
        True
    ]


def test_a_passer_by_is_no_motion():
    street, motion = scene(4), Motion()
    motion.moved(seen(street), at_first=False)
    pixels = seen(street, seed=1)
    pixels[200:420, 300:380] = 20
    assert not motion.moved(pixels, at_first=False)


def test_another_size_is_a_first_picture():
    motion = Motion()
    motion.moved(seen(scene(1)), at_first=False)
    assert not motion.moved(np.zeros((48, 64, 3), np.uint8), at_first=False)
