"""Which of the receiver's reports are fixes: docs/faults.md, 3 to 6, 8 and 9."""

import json
import math
import random
from datetime import datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.doubt import JUMP_SLACK_M
from device.earth import distance_m, offset
from device.gate import FixGate
from device.positions import SPEED_LIMIT_MPS
from device.sound import BUILT_AT, NEWEST
from device.tpv import LineUnreadable, parse_line, report_of

STARTED_AT = datetime(2026, 5, 4, 10, 0, 0, tzinfo=timezone.utc)
BOOT_S = 1000.0
SPEED_MPS = 13.9
WEEKS_1024 = timedelta(weeks=1024)


def tpv(second, **changes):
    """What gpsd says at this second of a car that drives north-east at 50 km/h; a change to ... takes the field away."""
    driven_m = SPEED_MPS * second
    latitude_deg, longitude_deg = offset(43.55, 7.01, driven_m * math.sin(math.pi / 4), driven_m * math.cos(math.pi / 4))
    message = {
        "class": "TPV",
        "device": "/dev/ttyACM0",
        "mode": 3,
        "time": time_of(STARTED_AT + timedelta(seconds=second)),
        "lat": latitude_deg,
        "lon": longitude_deg,
        "speed": SPEED_MPS,
        "track": 45.0,
        "epx": 4.0,
        "epy": 5.0,
        "eph": 6.0,
    }
    return {key: value for key, value in {**message, **changes}.items() if value is not ...}


def time_of(moment):
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def away(second, metres):
    latitude_deg, longitude_deg = offset(tpv(second)["lat"], tpv(second)["lon"], metres, 0.0)
    return {"lat": latitude_deg, "lon": longitude_deg}


def drive(messages, gate=None, latency_s=lambda _: 0.2):
    """Feeds (second, message) pairs, each arriving at its second; gives the fixes and the gate."""
    gate = gate or FixGate()
    fixes = [fix for second, message in messages for fix in gate.accept(report_of(message), BOOT_S + second + latency_s(second))]
    return fixes, gate


def straight(seconds, step=1):
    return [(second, tpv(second)) for second in range(0, seconds, step)]


def test_a_plain_drive_is_accepted_whole():
    fixes, gate = drive(straight(60))
    assert len(fixes) == 60
    assert gate.rejected == {}
    assert gate.speed_source == "doppler"
    first = fixes[0]
    assert (first.accuracy_m, first.speed_mps, first.course_deg) == (6.0, SPEED_MPS, 45.0)
    assert first.taken_at == STARTED_AT
    assert all(fix.boot_s == pytest.approx(BOOT_S + n + 0.2, abs=1e-5) for n, fix in enumerate(fixes))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"mode": 1}, "no_mode"),
        ({"mode": ...}, "no_mode"),
        ({"lat": ...}, "no_position"),
        ({"lon": ...}, "no_position"),
        ({"lat": 0.0, "lon": 0.0}, "position_zero"),
        ({"lat": 5e-5, "lon": -5e-5}, "position_zero"),
        ({"lat": 95.0}, "out_of_range"),
        ({"lon": 300.0}, "out_of_range"),
        ({"lat": -1e300, "lon": 1e300}, "out_of_range"),
        ({"time": ...}, "no_time"),
        ({"time": "yesterday"}, "no_time"),
        ({"time": "2006-09-17T10:00:05.000Z"}, "time_before_build"),
        ({"time": "2045-12-20T10:00:05.000Z"}, "time_after_service"),
        ({"time": "9999-12-31T23:59:59.999Z"}, "time_after_service"),
        ({"status": 5}, "dead_reckoning"),
        ({"eph": 1899.0}, "eph_over_limit"),
        ({"speed": 1e6}, "too_fast"),
    ],
)
def test_a_senseless_report_is_refused_by_its_reason_and_the_rest_is_kept(changes, reason):
    fixes, gate = drive([(second, tpv(second, **changes) if second == 5 else tpv(second)) for second in range(12)])
    assert gate.rejected == {reason: 1}
    assert [fix.taken_at.second for fix in fixes] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]


