"""The points of a GPX track as reports."""

from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.gpx import GpxUnreadable, reports_of_gpx
from device.nmea import HDOP_M


def gpx(*points, version="1.0"):
    space = f"http://www.topografix.com/GPX/{version.replace('.', '/')}"
    return f'<gpx version="{version}" creator="a" xmlns="{space}"><trk><trkseg>{"".join(points)}</trkseg></trk></gpx>'


def point(inner="", second=1):
    return f'<trkpt lat="43.55" lon="7.01"><time>2026-05-04T10:00:{second:02d}.500Z</time>{inner}</trkpt>'


def one(inner="", version="1.0"):
    (report,) = reports_of_gpx(gpx(point(inner), version=version))
    return report


def test_a_whole_point():
    report = one("<course>61.5</course><speed>10.0</speed><fix>2d</fix><sat>3</sat><hdop>1.5</hdop>")
    assert (report.latitude_deg, report.longitude_deg, report.mode) == (43.55, 7.01, 2)
    assert (report.speed_mps, report.course_deg, report.accuracy_m) == (10.0, 61.5, 1.5 * HDOP_M)
    assert report.taken_at == datetime(2026, 5, 4, 10, 0, 1, 500_000, tzinfo=timezone.utc)


def test_a_bare_point_says_nothing_of_speed_and_is_3d():
    report = one()
    assert (report.mode, report.speed_mps, report.course_deg, report.accuracy_m) == (3, None, None, 15.0)
    assert reports_of_gpx(gpx('<trkpt lat="1" lon="7"/>'))[0].taken_at is None


@pytest.mark.parametrize(
    "inner",
    [
        "<extensions><speed>10</speed><course>61.5</course></extensions>",
        '<extensions><a:T xmlns:a="http://example.org/2"><a:speed>10</a:speed><a:course>61.5</a:course></a:T></extensions>',
    ],
)
def test_gpx_1_1_has_speed_and_course_in_extensions(inner):
    report = one(inner, "1.1")
    assert (report.speed_mps, report.course_deg) == (10.0, 61.5)
    assert one(inner.replace(">10<", ">fast<"), "1.1").speed_mps is None


@pytest.mark.parametrize(
    ("inner", "mode"),
    [
        ("<fix>none</fix>", 1),
        ("<fix>none</fix><sat>3</sat>", 1),
        ("<fix>none</fix><hdop>3.2</hdop>", 1),
        ("<fix>none</fix><sat>2</sat><hdop>3.2</hdop>", 1),
        ("<fix>none</fix><sat>3</sat><hdop>3.2</hdop>", 2),
        ("<fix>dgps</fix>", 3),
    ],
)
def test_no_fix_is_none_unless_satellites_and_hdop_say_otherwise(inner, mode):
    assert one(inner).mode == mode


def test_speeds_and_courses_that_are_none():
    for inner in ("<speed>-1</speed>", "<speed>inf</speed>", "<speed>nan</speed>"):
        assert one(inner).speed_mps is None
    for inner in ("<course>-1</course>", "<course>361</course>", "<course>nan</course>"):
        assert one(inner).course_deg is None
    assert one("<course>360</course>").course_deg == 0.0
    assert one("<hdop>0</hdop>").accuracy_m == 15.0


def test_other_zones_and_none_are_utc():
    later = '<trkpt lat="1" lon="7"><time>2026-05-04T12:00:00+02:00</time></trkpt>'
    bare = '<trkpt lat="1" lon="7"><time>2026-05-04T10:00:00</time></trkpt>'
    assert [report.taken_at for report in reports_of_gpx(gpx(later, bare))] == [datetime(2026, 5, 4, 10, tzinfo=timezone.utc)] * 2


def test_points_of_all_segments_and_tracks_in_order():
    document = gpx(point(second=1)).replace("</gpx>", "") + f"<trk><trkseg>{point(second=2)}</trkseg><trkseg>{point(second=3)}"
    document += "</trkseg></trk></gpx>"
    assert [report.taken_at.second for report in reports_of_gpx(document)] == [1, 2, 3]


@pytest.mark.parametrize(
    "document",
    ["", "no XML", "<gpx><trk>", gpx('<trkpt lon="7"/>'), gpx('<trkpt lat="x" lon="7"/>'), gpx(point("<fix>4D</fix>"))],
)
def test_what_is_no_gpx_is_said(document):
    with pytest.raises(GpxUnreadable, match=r"\w+"):
        reports_of_gpx(document)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_whatever_is_altered_it_is_read_or_unreadable(data):
    document = gpx(point("<course>61.5</course><speed>10.0</speed><fix>3d</fix><sat>7</sat><hdop>1.5</hdop>"))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(document) - 1))
        document = document[:at] + data.draw(st.text(max_size=3)) + document[at + data.draw(st.integers(0, 4)) :]
    try:
        reports = reports_of_gpx(document)
    except GpxUnreadable:
        return
    assert len(reports) <= 1
