"""Boxes of a drive become things: each once, where it is, under one name; on a straight road driven at 10 m/s."""

import math
from datetime import datetime, timedelta, timezone

import pytest

from device.earth import east_north_m, offset
from device.frame import Place
from inference.detect import Detection
from inference.finding import finding_of
from inference.lens import Lens
from inference.merge import FORGOTTEN_M, Merge, View

LENS = Lens(640, 480, 1.35, 6.0, 0.0, 63.0)
ORIGIN = (43.55, 7.01)
AT = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)
ACCURACY_M = 4.9


def place(odometer_m, error_m=(0.0, 0.0)):
    """A car that drives north."""
    at = AT + timedelta(seconds=odometer_m / 10.0)
    where = offset(*ORIGIN, error_m[0], odometer_m + error_m[1])
    return Place(*where, ACCURACY_M, 0.0, 10.0, odometer_m, "between_fixes", at, "gnss")


def box(right_m, ahead_m, width_m, length_m):
    """The box of a rectangle on the road, cut at the picture's edges; None where it is not seen."""
    steps = [each / 300.0 for each in range(301)]
    outline = [(right_m + x * width_m, ahead_m + (y - 0.5) * length_m) for x in (-0.5, 0.5) for y in steps]
    outline += [(right_m + (x - 0.5) * width_m, ahead_m + y * length_m) for y in (-0.5, 0.5) for x in steps]
    seen = [LENS.project(*each) for each in outline if each[1] > 0.3]
    if not seen:
        return None
    left, top = max(0.0, min(x for x, _ in seen)), max(0.0, min(y for _, y in seen))
    right, bottom = min(640.0, max(x for x, _ in seen)), min(480.0, max(y for _, y in seen))
    return (left, top, right, bottom) if right - left > 3 and bottom - top > 3 else None


def board(right_m, ahead_m):
    corners = [LENS.project(right_m + x, ahead_m, up) for x in (-0.35, 0.35) for up in (2.0, 2.7)] if ahead_m > 1 else [None]
    if any(each is None or not (0 < each[0] < 640 and 0 < each[1] < 480) for each in corners):
        return None
    return (min(x for x, _ in corners), min(y for _, y in corners), max(x for x, _ in corners), max(y for _, y in corners))


def drive(things, length_m=100.0, step_m=4.0, error=lambda _odometer_m: (0.0, 0.0), shown=lambda *_: True):
    """The findings of a drive past things (label, score, right, along, width, length), in the order in which they are told."""
    merge, settled, odometer_m, frame = Merge(), [], 0.0, 0
    while odometer_m <= length_m:
        frame += 1
        detections = []
        for label, score, right_m, along_m, *size in things:
            ahead_m = along_m - odometer_m
            seen = board(right_m, ahead_m) if label.startswith("sign") else box(right_m, ahead_m, *size)
            if seen is not None and shown(frame, label):
                detections.append(Detection(label, score, seen))
        taken = merge.take(View(f"{frame:03d}", place(odometer_m, error(odometer_m)), LENS, detections))
        merge = taken.merge
        settled += [(thing, frame) for thing in taken.settled]
        odometer_m += step_m
    settled += [(thing, frame) for thing in merge.finish().settled]
    found = [finding_of(thing, round_id="r", number=n, model="m") for n, (thing, _) in enumerate(settled, 1)]
    return found, [frame for _, frame in settled]


def metres(finding):
    return east_north_m(*ORIGIN, finding.latitude_deg, finding.longitude_deg)


def test_a_thing_is_told_once_where_it_is_and_how_large():
    ((found,), frames) = drive([("crack_alligator", 0.6, 0.8, 50.0, 0.6, 0.5)])
    assert metres(found) == pytest.approx((0.8, 50.0), abs=0.1)
    assert found.frames >= 2
    assert (found.width_m, found.length_m) == pytest.approx((0.6, 0.5), abs=0.1)
    assert found.area_m2 == pytest.approx(0.3, abs=0.1)
    assert found.severity == 1
    assert (found.odometer_m, found.right_m) == pytest.approx((50.0, 0.8), abs=0.1)
    assert found.first_frame_id <= found.best_frame_id <= found.last_frame_id
    assert frames[0] * 4.0 - 4.0 == pytest.approx(52.0, abs=4.0)  # when the car has passed


@pytest.mark.parametrize(("label", "side_m"), [("pothole", 0.9), ("manhole_open", 0.6)])
def test_what_a_wheel_falls_into_is_told_as_soon_as_two_frames_show_it_and_only_then(label, side_m):
    ((found,), frames) = drive([(label, 0.6, 0.4, 50.0, side_m, side_m), ("pothole", 0.6, -1.0, 70.0, 0.3, 0.3)], 62.0)
    assert (found.label, found.severity) == (label, 3)
    assert frames[0] * 4.0 - 4.0 < 46.0  # before the car is there
    assert 2 <= found.frames <= 4
    assert metres(found) == pytest.approx((0.4, 50.0), abs=0.2)


def test_a_hole_that_is_severe_only_perhaps_waits():
    ((found,), frames) = drive([("pothole", 0.6, 0.4, 50.0, 0.47, 0.47)])
    assert frames[0] * 4.0 - 4.0 > 50.0
    assert found.frames >= 2


