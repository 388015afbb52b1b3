"""`ronde calibrate`: straight streets, the height from a length, a configuration that is whole or not there, and the picture."""

import json
import math
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from PIL import Image

from device.fix import Fix
from device.frame import Exposure, Frame
from device.street.recording import draw_drive
from inference.anonymise import hide
from inference.lens import Lens
from inference.locate import road_of
from provisioning.settings import Camera, Settings, Unit, read_settings
from sync import calibrate_write
from sync.calibrate import CalibrationRefused, Length, Shown, calibrate, height_of, is_straight, length_of
from sync.calibrate_live import EVERY_S, Gatherer
from sync.calibrate_picture import draw_grid, write_grid
from sync.calibrate_write import with_camera, write_camera
from sync.command import DONE, WRONG_USE, main

AT = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)


def fixes(course, speed_mps=10.0, seconds=12):
    """One a second, on the course that `course` gives, or on none, then a way to the north."""
    return [
        Fix(43.55 + speed_mps * each / 111_000, 7.01, 4.9, speed_mps, course(each), AT + timedelta(seconds=each), float(each))
        for each in range(seconds)
    ]


def test_a_street_is_straight_where_the_car_goes_on_as_it_does():
    assert is_straight(fixes(lambda _: 20.0), 3.0)
    assert is_straight(fixes(lambda _: None), 3.0)
    assert not is_straight(fixes(lambda s: 20.0 + 3.0 * max(0, s - 4)), 3.0)  # a bend ahead
    assert not is_straight(fixes(lambda _: 20.0, speed_mps=2.0), 3.0)
    assert not is_straight(fixes(lambda _: 20.0), 11.0)  # what comes is not known


def test_a_known_length_tells_the_height():
    true, assumed = Lens(640, 480, 1.5, 5.0, 2.0, 63.0), Lens(640, 480, 1.35, 5.0, 2.0, 63.0)
    one, other = true.project(0.5, 5.0), true.project(0.5, 8.0)
    assert height_of(assumed, Length(one, other, 3.0)) == pytest.approx(1.5, abs=1e-6)
    assert math.dist(road_of(true, *one), road_of(true, *other)) == pytest.approx(3.0)


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d,e", "1,2,3,4,5,6"])
def test_a_length_is_five_numbers(text):
    with pytest.raises(CalibrationRefused, match="METRES"):
        length_of(text)


def test_a_length_off_the_road_is_refused():
    with pytest.raises(CalibrationRefused, match="does not see the road"):
        height_of(Lens(640, 480, 1.35, 6.0, 0.0, 63.0), length_of("320,50,320,400,3"))


def test_too_few_frames_are_refused():
    with pytest.raises(CalibrationRefused, match="too few"):
        calibrate(Shown([np.zeros((0, 5))] * 3, np.zeros((480, 640, 3), np.uint8), None), {})


CONFIG = """\
# the car of the harbour
[unit]
fleet = "cannes"
name = "car-07"  # keep

[camera]
kind = "v4l2"
pitch_deg = 4.5  # guessed
height_m=1.4

[trigger]
spacing_m = 5
"""


def test_the_configuration_changes_in_three_lines_and_nowhere_else(tmp_path):
    file = tmp_path / "ronde.toml"
    file.write_text(CONFIG)
    write_camera(file, 1.42, 6.25, -0.5)
    camera = read_settings(file).camera
    assert (camera.height_m, camera.pitch_deg, camera.yaw_deg, camera.kind) == (1.42, 6.25, -0.5, "v4l2")
    kept = [line for line in file.read_text().splitlines() if not line.startswith(("height", "pitch", "yaw"))]
    assert kept == [line for line in CONFIG.splitlines() if not line.startswith(("height", "pitch"))]
    assert "pitch_deg = 6.25  # guessed" in file.read_text()


def test_a_configuration_without_a_camera_gets_one(tmp_path):
    file = tmp_path / "ronde.toml"
    file.write_text('[unit]\nfleet = "cannes"\nname = "car-07"\n')
    write_camera(file, 1.42, 6.25, -0.5)
    assert read_settings(file).camera == Camera(height_m=1.42, pitch_deg=6.25, yaw_deg=-0.5)


def test_what_cannot_be_changed_line_by_line_is_left_alone(tmp_path):
    file = tmp_path / "ronde.toml"
    text = 'camera = { pitch_deg = 4.5 }\n[unit]\nfleet = "cannes"\nname = "car-07"\n'
    file.write_text(text)
    with pytest.raises(CalibrationRefused, match=r"pitch_deg = 6\.25"):
        write_camera(file, 1.42, 6.25, -0.5)
    assert file.read_text() == text
    assert "[camera]" in with_camera(text, {"pitch_deg": 6.25})


