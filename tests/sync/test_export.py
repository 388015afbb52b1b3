"""What a unit and a receiver export: GeoJSON as RFC 7946 has it, tables, GeoPackages and tasks."""

import csv
import hashlib
import io
import json
import os
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.settings import Unit
from sync.command import DONE, WRONG_USE, main
from sync.database import open_database
from sync.export import FINDING_COLUMNS, ExportRefused, between, export_findings, reading, unit_layer
from sync.export_town import THING_COLUMNS
from sync.forms import as_geojson, cell, write_csv, write_geojson
from sync.layers import Feature, Layer
from sync.map.sample import fill, rounds_of, utc
from sync.receiver.databases import open_store
from sync.receiver.joiner import Joiner, Outcome
from sync.receiver.joins import open_joins
from sync.receiver.judging import open_judge
from sync.tasks import TASK_COLUMNS, Work, task_of

ROUND = "INSERT INTO round (id, started_at, ended_at, software, models, settings) VALUES (?, ?, ?, '0.1.0', '{}', '{}')"
FRAME = (
    "INSERT INTO frame (id, round_id, time_source, latitude_deg, longitude_deg, odometer_m, position_source, hidden) "
    "VALUES (?, ?, 'gnss', ?, ?, ?, 'between_fixes', 0)"
)
FINDING = (
    "INSERT INTO finding (id, round_id, label, score, latitude_deg, longitude_deg, uncertainty_m, frames, best_frame_id, "
    "seen_at, area_m2, severity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
GRADE = (
    "INSERT INTO grade (round_id, stretch_m, from_m, to_m, grade, low, high, coverage, cells, reasons, piece) "
    "VALUES ('r1', 20, ?, ?, ?, NULL, NULL, 0.9, 5, '{\"wet\": 2}', 0)"
)
LONGEST_DECIMALS = 7


def geojson_of(layer):
    out = io.StringIO()
    write_geojson(layer, out)
    return json.loads(out.getvalue(), parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))


def is_rfc_7946(collection):
    """What RFC 7946 demands of a FeatureCollection, section by section; anything else fails here."""
    assert set(collection) <= {"type", "features", "bbox"}, "3.3; 7.1: no members of a feature or geometry; 4: no crs"
    assert collection["type"] == "FeatureCollection"
    assert isinstance(collection["features"], list)
    for feature in collection["features"]:
        assert set(feature) == {"type", "id", "geometry", "properties"}
        assert feature["type"] == "Feature"
        assert isinstance(feature["id"], str | int)
        assert not isinstance(feature["id"], bool)
        assert isinstance(feature["properties"], dict)
        geometry = feature["geometry"]
        assert set(geometry) == {"type", "coordinates"}
        kind, coordinates = geometry["type"], geometry["coordinates"]
        lines = {"Point": [[coordinates] * 2], "LineString": [coordinates], "MultiLineString": coordinates}[kind]
        for line in lines:
            assert len(line) >= 2, "3.1.4"
            for position in line:
                assert len(position) in (2, 3), "3.1.1"
                longitude, latitude = position[:2]
                assert -180 <= longitude <= 180, "4: longitude first"
                assert -90 <= latitude <= 90
                assert all(len(str(each).partition(".")[2]) <= LONGEST_DECIMALS for each in position), "11.2"
            for here, there in pairwise(line):
                assert abs(here[0] - there[0]) <= 180, "3.1.9: cut at the antimeridian"
    ids = [feature["id"] for feature in collection["features"]]
    assert len(ids) == len(set(ids))


@pytest.fixture
def db_file(tmp_path):
    file = tmp_path / "a folder with ? and #" / "ronde.db"
    file.parent.mkdir()
    db = open_database(file)
    db.conn.execute(ROUND, ("r1", "2026-05-12T08:30:00.000Z", None))
    db.conn.execute(ROUND, ("r2", "2026-05-12T09:30:00.000Z", "2026-05-12T09:40:00.000Z"))
    for n, (latitude_deg, longitude_deg, odometer_m) in enumerate(
        [(43.55, 7.02, 8.0), (43.5500000123, 7.01, 0.0), (43.56, 7.03, 12.04), (None, None, 16.0)]
    ):
        db.conn.execute(FRAME, (f"r1-{n}", "r1", latitude_deg, longitude_deg, odometer_m))
    db.conn.execute(FRAME, ("r2-0", "r2", 43.0, 7.0, 0.0))
    db.conn.execute(
        FINDING,
        ("r1-f2", "r1", "pothole", 0.71, 43.55123456789, 7.0, 3.5, 2, "r1-1", "2026-05-12T08:30:09.000Z", 0.4, 2),
    )
    db.conn.execute(
        FINDING, ("r1-f3", "r1", "pothole", 0.9, 43.5513, 7.0001, 2.5, 3, "r1-1", "2026-05-12T08:30:12.000Z", 0.52, 3)
    )
    for from_m, grade in ((0.0, 2.5), (20.0, None)):
        db.conn.execute(GRADE, (from_m, min(from_m + 20.0, 40.0), grade))
    db.conn.execute(
        FINDING, ("r1-f1", "r1", "manhole", 0.9, -43.5, -7.123456789, 2.5, 1, "r1-0", "2026-05-12T08:30:02.000Z", None, None)
    )
    yield file
    db.close()


