"""A camera's own picture: brightness at full size, colour at half, so half the bytes of RGB. Pure.

Cameras deliver it (YUV420, I420), and the ring holds it: twice as many seconds fit into the same memory. It becomes RGB when it
is chosen, one exposure in some ten. The colours are those of JPEG: ITU-R BT.601, full range (JFIF 1.02), which cameras are told.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from device.frame import Pixels

BYTES_PER_PIXEL = 1.5


@dataclass(frozen=True, slots=True)
class Layout:
    """How three planes lie in a buffer: rows of Y, U and V begin `strides` bytes apart, the first ones at `offsets`."""

    width: int
    height: int
    strides: tuple[int, int, int]
    offsets: tuple[int, int, int]

    @classmethod
    def packed(cls, width: int, height: int, stride: int) -> "Layout":
        """Planes that follow one another, with rows of colour half as far apart as `stride`, those of brightness."""
        luma, chroma = stride * height, stride // 2 * (-(-height // 2))
        return cls(width, height, (stride, stride // 2, stride // 2), (0, luma, luma + chroma))


def to_rgb(data: bytes | memoryview, layout: Layout) -> Pixels:
    """(height, width, 3) RGB of a buffer; four pixels share a colour. Interpolated colours would cost twice the time.

    Raises:
        ValueError: the buffer is shorter than its layout.
    """
    width, height = layout.width, layout.height
    half = (-(-width // 2), -(-height // 2))
    sizes = ((width, height), half, half)
    planes = [
        Image.fromarray(np.ndarray((size[1], size[0]), np.uint8, buffer=data, offset=offset, strides=(stride, 1)))
        for size, stride, offset in zip(sizes, layout.strides, layout.offsets, strict=True)
    ]
    box = (0.0, 0.0, width / 2, height / 2)
    full = [planes[0], *(plane.resize((width, height), Image.Resampling.NEAREST, box) for plane in planes[1:])]
    return np.array(Image.merge("YCbCr", full).convert("RGB"))
