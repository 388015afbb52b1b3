"""The photos of a unit or a replay as an image sequence: JPEGs whose EXIF says where, when and in which direction it was.

Panoramax and Mapillary take these as they are. The pictures are not encoded again: the EXIF is put in front of the stored bytes,
whose people and plates were hidden before they were stored.
"""

import json
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from device.exif import ERROR_TO_95
from device.utc import parse_utc
from sync.audit_notes import note_export
from sync.export import ExportRefused, reading

SOI: Final = b"\xff\xd8"
APP1: Final = b"\xff\xe1"
HALF_FILM_MM: Final = 18.0
"""Half the width of the 35 mm film that focal lengths are compared on."""

COLUMNS: Final = ("round_id", "taken_at", "latitude_deg", "longitude_deg", "accuracy_m", "heading_deg", "speed_mps", "file")


@dataclass(frozen=True, slots=True)
class Sequences:
    """What was written: photos and rounds, and the frames that were left out by reason (`no_place`, `no_photo`)."""

    images: int
    rounds: int
    left_out: Mapping[str, int]

    def in_words(self) -> str:
        """One line."""
        left = "".join(f", {count} left out: {reason}" for reason, count in sorted(self.left_out.items()))
        return f"{self.images} photos of {self.rounds} rounds{left}"


def export_images(state: Path, out: Path, note: Callable[[Path, int], None] = note_export) -> Sequences:
    """Write each placed frame of `state` to `out/<round>/<number>.jpg`, in the order of the round.

    `note` is told before of the folder, and how many photos there may be.

    Raises:
        ExportRefused: there is no database of ronde's, or `out` holds something already, or cannot be written.
        AuditNotWritten: the hand-over cannot be noted beside the database; nothing was written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ExportRefused(f"{out}: is not an empty folder; an image sequence is written to a new one")
    with reading(state / "ronde.db") as db:
        settings = {id_: json.loads(text) for id_, text in db.execute("SELECT id, settings FROM round")}
        rows = db.execute(f"SELECT {', '.join(COLUMNS)} FROM frame ORDER BY round_id, id").fetchall()  # noqa: S608 - constants
    note(state, sum(bool(values[COLUMNS.index("file")]) for values in rows))
    left_out: Counter[str] = Counter()
    written: Counter[str] = Counter()
    for values in rows:
        frame = dict(zip(COLUMNS, values, strict=True))
        reason = _write(state, out, frame, settings.get(frame["round_id"], {}))
        if reason is None:
            written[frame["round_id"]] += 1
        else:
            left_out[reason] += 1
    return Sequences(written.total(), len(written), left_out)


def _write(state: Path, out: Path, frame: Mapping[str, Any], settings: Mapping[str, Any]) -> str | None:
    """Write one photo; why it was left out, where it was."""
    taken_at = parse_utc(frame["taken_at"] or "")
    if taken_at is None or frame["latitude_deg"] is None or frame["longitude_deg"] is None:
        return "no_place"
    photo = state / (frame["file"] or "")
    if not photo.is_file():
        return "no_photo"
    target = out / frame["round_id"] / photo.name
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(with_exif(photo.read_bytes(), exif_of(frame, taken_at, settings.get("camera", {}))))
    except OSError as error:
        raise ExportRefused(f"{target}: cannot be written: {error.strerror or error}") from error
    return None


def exif_of(frame: Mapping[str, Any], taken_at: datetime, camera: Mapping[str, Any]) -> Image.Exif:
    """What EXIF 2.32 can say of a frame: columns as in the table `frame`, `camera` as in the settings of its round."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Model] = "ronde", "ronde"
    exif[ExifTags.Base.DateTime] = f"{taken_at:%Y:%m:%d %H:%M:%S}"
    own = exif.get_ifd(ExifTags.IFD.Exif)
    own[ExifTags.Base.DateTimeOriginal] = f"{taken_at:%Y:%m:%d %H:%M:%S}"
    own[ExifTags.Base.OffsetTimeOriginal] = "+00:00"
    own[ExifTags.Base.SubsecTimeOriginal] = f"{taken_at.microsecond // 1000:03d}"
    if camera.get("hfov_deg"):
        own[ExifTags.Base.FocalLengthIn35mmFilm] = round(HALF_FILM_MM / math.tan(math.radians(camera["hfov_deg"]) / 2.0))
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    gps[ExifTags.GPS.GPSVersionID] = b"\x02\x03\x00\x00"
    gps[ExifTags.GPS.GPSLatitudeRef], gps[ExifTags.GPS.GPSLatitude] = _angle(frame["latitude_deg"], "NS")
    gps[ExifTags.GPS.GPSLongitudeRef], gps[ExifTags.GPS.GPSLongitude] = _angle(frame["longitude_deg"], "EW")
    gps[ExifTags.GPS.GPSMapDatum] = "WGS-84"
    gps[ExifTags.GPS.GPSDateStamp] = f"{taken_at:%Y:%m:%d}"
    seconds = Fraction(taken_at.second * 1000 + taken_at.microsecond // 1000, 1000)
    gps[ExifTags.GPS.GPSTimeStamp] = (_ratio(taken_at.hour), _ratio(taken_at.minute), _ratio(seconds))
    if frame["heading_deg"] is not None:
        gps[ExifTags.GPS.GPSImgDirectionRef] = "T"
        gps[ExifTags.GPS.GPSImgDirection] = _ratio(Fraction(round(frame["heading_deg"] % 360.0 * 100) % 36_000, 100))
    if frame["speed_mps"] is not None:
        gps[ExifTags.GPS.GPSSpeedRef], gps[ExifTags.GPS.GPSSpeed] = "K", _ratio(Fraction(round(frame["speed_mps"] * 360), 100))
    if frame["accuracy_m"]:
        # Readers take it for the radius that holds 68 %, as phones write it (device/exif.py).
        gps[ExifTags.GPS.GPSHPositioningError] = _ratio(Fraction(round(frame["accuracy_m"] / ERROR_TO_95 * 100), 100))
    return exif


def with_exif(jpeg: bytes, exif: Image.Exif) -> bytes:
    """The same JPEG with an EXIF as its first segment."""
    if not jpeg.startswith(SOI):
        raise ExportRefused("a stored photo is no JPEG")
    segment = exif.tobytes()
    return SOI + APP1 + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[len(SOI) :]


def _angle(degrees: float, letters: str) -> tuple[str, tuple[IFDRational, IFDRational, IFDRational]]:
    """Letter, degrees, minutes and seconds to 0.1 mm. Rounded as a whole: seconds are never 60."""
    minutes, units = divmod(round(abs(degrees) * 3600 * 100_000), 60 * 100_000)
    whole, minutes = divmod(minutes, 60)
    return letters[degrees < 0.0], (_ratio(whole), _ratio(minutes), _ratio(Fraction(units, 100_000)))


def _ratio(value: int | Fraction) -> IFDRational:
    return IFDRational(value.numerator, value.denominator)