def test_a_finding_is_a_point_with_its_columns_longitude_first_in_order_of_sight(db_file):
    collection = export_findings(db_file)
    is_rfc_7946(collection)
    manhole, pothole, _ = collection["features"]
    assert pothole["id"] == "r1-f2"
    assert pothole["geometry"] == {"type": "Point", "coordinates": [7.0, 43.5512346]}
    assert manhole["geometry"]["coordinates"] == [-7.1234568, -43.5]
    assert pothole["properties"] == {
        "id": "r1-f2",
        "round_id": "r1",
        "label": "pothole",
        "score": 0.71,
        "uncertainty_m": 3.5,
        "frames": 2,
        "best_frame_id": "r1-1",
        "seen_at": "2026-05-12T08:30:09.000Z",
        "area_m2": 0.4,
        "severity": 2,
        "width_m": None,
        "length_m": None,
    }
    assert tuple(manhole["properties"]) == FINDING_COLUMNS


def test_a_round_is_a_line_through_its_placed_frames_along_the_odometer(db_file):
    with reading(db_file) as db:
        collection = geojson_of(unit_layer(db, "tracks"))
    is_rfc_7946(collection)
    (track,) = collection["features"]
    assert track["geometry"] == {"type": "LineString", "coordinates": [[7.01, 43.55], [7.02, 43.55], [7.03, 43.56]]}
    assert track["properties"] == {
        "round_id": "r1",
        "started_at": "2026-05-12T08:30:00.000Z",
        "ended_at": None,
        "frames": 3,
        "length_m": 12.0,
    }


def test_a_grade_is_a_line_along_the_round_as_far_as_it_was_driven(db_file):
    with reading(db_file) as db:
        collection = geojson_of(unit_layer(db, "grades"))
    is_rfc_7946(collection)
    (stretch,) = collection["features"]  # the second lies beyond the last place
    assert stretch["geometry"]["coordinates"] == [[7.01, 43.55], [7.02, 43.55], [7.03, 43.56]]
    assert (stretch["properties"]["grade"], stretch["properties"]["reasons"]) == (2.5, {"wet": 2})
    path = [(0.0, 7.0, 43.0), (10.0, 7.1, 43.0), (20.0, 7.2, 43.0)]
    assert between(path, 5.0, 15.0) == [(7.05, 43.0), (7.1, 43.0), (7.15, 43.0)]
    assert between(path, 12.0, 14.0) == [(7.12, 43.0), (7.14, 43.0)]
    assert between(path, 20.0, 30.0) == between([], 0.0, 1.0) == []


def test_what_was_found_may_be_exported_while_the_unit_writes(db_file):
    db = open_database(db_file)
    db.conn.execute("BEGIN IMMEDIATE")
    db.conn.execute("DELETE FROM finding")
    assert len(export_findings(db_file)["features"]) == 3
    db.conn.execute("ROLLBACK")
    db.close()


def test_nothing_found_is_an_empty_collection(tmp_path):
    open_database(tmp_path / "ronde.db").close()
    with reading(tmp_path / "ronde.db") as db:
        for name in ("findings", "tracks", "grades", "tasks"):
            assert geojson_of(unit_layer(db, name)) == {"type": "FeatureCollection", "features": []}


def test_a_missing_or_foreign_database_is_refused_by_name_and_left_as_it_is(tmp_path):
    missing, text, foreign = (tmp_path / name for name in ("missing.db", "text.db", "foreign.db"))
    text.write_text("not a database, but long enough to be taken for one: " * 40)
    foreign.write_bytes(b"")
    before = hashlib.sha256(text.read_bytes()).hexdigest()
    for file, reason in ((missing, "no such file"), (text, "cannot be read as a database"), (foreign, "has no table finding")):
        with pytest.raises(ExportRefused, match=reason) as refused:
            export_findings(file)
        assert str(refused.value).startswith(str(file))
        assert "\n" not in str(refused.value)
    assert not missing.exists()
    assert hashlib.sha256(text.read_bytes()).hexdigest() == before


