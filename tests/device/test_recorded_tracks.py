"""Real receivers on real roads: what the odometer and the choice make of the recordings."""

import json
import math
from collections import Counter
from datetime import datetime, timezone
from itertools import pairwise

import numpy as np
import pytest

from device.chooser import Chooser
from device.drive_track import read_reports, read_track, track_of
from device.earth import distance_m
from device.frame import Exposure
from device.gate import FixGate
from device.odometer import LOST_S, Odometer
from device.ring import Ring
from device.tpv import FIX_3D, Report
from device.utc import unix_s

PIXELS = np.zeros((2, 2, 3), np.uint8)
FPS = 30
TURNS_HZ = 5
"""How often the choice is asked; the line asks after each exposure, which changes nothing but the time it takes."""

LATENCY_S = 0.2
STOP_POINTS = 10
STOP_MPS = 0.5

FULL_RATES = {"nmea-rtk": 0.1, "rst39": 1.0, "quectel-l76k-nmea": 0.2}
"""Logs of 10 Hz and 5 Hz and the seconds between fixes with a speed: rst39 has positions at 10 Hz, its speed once a second."""


def fixes_of(file):
    return [fix for fix, _ in read_track(file).fixes]


def stretches_of(fixes):
    odometer = Odometer()
    return [stretch for fix in fixes if (stretch := odometer.advance(fix)) is not None]


def munich(ronde_data):
    """The drive through Munich as reports: places and times are all that it has."""
    reports = []
    for point in json.loads((ronde_data / "tracks" / "munich-vehicle-1hz.json").read_text()):
        longitude_deg, latitude_deg = map(float, point["point"][len("POINT(") : -1].split())
        taken_at = datetime.strptime(point["time"], "%Y-%m-%d %H:%M:%S%z").astimezone(timezone.utc)
        reports.append(Report(FIX_3D, latitude_deg, longitude_deg, 10.0, None, None, taken_at, None))
    return reports


