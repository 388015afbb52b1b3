"""Ranges for quantization; only where the converter is installed (`pip install .[train]`)."""

import numpy as np
import pytest

pytest.importorskip("litert_torch", reason="litert-torch is not installed: models are converted elsewhere")

from inference.training.convert import joined_ranges, normalise


def test_ranges_are_means_of_extremes_but_the_last_layers_keep_theirs():
    def ranges(low, high):
        return {name: {"min": np.array([[low]]), "max": np.array([[high]])} for name in ("middle", "last")}

    joined = joined_ranges([ranges(-1.0, 2.0), ranges(-3.0, 6.0)], {"last"})
    assert (joined["middle"]["min"].item(), joined["middle"]["max"].item()) == (-2, 4)
    assert (joined["last"]["min"].item(), joined["last"]["max"].item()) == (-3, 6)


def test_a_pixel_of_128_is_zero():
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    assert normalise(pixels)[0, 0, 0].tolist() == [-2.0, 0.0, 127 / 64]
