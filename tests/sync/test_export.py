import hashlib
import json

import pytest

from sync.database import open_database
from sync.export import FINDING_COLUMNS, ExportRefused, export_findings, export_tracks

ROUND = "INSERT INTO round (id, started_at, ended_at, software, models, settings) VALUES (?, ?, ?, '0.1.0', '{}', '{}')"
FRAME = (
    "INSERT INTO frame (id, round_id, time_source, latitude_deg, longitude_deg, odometer_m, position_source, hidden) "
    "VALUES (?, ?, 'gnss', ?, ?, ?, 'between_fixes', 0)"
)
FINDING = (
    "INSERT INTO finding (id, round_id, label, score, latitude_deg, longitude_deg, uncertainty_m, frames, best_frame_id, "
    "seen_at, area_m2, severity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)


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
        FINDING, ("r1-f1", "r1", "manhole", 0.9, -43.5, -7.123456789, 2.5, 1, "r1-0", "2026-05-12T08:30:02.000Z", None, None)
    )
    yield file
    db.close()


def test_a_finding_is_a_point_with_its_columns_longitude_first_in_order_of_sight(db_file):
    collection = export_findings(db_file)
    assert collection["type"] == "FeatureCollection"
    manhole, pothole = collection["features"]
    assert pothole["type"] == "Feature"
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
    }
    assert tuple(manhole["properties"]) == FINDING_COLUMNS
    assert json.loads(json.dumps(collection)) == collection


def test_a_round_is_a_line_through_its_placed_frames_along_the_odometer(db_file):
    (track,) = export_tracks(db_file)["features"]
    assert track["geometry"] == {"type": "LineString", "coordinates": [[7.01, 43.55], [7.02, 43.55], [7.03, 43.56]]}
    assert track["properties"] == {
        "round_id": "r1",
        "started_at": "2026-05-12T08:30:00.000Z",
        "ended_at": None,
        "frames": 3,
        "length_m": 12.0,
    }


def test_what_was_found_may_be_exported_while_the_unit_writes(db_file):
    db = open_database(db_file)
    db.conn.execute("BEGIN IMMEDIATE")
    db.conn.execute("DELETE FROM finding")
    assert len(export_findings(db_file)["features"]) == 2
    db.conn.execute("ROLLBACK")
    db.close()


def test_nothing_found_is_an_empty_collection(tmp_path):
    open_database(tmp_path / "ronde.db").close()
    for export in (export_findings, export_tracks):
        assert export(tmp_path / "ronde.db") == {"type": "FeatureCollection", "features": []}


@pytest.mark.parametrize("export", [export_findings, export_tracks])
def test_a_missing_or_foreign_database_is_refused_by_name_and_left_as_it_is(tmp_path, export):
    missing, text, foreign = (tmp_path / name for name in ("missing.db", "text.db", "foreign.db"))
    text.write_text("not a database, but long enough to be taken for one: " * 40)
    foreign.write_bytes(b"")
    before = hashlib.sha256(text.read_bytes()).hexdigest()
    for file, reason in ((missing, "no such file"), (text, "cannot be read as a database"), (foreign, "has no table finding")):
        with pytest.raises(ExportRefused, match=reason) as refused:
            export(file)
        assert str(refused.value).startswith(str(file))
        assert "\n" not in str(refused.value)
    assert not missing.exists()
    assert hashlib.sha256(text.read_bytes()).hexdigest() == before
