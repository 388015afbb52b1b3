"""A recorded drive goes in; photos, findings and events come out, the same ones each time."""

import hashlib
import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from PIL import Image

from device.drive import DriveRefused
from inference.manifest import SHIPPED
from provisioning.settings import Backend, Models, Settings, Unit
from sync.database import DatabaseRefused
from sync.replay import ReplayRefused, replay

KEYS = (
    "round_id, software, models, frames_read, frames_kept, frames_unreadable, marks, gaps, length_m, gap_histogram_m, "
    "share_within, spacing_m, spacing_tolerance_m, standing_s, standing_frames, filled_share, hidden_regions, "
    "hidden_area_share, detections, findings, speed_source, geometry, seconds, invoke_share"
)
DEADLINE_S = 60.0


def settings_for(state, models=None):
    backend = Backend("roads", "mqtt://127.0.0.1:1", None, None, None)
    return Settings(Unit("cannes", "car-07", state), models=models or Models(), backends=(backend,))


def rows(folder, query):
    db = sqlite3.connect(folder / "ronde.db")
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


def content_of(folder):
    """All that a round is, but for the clock's own marks."""
    return {
        "frames": rows(folder, "SELECT * FROM frame ORDER BY id"),
        "detections": rows(folder, "SELECT * FROM detection ORDER BY rowid"),
        "findings": rows(folder, "SELECT * FROM finding ORDER BY id"),
        "outbox": rows(folder, "SELECT seq, id, backend, stream, payload FROM outbox ORDER BY seq"),
        "tracks": rows(folder, "SELECT * FROM track ORDER BY n"),
        "gaps": rows(folder, "SELECT * FROM gap ORDER BY odometer_m"),
        "photos": {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*.jpg")},
    }


@pytest.fixture(scope="module")
def replayed(drawn_drive, tmp_path_factory):
    out = tmp_path_factory.mktemp("replayed")
    return out, replay(drawn_drive, out, settings_for(out))


def test_the_report_has_every_key_of_the_contract(replayed):
    out, report = replayed
    assert set(KEYS.split(", ")) <= set(report)
    assert json.loads((out / "report.json").read_text()) == report
    assert report["speed_source"] == "doppler"
    assert report["geometry"] == "drive"


def test_every_photo_has_its_row_and_every_row_its_photo(replayed):
    out, report = replayed
    frames = rows(out, "SELECT id, file, sha256, source, position_source, time_source FROM frame")
    assert len(frames) == report["frames_kept"] > 20
    for frame_id, file, sha256, source, position_source, time_source in frames:
        assert frame_id.startswith(report["round_id"] + "-")
        assert hashlib.sha256((out / file).read_bytes()).hexdigest() == sha256
        assert source.endswith(".jpg")
        assert (position_source, time_source) == ("between_fixes", "gnss")
    assert {str(p.relative_to(out)) for p in out.rglob("frames/**/*") if p.is_file()} == {frame[1] for frame in frames}


def test_photos_are_a_spacing_apart_where_the_drive_has_the_frames(replayed):
    _, report = replayed
    assert report["standing_frames"] == 0
    assert report["share_within"] > 0.9
    assert report["length_m"] == pytest.approx(report["marks"] * 4.0, rel=0.1)


def test_each_finding_and_each_track_is_an_event_in_the_outbox_and_valid(replayed, validate):
    out, _ = replayed
    events = rows(out, "SELECT seq, id, stream, topic, payload FROM outbox ORDER BY seq")
    findings = rows(out, "SELECT id FROM finding")
    assert [e[2] for e in events].count("finding") == len(findings)
    assert [e[2] for e in events].count("track") == len(rows(out, "SELECT n FROM track")) > 0
    for seq, event_id, stream, topic, payload in events:
        event = json.loads(payload)
        validate("event", event)
        assert (event["id"], event["sequence"]) == (event_id, f"{seq:012d}")
        assert topic == f"ronde/v1/cannes/car-07/{stream}"


def test_the_same_drive_again_adds_nothing(replayed, drawn_drive):
    out, report = replayed
    before = content_of(out)
    assert replay(drawn_drive, out, settings_for(out)) == report
    assert content_of(out) == before


def test_the_same_drive_elsewhere_gives_the_same_ids(replayed, drawn_drive, tmp_path):
    out, _ = replayed
    replay(drawn_drive, tmp_path, settings_for(tmp_path))
    assert content_of(tmp_path) == content_of(out)


def test_a_replay_that_was_killed_goes_on_to_the_same_end(replayed, drawn_drive, tmp_path):
    out, _ = replayed
    config = tmp_path / "ronde.toml"
    config.write_text('[unit]\nfleet = "cannes"\nname = "car-07"\n[[backend]]\nname = "roads"\nurl = "mqtt://127.0.0.1:1"\n')
    folder, tick = tmp_path / "out", threading.Event()
    for photos in (3, 12):
        run = subprocess.Popen(
            [sys.executable, "-m", "sync.command", "replay", str(drawn_drive), "--out", str(folder), "--config", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        until = time.monotonic() + DEADLINE_S
        while len(list(folder.rglob("*.jpg"))) < photos:
            assert run.poll() is None
            assert time.monotonic() < until
            tick.wait(0.005)
        run.send_signal(signal.SIGKILL)
        run.wait()
    replay(drawn_drive, folder, settings_for(folder))
    assert content_of(folder) == content_of(out)


def test_without_a_configuration_nobody_is_told(drawn_drive, tmp_path):
    report = replay(drawn_drive, tmp_path)
    assert report["frames_kept"] > 20
    assert rows(tmp_path, "SELECT count(*) FROM outbox") == [(0,)]


def test_another_drive_is_refused_and_nothing_is_lost(replayed, drawn_drive, straight_drive, tmp_path):
    out, report = replayed
    before = content_of(out)
    pictures = sorted((drawn_drive / "frames").iterdir())[:10]
    other = straight_drive(tmp_path / "other", pictures, step_m=4.0, speed_mps=13.9)
    with pytest.raises(ReplayRefused, match=f"another drive \\(round {report['round_id']}"):
        replay(other, out)
    assert content_of(out) == before


def test_a_database_of_a_newer_version_is_refused_and_left_alone(drawn_drive, tmp_path):
    replay(drawn_drive, tmp_path)
    db = sqlite3.connect(tmp_path / "ronde.db")
    table = next(
        name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE name LIKE '%migrations%' AND type = 'table'")
    )
    db.execute(f"INSERT INTO {table} (migration_set, name, applied_at) VALUES ('ronde', 'm999_future', '2030-01-01')")
    db.commit()
    db.close()
    before = content_of(tmp_path)
    with pytest.raises(DatabaseRefused, match="newer ronde"):
        replay(drawn_drive, tmp_path)
    assert content_of(tmp_path) == before


def test_broken_pictures_are_counted_and_the_rest_is_driven(drawn_drive, straight_drive, tmp_path):
    pictures = sorted((drawn_drive / "frames").iterdir())[:30]
    drive = straight_drive(tmp_path / "drive", pictures, step_m=2.0, speed_mps=10.0)
    victims = sorted((drive / "frames").iterdir())
    for number, content in ((4, b""), (9, b"no picture at all"), (14, victims[14].read_bytes()[:4000])):
        victims[number].unlink()
        victims[number].write_bytes(content)
    report = replay(drive, tmp_path / "out")
    assert report["frames_unreadable"] == 3
    assert report["frames_kept"] >= 12
    assert "frame_unreadable" not in report["dropped"]


def test_a_picture_whose_middle_is_damaged_gives_way_to_its_neighbour(drawn_drive, straight_drive, tmp_path):
    """Its header and its end are whole: only decoding tells."""
    pictures = sorted((drawn_drive / "frames").iterdir())[:30]
    drive = straight_drive(tmp_path / "drive", pictures, step_m=1.0, speed_mps=10.0)
    first = replay(drive, tmp_path / "first")
    victim = drive / "frames" / rows(tmp_path / "first", "SELECT source FROM frame ORDER BY id")[2][0]
    content = bytearray(victim.read_bytes())
    at = content.find(b"\xff\xda")
    content[at : at + 2] = b"\xff\xd9"
    victim.unlink()
    victim.write_bytes(content)
    second = replay(drive, tmp_path / "second")
    assert second["frames_unreadable"] == 1
    assert second["frames_kept"] == first["frames_kept"]


@pytest.mark.parametrize("missing", ["fixes.jsonl", "frames.csv"])
def test_a_drive_without_fixes_or_frames_is_refused_in_a_sentence(drawn_drive, tmp_path, missing):
    drive = tmp_path / "drive"
    drive.mkdir()
    for name in {"fixes.jsonl", "frames.csv", "frames", "drive.toml"} - {missing}:
        (drive / name).symlink_to(drawn_drive / name)
    with pytest.raises(DriveRefused) as refused:
        replay(drive, tmp_path / "out")
    assert "\n" not in str(refused.value)
    assert str(drive) in str(refused.value)
    assert not (tmp_path / "out").exists()


def test_a_real_dash_camera_drive(ronde_data, tmp_path):
    """drive-sf: 58 frames 8 m apart, a pause of 38 s; positions from EXIF, no speed."""
    report = replay(ronde_data / "drive-sf", tmp_path)
    assert report["speed_source"] == "positions"
    assert report["geometry"] == "assumed"
    assert report["frames_read"] == 58
    assert report["frames_kept"] >= 54
    assert report["length_m"] == pytest.approx(58 * 8.0, rel=0.1)
    assert {gap["reason"] for gap in report["gaps"]} <= {"no_frame", "no_fix"}
    assert report["hidden_regions"] > 0
    with Image.open(next(tmp_path.rglob("*.jpg"))) as photo:
        assert photo.size == (2028, 1024)


def test_a_road_section_surveyed_every_five_metres(ronde_data, straight_drive, tmp_path):
    """dnit-brazil: one section, consecutive frames about 5 m apart, on a straight track at 50 km/h."""
    pictures = sorted((ronde_data / "dnit-brazil" / "images").glob("*_RS_386_386RS169832_*.jpg"))
    assert len(pictures) >= 30
    drive = straight_drive(tmp_path / "drive", pictures, step_m=5.0, speed_mps=13.9)
    report = replay(drive, tmp_path / "out")
    assert report["frames_kept"] >= len(pictures) - 2
    assert report["share_within"] == 0.0  # five metres are not four, and the report says so
    assert set(report["gap_histogram_m"]) <= {"4.5", "5.0"}
    assert sum(report["detections"].values()) > 0


def test_the_models_are_named_in_the_report(replayed):
    _, report = replayed
    for name, sha256 in report["models"].items():
        assert hashlib.sha256((SHIPPED / f"{name}.tflite").read_bytes()).hexdigest() == sha256


def test_a_tunnel_is_photographed_and_placed_afterwards(drawn_drive, tmp_path):
    """The fixes between 6 s and 14 s are lost: eight seconds of road that the ring in memory cannot bridge."""
    drive = tmp_path / "drive"
    shutil.copytree(drawn_drive, drive)
    lines = (drive / "fixes.jsonl").read_text().splitlines(keepends=True)
    times = [json.loads(line).get("time", "") for line in lines]
    reports = [number for number, line in enumerate(lines) if '"TPV"' in line]
    lost = set(reports[7:15])
    (drive / "fixes.jsonl").write_text("".join(line for number, line in enumerate(lines) if number not in lost))
    whole, tunnel = replay(drawn_drive, tmp_path / "whole"), replay(drive, tmp_path / "out", settings_for(tmp_path / "out"))

    begins, ends = times[reports[6]], times[reports[15]]
    inside = rows(
        tmp_path / "out",
        f"SELECT position_source, odometer_m, accuracy_m, file FROM frame WHERE taken_at > '{begins}' AND taken_at < '{ends}' "
        "ORDER BY taken_at",
    )
    assert {position_source for position_source, *_ in inside} == {"filled"}
    readings = [odometer_m for _, odometer_m, _, _ in inside]
    assert readings == sorted(readings)
    assert all(2.0 <= b - a <= 6.0 for a, b in itertools.pairwise(readings))
    assert tunnel["frames_kept"] == pytest.approx(whole["frames_kept"], abs=3)
    assert tunnel["filled_share"] == pytest.approx(len(inside) / tunnel["frames_kept"], abs=1e-3)
    assert not [gap for gap in tunnel["gaps"] if gap["reason"] == "no_fix"]
    assert rows(tmp_path / "out", "SELECT count(*) FROM frame WHERE position_source = 'ahead_of_fix'") == [(0,)]
    photos = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.jpg")}
    assert photos == {file for (file,) in rows(tmp_path / "out", "SELECT file FROM frame")}
    assert len(rows(tmp_path / "out", "SELECT id FROM finding")) == sum(tunnel["findings"].values())
    assert rows(tmp_path / "out", "SELECT sum(filled_m) > 50 FROM track") == [(1,)]

    again = tmp_path / "again"
    replay(drive, again, settings_for(again))
    assert content_of(again) == content_of(tmp_path / "out")