def test_the_equator_and_greenwich_are_places():
    assert len(drive([(n, tpv(n, lat=0.0, lon=7.0, speed=0.0)) for n in range(2)])[0]) == 2
    assert len(drive([(n, tpv(n, lat=51.5, lon=0.0, speed=0.0)) for n in range(2)])[0]) == 2


@pytest.mark.parametrize("key", sorted(tpv(0)))
def test_fault_3_each_field_removed_for_good_or_now_and_then(key):
    if key == "class":
        return
    for missing in (lambda _: True, lambda second: second % 3 == 1):
        messages = [(second, tpv(second, **({key: ...} if missing(second) else {}))) for second in range(30)]
        fixes, gate = drive(messages)
        assert all(abs(fix.latitude_deg - 43.55) < 0.01 and abs(fix.longitude_deg - 7.01) < 0.01 for fix in fixes)
        assert len(fixes) + sum(gate.rejected.values()) == 30, "one is held back, or forgotten"
        if key in ("track", "epx", "epy", "eph", "device"):
            assert len(fixes) == 30


def test_fault_4_a_frozen_time_gives_no_fix_however_long():
    frozen = [(second, tpv(20, time=tpv(20)["time"])) for second in range(21, 200)]
    fixes, gate = drive([*straight(21), *frozen])
    assert len(fixes) == 21
    assert gate.rejected == {"time_not_newer": 179}


def test_fault_4_after_a_frozen_time_the_drive_goes_on_at_once():
    frozen = [(second, tpv(20)) for second in range(21, 80)]
    fixes, _ = drive([*straight(21), *frozen, *[(second, tpv(second)) for second in range(80, 90)]])
    assert len(fixes) == 31


@pytest.mark.parametrize("speed", [5.5, 13.9, 40.0])
def test_fault_4_a_position_frozen_while_the_speed_goes_on_is_no_fix_however_long(speed):
    held = {key: tpv(9)[key] for key in ("lat", "lon")}
    messages = straight(10) + [(second, tpv(second, **held, speed=speed)) for second in range(10, 40)]
    messages += [(second, tpv(second)) for second in range(40, 50)]
    fixes, gate = drive(messages)
    assert gate.rejected == {"position_frozen": 30}
    assert [round(fix.boot_s - fixes[0].boot_s) for fix in fixes] == [*range(10), *range(40, 50)]


def test_a_car_that_stands_or_creeps_or_is_reported_ten_times_a_second_is_not_frozen():
    held = {key: tpv(9)[key] for key in ("lat", "lon")}
    for speed in (0.0, 0.6, 4.9):
        assert not drive(straight(10) + [(second, tpv(second, **held, speed=speed)) for second in range(10, 40)])[1].rejected

    def rounded(second, speed):
        metres = (speed - SPEED_MPS) * second
        latitude_deg, longitude_deg = offset(tpv(second)["lat"], tpv(second)["lon"], metres * 0.5**0.5, metres * 0.5**0.5)
        # To 0.0001 of a minute, as receivers with four digits have it.
        return {"lat": round(latitude_deg * 600_000) / 600_000, "lon": round(longitude_deg * 600_000) / 600_000, "speed": speed}

    for speed in (5.0, 8.0, 13.9):
        for hertz in (5, 10, 25):
            seconds = [n / hertz for n in range(20 * hertz)]
            assert not drive([(second, tpv(second, **rounded(second, speed))) for second in seconds])[1].rejected


@pytest.mark.parametrize("times", [2, 3])
def test_fault_5_reports_doubled_or_tripled_change_nothing(times):
    fixes, gate = drive([pair for pair in straight(60) for _ in range(times)])
    assert fixes == drive(straight(60))[0]
    assert gate.rejected == {"time_not_newer": 60 * (times - 1)}


