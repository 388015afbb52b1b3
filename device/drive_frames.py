"""The frames of a recorded drive: which file, and when its shutter opened."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath, PureWindowsPath

from device.frame import FrameUnreadable
from device.picture import check_picture
from device.utc import parse_utc

FRAMES_CSV = "frames.csv"
FRAMES = "frames"
COLUMNS = ("file", "time")


class DriveRefused(Exception):
    """A recorded drive cannot be used: one sentence with the file and, where there is one, the line."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One file of a drive, `name` as the drive names it, and the moment its shutter opened."""

    file: Path
    name: str
    taken_at: datetime


def read_frames(folder: Path) -> list[Shot]:
    """What frames.csv lists, in order of time.

    Raises:
        DriveRefused: it cannot be read, or lists nothing, a name twice, a name outside frames/, a file that is not there, a time
            that is none.
    """
    listing = folder / FRAMES_CSV
    try:
        with listing.open(encoding="utf-8-sig", newline="") as stream:
            shots = list(_rows(listing, folder / FRAMES, csv.reader(stream)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DriveRefused(f"{listing} cannot be read: {error}") from error
    if not shots:
        raise DriveRefused(f"{listing} lists no frame")
    return sorted(shots, key=lambda shot: (shot.taken_at, shot.name))


def sort_out(shots: list[Shot]) -> tuple[list[Shot], list[tuple[str, str]]]:
    """The shots that can be hoped to decode, and name and reason of those that cannot."""
    good: list[Shot] = []
    bad: list[tuple[str, str]] = []
    for shot in shots:
        reason = why_unreadable(shot.file)
        if reason is None:
            good.append(shot)
        else:
            bad.append((shot.name, reason))
    return good, bad


def why_unreadable(file: Path) -> str | None:
    """The reason why a picture cannot be used, None where it can be hoped to decode."""
    try:
        check_picture(file)
    except FrameUnreadable as error:
        return str(error).removeprefix(f"{file.name}: ")
    return None


def _rows(listing: Path, frames: Path, rows: Iterator[list[str]]) -> Iterator[Shot]:
    header = [cell.strip() for cell in next(rows, [])]
    if not all(column in header for column in COLUMNS):
        raise DriveRefused(f"{listing} line 1 is {','.join(header)!r}; wanted: {','.join(COLUMNS)}")
    places = [header.index(column) for column in COLUMNS]
    seen: set[str] = set()
    for line, row in enumerate(rows, 2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) <= max(places):
            raise DriveRefused(f"{listing} line {line} has {len(row)} column(s); wanted: {','.join(COLUMNS)}")
        name, time = (row[place].strip() for place in places)
        if name in seen:
            raise DriveRefused(f"{listing} line {line} lists {name!r} a second time")
        seen.add(name)
        yield _shot(f"{listing} line {line}", frames, name, time)


def _shot(place: str, frames: Path, name: str, time: str) -> Shot:
    if not stays_inside(name):
        raise DriveRefused(f"{place} names {name!r}, which is no file below {FRAMES}/")
    taken_at = parse_utc(time)
    if taken_at is None:
        raise DriveRefused(f"{place} has the time {time!r}; wanted: ISO 8601 UTC with its Z")
    file = frames / name
    if not file.is_file():
        raise DriveRefused(f"{place} names {name!r}, which is not in {FRAMES}/")
    return Shot(file, name, taken_at)


def stays_inside(name: str) -> bool:
    """Whether a name is a plain relative path downwards, on any system."""
    if not name or "\0" in name or "\\" in name:
        return False
    path = PurePosixPath(name)
    return not path.is_absolute() and not PureWindowsPath(name).drive and ".." not in path.parts
