"""What gpsd says of a position, with None for what it does not say."""

import json
import math
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.tpv import DEFAULT_ACCURACY_M, LineUnreadable, parse_line, report_of

FULL = {
    "class": "TPV",
    "device": "/dev/ttyACM0",
    "status": 2,
    "mode": 3,
    "time": "2026-05-04T10:11:12.200Z",
    "ept": 0.005,
    "lat": 43.5528,
    "lon": 7.0174,
    "altHAE": 60.0,
    "track": 171.47,
    "speed": 13.9,
    "eps": 243.8,
    "epx": 1.9,
    "epy": 2.5,
    "eph": 3.9,
}
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(),
    st.sampled_from([10**400, -(10**400), "12.5", "", "NaN", [], {}, [1], "2026-02-30T00:00:00Z", "1970-01-01T00:00:00Z"]),
    st.text(max_size=20),
)


def test_a_full_report():
    report = report_of(FULL)
    assert report is not None
    assert (report.mode, report.latitude_deg, report.longitude_deg) == (3, 43.5528, 7.0174)
    assert (report.accuracy_m, report.speed_mps, report.course_deg) == (3.9, 13.9, 171.47)
    assert report.taken_at == datetime(2026, 5, 4, 10, 11, 12, 200_000, tzinfo=timezone.utc)
    assert report.device == "/dev/ttyACM0"


@pytest.mark.parametrize(
    ("key", "field"),
    [
        ("lat", "latitude_deg"),
        ("lon", "longitude_deg"),
        ("speed", "speed_mps"),
        ("track", "course_deg"),
        ("time", "taken_at"),
        ("device", "device"),
    ],
)
def test_what_is_absent_is_none_and_never_zero(key, field):
    report = report_of({name: value for name, value in FULL.items() if name != key})
    assert getattr(report, field) is None


def test_the_least_that_gpsd_sends():
    report = report_of({"class": "TPV", "mode": 1})
    assert report.mode == 1
    assert report_of({"class": "TPV"}).mode == 0


def test_accuracy_is_eph_or_made_of_both_axes_or_known_by_the_mode():
    without_eph = {name: value for name, value in FULL.items() if name != "eph"}
    assert report_of(without_eph).accuracy_m == pytest.approx(math.hypot(1.9, 2.5))
    for mode in (2, 3):
        bare = {"class": "TPV", "mode": mode, "epx": 4.0}
        assert report_of(bare).accuracy_m == DEFAULT_ACCURACY_M[mode]
    assert DEFAULT_ACCURACY_M[2] > DEFAULT_ACCURACY_M[3]


@pytest.mark.parametrize("eph", [0, -3, float("nan"), float("inf"), "3.9", True, None])
def test_an_eph_that_is_no_error_is_as_if_absent(eph):
    assert report_of({**FULL, "eph": eph}).accuracy_m == pytest.approx(math.hypot(1.9, 2.5))


@pytest.mark.parametrize("speed", [-1, float("nan"), float("-inf"), "13.9", True, [13.9], 10**400])
def test_a_speed_that_is_none_is_none(speed):
    assert report_of({**FULL, "speed": speed}).speed_mps is None


@pytest.mark.parametrize(("track", "course"), [(0, 0), (359.9, 359.9), (360, 0), (361, None), (-1, None)])
def test_a_course_is_within_the_circle(track, course):
    assert report_of({**FULL, "track": track}).course_deg == course


@pytest.mark.parametrize("mode", [True, "3", 4, -1, 2.5, None, float("nan"), 10**400])
def test_a_mode_that_gpsd_does_not_have_is_unknown(mode):
    assert report_of({**FULL, "mode": mode}).mode == 0


@pytest.mark.parametrize("other", ["SKY", "DEVICE", "VERSION", "ERROR", None, 7, []])
def test_other_messages_are_no_reports(other):
    assert report_of({**FULL, "class": other}) is None


@given(st.dictionaries(st.sampled_from([key for key in FULL if key != "class"]), ANYTHING))
def test_no_value_of_any_field_is_an_error(changes):
    report = report_of({**FULL, **changes})
    numbers = (report.latitude_deg, report.longitude_deg, report.speed_mps, report.course_deg)
    assert all(value is None or math.isfinite(value) for value in numbers)
    assert report.accuracy_m > 0


@pytest.mark.parametrize(
    "line", [b"", b"{", b"nonsense", b"[" * 50_000, b"17", b"null", b'"TPV"', b"\xff\xfe", b'{"class":"TPV",', b"1" * 5000]
)
def test_a_line_that_is_no_object_is_said_to_be_unreadable(line):
    with pytest.raises(LineUnreadable):
        parse_line(line)


@given(st.data())
def test_a_mutated_line_is_read_or_unreadable(data):
    line = bytearray(json.dumps(FULL).encode())
    for _ in range(data.draw(st.integers(1, 6))):
        line[data.draw(st.integers(0, len(line) - 1))] = data.draw(st.integers(0, 255))
    try:
        message = parse_line(bytes(line[: data.draw(st.integers(0, len(line)))]))
    except LineUnreadable:
        return
    report_of(message)


@pytest.mark.parametrize(
    ("status", "alone"), [(5, True), (5.0, True), (1, False), (2, False), (6, False), ("5", False), (None, False)]
)
def test_a_receiver_that_goes_on_by_itself_says_so(status, alone):
    assert report_of(FULL | {"status": status}).dead_reckoned is alone
