"""A recorded drive: a folder that anybody can make from a dashcam and a phone (docs/drives.md).

Its time axis takes the place of the boot clock: seconds since the drive's first event, be it a fix or a frame. The pictures are
decoded when they are wanted and never written.
"""

import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Literal

from device.drive_frames import FRAMES, FRAMES_CSV, DriveRefused, Shot, read_frames, sort_out
from device.drive_photos import read_photos
from device.drive_track import TRACKS, Track, read_track, track_of
from device.fix import Fix, SpeedSource
from device.frame import Exposure
from device.picture import read_picture
from device.utc import iso_ms
from provisioning.settings import camera_of_table
from provisioning.table import SettingsError, Table

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["ArrivedFix", "Drive", "DriveRefused", "read_drive"]

DRIVE_TOML = "drive.toml"
NOT_YET = ("video.mp4",)
"""Of the contract, but not of this version."""

GEOMETRY = ("height_m", "pitch_deg", "yaw_deg", "hfov_deg", "k1")


@dataclass(frozen=True, slots=True)
class ArrivedFix:
    """A fix of a recording, and the moment on the drive's axis from which on it could be known."""

    fix: Fix
    arrival_boot_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Drive:
    """A recorded drive, ready to be fed through the line.

    `fixes` are in order of arrival, `exposures` in order of time. `unreadable` holds name and reason of the frames that were left
    out up front. `geometry` is the camera's height_m, pitch_deg, yaw_deg, hfov_deg and k1, None where the drive is silent.
    `rejected` counts the refused reports by reason. `digest` is the round's id: the first 12 hex digits of a SHA-256 over the
    fixes and the frames' names and times, wherever the folder lies.
    """

    fixes: tuple[ArrivedFix, ...]
    exposures: tuple[Exposure, ...]
    unreadable: tuple[tuple[str, str], ...]
    geometry: Mapping[str, float] | None
    geometry_source: Literal["drive", "assumed"]
    speed_source: SpeedSource
    rejected: Mapping[str, int]
    digest: str
    started_at: datetime


def read_drive(folder: Path) -> Drive:
    """The drive in `folder`.

    Raises:
        DriveRefused: it cannot be used; one sentence with the file and the line.
    """
    if not folder.is_dir():
        raise DriveRefused(f"{folder}: there is no such folder")
    geometry = _geometry(folder / DRIVE_TOML)
    untold: list[tuple[str, str]] = []
    fixes = [folder / name for name in TRACKS if (folder / name).exists()]
    if len(fixes) > 1:
        raise DriveRefused(f"{folder} holds {' and '.join(file.name for file in fixes)}: one of them, please")
    if fixes:
        shots = _listed(folder)
        track = read_track(fixes[0])
    elif any((folder / name).exists() for name in (FRAMES_CSV, *NOT_YET)):
        raise DriveRefused(f"{folder / TRACKS[0]} is missing, and so are {' and '.join(TRACKS[1:])}{_not_yet(folder)}")
    else:
        shots, reports, untold = read_photos(folder)
        track = track_of(reports)
    good, bad = sort_out(shots)
    _check(folder, track, shots, good, bad)
    started_at = min(track.fixes[0][0].taken_at, shots[0].taken_at)
    return Drive(
        fixes=tuple(_arrived(fix, arrival_s, started_at) for fix, arrival_s in track.fixes),
        exposures=tuple(_exposure(shot, started_at) for shot in good),
        unreadable=tuple(sorted([*bad, *untold])),
        geometry=geometry,
        geometry_source="assumed" if geometry is None else "drive",
        speed_source=track.speed_source,
        rejected=track.rejected,
        digest=digest_of(track, shots),
        started_at=started_at,
    )


def digest_of(track: Track, shots: Sequence[Shot]) -> str:
    """The first 12 hex digits of the SHA-256 over what the receiver said of each fix, and each frame's name and time."""
    sha = hashlib.sha256()
    for place in track.positions:
        told = (place.latitude_deg, place.longitude_deg, place.accuracy_m, place.speed_mps, place.course_deg)
        sha.update(f"fix {place.taken_at.isoformat()} {told!r}\n".encode())
    for shot in shots:
        sha.update(f"frame {shot.taken_at.isoformat()} {shot.name}\n".encode())
    return sha.hexdigest()[:12]


def _listed(folder: Path) -> list[Shot]:
    if not (folder / FRAMES_CSV).exists():
        raise DriveRefused(f"{folder / FRAMES_CSV} is missing{_not_yet(folder)}")
    if not (folder / FRAMES).is_dir():
        raise DriveRefused(f"{folder / FRAMES} is missing: the folder of the files that {FRAMES_CSV} lists")
    return read_frames(folder)


def _not_yet(folder: Path) -> str:
    """What the folder holds instead that the contract knows and this version does not."""
    held = [name for name in NOT_YET if (folder / name).exists()]
    return f", and {' and '.join(held)} is not supported by this version" if held else ""


def _check(folder: Path, track: Track, shots: Sequence[Shot], good: Sequence[Shot], bad: Sequence[tuple[str, str]]) -> None:
    if not track.fixes:
        counts = ", ".join(f"{reason} {count}" for reason, count in sorted(track.rejected.items()))
        raise DriveRefused(f"{folder} has no fixes: {f'every report was refused ({counts})' if counts else 'no report at all'}")
    if not good:
        name, reason = bad[0]
        raise DriveRefused(f"{folder}: none of its {len(shots)} frames can be read ({name}: {reason})")
    first, last = track.fixes[0][0].taken_at, track.fixes[-1][0].taken_at
    if not any(first <= shot.taken_at <= last for shot in good):
        raise DriveRefused(
            f"{folder}: no frame was taken while there were fixes: frames from {iso_ms(good[0].taken_at)} to "
            f"{iso_ms(good[-1].taken_at)}, fixes from {iso_ms(first)} to {iso_ms(last)}"
        )


def _geometry(file: Path) -> dict[str, float] | None:
    """The camera's geometry in drive.toml, None where it says nothing of the camera."""
    if not file.exists():
        return None
    try:
        whole = Table(file, "", tomllib.loads(file.read_text(encoding="utf-8")))
        if whole.has("note"):
            whole.text("note")
        if whole.has("video"):
            whole.table("video")
        camera = camera_of_table(whole.table("camera"))
        whole.done()
    except (OSError, UnicodeDecodeError) as error:
        raise DriveRefused(f"{file} cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise DriveRefused(f"{file} is no TOML: {error}") from error
    except SettingsError as error:
        raise DriveRefused(str(error)) from error
    return {key: getattr(camera, key) for key in GEOMETRY} if whole.has("camera") else None


def _arrived(fix: Fix, arrival_s: float, started_at: datetime) -> ArrivedFix:
    at_s = (fix.taken_at - started_at).total_seconds()
    # To the microsecond, as the frames' times are: a fix and a frame of one moment must not differ by a rounding.
    return ArrivedFix(replace(fix, boot_s=at_s), round(at_s + arrival_s - fix.boot_s, 6))


def _exposure(shot: Shot, started_at: datetime) -> Exposure:
    return Exposure((shot.taken_at - started_at).total_seconds(), partial(read_picture, shot.file), shot.name)