def test_fault_5_a_second_device_changes_nothing():
    second_device = [(n, tpv(n, device="/dev/ttyUSB7", **away(n, 25.0))) for n in range(60)]
    pairs = [pair for both in zip(straight(60), second_device, strict=True) for pair in both]
    fixes, gate = drive(pairs)
    assert fixes == drive(straight(60))[0]
    assert gate.rejected == {"second_device": 60}


def test_a_second_device_takes_over_when_the_first_has_no_fix_any_more():
    blind = [(n, tpv(n, mode=1)) for n in range(20, 40)]
    second_device = [(n, tpv(n, device="/dev/ttyUSB7")) for n in range(20, 40)]
    fixes, gate = drive([*straight(20), *[pair for both in zip(blind, second_device, strict=True) for pair in both]])
    assert len(fixes) == 20 + 16
    assert gate.rejected == {"no_mode": 20, "second_device": 4}


@pytest.mark.parametrize("weeks", [1024, 2048])
def test_fault_6_weeks_lost_in_mid_drive(weeks):
    shifted = [(n, tpv(n, time=time_of(STARTED_AT + timedelta(seconds=n) - timedelta(weeks=weeks)))) for n in range(20, 40)]
    fixes, gate = drive([*straight(20), *shifted, *[(n, tpv(n)) for n in range(40, 60)]])
    assert gate.rejected == {"time_before_build": 20}
    assert len(fixes) == 40
    assert all(fix.taken_at >= BUILT_AT for fix in fixes)
    assert_ordered(fixes)


@pytest.mark.parametrize("shift", [timedelta(days=7305), WEEKS_1024, 2 * WEEKS_1024])
def test_a_date_after_the_service_is_never_believed_however_long_it_lasts(shift):
    ahead = [(n, tpv(n, time=time_of(STARTED_AT + timedelta(seconds=n) + shift))) for n in range(20, 50)]
    fixes, gate = drive([*straight(20), *ahead, *[(n, tpv(n)) for n in range(50, 60)]])
    assert gate.rejected == {"time_after_service": 30}
    assert len(fixes) == 30
    assert drive(ahead)[0] == []


@given(st.datetimes(BUILT_AT.replace(tzinfo=None), NEWEST.replace(tzinfo=None) - timedelta(minutes=1)), st.integers(-3, 3))
def test_of_all_dates_1024_weeks_apart_exactly_one_is_believed(moment, shift):
    """Built in 2025, a unit is in service for 15 years and more; each multiple of 1024 weeks off the truth is refused."""
    moment = moment.replace(tzinfo=timezone.utc) + shift * WEEKS_1024
    fixes, _ = drive([(n, tpv(n, time=time_of(moment + timedelta(seconds=n)))) for n in range(5)])
    assert len(fixes) == (5 if shift == 0 else 0)


def test_a_date_some_years_off_is_doubted_and_does_not_stop_the_drive():
    ahead = (20, tpv(20, time=time_of(STARTED_AT + timedelta(days=3000))))
    fixes, gate = drive([*straight(20), ahead, *[(n, tpv(n)) for n in range(21, 60)]])
    assert gate.rejected == {"time_jumped": 1}
    assert len(fixes) == 59


def test_a_receiver_that_began_with_a_wrong_date_is_believed_when_it_has_the_right_one():
    wrong = [(n, tpv(n, time=time_of(STARTED_AT + timedelta(seconds=n, days=900)))) for n in range(10)]
    fixes, gate = drive([*wrong, *[(n, tpv(n)) for n in range(10, 40)]])
    assert gate.rejected == {"time_backwards": 3}
    assert len(fixes) == 37
    assert fixes[-1].taken_at == STARTED_AT + timedelta(seconds=39)
    assert [fix.boot_s for fix in fixes] == sorted(fix.boot_s for fix in fixes)
    assert fixes[-1].boot_s == pytest.approx(BOOT_S + 39.2, abs=1e-5)


