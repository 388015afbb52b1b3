"""Databases that were set aside: their names, and which are of no more use."""

import re
from pathlib import Path
from typing import Final

ASIDE: Final = ".aside-"
SALVAGED: Final = ".salvaged"
"""Added to a set-aside file's name: all that can be read of it stands in the new database."""


def aside_files(file: Path) -> list[Path]:
    """What was set aside of the database `file`, the oldest first: files and folders, without their write-ahead logs."""
    pattern = re.compile(re.escape(file.name + ASIDE) + r"(\d+)(\.salvaged)?")
    found = [(int(named[1]), each) for each in file.parent.iterdir() if (named := pattern.fullmatch(each.name))]
    return [each for _, each in sorted(found)]


def unsalvaged_files(file: Path) -> list[Path]:
    """Those of which there is still something to be salvaged."""
    return [each for each in aside_files(file) if not each.name.endswith(SALVAGED) and each.is_file()]


def spent_files(file: Path) -> list[Path]:
    """Those that are salvaged: they may go where room is short."""
    return [each for each in aside_files(file) if each.name.endswith(SALVAGED) and each.is_file()]


def next_aside(file: Path) -> Path:
    """The name under which `file` is set aside now."""
    numbers = [int(each.name.removesuffix(SALVAGED).rsplit("-", 1)[1]) for each in aside_files(file)]
    return file.with_name(f"{file.name}{ASIDE}{max(numbers, default=0) + 1}")
