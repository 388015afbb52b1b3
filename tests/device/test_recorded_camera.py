from functools import partial

import numpy as np
import pytest

from device.boot import now_s
from device.camera import STALL_S, CameraStalled
from device.frame import Exposure, FrameUnreadable
from device.recorded_camera import RecordedCamera

LIMIT_S = 5.0
"""Deadline of a wait; reached only where the test fails."""

STEPS_S = (7.0, 7.04, 7.05, 7.12)
"""Times on the recording's own axis."""


@pytest.fixture
def recorded():
    """Make a camera of exposures; all are closed at the end."""
    cameras = []

    def camera(exposures):
        cameras.append(RecordedCamera(exposures))
        return cameras[-1]

    yield camera
    for each in cameras:
        each.close()
        each.close()


def _exposures(times_s=STEPS_S):
    return [
        Exposure(time_s, partial(np.full, (2, 3, 3), number, np.uint8), f"{number}.jpg") for number, time_s in enumerate(times_s)
    ]


def test_the_recording_is_played_at_its_own_pace_on_the_boot_clock(recorded, roll):
    began_s = now_s()
    recorded(_exposures()).start(roll.take)
    came = list(roll.wait_for(4))[:4]
    assert [exposure.source for _, exposure in came] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert [exposure.read()[0, 0, 0] for _, exposure in came] == [0, 1, 2, 3]
    first_s = came[0][1].shutter_boot_s
    assert [exposure.shutter_boot_s - first_s for _, exposure in came] == pytest.approx([0.0, 0.04, 0.05, 0.12])
    assert began_s <= first_s
    assert all(0.0 <= at_s - exposure.shutter_boot_s < 1.0 for at_s, exposure in came)


def test_it_begins_again_at_the_end_and_says_so(recorded, roll, caplog):
    with caplog.at_level("INFO"):
        recorded(_exposures()).start(roll.take)
        came = list(roll.wait_for(9))[:9]
    assert [exposure.source for _, exposure in came] == [f"{number % 4}.jpg" for number in range(9)]
    times_s = [exposure.shutter_boot_s for _, exposure in came]
    assert times_s == sorted(times_s)
    # The second round begins a mean step after the last picture: 0.12 s in three steps.
    assert times_s[4] - times_s[3] == pytest.approx(0.04)
    assert "recording_restarted" in caplog.text


def test_pictures_of_a_single_moment_do_not_come_all_at_once(recorded, roll):
    recorded(_exposures((3.0, 3.0))).start(roll.take)
    times_s = [exposure.shutter_boot_s for _, exposure in list(roll.wait_for(3))]
    assert times_s[2] - times_s[0] == pytest.approx(1.0)


def test_closing_does_not_wait_for_the_next_picture(recorded, roll):
    camera = recorded(_exposures((0.0, 3600.0)))
    camera.start(roll.take)
    roll.wait_for(1)
    camera.check(now_s() + 10 * STALL_S)
    closing_s = now_s()
    camera.close()
    assert now_s() - closing_s < 1.0


def test_it_starts_again_from_the_beginning(recorded, roll):
    camera = recorded(_exposures((0.0, 0.01, 3600.0)))
    camera.start(roll.take)
    roll.wait_for(2)
    camera.close()
    camera.start(roll.take)
    assert [exposure.source for _, exposure in roll.wait_for(4)] == ["0.jpg", "1.jpg"] * 2


def test_an_unreadable_picture_is_delivered_and_says_so_when_it_is_read(recorded, roll):
    def read():
        raise FrameUnreadable("0.jpg: cut short")

    recorded([Exposure(0.0, read, "0.jpg")]).start(roll.take)
    with pytest.raises(FrameUnreadable, match=r"0\.jpg: cut short"):
        roll.wait_for(1)[0][1].read()


def test_an_empty_recording_cannot_be_started(recorded, roll):
    with pytest.raises(CameraStalled, match="holds no picture"):
        recorded([]).start(roll.take)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_died_is_a_stall(recorded):
    def refuse(exposure):
        raise ValueError(exposure.source)

    camera = recorded(_exposures())
    camera.start(refuse)
    camera._thread.join(LIMIT_S)
    with pytest.raises(CameraStalled, match="stopped playing"):
        camera.check(now_s())
