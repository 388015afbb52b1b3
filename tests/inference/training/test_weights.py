"""NanoDet's weights as the npm package carries them, and the pixels that ronde gives them."""

import numpy as np
import pytest

from inference.training.weights import (
    NANODET_MEAN_BGR,
    NANODET_STD_BGR,
    Convolution,
    WeightsUnreadable,
    expecting_ronde_pixels,
    origin,
    read_convolutions,
)


def test_convolutions_come_numbered_and_turned(tmp_path, write_package):
    rng = np.random.default_rng(0)
    kernels = [rng.normal(size=(3, 3, 2, 4)), rng.normal(size=(1, 1, 4, 5))]
    biases = [rng.normal(size=4), rng.normal(size=5)]
    write_package(tmp_path, kernels, biases)
    first, second = read_convolutions(tmp_path)
    assert first.kernel.shape == (4, 2, 3, 3)
    assert second.kernel.shape == (5, 4, 1, 1)
    assert first.kernel.dtype == np.float32
    np.testing.assert_allclose(first.kernel[3, 1, 2, 0], kernels[0][2, 0, 1, 3], rtol=1e-3)
    np.testing.assert_allclose(second.bias, biases[1], rtol=1e-3)


def test_a_cut_file_is_refused_in_a_sentence(tmp_path, write_package):
    write_package(tmp_path, [np.ones((3, 3, 2, 4))], [np.ones(4)])
    (tmp_path / "nanodet.bin").write_bytes((tmp_path / "nanodet.bin").read_bytes()[:-2])
    with pytest.raises(WeightsUnreadable, match=r"no readable nanodet\.json"):
        read_convolutions(tmp_path)


def test_a_missing_folder_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(WeightsUnreadable, match="nothing-here"):
        read_convolutions(tmp_path / "nothing-here")


def test_the_first_convolution_gives_the_same_for_ronde_pixels():
    rng = np.random.default_rng(1)
    first = Convolution(rng.normal(size=(8, 3, 3, 3)).astype(np.float32), rng.normal(size=8).astype(np.float32))
    patch = rng.integers(0, 256, (3, 3, 3)).astype(np.float32)  # height, width, RGB
    theirs = (patch[..., ::-1] - NANODET_MEAN_BGR) / NANODET_STD_BGR
    ours = (patch - 128) / 64
    rewritten = expecting_ronde_pixels(first)
    expected = np.einsum("oihw,hwi->o", first.kernel, theirs) + first.bias
    given = np.einsum("oihw,hwi->o", rewritten.kernel, ours) + rewritten.bias
    np.testing.assert_allclose(given, expected, rtol=1e-4, atol=1e-4)


def test_the_origin_names_the_very_file(tmp_path, write_package):
    write_package(tmp_path, [np.ones((1, 1, 1, 1))], [np.ones(1)])
    before = origin(tmp_path)["sha256"]
    (tmp_path / "nanodet.bin").write_bytes(b"other")
    assert origin(tmp_path)["sha256"] != before
    assert "Apache-2.0" in origin(tmp_path)["licence"]
