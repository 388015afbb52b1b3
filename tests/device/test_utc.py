"""UTC as gpsd, a recorded drive and EXIF write it."""

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.utc import iso_ms, parse_utc, unix_s


def at(*parts):
    return datetime(*parts, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-05-04T10:11:12Z", at(2026, 5, 4, 10, 11, 12)),
        ("2026-05-04T10:11:12.5Z", at(2026, 5, 4, 10, 11, 12, 500_000)),
        ("2026-05-04T10:11:12.123456789Z", at(2026, 5, 4, 10, 11, 12, 123_456)),
        ("2026-05-04t10:11:12,25z", at(2026, 5, 4, 10, 11, 12, 250_000)),
        ("2026-05-04 10:11:12+00:00", at(2026, 5, 4, 10, 11, 12)),
        ("2026-05-04T00:11:12+02:00", at(2026, 5, 3, 22, 11, 12)),
        ("2026-05-04T22:11:12-0330", at(2026, 5, 5, 1, 41, 12)),
        ("2016-12-31T23:59:60.5Z", at(2017, 1, 1, 0, 0, 0, 500_000)),
    ],
)
def test_what_programs_write_is_read(text, moment):
    assert parse_utc(text) == moment
    assert parse_utc(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-05-04T10:11:12",
        "2026-02-30T10:11:12Z",
        "2026-05-04T24:00:00Z",
        "2026-05-04T10:11:61Z",
        "0000-05-04T10:11:12Z",
        "9999-12-31T23:59:60Z",
        "0001-01-01T00:00:00+05:00",
        "2026-05-04T10:11:12+99:00",
        "2026-05-04",
        "1746353472",
        "\u0662026-05-04T10:11:12Z",
        "x2026-05-04T10:11:12Z",
    ],
)
def test_what_names_no_moment_is_none(text):
    assert parse_utc(text) is None


@given(st.text(max_size=40))
def test_no_text_is_an_error(text):
    parse_utc(text)


@given(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1), timezones=st.just(timezone.utc)))  # noqa: DTZ001 - hypothesis wants naive bounds
def test_what_ronde_writes_is_read_again_to_the_millisecond(moment):
    again = parse_utc(iso_ms(moment))
    assert timedelta(0) <= moment - again < timedelta(milliseconds=1)
    assert unix_s(moment) == pytest.approx(moment.timestamp(), abs=1e-6)
