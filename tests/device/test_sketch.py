import csv
import json
import math
from datetime import datetime

import numpy as np
import pytest
from PIL import Image

from device.drive import read_drive
from device.sketch import MINUTE_S, Street, draw_drive, driven_at, fixes, speed_at
from device.sketch_figures import SIGNS
from device.sketch_things import CHUNK_M, GROUND_PX, HALF_M, ON_ROAD
from device.sketch_view import Board, View
from inference.labels import BY_NAME

SECONDS, WIDTH, HEIGHT, FPS = 2.0, 320, 240, 3.0


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drive")
    draw_drive(folder, SECONDS, 1, width=WIDTH, height=HEIGHT, fps=FPS)
    return folder


def test_a_drive_is_what_the_line_reads(drive):
    read = read_drive(drive)
    assert (len(read.exposures), read.unreadable, read.rejected) == (6, (), {})
    assert len(read.fixes) == 5
    assert (read.geometry_source, read.speed_source) == ("drive", "doppler")
    assert read.geometry == {"height_m": 1.35, "pitch_deg": 6.0, "yaw_deg": 0.0, "hfov_deg": 63.0}
    assert read.exposures[0].read().shape == (HEIGHT, WIDTH, 3)


def test_every_frame_is_listed_with_its_time_and_nothing_else_is_there(drive):
    with (drive / "frames.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert sorted(row["file"] for row in rows) == sorted(each.name for each in (drive / "frames").iterdir())
    times = [datetime.fromisoformat(row["time"].replace("Z", "+00:00")) for row in rows]
    assert [(later - times[0]).total_seconds() for later in times] == pytest.approx([n / FPS for n in range(6)], abs=0.001)
    assert sorted(each.name for each in drive.iterdir()) == ["drive.toml", "fixes.jsonl", "frames", "frames.csv"]


def bytes_of(folder):
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_a_seed_draws_the_same_drive_again_and_another_seed_another(drive, tmp_path):
    draw_drive(tmp_path / "same", SECONDS, 1, width=WIDTH, height=HEIGHT, fps=FPS)
    draw_drive(tmp_path / "other", 1.0, 2, width=WIDTH, height=HEIGHT, fps=1)
    assert bytes_of(tmp_path / "same") == bytes_of(drive)
    assert bytes_of(tmp_path / "other")["frames/000000.jpg"] != bytes_of(drive)["frames/000000.jpg"]


def seen_px(right_m, up_m, ahead_m, width=640, height=480):
    """A pinhole 1.35 m above the road and 1.75 m right of its middle, 6 degrees down, 63 across: by rotation matrix."""
    pitch = math.radians(6)
    turn = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    x, y, z = turn @ (right_m - 1.75, 1.35 - up_m, ahead_m)
    focal = width / 2 / math.tan(math.radians(31.5))
    return width / 2 + focal * x / z, height / 2 + focal * y / z


@pytest.mark.parametrize(("right_m", "ahead_m"), [(1.75, 4.0), (0.2, 6.5), (3.0, 9.0), (-2.0, 14.0), (2.0, 25.0)])
def test_the_ground_lies_where_a_pinhole_sees_it(right_m, ahead_m):
    driven_m = 33.3
    spot = (driven_m + ahead_m, right_m + HALF_M)

    def chunk(number):
        ground = np.full((round(CHUNK_M * GROUND_PX), round(2 * HALF_M * GROUND_PX), 3), 100, np.uint8)
        along, across = ((np.arange(n) + 0.5) / GROUND_PX for n in ground.shape[:2])
        ground[np.hypot((along + number * CHUNK_M - spot[0])[:, None], across - spot[1]) < 0.25] = (255, 0, 0)
        return ground

    bare = np.zeros((800, 320, 4), np.uint8)
    frame = np.asarray(View(640, 480, bare, bare, chunk).draw(driven_m, [], np.random.default_rng(1))).astype(int)
    rows, columns = np.nonzero(frame[..., 0] - frame[..., 1] > 40)
    assert len(rows) > 4
    u, v = seen_px(right_m, 0.0, ahead_m)
    assert (columns.mean(), rows.mean()) == pytest.approx((u, v), abs=max(1.5, 8 / ahead_m))


def test_what_stands_has_its_foot_and_its_head_where_a_pinhole_sees_them():
    bare = np.zeros((800, 320, 4), np.uint8)

    def frame(*boards):
        grey = np.full((round(CHUNK_M * GROUND_PX), round(2 * HALF_M * GROUND_PX), 3), 230, np.uint8)
        view = View(640, 480, bare, bare, lambda _: grey)
        return np.asarray(view.draw(0.0, boards, np.random.default_rng(1))).astype(int)

    changed = np.abs(frame(Board("light_red", 0, 10.0, 3.0, (0.5, 3.4))) - frame()).max(2) > 60
    rows, columns = np.nonzero(changed)
    assert rows.min() == pytest.approx(seen_px(3.0, 3.38, 10.0)[1], abs=3)
    assert rows.max() == pytest.approx(seen_px(3.0, 0.0, 10.0)[1], abs=3)
    assert columns.mean() == pytest.approx(seen_px(3.0, 1.7, 10.0)[0], abs=3)


def test_the_car_drives_as_its_receiver_says():
    reports = [each for each in fixes(60, 1) if each["class"] == "TPV"]
    assert [each["mode"] for each in reports] == [3] * 63
    seconds = np.arange(-1, 62)
    north_m = np.radians([each["lat"] - reports[1]["lat"] for each in reports]) * 6_371_008.8
    east = np.radians([each["lon"] - reports[1]["lon"] for each in reports]) * 6_371_008.8
    east_m = east * math.cos(math.radians(reports[1]["lat"]))
    driven_m = np.array([driven_at(second) for second in seconds])
    assert np.abs(np.hypot(north_m, east_m) * np.sign(driven_m) - driven_m).max() < 4 * 0.5 * math.sqrt(2)
    assert np.abs([each["speed"] - speed_at(second) for each, second in zip(reports, seconds, strict=True)]).max() < 0.25
    tracks = [each["track"] for each in reports if "track" in each]
    assert np.abs(np.array(tracks) - 61).max() < 2


def test_driven_is_the_integral_of_speed_and_stands_at_two_lights_a_minute():
    seconds = np.linspace(0, 2 * MINUTE_S, 24_001)
    speeds = np.array([speed_at(each) for each in seconds])
    driven = np.concatenate([[0], np.cumsum((speeds[1:] + speeds[:-1]) / 2 * np.diff(seconds))])
    assert np.abs(driven - [driven_at(each) for each in seconds]).max() < 0.01
    stops = np.flatnonzero(np.diff((speeds < 0.01).astype(int)) == 1)
    assert len(stops) == 4
    assert speeds.max() < 50 / 3.6
    assert np.abs(np.diff(speeds) / np.diff(seconds)).max() < 3.0


def test_the_street_holds_all_that_ronde_reports_on_and_names_it_as_ronde_does():
    street = Street(60, 1)
    assert {thing.label for thing in street.on_road} == set(ON_ROAD)
    assert set(ON_ROAD) | set(SIGNS) <= set(BY_NAME)
    kinds = {board.kind.partition("-")[0] for board in street.boards(20.0)}
    assert {*SIGNS, "light_red", "tree", "car_front", "car_behind", "car_side", "person_front", "person_back"} <= kinds
    assert "light_red" not in {board.kind for board in street.boards(30.0)}


def test_frames_are_pictures_of_something(drive):
    first, *_, last = (np.asarray(Image.open(each)).astype(int) for each in sorted((drive / "frames").iterdir()))
    sky, road = first[:30].mean((0, 1)), first[-60:].mean((0, 1))
    assert sky[2] > sky[0] + 20
    assert np.ptp(road) < 12
    assert np.abs(first - last).mean() > 5


def test_fixes_are_gpsds_own_json():
    for each in fixes(3, 1):
        assert json.loads(json.dumps(each)) == each
