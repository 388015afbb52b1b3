import csv
import json
import threading

import numpy as np
import pytest

from device.boot import now_s
from device.drive import read_drive
from device.street.__main__ import main
from device.street.live import StreetCamera, StreetFixes, live_drive
from device.street.recording import draw_drive
from device.street.scene_file import read_scene
from inference.coco import read_set
from provisioning.settings import Camera

FPS = 2.0


def bytes_of(folder):
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.fixture(scope="module")
def drive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drive")
    draw_drive(folder, 2.0, 1, width=320, height=240, fps=FPS)
    return folder


def test_a_drive_is_what_the_line_reads(drive):
    read = read_drive(drive)
    assert (len(read.exposures), read.unreadable, read.rejected) == (4, (), {})
    assert len(read.fixes) >= 4
    assert (read.geometry_source, read.speed_source) == ("drive", "doppler")
    assert read.exposures[0].read().shape == (240, 320, 3)
    assert read.fixes[0].fix.boot_s <= read.exposures[0].shutter_boot_s
    assert read.fixes[-1].fix.boot_s >= read.exposures[-1].shutter_boot_s


def test_its_scene_lies_beside_it_and_every_frame_is_listed(drive):
    assert read_scene(drive / "scene.json").purpose == "tests"
    with (drive / "frames.csv").open() as table:
        rows = list(csv.DictReader(table))
    assert sorted(row["file"] for row in rows) == sorted(each.name for each in (drive / "frames").iterdir())


def test_a_seed_draws_the_same_drive_again_and_another_seed_another(drive, tmp_path):
    draw_drive(tmp_path / "same", 2.0, 1, width=320, height=240, fps=FPS)
    draw_drive(tmp_path / "other", 0.5, 2, width=320, height=240, fps=FPS)
    assert bytes_of(tmp_path / "same") == bytes_of(drive)
    assert bytes_of(tmp_path / "other")["frames/000000.jpg"] != bytes_of(drive)["frames/000000.jpg"]


def test_a_set_is_coco_in_rondes_labels(tmp_path, capsys):
    assert main(["--coco", str(tmp_path), "--frames", "3", "--seed", "5", "--purpose", "tests"]) == 0
    assert "3 pictures" in capsys.readouterr().out
    truth = read_set(tmp_path / "truth.json", tmp_path / "images")
    assert len(truth.pictures) == 3
    assert {"vehicle", "person", "plate", "manhole"} <= set(truth.categories)
    for picture in truth.pictures:
        assert picture.pixels().shape == (480, 640, 3)
        assert (picture.boxes[:, 2:] > picture.boxes[:, :2]).all()
        assert (picture.boxes >= 0).all()
        assert (picture.boxes[:, 2] <= 640).all()
    document = json.loads((tmp_path / "truth.json").read_text())
    assert all(0.0 <= each["covered"] <= 1.0 and each["iscrowd"] in {0, 1} for each in document["annotations"])
    assert len({each["id"] for each in document["annotations"]}) == len(document["annotations"])


def test_wrong_use_is_two(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--frames", "0"])
    assert ended.value.code == 2
    assert "not above 0" in capsys.readouterr().err


def test_camera_and_receiver_of_the_unit_show_one_drive():
    shots, ten = [], threading.Event()

    def deliver(exposure):
        shots.append(exposure)
        if len(shots) >= 10:
            ten.set()

    camera = StreetCamera(Camera(kind="simulated", width=160, height=120, fps=20))
    fixes = StreetFixes()
    camera.start(deliver)
    try:
        assert ten.wait(30.0)
        camera.check(now_s())
        fix = None
        deadline_s = now_s() + 60.0
        drive = live_drive()
        while fix is None and now_s() < deadline_s and not drive.in_tunnel(now_s() % drive.seconds):
            fix = fixes.next_fix(1.0)
    finally:
        camera.close()
        camera.close()
        fixes.close()
    steps = np.diff([each.shutter_boot_s for each in shots[:10]])
    assert steps == pytest.approx(1 / 20, abs=1e-6)
    assert np.array_equal(shots[3].read(), shots[3].read())
    assert shots[0].read().shape == (120, 160, 3)
    if fix is not None:
        true = drive.pose(fix.boot_s % drive.seconds)
        latitude_deg, longitude_deg = drive.scene.place_deg(true.east_m, true.north_m)
        assert (fix.latitude_deg, fix.longitude_deg) == pytest.approx((latitude_deg, longitude_deg), abs=2e-4)
    assert fixes.next_fix(0.0) is None or fixes.speed_source == "doppler"
