"""Stretches of a piece of road: graded, on the map, cut where a street ends."""

import math
from dataclasses import replace

import pytest

from device.earth import east_north_m, offset
from inference.grade import NO_FRAME
from inference.lens import Lens
from inference.scale import Scale, scale_of
from inference.streets import Change, Photo
from inference.survey import UNSURE, Road, damage_of, line_of, nearest_seen_m, survey

ORIGIN = (43.55, 7.01)
LENS = Lens(640, 480, 1.35, 6.0, 0.0, 63.0)
NEAR_M = nearest_seen_m(LENS)


def photos(length_m=300.0, step_m=4.0, bend_m=math.inf):
    """North, and from `bend_m` on to the east."""
    found, odometer_m = [], 0.0
    while odometer_m <= length_m:
        north_m = min(odometer_m, bend_m)
        latitude_deg, longitude_deg = offset(*ORIGIN, odometer_m - north_m, north_m)
        found.append(Photo(odometer_m, latitude_deg, longitude_deg, 5.0, 0.0))
        odometer_m += step_m
    return found


def road(**changes):
    return replace(Road(20.0, 220.0, photos(), (), NEAR_M), **changes)


def metres(stretch):
    return [east_north_m(*ORIGIN, *point) for point in stretch.line]


def test_coarse_stretches_come_first_and_each_length_covers_the_piece():
    found = survey(road(), Scale())
    assert [each.most_m for each in found] == [100.0] * 2 + [20.0] * 10
    assert [(each.grade.from_m, each.grade.to_m) for each in found[:2]] == [(20.0, 120.0), (120.0, 220.0)]
    assert all((each.grade.grade, each.grade.coverage) == (1.0, 1.0) for each in found)


def test_the_line_of_a_stretch_follows_the_car_with_no_more_points_than_it_needs():
    straight = survey(road(), Scale())[0]
    assert [round(north_m) for _, north_m in metres(straight)] == [20, 120]
    corner = metres(survey(road(photos=photos(bend_m=80.0)), Scale())[0])
    assert len(corner) == 3
    assert corner[1] == pytest.approx((0.0, 80.0), abs=0.1)
    assert corner[2] == pytest.approx((40.0, 80.0), abs=0.1)
    with pytest.raises(ValueError, match="two photos"):
        line_of(photos()[:1], 0.0, 4.0)


def test_damage_is_where_it_lies():
    found = survey(road(damages=[damage_of("pothole", 130.0, 0.5, 1.0, 1.0)]), Scale())
    assert found[0].grade.grade == 1.0
    assert found[1].grade.grade > 1.2
    worst = max(found, key=lambda each: each.grade.grade)
    assert worst.most_m == 20.0
    assert worst.grade.from_m <= 130.0 <= worst.grade.to_m
    assert all(each.grade.grade == 1.0 for each in survey(road(damages=[damage_of("pothole", 130.0, 3.0, 1.0, 1.0)]), Scale()))


def test_what_no_good_photo_shows_has_no_grade_and_says_why():
    bad = [replace(each, reasons=("wet",)) if 50.0 < each.odometer_m < 90.0 else each for each in photos()]
    unsure = [replace(each, accuracy_m=31.0) if each.odometer_m > 110.0 else each for each in bad]
    found = survey(road(photos=unsure), Scale())
    assert found[0].grade.reasons == {"wet": 9}
    assert found[0].grade.grade is not None
    assert (found[1].grade.grade, found[1].grade.reasons) == (None, {UNSURE: 25})
    gap = [each for each in photos() if not 40.0 < each.odometer_m < 160.0]
    assert survey(road(photos=gap), Scale())[0].grade.reasons == {NO_FRAME: 17}
    assert survey(road(near_m=math.inf), Scale())[0].grade.coverage == 0.0


class Town:
    """A street that ends after 70 m."""

    @staticmethod
    def changes(_photos):
        return (Change(0.0, "Rue d'Antibes"), Change(70.0, "Rue Hoche"))


def test_a_stretch_ends_where_its_street_does():
    found = [each for each in survey(road(streets=Town()), Scale()) if each.most_m == 100.0]
    assert [(each.grade.from_m, each.grade.to_m, each.street) for each in found] == [
        (20.0, 70.0, "Rue d'Antibes"),
        (70.0, 145.0, "Rue Hoche"),
        (145.0, 220.0, "Rue Hoche"),
    ]


def test_the_road_begins_where_the_picture_does():
    assert pytest.approx(2.0, abs=0.5) == NEAR_M
    assert nearest_seen_m(replace(LENS, pitch_deg=-60.0)) == math.inf


def test_a_town_sets_its_own_numbers_and_the_rest_stays():
    own = scale_of({"lane_m": 3.0, "pothole": (0.1, 1.0, 2.0), "net": None, "streets": "streets.geojson"})
    assert own == replace(Scale(), lane_m=3.0, anchors={**Scale().anchors, "pothole": (0.1, 1.0, 2.0)})
    assert scale_of({}) == Scale()
