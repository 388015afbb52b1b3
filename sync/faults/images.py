"""Pictures as anybody may put them into a recorded drive: refused with a reason or read right way up, in bounded memory.

The row runs in a process of its own (`python -m sync.faults.images`), so that its memory can be told.
"""

import io
import json
import resource
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import ExifTags, Image

from device.exif import NoGeotag, geotag_of
from device.frame import Frame, FrameUnreadable, Pixels
from device.picture import LARGEST_PIXELS, check_picture, read_exif, read_picture
from inference.anonymise import hide
from inference.detect import Detection
from sync.faults.child import Child
from sync.faults.row import Plan, Rng, Row, RowFailed, Tally
from sync.faults.writer import place

HEIGHT, WIDTH = 96, 160
FACE: Final = (16, 8, 48, 40)
"""Where a face lies in the upright picture: left, top, right, bottom. It is magenta; the rest is grey."""
MAGENTA, GREY = (255, 0, 255), (128, 128, 128)
CLOSE = 40
"""How far a colour may be from the one that was drawn, after JPEG."""
SIDE_MOST = 16_384
BYTES_PER_PIXEL = 14
MEMORY_MIB: Final = BYTES_PER_PIXEL * LARGEST_PIXELS // 2**20
"""At most, above what the process takes before the first picture: the largest picture that is decoded at all, in Pillow's four
bytes a pixel, as bytes, as an array, and turned. One of 16k x 16k would be five times that."""
WITHIN_S = 900.0

BACK: Final[Mapping[int, Image.Transpose]] = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What a camera has done to the upright picture when it writes each orientation (EXIF 2.32, 4.6.4)."""

Maker = Callable[[Rng], tuple[bytes, bool]]
"""A file's bytes, and whether it can be read."""


def run(plan: Plan, tally: Tally) -> None:
    """All kinds, each as often as the others, in a process whose memory is measured."""
    told: list[str] = []
    seed = str(int(plan.rng.integers(2**31)))
    child = Child(plan.ground, [sys.executable, "-m", "sync.faults.images", str(plan.load), seed], line=told.append)
    if child.ended(WITHIN_S) != 0 or not told:
        raise RowFailed(f"the reader of pictures ended with {child.process.returncode}: {child.last_words()}")
    said = json.loads(told[-1])
    tally.injected, tally.wrong = said["tried"], said["wrong"]
    tally.measured |= {name: said[name] for name in ("refused", "read", "memory MiB")}
    tally.check(said["memory MiB"] <= MEMORY_MIB, f"{said['memory MiB']} MiB above the start, allowed are {MEMORY_MIB}")


def main(load: int, seed: int) -> dict[str, Any]:
    """Read so many pictures; what came of it."""
    rng = np.random.default_rng(seed)
    wrong: list[str] = []
    refused = read = 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    names = list(KINDS)
    with tempfile.TemporaryDirectory(prefix="ronde-images-") as folder:
        for number in range(load):
            name = names[number % len(names)]
            content, good = KINDS[name](rng)
            file = Path(folder) / "picture.jpg"
            file.write_bytes(content)
            outcome = _look(file, name)
            refused, read = refused + (outcome is None), read + (outcome is not None)
            if outcome is None and good:
                wrong.append(f"{name}: refused, and it is a good picture")
            elif outcome:
                wrong.append(f"{name}: {outcome}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024
    return {"tried": load, "wrong": wrong, "refused": refused, "read": read, "memory MiB": grown}


def _look(file: Path, name: str) -> str | None:
    """None where it is refused, "" where it is read and its face is hidden, else what is wrong."""
    try:
        check_picture(file)
        read_exif(file, _geotag)
        pixels = read_picture(file)
    except FrameUnreadable as error:
        return None if str(error).startswith(file.name) else f"refused without its name: {error}"
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        return f"read as {pixels.shape} {pixels.dtype}"
    return _face(pixels) if name.startswith("orientation") else ""


def _geotag(exif: Image.Exif) -> None:
    """Whatever the EXIF says of the place is a place or a reason."""
    try:
        geotag_of(exif)
    except NoGeotag:
        return


def _face(pixels: Pixels) -> str:
    """Whether the face lies where it lies in the upright picture, and is gone when that is hidden."""
    if pixels.shape != (HEIGHT, WIDTH, 3):
        return f"read as {pixels.shape}"
    if not _is_face(pixels).any():
        return "the face is not to be seen"
    left, top, right, bottom = FACE
    if not _is_face(pixels)[top + 4 : bottom - 4, left + 4 : right - 4].all():
        return "the face is elsewhere"
    hidden = hide(Frame(pixels, 0.0, place(1)), [Detection("face", 0.9, (left, top, right, bottom))])
    # One flat colour over all of the face; the mean of a region that is mostly face is near magenta itself.
    region = hidden.pixels[top:bottom, left:right].reshape(-1, 3)
    outside = _is_face(hidden.pixels).copy()
    for x0, y0, x1, y1 in hidden.hidden:
        outside[y0:y1, x0:x1] = False
    return "" if (region == region[0]).all() and not outside.any() else "the face is not hidden"


def _is_face(pixels: Pixels) -> Any:
    return (np.abs(pixels.astype(int) - MAGENTA) < CLOSE).all(axis=2)


def _upright() -> Image.Image:
    picture = Image.new("RGB", (WIDTH, HEIGHT), GREY)
    picture.paste(MAGENTA, FACE)
    return picture


def _saved(image: Image.Image, form: str = "JPEG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def _noise(rng: Rng, mode: str = "RGB") -> Image.Image:
    return Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)).convert(mode)


