"""Which street a photo was taken in, and where one street ends and the next begins."""

import json

import pytest

from device.earth import offset
from inference.streets import HOLDS_M, Photo, StreetsRefused, read_streets

ORIGIN = (43.55, 7.01)


def at(east_m, north_m):
    latitude_deg, longitude_deg = offset(*ORIGIN, east_m, north_m)
    return [longitude_deg, latitude_deg]


def feature(name, *places, key="name"):
    return {
        "type": "Feature",
        "properties": {key: name},
        "geometry": {"type": "LineString", "coordinates": [at(*place) for place in places]},
    }


NORTHWARDS = feature("Rue d'Antibes", (0, -200), (0, 100))
EASTWARDS = feature("Rue Hoche", (0, 100), (300, 100), key="nom_voie")
CROSSING = feature("Rue Macé", (-200, 40), (200, 40))


@pytest.fixture
def streets(tmp_path):
    def write(*features):
        file = tmp_path / "streets.geojson"
        file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return read_streets(file)

    return write


def photo(odometer_m, east_m, north_m, heading_deg=0.0):
    longitude_deg, latitude_deg = at(east_m, north_m)
    return Photo(odometer_m, latitude_deg, longitude_deg, 4.0, heading_deg)


def around_the_corner(step_m=4.0):
    """North on one street, then east on the next; the receiver is 5 m off."""
    north = [photo(n * step_m, 5.0, -40.0 + n * step_m) for n in range(35)]
    east = [photo(140.0 + n * step_m, 5.0 + n * step_m, 95.0, 90.0) for n in range(20)]
    return [*north, *east]


def test_a_street_ends_where_the_car_turns_and_a_crossing_one_ends_none(streets):
    changes = streets(NORTHWARDS, EASTWARDS, CROSSING).changes(around_the_corner())
    assert [change.street for change in changes] == ["Rue d'Antibes", "Rue Hoche"]
    assert changes[0].odometer_m == 0.0
    assert changes[1].odometer_m == pytest.approx(138.0, abs=4.0)


def test_a_street_that_is_only_touched_is_none(streets):
    beside = feature("Impasse", (3, -4), (3, 4))
    photos = [photo(n * 4.0, 2.0 if abs(n * 4.0 - 40.0) < HOLDS_M / 3 else 0.0, -40.0 + n * 4.0) for n in range(25)]
    assert [each.street for each in streets(NORTHWARDS, beside).changes(photos)] == ["Rue d'Antibes"]


def test_far_from_every_street_nothing_is_known(streets):
    found = streets(NORTHWARDS)
    assert found.at(photo(0.0, 60.0, 0.0)) is None
    assert found.at(photo(0.0, 5.0, 0.0, None)) is None
    assert found.changes([photo(n * 4.0, 60.0, n * 4.0) for n in range(9)]) == ()
    assert found.changes([]) == ()


def test_a_long_straight_street_is_found_along_all_of_it_whichever_way_it_is_driven(streets):
    found = streets(feature("Boulevard", (0, 0), (900, 900)))
    assert all(found.at(photo(0.0, m + 4.0, m - 4.0, turn)) == "Boulevard" for m in range(0, 900, 30) for turn in (45.0, 225.0))


def test_lines_in_parts_and_features_without_a_name(streets):
    parts = {"type": "MultiLineString", "coordinates": [[at(0, 0), at(0, 50)], [at(0, 80), at(0, 130)]]}
    many = {"type": "Feature", "properties": {"nom": "Quai"}, "geometry": parts}
    nameless = {"type": "Feature", "properties": None, "geometry": {"type": "LineString", "coordinates": [at(0, 0), at(0, 9)]}}
    point = {"type": "Feature", "properties": {"name": "here"}, "geometry": {"type": "Point", "coordinates": at(0, 0)}}
    found = streets(many, nameless, point)
    assert found.at(photo(0.0, 1.0, 100.0)) == "Quai"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (None, "cannot be read"),
        ("{", "cannot be read"),
        ("[]", "no GeoJSON"),
        (
            '{"features": [{"geometry": {"type": "LineString", "coordinates": [["x", 1], [2, 3]]}, "properties": {"id": 7}}]}',
            "no Geo",
        ),
        (
            '{"features": [{"geometry": {"type": "LineString", "coordinates": [[720, 1], [2, 3]]}, "properties": {"id": 7}}]}',
            "no Geo",
        ),
        ('{"features": []}', "no line with a name"),
    ],
)
def test_what_is_no_file_of_streets_is_refused_by_its_name(tmp_path, text, says):
    file = tmp_path / "streets.geojson"
    if text is not None:
        file.write_text(text)
    with pytest.raises(StreetsRefused, match=says) as refused:
        read_streets(file)
    assert str(file) in str(refused.value)
