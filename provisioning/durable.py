"""Files that are whole or not there, whenever the power goes."""

import os
from pathlib import Path


def write_durably(file: Path, content: bytes) -> None:
    """Writes under another name, syncs, renames and syncs the folder: afterwards the file holds `content`, before what it held.

    Raises:
        OSError: the disk did not take it; the file is as it was.
    """
    partial = file.with_name(f".{file.name}.part")
    try:
        with partial.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        partial.replace(file)
    except OSError:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Makes what was created, renamed and removed in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
