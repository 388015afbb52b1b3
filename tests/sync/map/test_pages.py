import json
import math
import shutil
import subprocess
from datetime import timedelta

import pytest

from sync.map.sample import rounds_of

COLLECTIONS = ("findings", "tracks", "grades")


def check_geojson(document):
    """The rules of RFC 7946 that can be broken here."""
    assert document["type"] == "FeatureCollection"
    assert "crs" not in document
    seen = set()
    for feature in document["features"]:
        assert {"type", "id", "geometry", "properties"} == set(feature)
        assert feature["type"] == "Feature"
        assert isinstance(feature["id"], str | int)
        assert feature["id"] not in seen
        seen.add(feature["id"])
        assert isinstance(feature["properties"], dict)
        geometry = feature["geometry"]
        places = [geometry["coordinates"]] if geometry["type"] == "Point" else geometry["coordinates"]
        assert geometry["type"] in ("Point", "LineString")
        assert geometry["type"] == "Point" or len(places) >= 2
        for longitude, latitude in places:
            assert math.isfinite(longitude)
            assert -180 <= longitude <= 180
            assert -90 <= latitude <= 90
            assert round(longitude, 7) == longitude


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_collection_is_geojson(town, name):
    answer = town.ask(f"/api/{name}")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/geo+json"
    check_geojson(answer.json)


def test_a_finding_tells_what_the_unit_sent(town):
    feature = town.ask("/api/findings?limit=1").json["features"][0]
    sent = town.findings[0].data
    assert feature["geometry"] == sent["geometry"]
    for name in ("finding_id", "round_id", "label", "score", "uncertainty_m", "severity", "area_m2", "seen_at"):
        assert feature["properties"][name] == sent["properties"][name]
    assert feature["properties"]["unit"] == "cannes/car-07"
    assert feature["properties"]["photo"] is None


def test_pages_follow_one_another_until_all_were_given(town):
    query, ids, pages = "?limit=7", [], 0
    while query:
        answer = town.ask(f"/api/findings{query}")
        check_geojson(answer.json)
        ids += [feature["id"] for feature in answer.json["features"]]
        links = [link["href"] for link in answer.json["links"] if link["rel"] == "next"]
        assert answer.headers.get("link", "").startswith(f"<{links[0]}>" if links else "")
        query, pages = (links or [None])[0], pages + 1
    assert len(ids) == len(set(ids)) == 30
    assert pages == 5


def test_filters_leave_what_they_say(town):
    label = town.findings[0].data["properties"]["label"]
    wanted = [each for each in town.findings if each.data["properties"]["label"] == label]
    assert len(town.ask(f"/api/findings?label={label}").json["features"]) == len(wanted)
    assert town.ask("/api/findings?round=another").json["features"] == []
    assert town.ask("/api/findings?since=2026-05-05").json["features"] == []
    assert len(town.ask("/api/findings?since=2026-05-04").json["features"]) == 30
    longitude, latitude = town.findings[3].data["geometry"]["coordinates"]
    box = f"{longitude - 1e-6:.7f},{latitude - 1e-6:.7f},{longitude + 1e-6:.7f},{latitude + 1e-6:.7f}"
    assert len(town.ask(f"/api/findings?bbox={box}").json["features"]) == 1
    assert town.ask("/api/findings?bbox=0,0,1,1").json["features"] == []
    assert town.ask("/api/tracks?bbox=0,0,1,1").json["features"] == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/findings?bbox=1,2,3",
        "/api/findings?limit=many",
        "/api/tracks?label=pothole",
        "/api/grades?limit=3",
        "/api/units?since=2026-01-01",
        "/api/stream?after=-3",
        "/photos/x.jpg?size=3",
    ],
)
def test_what_is_not_understood_is_answered_with_400_and_one_sentence(town, path):
    answer = town.ask(path)
    assert answer.status == 400
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.text.count("\n") == 1
    assert len(answer.text) > 20