def _oriented(orientation: int) -> Maker:
    def make(_rng: Rng) -> tuple[bytes, bool]:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        upright = _upright()
        turned = upright.transpose(BACK[orientation]) if orientation in BACK else upright
        return _saved(turned, quality=95, exif=exif), True

    return make


def _cut(form: str) -> Maker:
    def make(rng: Rng) -> tuple[bytes, bool]:
        whole = _saved(_noise(rng), form)
        return whole[: int(rng.integers(len(whole) - 12))], False

    return make


def _flipped(rng: Rng) -> tuple[bytes, bool]:
    """Bits flipped anywhere: a picture may survive that, and then it is one."""
    whole = bytearray(_saved(_noise(rng)))
    for _ in range(int(rng.integers(1, 20))):
        whole[int(rng.integers(len(whole)))] ^= 1 << int(rng.integers(8))
    return bytes(whole), False


def _broken_exif(rng: Rng) -> tuple[bytes, bool]:
    """A picture is not lost for its notes."""
    exif = b"Exif\x00\x00" + rng.bytes(int(rng.integers(4, 400)))
    return _saved(_noise(rng), exif=exif), True


def _header(width: int, height: int) -> Maker:
    """A JPEG whose header says another size than it has; one pixel would do."""

    def make(rng: Rng) -> tuple[bytes, bool]:
        whole = bytearray(_saved(_noise(rng), "JPEG"))
        at = whole.index(b"\xff\xc0")
        whole[at + 5 : at + 9] = struct.pack(">HH", height, width)
        return bytes(whole), False

    return make


def _bomb(rng: Rng) -> tuple[bytes, bool]:
    """A PNG of 16k x 16k zeros in a few kilobytes."""
    side = SIDE_MOST

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(int(rng.integers(1, 1 << 20)))))
    return b"\x89PNG\r\n\x1a\n" + head + body + chunk(b"IEND", b""), False


def _sixteen_bit(rng: Rng) -> tuple[bytes, bool]:
    return _saved(Image.fromarray(rng.integers(0, 65536, (HEIGHT, WIDTH), np.uint16)), "PNG"), True


KINDS: Final[Mapping[str, Maker]] = {
    **{f"orientation {n}": _oriented(n) for n in range(1, 9)},
    "orientation 9": _oriented(9),
    "JPEG cut": _cut("JPEG"),
    "PNG cut": _cut("PNG"),
    "bits flipped": _flipped,
    "EXIF of noise": _broken_exif,
    "header 16k x 16k": _header(SIDE_MOST, SIDE_MOST),
    "header 65k x 65k": _header(65_535, 65_535),
    "header 7k x 7k": _header(7_000, 7_000),
    "header 0 x 0": _header(0, 0),
    "PNG bomb": _bomb,
    "CMYK": lambda rng: (_saved(_noise(rng, "CMYK")), True),
    "grey": lambda rng: (_saved(_noise(rng, "L")), True),
    "16 bit": _sixteen_bit,
    "palette": lambda rng: (_saved(_noise(rng, "P"), "PNG"), True),
    "transparent": lambda rng: (_saved(_noise(rng, "RGBA"), "PNG"), True),
    "one bit": lambda rng: (_saved(_noise(rng, "1"), "PNG"), True),
    "GIF": lambda rng: (_saved(_noise(rng), "GIF"), False),
    "BMP": lambda rng: (_saved(_noise(rng), "BMP"), False),
    "TIFF": lambda rng: (_saved(_noise(rng), "TIFF"), False),
    "empty": lambda _rng: (b"", False),
    "noise": lambda rng: (rng.bytes(5000), False),
    "a script": lambda _rng: (b"#!/bin/sh\necho photo\n", False),
}

ROW = Row("images", "pictures cut, lying, enormous, in every colour space and orientation", short=60, full=300, needs=(), run=run)

if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]))))
