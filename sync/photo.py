"""Photos on disk: whole or not there, whenever the power goes."""

import hashlib
import io
from pathlib import Path

from PIL import Image

from inference.anonymise import AnonymousFrame
from provisioning.durable import sync_folder, write_durably

JPEG_QUALITY = 85


class PhotoNotWritten(Exception):
    """The photo could not be made durable; the message names the file and the reason."""


def write_photo(file: Path, frame: AnonymousFrame) -> str:
    """Write a hidden frame as JPEG and make it durable before returning; returns the file's sha256.

    Temporary name, fsync, rename, fsync of the folder: without these a power cut leaves rows whose photo is missing or short.

    Raises:
        PhotoNotWritten: the disk did not take it.
    """
    jpeg = encode_jpeg(frame)
    try:
        _make_folder(file.parent)
        write_durably(file, jpeg)
    except OSError as error:
        raise PhotoNotWritten(f"{file}: cannot be written: {error.strerror or error}") from error
    return hashlib.sha256(jpeg).hexdigest()


def encode_jpeg(frame: AnonymousFrame) -> bytes:
    """The JPEG of a hidden frame, in memory."""
    out = io.BytesIO()
    Image.fromarray(frame.pixels).save(out, "JPEG", quality=JPEG_QUALITY)
    return out.getvalue()


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it, each durable in the one above."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
