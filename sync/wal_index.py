"""Room on the disk for the index of a write-ahead log, which SQLite maps into memory.

SQLite takes room for one byte in each 4 KiB of the file. Where the file system's blocks are smaller the rest are holes, and on
a full disk the first write into a hole ends the process with SIGBUS. So the whole file gets its room when the database is opened.
"""

import ctypes
import errno
import os
import threading
from collections import Counter
from pathlib import Path
from typing import Final

INDEX_BYTES: Final = 32 * 1024
"""Enough for a log of 16 MB."""

KEEP_SIZE: Final = 1
"""FALLOC_FL_KEEP_SIZE of fallocate(2). posix_fallocate will not do: where the file system has no such call it writes zeros."""

Index = tuple[int, int]
"""A file by its device and inode."""

_lock = threading.Lock()
_kept: dict[Index, int] = {}
_users: Counter[Index] = Counter()
"""Descriptors, and how many open databases of this process need each: closing one before would drop SQLite's locks on it."""


def reserve(file: Path) -> Index | None:
    """Takes the room for the index of the open database `file`, until `release`; None where there is none to take.

    Raises:
        OSError: the disk is full.
    """
    index = file.with_name(file.name + "-shm")
    with _lock:
        try:
            found = index.stat()
            key = (found.st_dev, found.st_ino)
            if key not in _kept:
                _kept[key] = os.open(index, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return None  # no log, or a disk that is read-only: nothing is written into it
        if not _allocate(_kept[key]) and not _users[key]:
            os.close(_kept.pop(key))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        _users[key] += 1
        return key


def release(key: Index | None) -> None:
    """One database less that needs it."""
    if key is None:
        return
    with _lock:
        _users[key] -= 1
        if _users[key] <= 0:
            del _users[key]
            os.close(_kept.pop(key))


def _allocate(handle: int) -> bool:
    """False where the disk is full; what a file system cannot do otherwise is left."""
    libc = ctypes.CDLL(None, use_errno=True)
    offsets = (ctypes.c_int64(0), ctypes.c_int64(INDEX_BYTES))
    return bool(libc.fallocate64(handle, KEEP_SIZE, *offsets) == 0 or ctypes.get_errno() != errno.ENOSPC)