@given(
    st.lists(
        st.tuples(st.floats(-180, 180).map(lambda deg: round(deg, 7)), st.floats(-90, 90).map(lambda deg: round(deg, 7))),
        min_size=2,
        max_size=6,
    )
)
def test_any_line_is_cut_where_it_crosses_the_180th_meridian(positions):
    feature = as_geojson(Feature("a", positions, {}), "LineString")
    is_rfc_7946({"type": "FeatureCollection", "features": [feature]})
    lines = feature["geometry"]["coordinates"]
    flat = [each for line in (lines if feature["geometry"]["type"] == "MultiLineString" else [lines]) for each in line]
    assert [list(each) for each in positions] == [each for each in flat if tuple(each) in set(positions)][: len(positions)] or (
        any(abs(each[0]) == 180 for each in positions)
    )


@pytest.mark.parametrize(
    "text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "  =1", "=cmd|' /C calc'!A0", "|x", "\uff1d1", "\n=1"]
)
def test_a_spreadsheet_takes_no_text_for_a_formula(text):
    assert cell(text) == f"'{text}"
    layer = Layer("x", "Point", ["note"], [Feature("a", [(7.0, 43.0)], {"note": text})])
    out = io.StringIO()
    write_csv(layer, out)
    assert list(csv.reader(io.StringIO(out.getvalue(), newline="")))[1][0] == f"'{text}"


def test_other_values_stand_in_a_table_as_they_are():
    assert [cell(each) for each in (-1.5, 3, None, 'a, "b"', True, ["x"], {"wet": 2}, "2026-05-12T08:30:09.000Z", "1-2")] == [
        -1.5,
        3,
        "",
        'a, "b"',
        1,
        '["x"]',
        '{"wet": 2}',
        "2026-05-12T08:30:09.000Z",
        "1-2",
    ]


def test_a_table_has_its_units_in_its_columns_and_lines_as_wkt(db_file, capsys):
    assert main(["export", str(db_file.parent), "--to", "csv"]) == DONE
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    assert [each["id"] for each in rows] == ["r1-f1", "r1-f2", "r1-f3"]
    assert {"uncertainty_m", "area_m2", "width_m", "length_m", "longitude_deg", "latitude_deg"} <= set(rows[0])
    assert (rows[0]["latitude_deg"], rows[0]["longitude_deg"], rows[0]["area_m2"]) == ("-43.5", "-7.1234568", "")
    assert main(["export", str(db_file.parent), "--to", "csv", "--layer", "tracks"]) == DONE
    (track,) = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    assert track["wkt"] == "LINESTRING (7.01 43.55, 7.02 43.55, 7.03 43.56)"


def test_a_geopackage_opens_in_gdal_with_all_layers(db_file, tmp_path, capsys):
    import pyogrio

    file = tmp_path / "found.gpkg"
    assert main(["export", str(db_file.parent), "--to", "gpkg", "--out", str(file)]) == DONE
    assert [tuple(each) for each in pyogrio.list_layers(file)] == [
        ("findings", "Point"),
        ("tracks", "LineString"),
        ("grades", "LineString"),
        ("tasks", "Point"),
    ]
    info = pyogrio.read_info(file, layer="findings")
    assert (info["crs"], info["features"], info["driver"]) == ("EPSG:4326", 3, "GPKG")
    kinds = dict(zip(info["fields"], info["ogr_types"], strict=True))
    assert (kinds["severity"], kinds["area_m2"], kinds["label"], kinds["seen_at"]) == (
        "OFTInteger64",
        "OFTReal",
        "OFTString",
        "OFTDateTime",
    )
    with closing(sqlite3.connect(file)) as db:
        assert db.execute("PRAGMA application_id").fetchone() == (0x47504B47,)
        assert db.execute("SELECT id, severity, area_m2, seen_at FROM findings ORDER BY id").fetchall() == [
            ("r1-f1", None, None, "2026-05-12T08:30:02Z"),
            ("r1-f2", 2, 0.4, "2026-05-12T08:30:09Z"),
            ("r1-f3", 3, 0.52, "2026-05-12T08:30:12Z"),
        ]
    _, _, geometry, _ = pyogrio.raw.read(file, layer="findings", columns=[])
    assert len(geometry) == 3
    assert main(["export", str(db_file.parent), "--to", "gpkg", "--out", str(file)]) == WRONG_USE
    assert "is there already" in capsys.readouterr().err
    assert [each.name for each in tmp_path.glob(".ronde-*")] == []


