"""A photo is whole or not there."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from device.frame import Place
from inference.anonymise import AnonymousFrame
from sync.photo import PhotoNotWritten, write_photo

PLACE = Place(43.5, 7.0, 3.0, None, 0.0, 0.0, "between_fixes", None, "unset")


def drawn_frame():
    y, x = np.mgrid[0:48, 0:64]
    return AnonymousFrame(np.stack([x * 4, y * 5, x + y], -1).astype(np.uint8), PLACE, (), 0.0)


def test_is_the_picture_with_the_hash_it_says(tmp_path):
    frame = drawn_frame()
    file = tmp_path / "frames" / "r" / "000001.jpg"
    sha256 = write_photo(file, frame)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256
    assert np.abs(np.array(Image.open(file)).astype(int) - frame.pixels).mean() < 4
    assert [each.name for each in file.parent.iterdir()] == ["000001.jpg"]


def test_carries_no_metadata_of_its_own(tmp_path):
    file = tmp_path / "000001.jpg"
    write_photo(file, drawn_frame())
    with Image.open(file) as photo:
        assert not photo.getexif()


def test_a_disk_that_does_not_take_it_is_a_named_error(tmp_path):
    (tmp_path / "frames").write_bytes(b"a file where a folder belongs")
    with pytest.raises(PhotoNotWritten, match=r"000001\.jpg: cannot be written"):
        write_photo(tmp_path / "frames" / "000001.jpg", drawn_frame())
