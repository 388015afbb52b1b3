"""Fire and smoke: the rule of two of three, one alert for one thing, its place, and its end."""

import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.earth import distance_m, offset
from device.frame import Place
from inference.alert import TWO_OF_THREE, UNSEEN_FRAMES, Looked, Watch
from inference.detect import Detection
from inference.lens import Lens

LENS = Lens(1456, 1088, 1.35, 6.0, 0.0, 63.0)
START = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)
HERE = (43.55, 7.01)


def place_at(odometer_m, heading_deg=0.0, accuracy_m=2.0):
    """A car that drives north."""
    at = START + timedelta(seconds=odometer_m / 14.0)
    return Place(*offset(*HERE, 0.0, odometer_m), accuracy_m, heading_deg, 14.0, odometer_m, "between_fixes", at, "gnss")


def box_of(odometer_m, east_m, north_m, wide_m=2.0, high_m=3.0, foot_m=0.0):
    """Where a fire stands in the picture; None where it does not."""
    ahead = north_m - odometer_m
    low, high = LENS.project(east_m, ahead, foot_m), LENS.project(east_m, ahead, foot_m + high_m)
    if ahead < 3.0 or low is None or high is None:
        return None
    half = wide_m / 2.0 / ahead * LENS.focal_px
    left, right = max(0.0, low[0] - half), min(1456.0, low[0] + half)
    top, bottom = max(0.0, high[1]), min(1088.0, low[1])
    return (left, top, right, bottom) if right - left > 4 and bottom - top > 4 else None


def drive(watch, frames, seen):
    """So many frames, 4 m apart; `seen` gives the detections of each. What was told in each."""
    told = []
    for number in range(frames):
        found = seen(number, 4.0 * number)
        told.append(watch.take(Looked(f"r-{number:06d}", place_at(4.0 * number), LENS, found)))
        watch = told[-1].watch
    return told


def fire(odometer_m, east_m=4.0, north_m=50.0, label="fire", score=0.8, **size):
    box = box_of(odometer_m, east_m, north_m, **size)
    return [] if box is None else [Detection(label, score, box)]


@given(st.lists(st.booleans(), min_size=1, max_size=9))
def test_an_alert_begins_with_the_second_of_three_and_never_before(seen):
    told = drive(Watch(), len(seen), lambda number, at_m: fire(at_m) if seen[number] else [])
    first = next((n for n in range(len(seen)) if sum(seen[max(0, n - 2) : n + 1]) >= 2 and seen[n]), None)
    begun = [n for n, each in enumerate(told) if each.begun]
    assert begun[:1] == ([] if first is None else [first])


def test_one_fire_is_one_alert_and_is_over_when_the_car_has_passed():
    told = drive(Watch(), 30, lambda _, at_m: fire(at_m))
    begun = [(n, each) for n, told_ in enumerate(told) for each in told_.begun]
    over = [(n, why) for n, told_ in enumerate(told) for _, why in told_.over]
    assert [n for n, _ in begun] == [1]
    assert [why for _, why in over] == ["out_of_view"]
    assert begun[0][1].label == "fire"