def test_a_severe_pothole_in_two_photos_is_a_task_at_once(db_file, capsys):
    assert main(["export", str(db_file.parent), "--to", "tasks"]) == DONE
    (task,) = csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))
    assert tuple(task)[: len(TASK_COLUMNS)] == TASK_COLUMNS
    assert (task["service_request_id"], task["status"], task["service_code"]) == ("r1-f3", "open", "pothole")
    assert task["service_name_fr"] == "nid-de-poule"
    assert task["description"] == "severe pothole, about 0.5 m2, seen in 3 photos, within 2.5 m of here"
    assert (float(task["lat"]), float(task["long"])) == (43.5513, 7.0001)


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, True),
        ({"frames": 1}, False),
        ({"frames": 1, "rounds": 2}, True),
        ({"severity": 2}, False),
        ({"severity": None}, False),
        ({"label": "manhole_open"}, True),
        ({"label": "crack_alligator"}, False),
        ({"label": "crack_alligator", "judgement": "confirmed", "severity": 1}, True),
        ({"judgement": "rejected"}, False),
        ({"label": "sign_stop"}, False),
        ({"label": "patch", "judgement": "confirmed"}, False),
        ({"label": "unheard_of"}, False),
    ],
)
def test_which_findings_are_tasks(changes, wanted):
    given = {"label": "pothole", "severity": 3, "frames": 2, "rounds": 1, "area_m2": 0.3, "uncertainty_m": 4.0}
    work = Work("a", first_seen_at="t", last_seen_at="t", **{**given, **changes})
    assert (task_of(work, (7.0, 43.0)) is not None) == wanted


@pytest.fixture
def town(tmp_path):
    url = f"sqlite:///{tmp_path / 'town.db'}"
    with closing(open_store(url)) as store:
        fill(store, rounds_of(Unit("cannes", "car-07", Path("/nowhere")), 60, began_at=utc("2026-05-04T07:00:00")))
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    with closing(Joiner(lambda: open_joins(url), now=lambda: later)) as joiner:
        assert joiner.step() is Outcome.JOINED
    return url


@pytest.mark.parametrize(
    ("layer", "number"), [("things", 60), ("findings", 60), ("tracks", None), ("grades", 0), ("tasks", None)]
)
def test_a_receivers_database_is_exported_with_what_rounds_made_of_things(town, tmp_path, layer, number):
    file = tmp_path / "town.geojson"
    assert main(["export", "--db", town, "--layer", layer, "--out", str(file)]) == DONE
    collection = json.loads(file.read_text())
    is_rfc_7946(collection)
    if number is not None:
        assert len(collection["features"]) == number
    if layer == "things":
        assert tuple(collection["features"][0]["properties"]) == THING_COLUMNS
        assert {each["properties"]["state"] for each in collection["features"]} == {"new"}
    assert file.stat().st_mode & 0o777 == 0o666 & ~umask()


def umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_a_judgement_makes_and_ends_tasks(town, capsys):
    def tasks():
        assert main(["export", "--db", town, "--to", "tasks"]) == DONE
        return {row["service_request_id"]: row for row in csv.DictReader(io.StringIO(capsys.readouterr().out, newline=""))}

    assert main(["export", "--db", town, "--to", "csv", "--layer", "things"]) == DONE
    things = list(csv.DictReader(io.StringIO(capsys.readouterr().out, newline="")))
    before = tasks()
    crack = next(each["id"] for each in things if each["label"] == "crack_transverse")
    assert crack not in before
    assert before
    with closing(open_judge(town)) as judge:
        judge.say(crack, "confirmed", by="a.martin", note="=HYPERLINK(1)")
        for each in before:
            judge.say(each, "rejected", by="a.martin")
    assert list(tasks()) == [crack]
    assert main(["export", "--db", town, "--to", "csv", "--layer", "things"]) == DONE
    assert "'=HYPERLINK(1)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["DIR", "--db", "sqlite:///x.db"], "one of them"),
        (["DIR", "--layer", "things"], "a unit's database has none"),
        (["DIR", "--to", "tasks", "--layer", "findings"], "--layer does not go with --to tasks"),
        (["DIR", "--to", "gpkg"], "--to gpkg needs --out"),
        (["DIR", "--to", "images"], "--to images needs --out"),
        (["--db", "sqlite:///x.db", "--to", "images", "--out", "x"], "takes the photos of a unit"),
        (["--db", "mysql://x"], "is no database's address"),
        (["DIR", "--out", "/nowhere/at/all.json"], "cannot be written"),
    ],
)
def test_what_does_not_go_together_is_said(db_file, capsys, given, sentence):
    assert main(["export", *(str(db_file.parent) if each == "DIR" else each for each in given)]) == WRONG_USE
    assert sentence in capsys.readouterr().err
