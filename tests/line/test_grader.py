"""Grades of a round: told each 500 m with what is known by then, once, also after a power cut; bad photos say why."""

import json
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from types import MappingProxyType

import numpy as np
import pytest

from device.earth import offset
from device.frame import Frame, Place
from inference.anonymise import hide
from inference.detect import Detection
from inference.lens import Lens
from inference.look import Looked
from inference.quality import glance
from provisioning.settings import Backend, Grading, Unit
from sync.database import open_database
from sync.grader import LATE_M, grades_of, reasons_of
from sync.round_store import Recipients, RoundStore
from sync.rounds import close_rounds

ROUND = "aaaaaaaa-1"
AT = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)
GEOMETRY = {"height_m": 1.35, "pitch_deg": 6.0, "yaw_deg": 0.0, "hfov_deg": 63.0, "width": 64, "height": 48}
LENS = Lens(64, 48, 1.35, 6.0, 0.0, 63.0)
PIXELS = np.full((48, 64, 3), 90, np.uint8)
NIGHT = glance(np.full((300, 512, 3), 12, np.uint8))
PATCHES_M = (100.0, 130.0, 520.0)


def place(odometer_m):
    latitude_deg, longitude_deg = offset(43.55, 7.01, 0.0, odometer_m)
    return Place(
        latitude_deg, longitude_deg, 4.9, 0.0, 10.0, odometer_m, "between_fixes", AT + timedelta(seconds=odometer_m / 10), "gnss"
    )


def detections(odometer_m):
    found = []
    for along_m in PATCHES_M:
        ahead_m = along_m - odometer_m
        if 4.0 < ahead_m < 16.0:
            (left, bottom), (right, top) = LENS.project(-0.8, ahead_m - 1.5), LENS.project(0.8, ahead_m + 1.5)
            found.append(Detection("patch", 0.6, (left, top, right, bottom)))
    return tuple(found)


def looked(odometer_m, glanced=None):
    frame = hide(Frame(PIXELS, odometer_m, place(odometer_m)), [])
    return Looked(frame, detections(odometer_m), MappingProxyType({}), None, glanced)


@contextmanager
def timed(_stage):
    yield


@pytest.fixture
def unit(tmp_path, monkeypatch):
    """A database, and whom its events are for; photos are small, and not what is tested here."""
    monkeypatch.setattr("sync.round_store.write_photo", lambda *_: "a" * 64)
    db = open_database(tmp_path / "ronde.db")
    backend = Backend("roads", "mqtt://127.0.0.1", None, None, None, streams=("grade",))
    yield db, tmp_path, Recipients(Unit("cannes", "car-07", tmp_path), (backend,))
    db.close()


def begun(unit, grading=None):
    db, state, recipients = unit
    store = RoundStore(db, state, ROUND, recipients, "c" * 64)
    store.begin(AT, "0", {}, {"camera": GEOMETRY, "roads": "c" * 64, "grade": dict((grading or Grading()).told())})
    return store


def drive(store, from_m, to_m, glanced=None):
    for metre in range(from_m, to_m, 4):
        store.keep(looked(float(metre), glanced), timed)


def events(db):
    return [
        json.loads(payload) for (payload,) in db.conn.execute("SELECT payload FROM outbox WHERE stream = 'grade' ORDER BY seq")
    ]


def coarse(db):
    return [each for each in grades_of(db, ROUND) if each["stretch_m"] == 100.0]


def test_each_500_m_are_told_once_they_are_settled_and_the_rest_at_the_end(unit, validate):
    db, _, _ = unit
    store = begun(unit)
    drive(store, 0, int(500 + LATE_M))
    assert events(db) == []
    drive(store, int(500 + LATE_M) + 1, 600)
    (first,) = events(db)
    assert first["type"] == "ronde.grade.v1"
    store.finish()
    told = events(db)
    assert len(told) == 2
    for event in told:
        validate("grade", event["data"])
    features = [each["properties"] for event in told for each in event["data"]["features"]]
    assert [(each["from_m"], each["to_m"]) for each in features if each["stretch_m"] == 100.0] == [
        (n * 100.0, (n + 1) * 100.0) for n in range(5)
    ] + [(500.0, 596.0)]
    assert [each["grade"] > 1.0 for each in coarse(db)] == [True, True, False, False, False, True]
    assert all(each["coverage"] == 1.0 for each in coarse(db)[1:-1])
    assert first["time"].startswith("2026-05-04T09:00:50")  # where the piece ends


