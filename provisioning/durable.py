"""Files that are whole or not there, whenever the power goes."""

import os
from functools import partial
from pathlib import Path


def write_durably(file: Path, content: bytes, mode: int = 0o666) -> None:
    """Writes under another name, syncs, renames and syncs the folder: afterwards the file holds `content`, before what it held.

    `mode`: who may read and write it, less what the umask takes; it holds from the first byte on.

    Raises:
        OSError: the disk did not take it; the file is as it was.
    """
    unfinished = file.with_name(f".{file.name}.part")
    try:
        unfinished.unlink(missing_ok=True)  # a cut may have left one, with another mode
        with open(unfinished, "wb", opener=partial(os.open, mode=mode)) as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        unfinished.replace(file)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(file.parent)


def sync_folder(folder: Path) -> None:
    """Makes what was created, renamed and removed in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
