"""Place and time of a geotagged photo: docs/faults.md, 26."""

import io
import random
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from device.exif import DEFAULT_ACCURACY_M, ERROR_TO_95, NoGeotag, angle_deg, geotag_of

GPS, BASE = ExifTags.GPS, ExifTags.Base

PLACE = {
    GPS.GPSLatitudeRef: "N",
    GPS.GPSLatitude: (43.0, 33.0, 10.08),
    GPS.GPSLongitudeRef: "E",
    GPS.GPSLongitude: (7.0, 1.0, 2.64),
}
SATELLITES = {GPS.GPSDateStamp: "2026:05:04", GPS.GPSTimeStamp: (10.0, 11.0, 12.25)}
CAMERA = {BASE.DateTimeOriginal: "2026:05:04 12:11:12", BASE.SubsecTimeOriginal: "771", BASE.OffsetTimeOriginal: "+02:00"}


def exif(gps, camera=None):
    """What a program reads that gets these fields: written into a JPEG and read again."""
    written = Image.Exif()
    if gps is not None:
        written.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    written.get_ifd(ExifTags.IFD.Exif).update(camera or {})
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "JPEG", exif=written)
    return Image.open(io.BytesIO(stream.getvalue())).getexif()


def fields(gps, camera=None):
    """An EXIF with fields that no writer would let pass."""
    made = Image.Exif()
    made.get_ifd(ExifTags.IFD.GPSInfo).update(gps)
    made.get_ifd(ExifTags.IFD.Exif).update(camera or {})
    return made


def test_the_satellites_time_comes_before_the_cameras():
    tag = geotag_of(exif({**PLACE, **SATELLITES}, CAMERA))
    assert (tag.latitude_deg, tag.longitude_deg) == (pytest.approx(43.5528), pytest.approx(7.0174))
    assert tag.taken_at == datetime(2026, 5, 4, 10, 11, 12, 250_000, tzinfo=timezone.utc)
    assert tag.accuracy_m == DEFAULT_ACCURACY_M
    assert tag.altitude_m is None


def test_the_cameras_time_with_its_fraction_and_offset():
    assert geotag_of(exif(PLACE, CAMERA)).taken_at == datetime(2026, 5, 4, 10, 11, 12, 771_000, tzinfo=timezone.utc)


@pytest.mark.parametrize("ref", [b"\x00", b"\x01", None])
def test_altitude_and_error(ref):
    more = {GPS.GPSAltitude: 12.5, GPS.GPSHPositioningError: 4.0, **({GPS.GPSAltitudeRef: ref} if ref else {})}
    tag = geotag_of(exif({**PLACE, **SATELLITES, **more}))
    assert tag.altitude_m == (-12.5 if ref == b"\x01" else 12.5)
    assert tag.accuracy_m == pytest.approx(4.0 * ERROR_TO_95)


@pytest.mark.parametrize("south_west", [("S", "W"), ("s", "w"), (b"S\0", b"W\0"), ("S\0\0", "W ")])
def test_south_and_west_are_negative(south_west):
    gps = {**PLACE, **SATELLITES, GPS.GPSLatitudeRef: south_west[0], GPS.GPSLongitudeRef: south_west[1]}
    tag = geotag_of(fields(gps))
    assert tag.latitude_deg == pytest.approx(-43.5528)
    assert tag.longitude_deg == pytest.approx(-7.0174)


def test_seconds_of_sixty_are_the_next_minute():
    gps = {**PLACE, GPS.GPSLatitude: (43.0, 33.0, 60.0), GPS.GPSDateStamp: "2026:12:31", GPS.GPSTimeStamp: (23.0, 59.0, 60.0)}
    tag = geotag_of(exif(gps))
    assert tag.latitude_deg == pytest.approx(43 + 34 / 60)
    assert tag.taken_at == datetime(2027, 1, 1, tzinfo=timezone.utc)


ZERO_BY_ZERO, FIVE_BY_ZERO = IFDRational(0, 0), IFDRational(5, 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({GPS.GPSLatitude: ...}, "GPSLatitude is missing"),
        ({GPS.GPSLongitude: ...}, "GPSLongitude is missing"),
        ({GPS.GPSLatitudeRef: ...}, "GPSLatitudeRef is ''"),
        ({GPS.GPSLongitudeRef: "N"}, "GPSLongitudeRef is 'N'; allowed: E or W"),
        ({GPS.GPSLatitudeRef: 7}, "GPSLatitudeRef"),
        ({GPS.GPSLatitude: (43.0, 33.0, ZERO_BY_ZERO)}, "GPSLatitude is missing or is no degrees"),
        ({GPS.GPSLatitude: (FIVE_BY_ZERO, 33.0, 1.0)}, "GPSLatitude"),
        ({GPS.GPSLatitude: (43.0, 33.0, 60.01)}, "minutes or seconds out of range"),
        ({GPS.GPSLatitude: (43.0, 75.0, 0.0)}, "minutes or seconds out of range"),
        ({GPS.GPSLatitude: (43.0, -3.0, 0.0)}, "out of range"),
        ({GPS.GPSLatitude: (91.0, 0.0, 0.0)}, "91 degrees, more than 90"),
        ({GPS.GPSLongitude: (300.0, 0.0, 0.0)}, "300 degrees, more than 180"),
        ({GPS.GPSLatitude: ()}, "GPSLatitude"),
        ({GPS.GPSLatitude: (1.0, 2.0, 3.0, 4.0)}, "GPSLatitude"),
        ({GPS.GPSLatitude: "43 33 10"}, "GPSLatitude"),
        ({GPS.GPSLatitude: b"\xff\xff"}, "GPSLatitude"),
    ],
)
def test_a_senseless_position_is_a_reason(changes, reason):
    gps = {key: value for key, value in {**PLACE, **SATELLITES, **changes}.items() if value is not ...}
    with pytest.raises(NoGeotag, match=reason.replace("(", r"\(")):
        geotag_of(fields(gps))


