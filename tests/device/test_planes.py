"""A camera's planes become the picture that they hold, however they lie in the buffer."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from device.planes import Layout, to_rgb


def planes_of(blocks, layout):
    """A camera's buffer of a picture with one colour in each two by two pixels; what no plane uses holds anything."""
    luma, *chroma = blocks.convert("YCbCr").split()
    full = luma.resize((2 * luma.width, 2 * luma.height), Image.Resampling.NEAREST)
    planes = [full.crop((0, 0, layout.width, layout.height)), *chroma]
    size = max(
        offset + stride * plane.height for offset, stride, plane in zip(layout.offsets, layout.strides, planes, strict=True)
    )
    buffer = np.full(size, 99, np.uint8)
    for plane, stride, offset in zip(planes, layout.strides, layout.offsets, strict=True):
        for row, values in enumerate(np.asarray(plane)):
            buffer[offset + row * stride : offset + row * stride + plane.width] = values
    return buffer.tobytes()


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 9), st.integers(0, 9), st.randoms(use_true_random=False))
def test_any_size_and_any_padding(width, height, padding, between, random):
    half = (-(-width // 2) + padding, -(-height // 2))
    luma = (width + padding) * height + between
    layout = Layout(width, height, (width + padding, half[0], half[0]), (3, 3 + luma, 3 + luma + half[0] * half[1] + between))
    blocks = Image.frombytes("RGB", (-(-width // 2), half[1]), random.randbytes(3 * half[1] * -(-width // 2)))
    picture = blocks.convert("YCbCr").convert("RGB").resize((2 * blocks.width, 2 * blocks.height), Image.Resampling.NEAREST)
    assert (to_rgb(planes_of(blocks, layout), layout) == np.asarray(picture)[:height, :width]).all()


def test_packed_planes_follow_one_another():
    layout = Layout.packed(1456, 1088, 1536)
    assert layout.strides == (1536, 768, 768)
    assert layout.offsets == (0, 1536 * 1088, 1536 * 1088 + 768 * 544)


def test_a_buffer_that_is_too_short_is_an_error():
    with pytest.raises((ValueError, TypeError)):
        to_rgb(bytes(10), Layout.packed(8, 8, 8))
