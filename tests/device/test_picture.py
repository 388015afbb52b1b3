"""Recorded pictures: broken, huge, turned, and in every colour."""

import io
import random
import resource
import struct
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image

from device.frame import FrameUnreadable
from device.picture import LARGEST_PIXELS, check_picture, read_exif, read_picture

SIZE = (96, 64)
QUADRANTS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
"""Top left, top right, bottom left, bottom right of the upright picture."""


def drawing() -> Image.Image:
    image = Image.new("RGB", SIZE)
    for number, colour in enumerate(QUADRANTS.values()):
        left, top = (number % 2) * 48, (number // 2) * 32
        image.paste(colour, (left, top, left + 48, top + 32))
    return image


def corners(pixels):
    height, width = pixels.shape[:2]
    return [pixels[y, x] for y in (height // 4, height * 3 // 4) for x in (width // 4, width * 3 // 4)]


def looks_like_the_drawing(pixels, tolerance=12):
    wanted = np.array(list(QUADRANTS.values()), int)
    return pixels.shape == (64, 96, 3) and bool(np.all(np.abs(np.array(corners(pixels), int) - wanted) <= tolerance))


def saved(folder, image, name="a.jpg", **options):
    file = folder / name
    image.save(file, **({"quality": 95} if name.endswith("jpg") else {}), **options)
    return file


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_plain_picture(tmp_path, name):
    file = saved(tmp_path, drawing(), name)
    check_picture(file)
    pixels = read_picture(file)
    assert pixels.dtype == np.uint8
    assert pixels.flags.c_contiguous
    assert looks_like_the_drawing(pixels)


SIDEWAYS = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How a camera stores an upright scene under each orientation (EXIF 2.32, 4.6.5.1.6)."""


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
@pytest.mark.parametrize("orientation", SIDEWAYS)
def test_all_eight_orientations_come_out_upright(tmp_path, name, orientation):
    how = SIDEWAYS[orientation]
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    file = saved(tmp_path, drawing() if how is None else drawing().transpose(how), name, exif=exif)
    assert looks_like_the_drawing(read_picture(file))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_does_not_exist_is_upright(tmp_path, orientation):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    assert looks_like_the_drawing(read_picture(saved(tmp_path, drawing(), exif=exif)))


@pytest.mark.parametrize(("mode", "name"), [("CMYK", "a.jpg"), ("RGBA", "a.png"), ("P", "a.png")])
def test_other_colours_become_rgb(tmp_path, mode, name):
    assert looks_like_the_drawing(read_picture(saved(tmp_path, drawing().convert(mode), name)), tolerance=20)


def test_a_palette_with_transparency(tmp_path):
    palette = drawing().convert("P")
    assert looks_like_the_drawing(
        read_picture(saved(tmp_path, palette, "a.png", transparency=bytes([128, 255, 0]))), tolerance=20
    )


@pytest.mark.parametrize(("mode", "name"), [("L", "a.jpg"), ("L", "a.png"), ("LA", "a.png"), ("1", "a.png")])
def test_grey_becomes_rgb(tmp_path, mode, name):
    grey = Image.new("L", SIZE, 0)
    grey.paste(255, (48, 0, 96, 64))
    pixels = read_picture(saved(tmp_path, grey.convert(mode), name))
    assert pixels.shape == (64, 96, 3)
    assert pixels[32, 10].tolist() == pytest.approx([0, 0, 0], abs=3)
    assert pixels[32, 80].tolist() == pytest.approx([255, 255, 255], abs=3)


def test_sixteen_bits_of_grey_keep_their_high_byte(tmp_path):
    values = np.linspace(0, 65535, 96 * 64).astype(np.uint16).reshape(64, 96)
    pixels = read_picture(saved(tmp_path, Image.fromarray(values), "a.png"))
    assert np.array_equal(pixels[:, :, 0], values >> 8)
    assert np.array_equal(pixels[:, :, 1], pixels[:, :, 2])


def png(width, height, bits, colour, rows=b""):
    """A PNG made by hand: Pillow writes no 16-bit colour and no giant."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_sixteen_bits_of_colour_keep_their_high_byte(tmp_path):
    file = tmp_path / "a.png"
    file.write_bytes(png(2, 1, 16, 2, b"\0" + struct.pack(">6H", 0xFFEE, 0x1234, 0, 0x80FF, 0xFFFF, 0x00FF)))
    assert read_picture(file).tolist() == [[[0xFF, 0x12, 0], [0x80, 0xFF, 0]]]


def giant_jpeg(width, height):
    stream = io.BytesIO()
    drawing().save(stream, "JPEG")
    data = bytearray(stream.getvalue())
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize("side", [8000, 12_000, 16_384, 65_000])
@pytest.mark.parametrize("form", ["jpg", "png"])
def test_a_header_of_a_giant_is_refused_without_its_memory(tmp_path, side, form):
    file = tmp_path / f"giant.{form}"
    file.write_bytes(giant_jpeg(side, side) if form == "jpg" else png(side, side, 8, 2, bytes(100)))
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for look in (check_picture, read_picture):
        with pytest.raises(FrameUnreadable, match=r"giant\.(jpg|png): .*pixels"):
            look(file)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib < 20_000
    assert side * side > LARGEST_PIXELS


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.jpg", b"", "the file is empty"),
        ("a.jpg", b"\xff\xd8\xff", "neither JPEG nor PNG"),
        ("a.jpg", b"no picture at all", "neither JPEG nor PNG"),
        ("a.png", b"GIF89a" + bytes(100), "neither JPEG nor PNG"),
    ],
)
def test_what_is_no_picture_is_seen_up_front(tmp_path, name, data, reason):
    file = tmp_path / name
    file.write_bytes(data)
    with pytest.raises(FrameUnreadable, match=f"{name}: .*{reason}"):
        check_picture(file)
    with pytest.raises(FrameUnreadable, match=name):
        read_picture(file)


def test_a_missing_file_is_unreadable(tmp_path):
    with pytest.raises(FrameUnreadable, match=r"gone\.jpg"):
        check_picture(tmp_path / "gone.jpg")


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_picture_that_is_cut_off_is_seen_up_front_and_never_half_decoded(tmp_path, name):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8))
    whole = saved(tmp_path, noise, name).read_bytes()
    cut = tmp_path / f"cut-{name}"
    for share in (0.3, 0.6, 0.9, 0.99):
        cut.write_bytes(whole[: int(len(whole) * share)])
        with pytest.raises(FrameUnreadable, match=f"cut-{name}"):
            check_picture(cut)
        with pytest.raises(FrameUnreadable, match=f"cut-{name}"):
            read_picture(cut)


def test_padding_after_the_end_is_no_harm(tmp_path):
    file = saved(tmp_path, drawing())
    file.write_bytes(file.read_bytes() + bytes(4096))
    check_picture(file)
    assert looks_like_the_drawing(read_picture(file))


def refusal(look, file):
    try:
        look(file)
    except FrameUnreadable as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_three_hundred_broken_pictures_are_read_or_refused_with_their_name(tmp_path, name):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitude] = (1.0, 2.0, 3.0)
    whole = saved(tmp_path, drawing(), name, exif=exif).read_bytes()
    draw = random.Random(11)
    broken = tmp_path / f"broken-{name}"
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(draw.randint(1, 20)):
            data[draw.randrange(len(data))] = draw.randrange(256)
        broken.write_bytes(bytes(data[: draw.randint(1, len(data)) if draw.random() < 0.3 else len(data)]))
        for look in (check_picture, read_picture, lambda file: read_exif(file, dict)):
            reason = refusal(look, broken)
            assert reason is None or reason.startswith(f"broken-{name}: ")
            refused += reason is not None
    assert refused > 100
