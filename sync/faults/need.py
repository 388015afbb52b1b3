"""What a row needs of the machine, and one sentence where it is not there."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final


@dataclass(frozen=True, slots=True)
class Need:
    """Something that may be missing; `missing` gives the sentence, None where it is there."""

    missing: Callable[[], str | None]


def program(name: str, package: str) -> Need:
    """A program found by PATH, of a Debian package."""
    return Need(lambda: None if shutil.which(name) else f"{name} is not installed (Debian: apt-get install {package})")


def _root() -> str | None:
    return None if os.geteuid() == 0 else "it mounts a file system of its own, for which it must be root"


def _loop() -> str | None:
    return None if Path("/dev/loop-control").exists() else "there are no loop devices here"


def faketime_library() -> Path | None:
    """libfaketime, where Debian and its kin put it."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    return found[0] if found else None


def _faketime() -> str | None:
    return None if faketime_library() else "libfaketime is not installed (Debian: apt-get install faketime)"


MOSQUITTO: Final = program("mosquitto", "mosquitto")
STRACE: Final = program("strace", "strace")
EXT4: Final = program("mkfs.ext4", "e2fsprogs")
ROOT: Final = Need(_root)
LOOP: Final = Need(_loop)
FAKETIME: Final = Need(_faketime)
