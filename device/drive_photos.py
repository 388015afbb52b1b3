"""A folder of geotagged JPEGs without a track: places and times from their EXIF."""

from pathlib import Path
from typing import NamedTuple

from device.drive_frames import FRAMES, DriveRefused, Shot
from device.exif import Geotag, NoGeotag, geotag_of
from device.frame import FrameUnreadable
from device.picture import read_exif
from device.tpv import FIX_3D, Report

JPEGS = frozenset({".jpg", ".jpeg"})


class Photos(NamedTuple):
    """The photos of a folder in order of time, their places as reports, and name and reason of those that tell neither."""

    shots: list[Shot]
    reports: list[Report]
    untold: list[tuple[str, str]]


def read_photos(folder: Path) -> Photos:
    """The JPEGs in `folder`, else those in its frames/; other files there are nobody's business.

    Raises:
        DriveRefused: there is no JPEG, or none with a place and a time.
    """
    files = _jpegs(folder) or _jpegs(folder / FRAMES)
    if not files:
        raise DriveRefused(f"{folder} is no drive: it holds neither fixes.jsonl with frames.csv nor geotagged JPEGs")
    told: list[tuple[Shot, Geotag]] = []
    untold: list[tuple[str, str]] = []
    for file in files:
        tag = _geotag(file)
        if isinstance(tag, Geotag):
            told.append((Shot(file, file.name, tag.taken_at), tag))
        else:
            untold.append((file.name, tag))
    if not told:
        name, reason = untold[0]
        raise DriveRefused(
            f"{folder} has no fixes: none of its {len(files)} JPEGs says where and when it was taken ({name}: {reason})"
        )
    told.sort(key=lambda each: (each[0].taken_at, each[0].name))
    return Photos([shot for shot, _ in told], [_report(tag) for _, tag in told], untold)


def _jpegs(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(file for file in folder.iterdir() if file.suffix.lower() in JPEGS and file.is_file())


def _geotag(file: Path) -> Geotag | str:
    """The photo's geotag, or why it has none."""
    try:
        return read_exif(file, geotag_of)
    except (NoGeotag, FrameUnreadable) as error:
        return str(error).removeprefix(f"{file.name}: ")


def _report(tag: Geotag) -> Report:
    return Report(FIX_3D, tag.latitude_deg, tag.longitude_deg, tag.accuracy_m, None, None, tag.taken_at, None)
