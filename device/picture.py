"""A recorded picture: looked at cheaply before the drive, decoded when it is wanted. Untrusted: anybody can make a drive.

Nothing is decoded whose header says more than `LARGEST_PIXELS`, so memory stays bounded whatever the file says of itself.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import ExifTags, Image, UnidentifiedImageError

from device.frame import FrameUnreadable, Pixels

LARGEST_PIXELS = 50_000_000
"""150 MB as RGB. The largest camera of a unit has 12 million."""

TAIL = 65_536
"""Bytes at the end in which the end of the picture is looked for: cameras append padding and trailers."""

ENDS = {"JPEG": b"\xff\xd9", "MPO": b"\xff\xd9", "PNG": b"IEND"}
FORMATS = ("JPEG", "PNG")

# Between 89 and 179 million pixels Pillow only warns; for ronde such a header is an error like any other.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)

UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes each EXIF orientation; 1 is upright."""

T = TypeVar("T")


def check_picture(file: Path) -> None:
    """See whether a picture can be hoped to decode: its header, its size, and that its end is there. No pixel is decoded.

    Raises:
        FrameUnreadable: it is empty, cut off, too large, or neither JPEG nor PNG.
    """
    size = _guarded(file, lambda: file.stat().st_size)
    if size == 0:
        raise FrameUnreadable(f"{file.name}: the file is empty")
    form = _opened(file, lambda image: image.format or "")
    if ENDS[form] not in _guarded(file, lambda: _tail(file, size)):
        raise FrameUnreadable(f"{file.name}: the file is cut off: its end is missing")


def read_picture(file: Path) -> Pixels:
    """The pixels of a JPEG or PNG, upright as its EXIF says: (height, width, 3) RGB.

    Grey, palette, CMYK and 16-bit pictures are converted; of the latter the high byte is kept. Transparency is dropped.

    Raises:
        FrameUnreadable: it cannot be decoded; file and reason.
    """
    return _opened(file, _pixels)


def read_exif(file: Path, read: Callable[[Image.Exif], T]) -> T:
    """What `read` makes of a picture's EXIF; its own named errors pass.

    Raises:
        FrameUnreadable: the picture's header is broken.
    """
    return read(_opened(file, _exif))


def _opened(file: Path, use: Callable[[Image.Image], T]) -> T:
    def opened() -> T:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > LARGEST_PIXELS:
                raise FrameUnreadable(f"{file.name}: {image.width} x {image.height} pixels are more than {LARGEST_PIXELS}")
            return use(image)

    return _guarded(file, opened)


def _guarded(file: Path, work: Callable[[], T]) -> T:
    """Pillow names no set of errors for a broken file; each of them is this one picture's and ends no replay."""
    try:
        return work()
    except FrameUnreadable:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise FrameUnreadable(f"{file.name}: its header says more than {LARGEST_PIXELS} pixels") from error
    except UnidentifiedImageError as error:
        raise FrameUnreadable(f"{file.name}: it is neither JPEG nor PNG, or its header is broken") from error
    except Exception as error:
        raise FrameUnreadable(f"{file.name}: it cannot be read: {error or type(error).__name__}") from error


def _pixels(image: Image.Image) -> Pixels:
    orientation = _exif(image).get(ExifTags.Base.Orientation, 1)
    image.load()
    upright = image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image
    return np.ascontiguousarray(_rgb(upright))


def _rgb(image: Image.Image) -> Pixels:
    if image.mode == "I" or image.mode.startswith("I;16"):
        # 16 bits of grey: Pillow's own conversion cuts at 255 instead of dividing.
        grey = (np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, np.newaxis], 3, axis=2)
    if image.mode == "P":
        # A palette with transparency has a way of its own, and warns on the direct one.
        image = image.convert("RGBA")
    return np.asarray(image.convert("RGB"))


def _exif(image: Image.Image) -> Image.Exif:
    """The EXIF of an open picture, empty where it is broken: a picture is not lost for its notes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            exif = image.getexif()
            for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
                exif.get_ifd(ifd)
        except Exception:  # noqa: BLE001 - Pillow names no set of errors for broken EXIF either
            return Image.Exif()
    return exif


def _tail(file: Path, size: int) -> bytes:
    with file.open("rb") as stream:
        stream.seek(max(0, size - TAIL))
        return stream.read()