def photograph(fixes, *, spacing_m=4.0):
    """Feed a track with a 30 fps camera through the choice, in order of arrival: shutter and place of each frame that is kept.

    A frame that is kept ahead of its fix counts from when it is placed.
    """
    chooser, kept, ahead = Chooser(spacing_m, Ring()), [], {}

    def ask():
        while (choice := chooser.choose()) is not None:
            kind = type(choice).__name__
            if kind == "Ahead":
                ahead[choice.number] = choice.exposure.shutter_boot_s
            elif kind == "Surplus":
                del ahead[choice.number]
            elif kind == "Placed":
                kept.append((ahead.pop(choice.number), choice.place))
            elif kind == "Chosen":
                kept.append((choice.exposure.shutter_boot_s, choice.place))

    waiting = iter(fixes)
    fix = next(waiting, None)
    first_s, last_s = fixes[0].boot_s, fixes[-1].boot_s
    for n in range(int((last_s - first_s + 1.0) * FPS)):
        shutter_boot_s = first_s + n / FPS
        while fix is not None and fix.boot_s + LATENCY_S <= shutter_boot_s:
            chooser.take_fix(fix)
            ask()
            fix = next(waiting, None)
        chooser.ring.push(Exposure(shutter_boot_s, lambda: PIXELS))
        if n % (FPS // TURNS_HZ) == 0:
            ask()
    chooser.end()
    ask()
    return chooser, kept


def thinned(fixes, offset):
    """One fix a second, from the one with this index on."""
    few = []
    for fix in fixes[offset:]:
        if not few or fix.boot_s - few[-1].boot_s >= 1.0 - 1e-3:
            few.append(fix)
    return few


def readings_apart_m(fixes, few):
    """The odometer's reading from few fixes less that from all of them, at the moment of each fix that both cover."""
    full, sparse = stretches_of(fixes), stretches_of(few)
    begun_m = next(each.start.odometer_m for each in full if each.start.fix is few[0])
    pairs = [(each, next((other for other in sparse if other.holds(each.end.fix.boot_s)), None)) for each in full]
    return [other.odometer_at(each.end.fix.boot_s) - (each.end.odometer_m - begun_m) for each, other in pairs if other]


def rms(values):
    return math.sqrt(np.mean(np.square(values)))


@pytest.mark.parametrize("name", ["nmea-rtk", "rst39", "quectel-l76k-nmea"])
def test_one_fix_a_second_reads_as_the_full_rate_does(ronde_data, name):
    fixes = fixes_of(ronde_data / "nmea" / f"{name}.log")
    period_s = FULL_RATES[name]
    assert np.median([b.boot_s - a.boot_s for a, b in pairwise(fixes)]) == pytest.approx(period_s, abs=1e-3)
    apart_m = [readings_apart_m(fixes, thinned(fixes, offset)) for offset in range(round(1.0 / period_s))]
    each_m = [round(float(rms(each)), 3) for each in apart_m]
    together_m = rms(np.concatenate(apart_m))
    print(f"{name}: {len(fixes)} fixes, thinned to 1 Hz from each beginning: {each_m} m RMS, together {together_m:.3f} m")
    assert min(len(each) for each in apart_m) >= 3
    assert rms(apart_m[0]) <= 0.5
    assert together_m <= 0.5
    # A walk that changes its speed three times within four seconds is more than one fix a second can tell from each beginning.
    assert sum(each > 0.5 for each in each_m) <= 1
    assert max(each_m) <= 0.55


def stops_of(fixes):
    """First and last fix of each time of at least ten fixes in a row, a second apart, under 0.5 m/s."""
    stops, run = [], []
    for fix in fixes:
        if fix.speed_mps < STOP_MPS and (not run or fix.boot_s - run[-1].boot_s < LOST_S):
            run.append(fix)
            continue
        if len(run) >= STOP_POINTS:
            stops.append((run[0], run[-1]))
        run = [fix] if fix.speed_mps < STOP_MPS else []
    return [*stops, (run[0], run[-1])] if len(run) >= STOP_POINTS else stops


@pytest.mark.parametrize(("name", "count", "kilometres"), [("delft-car-1hz", 16, (35, 39)), ("stockholm-car-1hz", 7, (4.5, 7.5))])
def test_no_frame_is_kept_at_the_stops_of_a_real_drive(ronde_data, name, count, kilometres):
    fixes = fixes_of(ronde_data / "tracks" / f"{name}.gpx")
    stops = stops_of(fixes)
    chooser, kept = photograph(fixes)
    assert len(stops) == count
    assert kilometres[0] < chooser.odometer_m / 1000.0 < kilometres[1]
    assert len(kept) > 0.7 * chooser.odometer_m / 4.0
    standing = [(shutter, place) for shutter, place in kept for a, b in stops if a.boot_s < shutter <= b.boot_s]
    stood_s = sum(b.boot_s - a.boot_s for a, b in stops)
    print(f"{name}: {chooser.odometer_m:.0f} m, {len(kept)} frames; {len(standing)} in {len(stops)} stops of {stood_s:.0f} s")
    assert not standing


LOSSES = [
    ("delft-car-1hz", "2010-02-01T12:31:58", 34),
    ("delft-car-1hz", "2010-02-01T12:33:11", 52),
    ("stockholm-car-1hz", "2008-11-07T10:05:24", 253),
    ("stockholm-car-1hz", "2008-11-07T10:10:07", 108),
]


@pytest.mark.parametrize(("name", "since", "seconds"), LOSSES)
def test_a_loss_of_fix_is_filled_and_least_sure_in_the_middle(ronde_data, name, since, seconds):
    fixes = fixes_of(ronde_data / "tracks" / f"{name}.gpx")
    middle_s = unix_s(datetime.fromisoformat(since + "+00:00")) + seconds / 2.0
    (stretch,) = [each for each in stretches_of(fixes) if each.holds(middle_s)]
    assert stretch.lost
    # The receiver repeats its last place for some seconds before it falls silent: those are no fixes.
    assert seconds - 0.1 <= stretch.seconds <= seconds + 8.0
    ends = stretch.start.fix, stretch.end.fix
    assert (
        stretch.length_m
        >= distance_m(ends[0].latitude_deg, ends[0].longitude_deg, ends[1].latitude_deg, ends[1].longitude_deg) - 1.0
    )
    places = [stretch.place_at(ends[0].boot_s + share * stretch.seconds) for share in np.linspace(0.0, 1.0, 41)]
    assert {place.position_source for place in places} == {"filled"}
    odometers = [place.odometer_m for place in places]
    assert odometers == sorted(odometers)
    accuracies = [place.accuracy_m for place in places]
    widest = int(np.argmax(accuracies))
    assert accuracies[:widest] == sorted(accuracies[:widest])
    assert accuracies[widest:] == sorted(accuracies[widest:], reverse=True)
    print(
        f"{name} {since}: {stretch.seconds:.0f} s, {stretch.length_m:.0f} m filled; "
        f"radius {accuracies[0]:.0f} m, {accuracies[widest]:.0f} m, {accuracies[-1]:.0f} m"
    )
    middle_m = stretch.start.odometer_m + stretch.length_m / 2.0
    assert abs(odometers[widest] - middle_m) < stretch.length_m / 5.0
    assert accuracies[widest] > math.hypot(max(fix.accuracy_m for fix in ends), stretch.length_m / 50.0)


def test_nothing_that_is_kept_in_a_loss_is_called_good(ronde_data):
    fixes = fixes_of(ronde_data / "tracks" / "stockholm-car-1hz.gpx")
    _, kept = photograph(fixes)
    lost = [each for each in stretches_of(fixes) if each.lost]
    inside = [place for shutter, place in kept for each in lost if each.start.fix.boot_s < shutter < each.end.fix.boot_s]
    assert len(lost) > 5
    assert inside
    assert {place.position_source for place in inside} == {"filled"}


def test_the_jump_of_471_m_in_munich_moves_nothing(ronde_data):
    reports = munich(ronde_data)
    jump = max(range(1, len(reports)), key=lambda n: _step_m(reports[n - 1], reports[n]))
    assert 465 < _step_m(reports[jump - 1], reports[jump]) < 475
    fixes = [fix for fix, _ in track_of(reports).fixes]
    before_s, after_s = (unix_s(reports[n].taken_at) for n in (jump - 1, jump + 5))
    across = [each for each in stretches_of(fixes) if each.start.fix.boot_s >= before_s and each.end.fix.boot_s <= after_s]
    print(f"munich: {sum(each.length_m for each in across):.0f} m driven in the {after_s - before_s:.0f} s around the jump")
    # It drives on at up to 25 m/s, so six seconds are 150 m of road at most.
    assert sum(each.length_m for each in across) < 150.0
    _, kept = photograph(fixes)
    assert sum(before_s < shutter < after_s for shutter, _ in kept) < 150.0 / 4.0 + 1
    start, end = reports[jump - 1], reports[jump + 5]
    for shutter, place in kept:
        if before_s < shutter < after_s:
            near = (distance_m(place.latitude_deg, place.longitude_deg, at.latitude_deg, at.longitude_deg) for at in (start, end))
            assert min(near) < 120.0, "on the way of the jump, where the car may never have been"


def _step_m(a, b):
    return distance_m(a.latitude_deg, a.longitude_deg, b.latitude_deg, b.longitude_deg)


@pytest.mark.parametrize(
    ("name", "year", "most"),
    [
        ("april6_2019", 2019, 0),
        ("gp-320fw-2019-04-06-overflow", 2019, 20),
        ("telit-he910", 2019, 187),
        ("quectel-eg25-g", 2022, 23),
        ("tomtom-mkII", 2010, 4),
        ("haicom-305N", 2007, 68),
        ("bt451", 2009, 13),
    ],
)
def test_rollovers_and_empty_sentences_give_no_fix_and_no_frame_in_the_wrong_year(ronde_data, name, year, most):
    fixes = fixes_of(ronde_data / "nmea" / f"{name}.log")
    assert {fix.taken_at.year for fix in fixes} <= {year}
    assert len(fixes) <= most
    assert bool(fixes) == bool(most)
    frames = photograph(fixes)[1] if fixes else []
    print(f"{name}: {len(fixes)} fixes, {len(frames)} frames, years {sorted({place.taken_at.year for _, place in frames})}")
    assert {place.taken_at.year for _, place in frames} <= {year}
    assert all(a.boot_s < b.boot_s for a, b in pairwise(fixes))


def test_on_a_unit_nothing_older_than_the_software_is_believed(ronde_data):
    believed = Counter()
    for log in sorted((ronde_data / "nmea").glob("*.log")):
        gate = FixGate()
        for report in read_reports(log)[0]:
            fixes = gate.accept(report, unix_s(report.taken_at) if report.taken_at else 0.0)
            believed.update((log.stem, fix.taken_at.year) for fix in fixes)
    assert {log for log, _ in believed} == {"quectel-l76k-dual", "quectel-l76k-nmea"}
    assert {year for _, year in believed} == {2026}


def test_a_receiver_that_lost_its_fix_and_repeats_its_place_gives_none(ronde_data):
    reports = read_reports(ronde_data / "nmea" / "tomtom-mkII.log")[0]
    assert len(reports) == 28
    assert len(track_of(reports).fixes) == 4
    assert len(read_track(ronde_data / "nmea" / "telit-he910.log").fixes) >= 180


@pytest.mark.parametrize(
    "name", ["mt3339", "ublox-8", "quectel-l76k-nmea", "quectel-l76k-dual", "telit-he910", "gp-320fw-2019-04-06-overflow"]
)
def test_a_receiver_that_stands_drives_nothing_and_is_photographed_once_at_most(ronde_data, name):
    chooser, kept = photograph(fixes_of(ronde_data / "nmea" / f"{name}.log"))
    assert chooser.odometer_m < 1.0
    assert len(kept) <= 1


def test_a_garmin_camera_in_palo_alto_is_photographed_every_four_metres(ronde_data):
    chooser, kept = photograph(fixes_of(ronde_data / "tracks" / "paloalto-car-1hz.gpx"))
    assert 1600 < chooser.odometer_m < 1800
    distances = [b[1].odometer_m - a[1].odometer_m for a, b in pairwise(kept)]
    assert sum(abs(each - 4.0) <= 0.5 for each in distances) >= 0.99 * len(distances)
    assert {place.position_source for _, place in kept} == {"between_fixes"}
