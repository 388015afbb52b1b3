"""A receiver's raw log: sentences become reports, everything else is survived."""

import json
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.nmea import HDOP_M, reports_of_nmea

GGA = "GPGGA,100001.00,4333.0000,N,00700.6000,E,1,08,1.2,12.0,M,48.0,M,,"
GSA = "GPGSA,A,3,01,02,03,04,05,06,07,08,,,,,1.5,1.2,1.2"
RMC = "GPRMC,100001.00,A,4333.0000,N,00700.6000,E,19.438,61.50,040526,,,A"
AT = datetime(2026, 5, 4, 10, 0, 1, tzinfo=timezone.utc)


def told(body):
    checksum = 0
    for byte in body.encode("ascii"):
        checksum ^= byte
    return f"${body}*{checksum:02X}\r\n".encode("ascii")


def one(*bodies):
    (report,), rejected = reports_of_nmea(b"".join(told(body) for body in bodies))
    assert not rejected
    return report


def test_the_sentences_of_one_time_are_one_report():
    for order in ((GGA, GSA, RMC), (RMC, GGA, GSA)):
        report = one(*order)
        assert (report.mode, report.taken_at, report.device) == (3, AT, None)
        assert (report.latitude_deg, report.longitude_deg) == pytest.approx((43.55, 7.01))
        assert report.speed_mps == pytest.approx(10.0, abs=1e-3)
        assert (report.course_deg, report.accuracy_m) == (61.5, pytest.approx(1.2 * HDOP_M))


def test_south_and_west_are_negative_and_a_place_without_its_side_is_none():
    report = one(RMC.replace(",N,", ",S,").replace(",E,", ",W,"))
    assert (report.latitude_deg, report.longitude_deg) == pytest.approx((-43.55, -7.01))
    for gone in (RMC.replace(",N,", ",,"), RMC.replace("4333.0000", ""), RMC.replace("00700.6000", "7.x")):
        assert one(gone).latitude_deg is None


@pytest.mark.parametrize(
    "bodies",
    [
        (RMC.replace(",A,4333", ",V,4333"),),
        (RMC[:-1] + "N",),
        (GGA.replace(",E,1,", ",E,0,"), RMC),
        (GGA, RMC.replace(",A,4333", ",V,4333")),
        (GSA.replace(",A,3,", ",A,1,"),),
    ],
)
def test_there_is_a_fix_only_where_all_say_so(bodies):
    reports, _ = reports_of_nmea(b"".join(told(body) for body in (*bodies, GSA.replace(",A,3,", ",A,1,"))))
    assert all(report.mode == 1 for report in reports)


def test_2d_by_gsa_else_by_the_number_of_satellites():
    assert one(GGA, GSA.replace(",A,3,", ",A,2,"), RMC).mode == 2
    assert one(GGA, RMC).mode == 3
    assert one(GGA.replace(",08,", ",03,"), RMC).mode == 2
    assert one(RMC).mode == 2


def test_a_constellation_without_satellites_does_not_take_the_fix_away():
    assert one(GGA, GSA, GSA.replace(",A,3,", ",A,1,"), RMC).mode == 3


def test_accuracy_by_the_receivers_own_error_else_by_hdop_else_by_the_mode():
    gst = "GPGST,100001.00,1.0,3.0,4.0,0.0,3.0,4.0,9.0"
    assert one(GGA, gst, RMC).accuracy_m == pytest.approx(1.96 * 5.0)
    assert one(GGA.replace(",1.2,", ",,"), GSA, RMC).accuracy_m == 15.0
    assert one(RMC).accuracy_m == 30.0


def test_what_a_receiver_does_not_say_is_none():
    report = one("GPRMC,100001.00,A,4333.0000,N,00700.6000,E,,,040526,,,A")
    assert (report.speed_mps, report.course_deg) == (None, None)
    assert one("GPRMC,,V,,,,,,,,,,N").taken_at is None


def test_a_cycle_without_a_date_has_that_of_the_one_before_also_over_midnight():
    before = RMC.replace("100001.00", "235959.50")
    after = GGA.replace("100001.00", "000000.50")
    reports, _ = reports_of_nmea(told(before) + told(after) + told(GGA.replace("100001.00", "000001.50")))
    assert [report.taken_at.isoformat() for report in reports] == [
        "2026-05-04T23:59:59.500000+00:00",
        "2026-05-05T00:00:00.500000+00:00",
        "2026-05-05T00:00:01.500000+00:00",
    ]