@pytest.mark.parametrize(
    "changes",
    [
        {GPS.GPSTimeStamp: ...},
        {GPS.GPSDateStamp: ...},
        {GPS.GPSTimeStamp: (ZERO_BY_ZERO, 11.0, 12.0)},
        {GPS.GPSTimeStamp: (24.0, 11.0, 12.0)},
        {GPS.GPSTimeStamp: (10.5, 11.0, 12.0)},
        {GPS.GPSTimeStamp: (10.0, 11.0, 1e300)},
        {GPS.GPSTimeStamp: (10.0, 11.0)},
        {GPS.GPSDateStamp: "2026:02:30"},
        {GPS.GPSDateStamp: "soon"},
        {GPS.GPSDateStamp: "0000:00:00"},
    ],
)
def test_a_senseless_time_of_the_satellites_gives_way_to_the_cameras(changes):
    gps = {key: value for key, value in {**PLACE, **SATELLITES, **changes}.items() if value is not ...}
    assert geotag_of(fields(gps, CAMERA)).taken_at.microsecond == 771_000
    with pytest.raises(NoGeotag, match="neither GPSDateStamp"):
        geotag_of(fields(gps))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({BASE.OffsetTimeOriginal: ...}, "no OffsetTimeOriginal"),
        ({BASE.OffsetTimeOriginal: "local"}, "no OffsetTimeOriginal"),
        ({BASE.DateTimeOriginal: "2026:13:04 12:11:12"}, "is no date"),
        ({BASE.DateTimeOriginal: "    :  :     :  :  "}, "neither"),
        ({BASE.DateTimeOriginal: 17}, "neither"),
    ],
)
def test_a_local_time_without_its_offset_is_no_utc(changes, reason):
    camera = {key: value for key, value in {**CAMERA, **changes}.items() if value is not ...}
    with pytest.raises(NoGeotag, match=reason):
        geotag_of(fields(PLACE, camera))


def test_no_exif_at_all():
    with pytest.raises(NoGeotag, match="no GPS position"):
        geotag_of(exif(None))


def sexagesimal(degrees, hundredths):
    """Degrees, minutes and seconds as cameras write them: rounded to a part of a second, so 60.00 happens."""
    whole, rest = divmod(abs(degrees), 1.0)
    minutes, seconds = divmod(rest * 60.0, 1.0)
    return IFDRational(int(whole)), IFDRational(int(minutes)), IFDRational(round(seconds * 60.0 * hundredths), hundredths)


def test_fault_26_a_hundred_thousand_coordinates_come_back():
    draw = random.Random(26)
    boundary = [0.0, 1 / 60, 59.9999 / 60, 59.99999999 / 60, 43 + 59.9999999 / 60, 89.9999999, 90.0]
    worst_deg = 0.0
    sixties = 0
    for n in range(100_000):
        degrees = draw.choice(boundary) if n % 10 == 0 else draw.uniform(0, 90)
        if n % 5 == 0:
            degrees = min(90.0, int(degrees) + int(draw.uniform(0, 60)) / 60 - draw.choice([0.0, 1e-9, 1e-7]))
            degrees = abs(degrees)
        sign = draw.choice([-1, 1])
        parts = sexagesimal(degrees, 1000)
        sixties += parts[2] == 60
        gps = {GPS.GPSLatitude: parts, GPS.GPSLatitudeRef: "N" if sign > 0 else "S"}
        worst_deg = max(worst_deg, abs(angle_deg(gps, GPS.GPSLatitude, GPS.GPSLatitudeRef, "NS", 90.0) - sign * degrees))
    assert worst_deg * 111_320 <= 0.1
    assert sixties > 1000


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(sorted({**PLACE, **SATELLITES, GPS.GPSAltitude: 0, GPS.GPSHPositioningError: 0})),
        st.one_of(
            st.none(),
            st.floats(),
            st.integers(),
            st.text(max_size=12),
            st.binary(max_size=8),
            st.tuples(*[st.builds(IFDRational, st.integers(-9, 10**9), st.integers(0, 10**9))] * 3),
            st.lists(st.one_of(st.floats(), st.none(), st.text(max_size=3)), max_size=4).map(tuple),
        ),
        max_size=4,
    )
)
def test_whatever_the_fields_hold_there_is_a_geotag_or_a_reason(changes):
    try:
        tag = geotag_of(fields({**PLACE, **SATELLITES, **changes}, CAMERA))
    except NoGeotag:
        return
    assert abs(tag.latitude_deg) <= 90
    assert abs(tag.longitude_deg) <= 180
    assert tag.accuracy_m > 0
