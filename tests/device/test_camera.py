import json
import threading

import pytest
from PIL import Image

from device.boot import now_s
from device.camera import STALL_S, CameraStalled, Pulse, camera_of
from device.gstreamer import GstreamerCamera
from device.picamera import PiCamera
from device.street.live import StreetCamera
from provisioning.settings import CAMERA_KINDS, Camera
from provisioning.table import SettingsError


@pytest.mark.parametrize(("kind", "wanted"), [("picamera2", PiCamera), ("v4l2", GstreamerCamera), ("argus", GstreamerCamera)])
def test_the_configuration_chooses_the_camera_without_opening_it(kind, wanted):
    assert isinstance(camera_of(Camera(kind=kind, device="/dev/video987")), wanted)


def test_the_device_and_size_of_the_configuration_are_opened():
    camera = camera_of(Camera(kind="v4l2", device="/dev/video987", width=640, height=480, fps=15))
    assert 'v4l2src device="/dev/video987"' in camera._description
    assert "width=640,height=480,framerate=15/1" in camera._description


def test_the_simulated_street_is_a_camera():
    assert isinstance(camera_of(Camera(kind="simulated", width=64, height=48)), StreetCamera)


def test_a_recording_without_its_folder_is_refused():
    with pytest.raises(SettingsError, match=r"\[camera\] drive is missing"):
        camera_of(Camera(kind="recorded"))


def test_a_recorded_drive_is_played(tmp_path):
    (tmp_path / "frames").mkdir()
    rows = ["file,time"]
    for number in range(4):
        Image.new("RGB", (64, 48), (60 * number, 0, 0)).save(tmp_path / "frames" / f"{number}.png")
        rows.append(f"{number}.png,2026-05-01T10:00:00.{number}50Z")
    (tmp_path / "frames.csv").write_text("\n".join(rows) + "\n")
    fixes = [
        {
            "class": "TPV",
            "mode": 3,
            "time": f"2026-05-01T10:00:0{second}.000Z",
            "lat": 43.55 + 1e-4 * second,
            "lon": 7.01,
            "speed": 11.0,
        }
        for second in range(3)
    ]
    (tmp_path / "fixes.jsonl").write_text("".join(json.dumps(fix) + "\n" for fix in fixes))
    camera = camera_of(Camera(kind="recorded", drive=tmp_path))
    played, all_played = [], threading.Event()

    def take(exposure):
        played.append(exposure)
        if len(played) == 4:
            all_played.set()

    camera.start(take)
    assert all_played.wait(5.0)
    camera.close()
    assert [int(exposure.read()[0, 0, 0]) for exposure in played[:4]] == [0, 60, 120, 180]
    assert [exposure.shutter_boot_s - played[0].shutter_boot_s for exposure in played[:4]] == pytest.approx([0.0, 0.1, 0.2, 0.3])
    assert abs(played[0].shutter_boot_s - now_s()) < 10.0


@pytest.mark.parametrize("kind", CAMERA_KINDS)
def test_every_kind_of_the_configuration_gets_an_answer(kind):
    try:
        camera = camera_of(Camera(kind=kind, drive=None))
    except SettingsError:
        return
    assert camera is not None


def test_a_pulse_is_silent_only_after_a_while():
    pulse = Pulse()
    pulse.beat()
    pulse.check(now_s() + STALL_S - 0.1)
    with pytest.raises(CameraStalled, match=r"no exposure for 2\.\d s"):
        pulse.check(now_s() + STALL_S + 0.1)
    pulse.beat()
    pulse.check(now_s())


def test_a_pulse_that_ended_says_why_at_once():
    pulse = Pulse()
    pulse.end("the cable is out")
    with pytest.raises(CameraStalled, match="the cable is out"):
        pulse.check(now_s())