@pytest.mark.parametrize("cut_m", [300, 552])
def test_after_a_power_cut_the_rest_is_graded_at_the_next_start_and_nothing_twice(unit, cut_m):
    db, state, recipients = unit
    drive(begun(unit), 0, cut_m)
    before = events(db)
    assert len(before) == (1 if cut_m > 500 + LATE_M else 0)
    close_rounds(db, state, recipients)
    ends = [each["to_m"] for each in coarse(db)]
    assert ends[-1] == pytest.approx(cut_m - 4.0)
    assert len(set(ends)) == len(ends)
    assert events(db)[: len(before)] == before


def test_a_replay_that_was_cut_off_grades_as_one_that_was_not(unit):
    db, _, _ = unit
    drive(begun(unit), 0, 560)
    again = begun(unit)
    drive(again, 0, 620)
    again.finish()
    cut = grades_of(db, ROUND)
    db.conn.execute("DELETE FROM grade")
    db.conn.commit()
    whole = begun(unit)
    whole.finish()
    assert cut == grades_of(db, ROUND)


def test_photos_of_the_night_grade_nothing_and_say_so(unit):
    db, _, _ = unit
    store = begun(unit)
    drive(store, 0, 120)
    drive(store, 120, 240, NIGHT)
    assert store.windscreen.reasons() == ("dark",)
    store.finish()
    day, dusk, night = coarse(db)
    assert day["grade"] is not None
    assert (night["grade"], night["coverage"]) == (None, 0.0)
    assert set(night["reasons"]) <= {"dark", "no_frame"}
    assert reasons_of(db, ROUND) == {"dark": 30}
    assert dusk["reasons"]["dark"] > 0


@pytest.mark.parametrize(("round_id", "moved"), [("bbbbbbbb-7", True), (ROUND, False)])
def test_what_a_camera_is_known_for_comes_from_other_rounds(unit, round_id, moved):
    """A replay that was cut off late begins as it began the first time."""
    db, _, _ = unit
    known = {"round": round_id, "lens": [64, 48, 1.35, 6.0, 0.0, 63.0, LENS.k1], "dry": [], "drift": [3.0, 0.0, True]}
    db.conn.execute("INSERT INTO setting (key, value) VALUES ('windscreen', ?)", [json.dumps(known)])
    db.conn.commit()
    store = begun(unit)
    drive(store, 0, 120, NIGHT)
    assert ("mount_moved" in store.windscreen.reasons()) is moved
    store.finish()
    ((left,),) = db.conn.execute("SELECT value FROM setting WHERE key = 'windscreen'").fetchall()
    assert json.loads(left)["round"] == ROUND


def test_a_town_grades_by_its_own_scale_and_streets(unit, tmp_path):
    db, _, _ = unit
    there = [[7.01, 43.55 + n * 0.0018] for n in (-1, 0)], [[7.01, 43.55 + n * 0.0009] for n in (1, 3)]
    lines = [
        {"type": "Feature", "properties": {"name": name}, "geometry": {"type": "LineString", "coordinates": line}}
        for name, line in zip(("Rue Hoche", "Rue Macé"), there, strict=True)
    ]
    file = tmp_path / "streets.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": lines}))
    store = begun(unit, Grading(streets=file, patch=(0.1, 0.5, 1.0)))
    drive(store, 0, 200)
    store.finish()
    assert {each["street"] for each in grades_of(db, ROUND)} == {"Rue Hoche", "Rue Macé"}
    assert max(each["grade"] or 0 for each in grades_of(db, ROUND)) == 5.0
    assert len(coarse(db)) == 3  # cut where the second street begins


def test_a_file_of_streets_that_cannot_be_read_stops_nobody(unit, tmp_path):
    db, _, _ = unit
    store = begun(unit, Grading(streets=tmp_path / "nowhere.geojson"))
    drive(store, 0, 100)
    store.finish()
    assert coarse(db)[0]["grade"] is not None
    assert "street" not in coarse(db)[0]
