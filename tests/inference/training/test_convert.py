"""Ranges for quantization; only where the converter is installed (`pip install .[train]`)."""

import numpy as np
import pytest

pytest.importorskip("litert_torch", reason="litert-torch is not installed: models are converted elsewhere")

from inference.training.convert import joined_ranges, normalise


def ranges(low, high):
    return {name: {"min": np.array([[low]]), "max": np.array([[high]])} for name in ("middle", "last")}


def test_ranges_leave_out_rare_extremes_but_the_last_layers_keep_theirs():
    joined = joined_ranges([ranges(-1.0, 2.0)] * 15 + [ranges(-9.0, 18.0)], {"last"})
    mean, deviation = 3.0, np.std([2.0] * 15 + [18.0])
    assert joined["middle"]["max"].item() == pytest.approx(mean + deviation)
    assert joined["middle"]["min"].item() == pytest.approx(-(mean + deviation) / 2)
    assert (joined["last"]["min"].item(), joined["last"]["max"].item()) == (-9, 18)


def test_ranges_never_reach_beyond_what_was_seen():
    joined = joined_ranges([ranges(-1.0, 2.0), ranges(-3.0, 6.0)], ())
    assert joined["middle"]["max"].item() == pytest.approx(6)
    assert joined["middle"]["min"].item() == pytest.approx(-3)


def test_a_pixel_of_128_is_zero():
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    assert normalise(pixels)[0, 0, 0].tolist() == [-2.0, 0.0, 127 / 64]