def test_one_fix_alone_is_none_and_the_second_makes_it_one_too():
    gate = FixGate()
    assert gate.accept(report_of(tpv(0)), BOOT_S + 0.5) == ()
    first, second = gate.accept(report_of(tpv(1)), BOOT_S + 1.2)
    assert (first.taken_at, second.taken_at) == (STARTED_AT, STARTED_AT + timedelta(seconds=1))
    # The second came faster, so it says when the first was true.
    assert (first.boot_s, second.boot_s) == (pytest.approx(BOOT_S + 0.2), pytest.approx(BOOT_S + 1.2))
    assert gate.rejected == {}


@pytest.mark.parametrize("off_s", [-86_400 * 300, -3600, -30, -2, 3, 3600, 86_400 * 300])
def test_a_first_report_with_an_old_or_a_wrong_time_is_never_believed(off_s):
    messages = [(0, tpv(0, time=time_of(STARTED_AT + timedelta(seconds=off_s)))), *[(n, tpv(n)) for n in range(1, 10)]]
    fixes, gate = drive(messages)
    assert gate.rejected == {"unconfirmed": 1}
    assert [fix.taken_at for fix in fixes] == [STARTED_AT + timedelta(seconds=n) for n in range(1, 10)]
    assert all(fix.boot_s == pytest.approx(BOOT_S + n + 0.2, abs=1e-5) for n, fix in enumerate(fixes, 1))


def test_a_first_time_that_is_repeated_confirms_nothing():
    frozen = [(n, tpv(0, time=time_of(STARTED_AT - timedelta(minutes=5)))) for n in range(20)]
    fixes, gate = drive([*frozen, *[(n, tpv(n)) for n in range(20, 30)]])
    assert gate.rejected == {"time_not_newer": 19, "unconfirmed": 1}
    assert [fix.taken_at.second for fix in fixes] == list(range(20, 30))


def test_the_first_two_are_of_one_receiver():
    other = {"device": "/dev/ttyUSB7", **away(0, 200.0)}
    fixes, gate = drive([(0, tpv(0)), (0.5, tpv(0.5, **other)), (1, tpv(1)), (1.5, tpv(1.5, **other)), (2, tpv(2))])
    assert gate.rejected == {"second_device": 2}
    assert len(fixes) == 3


def test_a_first_receiver_that_says_one_thing_only_does_not_lock_the_second_out():
    lone = (0, tpv(0, device="/dev/ttyUSB7"))
    fixes, gate = drive([lone, *[(n, tpv(n)) for n in range(1, 20)]])
    assert gate.rejected == {"second_device": 4, "unconfirmed": 1}
    assert len(fixes) == 15


FIRST_REPORTS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.0, 0.0, -86_400.0 * 200, -60.0, -5.0, 4.0, 7_000.0]), st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=12,
)


@given(FIRST_REPORTS)
def test_whatever_the_first_reports_say_no_time_is_believed_that_runs_otherwise_than_the_boot_clock(reports):
    """Each is off by some seconds, repeated some times, or lacks its speed; then all are right."""
    gate, fixes = FixGate(), []
    for n, (off_s, repeats, whole) in enumerate(reports):
        message = tpv(n, time=time_of(STARTED_AT + timedelta(seconds=n + off_s)), **({} if whole else {"speed": ...}))
        for repeat in range(repeats + 1):
            fixes += gate.accept(report_of(message), BOOT_S + n + 0.1 * repeat)
    believed = {(fix.taken_at - STARTED_AT).total_seconds() - (fix.boot_s - BOOT_S) for fix in fixes}
    for n, (off_s, _, _) in enumerate(reports):
        alone = (n == 0 or reports[n - 1][0] != off_s) and (n + 1 == len(reports) or reports[n + 1][0] != off_s)
        if alone and off_s and sum(each[0] == off_s for each in reports) == 1:
            assert not any(abs(each - off_s) < 1.5 for each in believed)
    fixes = [fix for n in range(20, 40) for fix in gate.accept(report_of(tpv(n)), BOOT_S + n + 0.2)]
    assert len(fixes) >= 16
    assert fixes[-1].taken_at == STARTED_AT + timedelta(seconds=39)


