"""Place and time of a geotagged photo, read from its EXIF. Nothing is guessed: what is missing or senseless is a reason.

The fields are those of EXIF 2.32 (CIPA DC-008), section 4.6.6 for GPS. Latitude and longitude are three fractions each, so the
field knows 0/0, 5/0, minutes of 75 and, since writers round, seconds of 60.00; the last is read as the next minute.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from numbers import Real
from typing import Any

from PIL import ExifTags, Image

from device.utc import moment_of, parse_utc

PLACE = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)", flags=re.ASCII)
MOMENT = re.compile(r"(\d{4})[:-](\d\d)[:-](\d\d)[ T](\d\d:\d\d:\d\d)", flags=re.ASCII)
OFFSET = re.compile(r"Z|[+-]\d\d:\d\d", flags=re.ASCII)

DEFAULT_ACCURACY_M = 15.0
"""The radius that holds 95 % where the photo does not say: that of a 3D fix without a figure (device/tpv.py)."""

ERROR_TO_95 = 1.62
"""GPSHPositioningError has no stated share; phones write the radius that holds 68 %. For a circular normal error, 95 % lie within
sqrt(ln(0.05) / ln(0.32)) = 1.62 times that."""


class NoGeotag(Exception):
    """A photo does not say where or when it was taken; the message says what is missing or senseless."""


@dataclass(frozen=True, slots=True)
class Geotag:
    """Where and when a photo was taken. `accuracy_m` is the radius that holds 95 %; `altitude_m` is above the sea or None."""

    latitude_deg: float
    longitude_deg: float
    accuracy_m: float
    altitude_m: float | None
    taken_at: datetime


def geotag_of(exif: Image.Exif) -> Geotag:
    """The geotag in a photo's EXIF.

    Raises:
        NoGeotag: no position or no time that makes sense.
    """
    gps = exif.get_ifd(ExifTags.IFD.GPSInfo)
    if not gps:
        raise NoGeotag("its EXIF holds no GPS position")
    return Geotag(
        latitude_deg=angle_deg(gps, ExifTags.GPS.GPSLatitude, ExifTags.GPS.GPSLatitudeRef, "NS", 90.0),
        longitude_deg=angle_deg(gps, ExifTags.GPS.GPSLongitude, ExifTags.GPS.GPSLongitudeRef, "EW", 180.0),
        accuracy_m=_accuracy_m(gps),
        altitude_m=_altitude_m(gps),
        taken_at=_satellites_time(gps) or _camera_time(exif.get_ifd(ExifTags.IFD.Exif)),
    )


def angle_deg(gps: Mapping[int, Any], tag: int, ref_tag: int, letters: str, limit_deg: float) -> float:
    """Degrees of one angle: degrees, minutes and seconds with its letter, the second of `letters` being negative.

    Raises:
        NoGeotag: one is missing, is no finite number, or is out of range.
    """
    name = ExifTags.GPS(tag).name
    parts = _numbers(gps.get(tag))
    if parts is None or not 1 <= len(parts) <= 3:
        raise NoGeotag(f"{name} is missing or is no degrees, minutes and seconds")
    letter = _text(gps.get(ref_tag)).upper()
    if letter not in tuple(letters):
        raise NoGeotag(f"{ExifTags.GPS(ref_tag).name} is {letter!r}; allowed: {' or '.join(letters)}")
    if any(part < 0.0 for part in parts) or any(part > 60.0 for part in parts[1:]):
        raise NoGeotag(f"{name} has minutes or seconds out of range")
    degrees = sum(part / 60.0**place for place, part in enumerate(parts))
    if degrees > limit_deg:
        raise NoGeotag(f"{name} is {degrees:g} degrees, more than {limit_deg:g}")
    return -degrees if letter == letters[1] else degrees


def _satellites_time(gps: Mapping[int, Any]) -> datetime | None:
    """GPSDateStamp and GPSTimeStamp, which are UTC; None unless both are there and make sense."""
    date = PLACE.fullmatch(_text(gps.get(ExifTags.GPS.GPSDateStamp)))
    clock = _numbers(gps.get(ExifTags.GPS.GPSTimeStamp))
    if date is None or clock is None or len(clock) != 3 or min(clock) < 0.0 or clock[2] > 60.0:
        return None
    year, month, day = (int(part) for part in date.groups())
    if not (clock[0].is_integer() and clock[1].is_integer()):
        return None
    # Rounded as a whole, since 41.771 as a fraction is 41.7709999.
    second, microsecond = divmod(round(clock[2] * 1_000_000), 1_000_000)
    return moment_of((year, month, day), (int(clock[0]), int(clock[1]), second), microsecond)


def _camera_time(exif: Mapping[int, Any]) -> datetime:
    """DateTimeOriginal with its fraction and its offset from UTC.

    Raises:
        NoGeotag: it, or its offset, is missing or senseless; a local time without an offset is no UTC.
    """
    clock = MOMENT.fullmatch(_text(exif.get(ExifTags.Base.DateTimeOriginal)))
    if clock is None:
        raise NoGeotag("it has neither GPSDateStamp with GPSTimeStamp nor DateTimeOriginal")
    offset = _text(exif.get(ExifTags.Base.OffsetTimeOriginal))
    if not OFFSET.fullmatch(offset):
        raise NoGeotag("it has no GPS time, and DateTimeOriginal has no OffsetTimeOriginal")
    fraction = _text(exif.get(ExifTags.Base.SubsecTimeOriginal))
    fraction = f".{fraction}" if fraction.isascii() and fraction.isdigit() else ""
    taken_at = parse_utc(f"{'-'.join(clock.groups()[:3])}T{clock[4]}{fraction}{offset}")
    if taken_at is None:
        raise NoGeotag("DateTimeOriginal is no date")
    return taken_at


def _accuracy_m(gps: Mapping[int, Any]) -> float:
    error = _numbers(gps.get(ExifTags.GPS.GPSHPositioningError))
    return ERROR_TO_95 * error[0] if error and error[0] > 0.0 else DEFAULT_ACCURACY_M


def _altitude_m(gps: Mapping[int, Any]) -> float | None:
    altitude = _numbers(gps.get(ExifTags.GPS.GPSAltitude))
    if not altitude:
        return None
    below = gps.get(ExifTags.GPS.GPSAltitudeRef) in (1, b"\x01")
    return -altitude[0] if below else altitude[0]


def _numbers(value: object) -> list[float] | None:
    """A field's numbers as floats; None where it is missing or one of them is none (0/0, 5/0, text)."""
    parts: list[Any] = list(value) if isinstance(value, Sequence) else [value]
    if not all(isinstance(part, Real) for part in parts):
        return None
    try:
        numbers = [float(part) for part in parts]
    except (ValueError, ArithmeticError):
        return None
    return numbers if numbers and all(map(math.isfinite, numbers)) else None


def _text(value: object) -> str:
    """A field's text, without the zero bytes and spaces that cameras pad it with; "" for anything else."""
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    return value.strip("\0 ") if isinstance(value, str) else ""
