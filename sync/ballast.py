"""A file that keeps a little room on the disk: where the disk is full even a delete fails, until this file is removed."""

import os
from pathlib import Path
from typing import Final

from provisioning.log import events

BALLAST_BYTES: Final = 1024 * 1024
NAME: Final = "ballast"
BLOCK: Final = b"\0" * 65536

log = events("storage")


class Ballast:
    """The ballast file of a state folder."""

    def __init__(self, state: Path, size: int = BALLAST_BYTES) -> None:
        self._file = state / NAME
        self._size = size

    def is_there(self) -> bool:
        """Whether it holds its room."""
        try:
            return self._file.stat().st_size >= self._size
        except OSError:
            return False

    def drop(self) -> bool:
        """Gives the room free; whether there was any."""
        try:
            self._file.unlink()
        except FileNotFoundError:
            return False
        log.warning("ballast_dropped")
        return True

    def restore(self) -> bool:
        """Takes the room again; whether there was enough. Written out, since a file system may keep no room for a hole.

        Raises:
            OSError: the disk is read-only or broken.
        """
        try:
            with self._file.open("wb") as out:
                for _ in range(0, self._size, len(BLOCK)):
                    out.write(BLOCK)
                out.flush()
                os.fsync(out.fileno())
        except OSError:
            self._file.unlink(missing_ok=True)
            raise
        return True