def test_units_say_how_they_are(town):
    units = {unit["name"]: unit for unit in town.ask("/api/units").json["units"]}
    assert units["car-07"]["connection"] == "online"
    assert units["car-07"]["state"] == "recording"
    assert units["car-12"]["reasons"] == ["no_fix", "disk_low"]
    assert units["car-12"]["outbox_rows"] == 212


def test_rounds_are_told_with_their_findings(town):
    (only,) = town.ask("/api/rounds").json["rounds"]
    assert (only["unit"], only["findings"]) == ("cannes/car-07", 30)
    assert only["length_m"] > 1000


def test_a_picture_is_given_as_it_came(town):
    finding = town.findings[0]
    path = f"/photos/{finding.data['properties']['finding_id']}.jpg"
    assert town.ask(path).status == 404
    jpeg = town.send_photo(finding)
    told = town.ask("/api/findings?limit=1").json["features"][0]["properties"]["photo"]
    answer = town.ask(f"/{told}")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/jpeg", jpeg)
    assert town.ask(path).body == jpeg
    assert town.ask(f"{path}?unit=cannes/car-12").status == 404


def test_two_units_that_replay_one_drive_stay_apart(town):
    town.publish(*rounds_of(town.other, 30, began_at=town.began_at + timedelta(days=1)))
    document = town.ask("/api/findings").json
    check_geojson(document)
    assert len(document["features"]) == 60


def test_nothing_but_reading_is_allowed(town):
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert town.ask("/api/findings", method=method).status == 405


def test_a_database_that_cannot_be_read_is_said_and_waited_for(town, tmp_path):
    file, aside = tmp_path / "town.db", tmp_path / "aside"
    town.store.close()
    for each in tmp_path.glob("town.db*"):
        each.rename(aside.with_name(f"aside{each.name}"))
    file.write_bytes(b"this is no database, it is a text that is long enough to be read as one" * 100)
    answer = town.ask("/api/findings")
    assert answer.status == 503
    assert "cannot be read now" in answer.text
    assert "retry-after" in answer.headers


def test_an_unknown_address_is_told_without_a_trace(town):
    answer = town.ask("/api/nothing")
    assert answer.status == 404
    assert town.ask("/js/../../server.py").status == 404
    assert town.ask("/%2e%2e/server.py").status == 404


def test_gdal_opens_it(town, tmp_path):
    if shutil.which("ogrinfo") is None:
        pytest.skip("no ogrinfo here: apt-get install gdal-bin")
    for name, kind in (("findings", "Point"), ("tracks", "Line String")):
        file = tmp_path / f"{name}.geojson"
        file.write_bytes(town.ask(f"/api/{name}?limit=10000").body)
        told = subprocess.run(["ogrinfo", "-so", "-al", str(file)], check=True, capture_output=True, text=True)
        assert f"Geometry: {kind}" in told.stdout
        assert "WGS 84" in told.stdout
        count = len(json.loads(file.read_text(encoding="utf-8"))["features"])
        assert f"Feature Count: {count}" in told.stdout
        assert told.stderr == ""


def test_the_map_of_a_car_is_the_map_of_its_fleet(town):
    assert town.ask("/api/about").json["labels"]["pothole"] == {"en": "pothole", "fr": "nid-de-poule", "kind": "road"}
    assert "face" not in town.ask("/api/about").json["labels"]
    assert town.ask("/api/findings").json["features"][0]["id"].startswith(f"{town.car.fleet}/{town.car.name}/")


def test_rounds_tell_up_to_which_event_they_are_joined(joined_town, later):
    rounds = joined_town.ask("/api/rounds").json["rounds"]
    assert len(rounds) == 2
    assert all(each["joined_seq"] == each["last_seq"] > 0 for each in rounds)
    joined_town.publish(later)
    unjoined = [each for each in joined_town.ask("/api/rounds").json["rounds"] if each["joined_seq"] < each["last_seq"]]
    assert [(each["findings"], each["joined_seq"]) for each in unjoined] == [(1, 0)]
