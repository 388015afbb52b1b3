import sys
import threading
import warnings

import numpy as np
import pytest

from device.boot import now_s
from device.camera import STALL_S, CameraStalled
from device.gstreamer import GstreamerCamera, argus_source, v4l2_source

LIMIT_S = 10.0
"""Deadline of a wait; reached only where the test fails."""

SYSTEM_PACKAGES = "/usr/lib/python3/dist-packages"
LIVE = "videotestsrc is-live=true pattern=red ! video/x-raw,format=RGB,framerate=30/1"


@pytest.fixture(scope="module")
def _gstreamer():
    """The system's PyGObject: Debian builds it for its own Python, and a venv without system packages does not see it."""
    sys.path.append(SYSTEM_PACKAGES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ImportWarning)  # PyGObject 3.42 imports its typelibs in the old way
            import gi

            for namespace in ("Gst", "GstApp", "GstVideo"):
                gi.require_version(namespace, "1.0")
            from gi.repository import Gst, GstApp, GstVideo  # noqa: F401
        Gst.init(None)
        missing = [name for name in ("videotestsrc", "v4l2src", "jpegenc") if Gst.ElementFactory.find(name) is None]
    except (ImportError, ValueError) as error:
        pytest.skip(f"no GStreamer for this Python ({error}): apt install python3-gi gir1.2-gst-plugins-base-1.0")
    finally:
        sys.path.remove(SYSTEM_PACKAGES)
    if missing:
        pytest.skip(f"no {missing}: apt install gstreamer1.0-plugins-base gstreamer1.0-plugins-good")


@pytest.fixture
def opened(_gstreamer, roll):
    """Start a camera on a source; all are closed at the end."""
    cameras = []

    def start(source, width=64, height=48):
        camera = GstreamerCamera(source, width, height)
        cameras.append(camera)
        camera.start(roll.take)
        return camera

    yield start
    for camera in cameras:
        camera.close()
        camera.close()


def _stalled(camera):
    """The error with which the camera says that it stalled."""
    deadline_s = now_s() + LIMIT_S
    pause = threading.Event()
    while now_s() < deadline_s:
        try:
            camera.check(now_s())
        except CameraStalled as error:
            return str(error)
        pause.wait(0.01)
    raise AssertionError("no stall was seen")


def test_pictures_come_with_the_time_at_which_they_were_taken(opened, roll):
    camera = opened(LIVE)
    came = list(roll.wait_for(10))
    frames = np.diff([exposure.shutter_boot_s for _, exposure in came]) * 30
    assert all(-0.01 < at_s - exposure.shutter_boot_s < 1.0 for at_s, exposure in came)
    assert (frames > 0.5).all()  # a busy machine drops some, which leaves whole steps
    assert np.median(np.abs(frames - np.rint(frames))) < 0.05
    assert came[0][1].read().shape == (48, 64, 3)
    camera.check(now_s())


@pytest.mark.parametrize("width", [61, 62, 63, 64])
def test_rows_of_any_width_are_right(opened, roll, width):
    opened(LIVE, width, 31)
    pixels = roll.wait_for(1)[0][1].read()
    assert pixels.shape == (31, width, 3)
    assert np.abs(pixels.astype(int) - (255, 0, 0)).max() <= 3
    pixels[:] = 0  # the hiding writes into them


@pytest.mark.parametrize(("encoder", "off"), [("identity", 3), ("jpegenc", 25)])
def test_the_pipeline_of_a_usb_camera_takes_raw_and_jpeg(opened, roll, encoder, off):
    size = "width=64,height=48,framerate=30/1"
    source = v4l2_source("/dev/video0", 64, 48, 30)
    drawn = source.replace('v4l2src device="/dev/video0"', f"{LIVE},{size.removesuffix(',framerate=30/1')} ! {encoder}")
    assert drawn != source
    opened(drawn)
    pixels = roll.wait_for(3)[0][1].read().astype(int)
    assert np.abs(pixels - (255, 0, 0)).max() <= off


def test_a_stream_that_ends_is_a_stall_and_the_camera_starts_again(opened, roll):
    camera = opened(f"{LIVE},width=64 ! identity eos-after=6")
    assert _stalled(camera) == "the camera's stream has ended"
    before = len(roll.came)
    assert 1 <= before <= 6
    camera.close()
    camera.start(roll.take)
    roll.wait_for(before + 3)


def test_a_source_that_breaks_is_a_stall_in_its_own_words(opened):
    camera = opened(f"{LIVE} ! identity error-after=4")
    words = _stalled(camera)
    assert "Failed after iterations as requested" in words
    assert "\n" not in words


def test_a_source_that_falls_silent_is_a_stall(opened, roll):
    camera = opened(f"{LIVE} ! valve name=gate")
    roll.wait_for(2)
    camera.check(now_s())
    camera._pipeline.get_by_name("gate").set_property("drop", True)
    shut_s = now_s()
    assert "no exposure for 2." in _stalled(camera)
    assert now_s() - shut_s < STALL_S + 1.0


@pytest.mark.parametrize(
    ("device", "words"),
    [("/dev/video987", "No such file or directory"), ('/dev/no "such" ! fakesink', "No such file"), ("/etc", "isn't a device")],
)
def test_a_device_that_cannot_be_opened_is_one_sentence(opened, device, words):
    with pytest.raises(CameraStalled, match=words) as error:
        opened(v4l2_source(device, 64, 48, 30))
    assert str(error.value).startswith("the camera cannot be opened: ")
    assert device in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_element_is_one_sentence(opened):
    with pytest.raises(CameraStalled, match='pipeline cannot be made: no element "nosuchsrc"'):
        opened("nosuchsrc")


def test_the_pipeline_of_a_jetson_names_sensor_size_and_longest_exposure():
    source = argus_source("/dev/video1", 1920, 1080, 30)
    assert source.startswith('nvarguscamerasrc sensor-id=1 exposuretimerange="100000 2000000" ! ')
    assert "width=1920,height=1080,framerate=30/1" in source


def test_without_the_library_the_sentence_says_what_to_install(monkeypatch, roll):
    monkeypatch.setitem(sys.modules, "gi", None)
    with pytest.raises(CameraStalled, match="install python3-gi"):
        GstreamerCamera(LIVE, 64, 48).start(roll.take)