@pytest.mark.parametrize("foot_m", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("east_m", [-6.0, 0.5, 12.0])
def test_the_place_is_where_it_burns_within_what_is_said(east_m, foot_m):
    told = drive(Watch(), 8, lambda _, at_m: fire(at_m, east_m, foot_m=foot_m))
    latitude, longitude = offset(*HERE, east_m, 50.0)
    for watched in (told[1].begun[0], told[-1].watch.incidents[0]):
        east, north, _ = watched.spot()
        there = offset(
            watched.place.latitude_deg, watched.place.longitude_deg, east - watched.at.east_m, north - watched.at.north_m
        )
        assert distance_m(latitude, longitude, *there) <= watched.radius_95_m()
    assert told[-1].watch.incidents[0].radius_95_m() < told[1].begun[0].radius_95_m() + 1.0


def test_smoke_above_the_horizon_is_told_too_with_a_wide_radius():
    told = drive(Watch(), 4, lambda _, at_m: fire(at_m, 10.0, 90.0, "smoke", wide_m=12.0, high_m=15.0, foot_m=6.0))
    [begun] = told[1].begun
    assert begun.label == "smoke"
    assert begun.radius_95_m() > 40.0
    assert not any(each.begun for each in told[2:])


def test_smoke_with_fire_below_it_is_one_alert_and_two_fires_apart_are_two():
    both = drive(
        Watch(),
        8,
        lambda _, at_m: [*fire(at_m), *fire(at_m, label="smoke", score=0.6, foot_m=2.0, high_m=6.0, wide_m=3.0)],
    )
    assert sum(len(each.begun) for each in both) == 1
    two = drive(Watch(), 6, lambda _, at_m: [*fire(at_m, -14.0), *fire(at_m, 14.0)])
    assert sum(len(each.begun) for each in two) == 2
    assert [each.number for each in two[1].begun] == [1, 2]


def test_one_frame_alone_or_two_lamps_far_apart_are_nothing():
    once = drive(Watch(), 12, lambda number, at_m: fire(at_m) if number in (2, 6, 10) else [])
    assert not any(each.begun for each in once)
    jumping = drive(Watch(), 12, lambda number, at_m: fire(at_m, -20.0 if number % 2 else 20.0, 60.0))
    assert all(each.frames <= 6 for told in jumping for each in told.begun)
    lamps = drive(Watch(), 2, lambda number, at_m: fire(at_m, -20.0 if number else 20.0, 60.0))
    assert not any(each.begun for each in lamps)


def test_a_fire_that_goes_out_is_over_after_so_many_frames_that_would_show_it():
    told = drive(Watch(), 40, lambda number, at_m: fire(at_m, 3.0, 400.0, wide_m=20.0, high_m=20.0) if number < 5 else [])
    [(n, why)] = [(n, why) for n, each in enumerate(told) for _, why in each.over]
    assert (n, why) == (4 + UNSEEN_FRAMES, "not_seen")


def test_the_end_of_a_round_or_of_a_permission_ends_what_was_told_and_only_that():
    told = drive(Watch(), 2, lambda number, at_m: [*fire(at_m, -14.0), *(fire(at_m, 14.0) if number else [])])
    over = told[-1].watch.end("round_ended")
    assert [why for _, why in over.over] == ["round_ended"]
    assert over.watch.incidents == ()
    assert told[-1].watch.end("not_allowed").over[0][1] == "not_allowed"


def test_a_car_that_has_no_heading_yet_tells_nothing():
    place = replace(place_at(0.0), heading_deg=None)
    told = Watch().take(Looked("r-000001", place, LENS, fire(0.0)))
    assert (told.begun, told.watch.incidents) == ((), ())


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.lists(
            st.tuples(
                st.sampled_from(["fire", "smoke", "pothole"]),
                st.floats(0.01, 1.0),
                st.floats(0, 1400),
                st.floats(0, 1000),
                st.floats(5, 900),
                st.floats(5, 900),
            ),
            max_size=4,
        ),
        max_size=25,
    )
)
def test_whatever_is_detected_each_alert_begins_once_ends_once_and_has_a_place(frames):
    watch, begun, over = Watch(), [], []
    for number, found in enumerate(frames):
        detections = [
            Detection(label, score, (left, top, min(1456.0, left + wide), min(1088.0, top + high)))
            for label, score, left, top, wide, high in found
        ]
        told = watch.take(Looked(f"r-{number}", place_at(4.0 * number), LENS, detections))
        watch = told.watch
        begun += [each.number for each in told.begun]
        over += [each.number for each, _ in told.over]
        for each in watch.incidents:
            assert all(map(math.isfinite, each.spot()[:2]))
            assert 0.0 < each.radius_95_m() < 500.0
    over += [each.number for each, _ in watch.end("round_ended").over]
    assert begun == list(range(1, len(begun) + 1))
    assert sorted(over) == begun


def test_the_rule_is_what_its_name_says():
    assert TWO_OF_THREE == (2, 3)