@pytest.mark.parametrize("burst", [1, 2, 3])
def test_fault_9_jumps_of_20_km_and_back_leave_no_fix_there(burst):
    wild = set(range(30, 30 + burst))
    messages = [(n, tpv(n, **away(n, 20_000.0)) if n in wild else tpv(n)) for n in range(60)]
    fixes, gate = drive(messages)
    assert gate.rejected == {"too_fast": burst}
    expected = [fix for fix in drive(straight(60))[0] if fix.taken_at.second not in wild]
    assert [(fix.latitude_deg, fix.taken_at) for fix in fixes] == [(fix.latitude_deg, fix.taken_at) for fix in expected]


def test_a_receiver_that_was_wrong_before_is_believed_at_its_new_place():
    messages = [(n, tpv(n, **away(n, 20_000.0))) for n in range(10)] + [(n, tpv(n)) for n in range(10, 40)]
    fixes, gate = drive(messages)
    assert gate.rejected == {"too_fast": 3}
    assert len(fixes) == 37


def test_wild_points_all_over_are_never_believed():
    draw = random.Random(3)
    wild = [(n, tpv(n, **away(n, draw.choice([-1, 1]) * draw.uniform(5_000, 30_000)))) for n in range(10, 100)]
    fixes, gate = drive([*straight(10), *wild])
    assert len(fixes) == 10
    assert gate.rejected == {"too_fast": 90}


def test_after_a_tunnel_the_far_side_is_no_jump():
    fixes, _ = drive([*straight(10), *[(n, tpv(n)) for n in range(100, 110)]])
    assert len(fixes) == 20


def test_jitter_of_arrival_does_not_move_the_moment_of_a_fix():
    draw = random.Random(4)
    fixes, gate = drive(straight(400), latency_s=lambda _: 0.1 + draw.uniform(0, 0.4))
    late = [fix.boot_s - (BOOT_S + (fix.taken_at - STARTED_AT).total_seconds()) for fix in fixes[60:]]
    assert max(late) - min(late) < 0.03
    assert len(fixes) + gate.rejected.get("time_not_newer", 0) == 400
    assert_ordered(fixes)


def test_a_report_that_waited_for_seconds_is_old():
    fixes, gate = drive(straight(30), latency_s=lambda second: 3.5 if second == 20 else 0.2)
    assert gate.rejected == {"late": 1}
    assert len(fixes) == 29


def test_below_walking_pace_the_course_is_the_one_before():
    speeds = [0.2, 0.9, 5.0, 3.0, 0.8, 0.0, 4.0]
    courses = [10.0, 20.0, 30.0, 40.0, 200.0, 300.0, 50.0]
    messages = [(n, tpv(n, speed=speeds[n], track=courses[n])) for n in range(7)]
    assert [fix.course_deg for fix in drive(messages)[0]] == [None, None, 30.0, 40.0, 40.0, 40.0, 50.0]


def test_a_report_without_speed_makes_room_for_the_full_one_of_the_same_time():
    pairs = [pair for n in range(1, 30) for pair in ((n, tpv(n, speed=..., track=...)), (n, tpv(n)))]
    fixes, gate = drive(pairs)
    assert [fix.speed_mps for fix in fixes] == [SPEED_MPS] * 29
    assert gate.rejected == {"no_speed": 29}
    assert gate.speed_source == "doppler"


def test_a_receiver_without_speed_gets_it_from_its_positions():
    fixes, gate = drive([(n, tpv(n, speed=..., track=...)) for n in range(30)])
    assert gate.rejected == {"no_speed": 1}
    assert gate.speed_source == "positions"
    assert [fix.speed_mps for fix in fixes] == [pytest.approx(SPEED_MPS, abs=0.01)] * 29
    assert [fix.course_deg for fix in fixes] == [pytest.approx(45.0, abs=0.1)] * 29