def test_zda_tells_the_date_where_rmc_does_not():
    assert one("GPZDA,100001.00,04,05,2026,00,00", GGA).taken_at == AT
    assert one("GPZDA,100001.00,,,,00,00", GGA).taken_at is None


@pytest.mark.parametrize(
    ("clock", "microsecond"), [("100001.29", 290_000), ("100001.57", 570_000), ("100001.1", 100_000), ("100001", 0)]
)
def test_fractions_of_a_second_are_exact(clock, microsecond):
    assert one(RMC.replace("100001.00", clock)).taken_at == AT.replace(microsecond=microsecond)


def test_a_leap_second_and_dates_that_are_none():
    assert one(RMC.replace("100001.00", "235960.00")).taken_at == datetime(2026, 5, 5, tzinfo=timezone.utc)
    for date in ("310226", "2208-1", "", "04052"):
        assert one(RMC.replace("040526", date)).taken_at is None
    assert one(RMC.replace("040526", "220899")).taken_at.year == 1999


def test_the_recorded_receivers_say_what_gpsd_makes_of_them(ronde_data):
    compared = 0
    for log in sorted((ronde_data / "nmea").glob("*.log")):
        reference = log.with_name(log.name + ".chk")
        if not reference.exists():
            continue
        places = {}
        for line in reference.read_text(encoding="utf-8", errors="replace").splitlines():
            message = json.loads(line) if line.startswith("{") else {}
            if message.get("class") == "TPV" and "lat" in message and "time" in message:
                places[message["time"][:23]] = message
        for report in reports_of_nmea(log.read_bytes())[0]:
            time = report.taken_at and report.taken_at.isoformat(timespec="milliseconds")[:23]
            if time in places and report.latitude_deg is not None:
                compared += 1
                expected = places[time]
                assert (report.latitude_deg, report.longitude_deg) == pytest.approx((expected["lat"], expected["lon"]), abs=2e-9)
                if report.speed_mps is not None and "speed" in expected:
                    assert report.speed_mps == pytest.approx(expected["speed"], abs=0.006)
    assert compared > 400


def test_bytes_that_are_not_text_between_the_sentences_lose_none_of_them(ronde_data):
    log = (ronde_data / "nmea" / "quectel-l76k-dual.log").read_bytes()
    reports, _ = reports_of_nmea(log)
    assert len(reports) == log.count(b"RMC,") == 130
    assert all(report.mode == 3 and report.speed_mps is not None for report in reports)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), min_size=4, max_size=4))
def test_any_bytes_around_the_sentences_change_none(noise):
    clean = [told(body) for body in (GGA, GSA, RMC)]
    # A packet may end in the middle of what looks like a sentence: the next dollar begins a new one.
    mixed = noise[0] + b"$GPRMC,1" + b"".join(piece + sentence for piece, sentence in zip(noise[1:], clean, strict=True))
    reports, rejected = reports_of_nmea(mixed)
    assert reports == reports_of_nmea(b"".join(clean))[0]
    assert rejected["bad_line"] >= 1


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_whatever_is_altered_it_is_read_or_counted(data):
    log = bytearray(b"".join(told(body) for body in (GGA, GSA, RMC)))
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(log) - 1))
        log[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    reports, rejected = reports_of_nmea(bytes(log))
    assert len(reports) <= 3
    assert rejected.total() <= 3


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(["GPGGA", "GNGNS", "GPGSA", "GPGST", "GPRMC", "GPZDA"]), st.lists(st.text("0123456789.-NSEWAVD", max_size=9))
)
def test_no_field_of_a_whole_sentence_is_an_error(kind, fields):
    reports_of_nmea(told(",".join([kind, *fields])) + told(RMC))


def test_a_position_that_no_satellite_saw_says_so():
    assert not one(GGA, GSA, RMC).dead_reckoned
    for bodies in (
        (GGA.replace(",E,1,", ",E,6,"), RMC),
        (GGA, RMC[:-1] + "E"),
        ("GNGNS,100001.00,4333.0000,N,00700.6000,E,EN,06,1.2,12.0,48.0,,", RMC),
    ):
        assert one(*bodies).dead_reckoned
    assert not one("GNGNS,100001.00,4333.0000,N,00700.6000,E,AE,06,1.2,12.0,48.0,,", RMC).dead_reckoned
