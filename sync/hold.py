"""Who has the unit's database: a lock of its folder, and the mark by which one process asks the others to let go of the file."""

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event as Signal
from typing import Final

from sync.failure import DatabaseFailed

LET_GO_S = 10.0
"""How long a process waits for others to let go of the folder."""

PAUSE_S = 0.02
DAMAGED: Final = ".damaged"
"""Added to the database's name: the file by which one process tells the others to let go of it. It holds the number (inode) of
the very file that is meant, so that it says nothing about the next one."""


def hold_folder(folder: Path, how: int, *, needless: Callable[[], bool] = lambda: False) -> int | None:
    """Locks a folder, shared or exclusive, until the returned descriptor is closed; None where it became `needless` meanwhile.

    Raises:
        DatabaseFailed: others do not let go of it within `LET_GO_S`.
    """
    hold = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    deadline_s, pause = time.monotonic() + LET_GO_S, Signal()
    while not _try_to_lock(hold, how):
        late = time.monotonic() > deadline_s
        if late or needless():
            os.close(hold)
            if not late:
                return None
            raise DatabaseFailed("database_locked", f"another process does not let go of the database in {folder}")
        pause.wait(PAUSE_S)
    return hold


def _try_to_lock(hold: int, how: int) -> bool:
    try:
        fcntl.flock(hold, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def inode_of(file: Path) -> int | None:
    """The number of the file of this name, None where there is none."""
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return None


def mark_damaged(file: Path, inode: int | None) -> None:
    """Tells whoever holds the file with this number to let go of it."""
    mark_of(file).write_text(str(inode), encoding="ascii")


def is_marked(file: Path) -> bool:
    """Whether somebody has found the file that has this name now to be damaged."""
    try:
        return mark_of(file).read_text(encoding="ascii") == str(inode_of(file))
    except (FileNotFoundError, UnicodeDecodeError):
        return False


def unmark(file: Path) -> None:
    """Takes the mark away: the file that was meant has another name."""
    mark_of(file).unlink(missing_ok=True)


def mark_of(file: Path) -> Path:
    """The file that says so of a database."""
    return file.with_name(file.name + DAMAGED)