def test_a_disk_that_takes_nothing_leaves_the_old_text(tmp_path, monkeypatch):
    file = tmp_path / "ronde.toml"
    file.write_text(CONFIG)

    def full(_file, _text):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(calibrate_write, "save", full)
    with pytest.raises(CalibrationRefused, match="No space left"):
        write_camera(file, 1.42, 6.25, -0.5)
    assert file.read_text() == CONFIG


def test_the_grid_lies_on_the_road_and_the_frame_below_stays_hidden(tmp_path):
    lens = Lens(640, 480, 1.35, 6.0, 0.0, 63.0)
    frame = hide(Frame(np.full((480, 640, 3), 90, np.uint8), 0.0, None), [])
    drawn = np.asarray(draw_grid(frame, lens))
    changed = np.argwhere((drawn != 90).any(axis=2))
    horizon = 240 - lens.focal_px * math.tan(math.radians(6.0))
    assert changed[:, 0].min() == pytest.approx(horizon, abs=2)
    column, row = lens.project(1.0, 6.0)
    assert (drawn[round(row) - 1 : round(row) + 2, round(column) - 1 : round(column) + 2] != 90).any()
    for name, kind in (("grid.png", "PNG"), ("grid.jpg", "JPEG")):
        write_grid(tmp_path / name, frame, lens)
        with Image.open(tmp_path / name) as picture:
            assert (picture.format, picture.size) == (kind, (640, 480))


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    """A drive of the street, a frame a second: the geometry is known."""
    folder = tmp_path_factory.mktemp("street") / "drive"
    draw_drive(folder, seconds=18.0, fps=1, seed=1)
    return folder


def test_the_command_finds_how_the_streets_camera_is_mounted(street, tmp_path, capsys):
    config = tmp_path / "ronde.toml"
    config.write_text('[unit]\nfleet = "cannes"\nname = "car-07"\n[camera]\npitch_deg = 1.0\n')
    picture = tmp_path / "grid.png"
    argv = ["calibrate", str(street), "--config", str(config), "--write", "--out", str(picture), "--json"]
    assert main(argv) == DONE
    result = json.loads(capsys.readouterr().out)
    assert (result["pitch_deg"], result["yaw_deg"]) == pytest.approx((6.0, 0.0), abs=0.5)
    assert read_settings(config).camera.pitch_deg == pytest.approx(6.0, abs=0.5)
    assert picture.exists()


@pytest.mark.parametrize(
    ("argv", "words"), [([], "--live"), (["DRIVE", "--live"], "one of them"), (["nowhere"], "no such folder")]
)
def test_wrong_use_is_one_sentence(argv, words, capsys):
    assert main(["calibrate", *argv]) == WRONG_USE
    err = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ronde: ")]
    assert len(err) == 1
    assert words in err[0]


def test_a_real_dash_camera_is_too_unsure_to_be_written(ronde_data, tmp_path, capsys):
    """drive-sf: few markings, a bonnet and reflections; what is found is near the eye's own judgement, and told to be unsure."""
    config = tmp_path / "ronde.toml"
    config.write_text('[unit]\nfleet = "sf"\nname = "bee"\n[camera]\nhfov_deg = 120.0\n')
    assert main(["calibrate", str(ronde_data / "drive-sf"), "--config", str(config), "--json"]) == DONE
    result = json.loads(capsys.readouterr().out)
    assert (result["pitch_deg"], result["yaw_deg"]) == pytest.approx((-14.0, 5.0), abs=3.0)
    assert main(["calibrate", str(ronde_data / "drive-sf"), "--config", str(config), "--write"]) == WRONG_USE
    assert "nothing is written" in capsys.readouterr().err
    assert "pitch_deg" not in config.read_text()


def test_live_pictures_count_once_the_car_has_gone_on_straight():
    gatherer = Gatherer(Settings(Unit("cannes", "car-07")))
    pixels = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    for second, fix in enumerate(fixes(lambda s: 20.0 if s < 9 else 90.0, seconds=14)):
        gatherer.take_exposure(Exposure(float(second), lambda: pixels))
        gatherer.take_exposure(Exposure(second + EVERY_S / 2, lambda: 1 / 0))  # too soon: it is not read
        gatherer.take_fix(fix)
    assert len(gatherer.lines) == 5  # 0 to 4 s: from 5 s on the bend at 9 s is too near
    assert gatherer.newest is pixels
    assert not gatherer.done
