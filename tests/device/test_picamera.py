import importlib.util
import sys
import threading
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import device.picamera
from device.boot import from_monotonic_s, now_s
from device.camera import STALL_S, CameraStalled
from device.frame import Exposure
from device.picamera import LONGEST_EXPOSURE_US, PiCamera, middle_of_exposure_s

LIMIT_S = 5.0
"""Deadline of a wait; reached only where the test fails."""

REOPENED_S = 10.0
"""docs/faults.md, 1: a stalled camera is back within this."""


def _load(file: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


double = _load(Path(__file__).parent / "doubles" / "picamera2_double.py", "picamera2_double")


@pytest.fixture
def scene(monkeypatch):
    scene = double.Scene()
    module = double.module_for(scene)
    for name in ("picamera2", "libcamera"):
        monkeypatch.setitem(sys.modules, name, module)
    yield scene
    for camera in scene.opened:
        camera.close()


class Roll:
    """The exposures that were delivered, and a way to wait for more."""

    def __init__(self):
        self.exposures: list[Exposure] = []
        self._more = threading.Condition()

    def take(self, exposure):
        with self._more:
            self.exposures.append(exposure)
            self._more.notify_all()

    def wait_for(self, count):
        with self._more:
            assert self._more.wait_for(lambda: len(self.exposures) >= count, LIMIT_S), f"only {len(self.exposures)} came"
        return self.exposures


@pytest.fixture
def roll():
    return Roll()


@pytest.fixture
def camera():
    camera = PiCamera(60, 48, 100)
    yield camera
    camera.close()


def _until(happened, within_s=LIMIT_S):
    """Wait for a condition; its value."""
    deadline_s = now_s() + within_s
    pause = threading.Event()
    while not (value := happened()):
        assert now_s() < deadline_s, f"it did not happen in {within_s} s"
        pause.wait(0.01)
    return value


def _stalled(camera, within_s):
    """The error with which the camera says that it stalled."""

    def error():
        try:
            camera.check(now_s())
        except CameraStalled as stalled:
            return stalled
        return None

    return _until(error, within_s)


def test_pictures_come_in_rgb_and_in_order(scene, camera, roll):
    camera.start(roll.take)
    exposures = list(roll.wait_for(5))
    times = [exposure.shutter_boot_s for exposure in exposures]
    pixels = exposures[0].read()
    assert pixels.shape == (48, 60, 3)
    assert np.abs(pixels.astype(int) - scene.colour).max() <= 2
    assert times == sorted(times)
    assert len(set(times)) == len(times)
    camera.check(now_s())


def test_the_middle_of_a_rolling_exposure():
    stamp_ns = round((now_s() - 1.0) * 1e9)
    stamp_s = from_monotonic_s(stamp_ns / 1e9)
    # First line sent at the stamp, so exposed 2 ms before it; the middle line follows half of 20 ms later.
    assert middle_of_exposure_s(stamp_ns, 2000, 20_000) == pytest.approx(stamp_s - 0.001 + 0.010, abs=1e-4)
    assert middle_of_exposure_s(stamp_ns, 2000, 0) == pytest.approx(stamp_s - 0.001, abs=1e-4)


@pytest.mark.parametrize(("model", "readout_s"), [("imx708", 0.017), ("imx296", 0.0)])
def test_each_exposure_carries_its_sensors_own_time(scene, camera, roll, model, readout_s):
    scene.models = (model,)
    camera.start(roll.take)
    exposures = list(roll.wait_for(3))
    camera.close()
    stamps_s = [from_monotonic_s(request.request["SensorTimestamp"] / 1e9) for request in scene.handed]
    for exposure, stamp_s in zip(exposures, stamps_s, strict=False):
        assert exposure.shutter_boot_s == pytest.approx(stamp_s - LONGEST_EXPOSURE_US / 2e6 + readout_s / 2, abs=1e-4)


@pytest.mark.parametrize("channels", [True, False])
def test_exposures_are_at_most_two_milliseconds_in_the_dark_and_shorter_in_the_sun(scene, roll, channels):
    scene.channels = channels
    for wanted_us, exposed_us in ((30_000, 2000), (150, 150)):
        scene.wanted_exposure_us = wanted_us
        camera = PiCamera(64, 48, 100)
        count = len(roll.exposures)
        camera.start(roll.take)
        roll.wait_for(count + 1)
        camera.close()
        assert scene.handed[-1].request["ExposureTime"] == exposed_us


def test_the_rate_is_fixed_and_focus_is_at_infinity_where_there_is_focus(scene, camera, roll):
    scene.focus = True
    camera.start(roll.take)
    roll.wait_for(1)
    assert scene.opened[0].camera_config["controls"] == {
        "FrameDurationLimits": (10_000, 10_000),
        "AfMode": 0,
        "LensPosition": 0.0,
    }


def test_every_request_is_released(scene, camera, roll):
    camera.start(roll.take)
    roll.wait_for(10)
    camera.close()
    assert len(scene.handed) >= 10
    assert scene.unreleased == 0


def test_a_request_is_released_when_its_picture_cannot_be_read(scene, camera, roll):
    scene.fails_reading = True
    camera.start(roll.take)
    error = _stalled(camera, LIMIT_S)
    camera.close()
    assert "failed to find buffer" in str(error)
    assert len(scene.handed) == 1
    assert scene.unreleased == 0


def test_a_stall_is_seen_in_time_and_the_camera_comes_back(scene, camera, roll):
    scene.stall_after = 3
    camera.start(roll.take)
    began_s = now_s()
    roll.wait_for(3)
    error = _stalled(camera, STALL_S + 1.0)
    assert "no exposure for 2." in str(error)
    assert now_s() - began_s >= STALL_S
    camera.close()
    scene.stall_after = None
    camera.start(roll.take)
    roll.wait_for(6)
    camera.check(now_s())
    assert now_s() - began_s < REOPENED_S
    assert len(scene.opened) == 2
    assert not scene.opened[0].is_open
    camera.close()
    assert scene.unreleased == 0


@pytest.mark.parametrize("late", [False, True])
def test_a_request_that_comes_after_its_timeout_is_not_lost(scene, camera, roll, late):
    scene.stall_after = 1
    scene.late_after_stall = late
    camera.start(roll.take)
    assert scene.flushed.wait(LIMIT_S)
    if late:
        roll.wait_for(2)
    scene.late_after_stall = False
    scene.stall_after = None
    roll.wait_for(4)
    camera.close()
    assert scene.unreleased == 0


def test_a_picture_without_its_time_is_not_delivered(scene, camera, roll):
    scene.without_time = True
    camera.start(roll.take)
    _until(lambda: len(scene.handed) > 3)
    with pytest.raises(CameraStalled, match="no exposure"):
        camera.check(now_s() + STALL_S)
    camera.close()
    assert not roll.exposures
    assert scene.unreleased == 0


def test_no_camera_is_one_sentence(scene, camera, roll):
    scene.models = ()
    with pytest.raises(CameraStalled, match="cannot be opened: libcamera finds none"):
        camera.start(roll.take)


def test_another_size_than_wanted_is_refused_and_the_camera_released(scene, camera, roll):
    scene.given_size = (32, 24)
    with pytest.raises(CameraStalled, match=r"gives \(32, 24\) YUV420 where \(60, 48\) YUV420 is wanted"):
        camera.start(roll.take)
    assert not scene.opened[0].is_open


def test_an_odd_size_is_refused_in_the_librarys_words(scene, roll):
    camera = PiCamera(63, 48, 100)
    with pytest.raises(CameraStalled, match="width and height should be even"):
        camera.start(roll.take)
    assert not scene.opened[0].is_open


def test_without_the_library_the_sentence_says_what_to_install(monkeypatch, camera, roll):
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(CameraStalled, match="install python3-picamera2"):
        camera.start(roll.take)
    camera.close()


MUTATIONS = [
    (".create_video_configuration(", ".create_vidoe_configuration(", AttributeError),
    ("buffer_count=BUFFERS", "buffers=BUFFERS", TypeError),
    ("camera.start()", "camera.start(None, False, True)", TypeError),
    ("picamera2(tuning=", "picamera2(tuning_file=", TypeError),
    ('"FrameDurationLimits": (self', '"FrameDurationLimit": (self', CameraStalled),
    ('PLANES = "YUV420"', 'PLANES = "YUV"', CameraStalled),
    ("colour_space=colours", "colour_space=None", CameraStalled),
    (".global_camera_info()", ".global_cameras()", AttributeError),
    ('picamera2.find_tuning_algo(tuning, "rpi.agc")', 'picamera2.find_tuning_algo("rpi.agc")', TypeError),
]


@pytest.mark.parametrize(("right", "wrong", "error"), MUTATIONS)
@pytest.mark.usefixtures("scene")
def test_a_wrong_call_does_not_pass_the_double(roll, tmp_path, right, wrong, error):
    module = _mutated(tmp_path, right, wrong)
    with pytest.raises(error):
        module.PiCamera(64, 48, 100).start(roll.take)


LATER_MUTATIONS = [
    ('request.make_buffer("main")', "request.make_buffer()"),
    ("request.get_metadata()", "request.metadata()"),
    ("camera.capture_request(wait=False)", "camera.capture_request(timeout=1)"),
    ("request.release()", "request.relaese()"),
]


@pytest.mark.parametrize(("right", "wrong"), LATER_MUTATIONS)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.usefixtures("scene")
def test_a_wrong_call_while_running_does_not_pass_the_double(roll, tmp_path, right, wrong):
    camera = _mutated(tmp_path, right, wrong).PiCamera(64, 48, 100)
    camera.start(roll.take)
    _until(lambda: not camera._thread.is_alive())
    with pytest.raises(CameraStalled, match="no exposure"):
        camera.check(now_s() + STALL_S)
    assert not roll.exposures
    camera.close()


def test_a_forgotten_release_is_seen(scene, roll, tmp_path):
    camera = _mutated(tmp_path, "            request.release()", "            pass").PiCamera(64, 48, 100)
    camera.start(roll.take)
    roll.wait_for(2)
    camera.close()
    assert scene.unreleased > 0


@pytest.mark.usefixtures("scene")
def test_what_the_double_does_not_behave_for_says_so():
    with pytest.raises(NotImplementedError, match=r"no behaviour for Picamera2\.capture_array"):
        double.Picamera2().capture_array("main")
    with pytest.raises(TypeError):
        double.Picamera2().capture_array("main", name="main")


def _mutated(folder, right, wrong):
    """device/picamera.py with one call made wrong."""
    source = Path(device.picamera.__file__).read_text(encoding="utf-8")
    assert source.count(right) >= 1
    file = folder / "mutated_picamera.py"
    file.write_text(source.replace(right, wrong), encoding="utf-8")
    return _load(file, f"mutated_picamera_{abs(hash((right, wrong)))}")