ANYTHING = st.one_of(
    st.none(),
    st.just(...),
    st.booleans(),
    st.floats(),
    st.integers(),
    st.sampled_from([10**400, "43.5", "", 0, 0.0, 95, 300, 1899, 3, 2, [], {}, "/dev/b", "2006-05-04T10:00:07.000Z"]),
    st.text(max_size=12),
)
CHANGE = st.dictionaries(st.sampled_from(sorted(set(tpv(0)) - {"class"})), ANYTHING, max_size=3)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-30, 30), CHANGE), max_size=40), st.randoms(use_true_random=False))
def test_whatever_comes_no_fix_is_at_an_impossible_place_or_time(steps, draw):
    gate, now_s, second = FixGate(), BOOT_S, 0
    fixes = []
    for wait_s, skip, change in steps:
        now_s += wait_s * draw.random()
        second += skip if skip < -25 or skip > 25 else 1
        report = report_of(tpv(second, **change))
        sure = gate.accept(report, now_s)
        assert all(fix.boot_s <= now_s for fix in sure)
        fixes += sure
    for fix in fixes:
        assert abs(fix.latitude_deg) <= 90
        assert abs(fix.longitude_deg) <= 180
        assert (fix.latitude_deg, fix.longitude_deg) != (0, 0)
        assert BUILT_AT <= fix.taken_at < NEWEST
        assert 0 < fix.accuracy_m <= 60
        assert 0 <= fix.speed_mps <= SPEED_LIMIT_MPS
        assert fix.course_deg is None or 0 <= fix.course_deg < 360
    boot = [fix.boot_s for fix in fixes]
    assert all(later > earlier for earlier, later in pairwise(boot))
    assert 0 <= len(steps) - len(fixes) - sum(gate.rejected.values()) <= 1, "one may be held back"


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.integers(2, 58), st.floats(300, 1e6), max_size=20))
def test_single_wild_points_anywhere_change_nothing_but_themselves(jumps):
    # Neighbours would be a burst; those are another test's.
    wild = {n: metres for n, metres in jumps.items() if n - 1 not in jumps}
    messages = [(n, tpv(n, **away(n, wild[n])) if n in wild else tpv(n)) for n in range(60) if n in wild or n not in jumps]
    fixes, gate = drive(messages)
    assert gate.rejected.get("too_fast", 0) == len(wild)
    for earlier, later in pairwise(fixes):
        way_m = distance_m(earlier.latitude_deg, earlier.longitude_deg, later.latitude_deg, later.longitude_deg)
        assert way_m <= SPEED_LIMIT_MPS * (later.taken_at - earlier.taken_at).total_seconds() + JUMP_SLACK_M


def test_ten_thousand_mutated_lines_leave_no_fix_off_the_road():
    draw = random.Random(10)
    gate, fixes, hit = FixGate(), [], 0
    for n in range(10_000):
        whole = json.dumps(tpv(n)).encode()
        line = bytearray(whole)
        if n % 2:
            for _ in range(draw.randint(1, 6)):
                line[draw.randrange(len(line))] = draw.choice([draw.randrange(256), *b"0123456789-.e"])
            hit += line != whole
        report = report_of_line(bytes(line))
        fixes += gate.accept(report, BOOT_S + n) if report else ()
    assert hit > 4900
    assert 4950 < len(fixes) < 6000
    assert_ordered(fixes)
    for fix in fixes:
        truth = tpv((fix.taken_at - STARTED_AT).total_seconds())
        # A digit far behind the point is a place that a car could have reached; a digit before it is not.
        assert distance_m(fix.latitude_deg, fix.longitude_deg, truth["lat"], truth["lon"]) < 4 * SPEED_LIMIT_MPS


def report_of_line(line):
    try:
        return report_of(parse_line(line))
    except LineUnreadable:
        return None


def test_a_faster_report_after_slow_ones_never_turns_the_order():
    latencies = [0.9] * 20 + [0.1] * 20
    gate = FixGate()
    fixes = []
    for n in range(40):
        report = report_of(tpv(n / 10))
        fixes += gate.accept(report, BOOT_S + n / 10 + latencies[n])
    assert_ordered(fixes)
    assert len(fixes) >= 30


def assert_ordered(fixes):
    for earlier, later in pairwise(fixes):
        assert later.taken_at > earlier.taken_at
        assert later.boot_s > earlier.boot_s