def test_however_often_it_is_seen_it_is_no_surer_than_the_car():
    ((found,), _) = drive([("pothole", 0.6, 0.0, 50.0, 0.4, 0.4)], step_m=0.5)
    assert found.frames >= 15
    assert ACCURACY_M < found.uncertainty_m < ACCURACY_M + 0.3


def test_two_potholes_side_by_side_and_one_behind_are_three():
    things = [
        ("pothole", 0.6, -1.0, 50.0, 0.5, 0.5),
        ("pothole", 0.6, 0.6, 50.0, 0.5, 0.5),
        ("pothole", 0.6, -1.0, 54.0, 0.5, 0.5),
    ]
    found, _ = drive(things)
    assert sorted((round(metres(each)[0]), round(metres(each)[1])) for each in found) == [(-1, 50), (-1, 54), (1, 50)]


def test_a_receiver_that_jumps_makes_no_second_thing():
    found, _ = drive([("manhole", 0.8, 0.5, 50.0, 0.7, 0.7)], error=lambda m: (3.0, -2.0) if m > 38 else (0.0, 0.0))
    assert len(found) == 1


def test_what_is_seen_once_is_told_only_where_it_is_sure():
    def once(frame, _label):
        return frame == 11

    assert drive([("pothole", 0.6, 0.0, 48.0, 0.6, 0.6)], shown=once)[0] == []
    ((found,), _) = drive([("pothole", 0.9, 0.0, 48.0, 0.6, 0.6)], shown=once)
    assert found.frames == 1


def test_the_three_cracks_are_settled_once_by_their_evidence():
    crack = (0.5, 50.0, 0.6, 2.5)

    def alternating(frame, label):
        return (label == "crack_alligator") == (frame % 3 == 0)

    ((found,), _) = drive([("crack_longitudinal", 0.5, *crack), ("crack_alligator", 0.6, *crack)], shown=alternating)
    assert (found.label, found.score) == ("crack_longitudinal", 0.5)


def test_two_names_for_one_box_are_one_thing():
    thing = (0.0, 50.0, 0.7, 0.7)
    ((found,), _) = drive([("manhole", 0.8, *thing), ("manhole_open", 0.5, *thing)])
    assert found.label == "manhole"


def test_a_crack_longer_than_the_view_is_one_finding_with_its_length():
    ((found,), frames) = drive([("crack_longitudinal", 0.7, -0.8, 80.0, 0.4, 60.0)], length_m=140.0)
    assert found.length_m == pytest.approx(60.0, rel=0.1)
    assert metres(found) == pytest.approx((-0.8, 80.0), abs=3.0)
    assert found.severity == 3
    assert frames[0] * 4.0 > 106.0


def test_what_only_the_pictures_edge_shows_adds_to_what_was_whole():
    ((found,), _) = drive([("patch", 0.7, 1.5, 50.0, 1.2, 3.0)], step_m=2.0)
    assert (found.width_m, found.length_m) == pytest.approx((1.2, 3.0), abs=0.3)
    assert metres(found) == pytest.approx((1.5, 50.0), abs=0.2)


def test_a_sign_is_placed_by_its_rays_and_has_no_area():
    ((found,), _) = drive([("sign_stop", 0.7, 3.0, 60.0)])
    assert metres(found) == pytest.approx((3.0, 60.0), abs=0.5)
    assert (found.area_m2, found.severity, found.length_m) == (None, None, None)
    assert ACCURACY_M < found.uncertainty_m < 8.0


def test_a_sign_seen_once_from_afar_has_no_place():
    assert drive([("sign_stop", 0.95, 3.0, 60.0)], shown=lambda frame, _: frame == 6)[0] == []


def test_a_thing_hidden_behind_a_corner_is_told_after_a_while():
    (found, frames) = drive([("manhole", 0.8, 0.0, 60.0, 0.7, 0.7)], length_m=50.0, shown=lambda frame, _: frame < 14)
    assert len(found) == 1
    found, frames = drive([("sign_stop", 0.8, 4.0, 300.0)], length_m=320.0, shown=lambda frame, _: 63 < frame < 68)
    assert len(found) <= 1
    assert all(frame <= 68 + FORGOTTEN_M / 4.0 + 1 for frame in frames)


def test_the_same_drive_gives_the_same_findings():
    things = [
        ("pothole", 0.6, 0.8, 50.0, 0.6, 0.5),
        ("crack_transverse", 0.6, 0.0, 61.0, 2.0, 0.4),
        ("sign_yield", 0.7, 3.0, 70.0),
    ]
    assert drive(things) == drive(things)
    assert len(drive(things)[0]) == 3


def test_people_and_cars_are_no_findings():
    assert drive([("plate", 0.9, 0.0, 50.0, 0.7, 0.7), ("vehicle", 0.9, 2.0, 60.0, 2.0, 4.0)])[0] == []


def test_a_slow_turn_on_the_spot_loses_nothing():
    """The heading is none before the car has moved: such frames show nothing that has a place."""
    merge = Merge()
    nowhere = Place(*ORIGIN, 4.9, None, 0.0, 0.0, "between_fixes", AT, "gnss")
    taken = merge.take(View("001", nowhere, LENS, [Detection("pothole", 0.9, (300.0, 300.0, 360.0, 330.0))]))
    assert taken.settled == ()
    assert not taken.merge.things
    assert math.isclose(taken.merge.place.latitude_deg, ORIGIN[0])
