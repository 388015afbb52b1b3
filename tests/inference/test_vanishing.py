"""Pitch and yaw from a street's lines: drawn pictures of a road with kerbs and dashes, through several cameras."""

from datetime import datetime, timezone

import numpy as np
import pytest
from PIL import Image, ImageDraw

from device.frame import Place
from inference.lens import Lens
from inference.mount import EVERY, FRAMES, Mount, drift_of
from inference.vanishing import lines_of, vanishing_point

CAMERAS = [
    (640, 480, 1.35, 6.0, 0.0, 63.0, 0.0),
    (640, 480, 1.2, 2.0, 3.0, 63.0, 0.0),
    (1280, 720, 1.5, 9.0, -5.0, 90.0, 0.0),
    (640, 360, 1.4, -3.0, 2.0, 100.0, -0.08),
]
STRIPES = ((-5.2, -4.6), (-1.75, -1.6), (1.6, 1.75), (4.4, 5.0))
"""Kerbs and lines, metres right."""


def road(lens, seed):
    """A grey road with kerbs and markings along it and a few bars across."""
    rng = np.random.default_rng(seed)
    scale = 2
    picture = Image.new("L", (lens.width * scale, lens.height * scale), 110)
    draw = ImageDraw.Draw(picture)

    def lay(corners, grey):
        seen = [lens.project(*corner) for corner in corners]
        if all(each is not None for each in seen):
            draw.polygon([(x * scale, y * scale) for x, y in seen], grey)

    for from_m, to_m in STRIPES:
        for ahead_m in np.arange(2.0, 60.0, 1.0):  # pieces, or a distorted edge would be drawn straight
            lay([(from_m, ahead_m), (to_m, ahead_m), (to_m, ahead_m + 1.0), (from_m, ahead_m + 1.0)], 200)
    for _ in range(3):
        ahead_m, right_m = rng.uniform(4, 20), rng.uniform(-1.5, 0.5)
        lay([(right_m, ahead_m), (right_m + 1.2, ahead_m), (right_m + 1.2, ahead_m + 0.4), (right_m, ahead_m + 0.4)], 60)
    grey = np.asarray(picture.reduce(scale), np.float64) + rng.normal(0, 2.0, (lens.height, lens.width))
    return np.clip(grey, 0, 255).astype(np.uint8)[..., None].repeat(3, 2)


def level(lens):
    """The same lens before anything is known of how it is mounted."""
    return Lens(lens.width, lens.height, 1.0, 0.0, 0.0, lens.hfov_deg, lens.k1)


@pytest.mark.parametrize("camera", CAMERAS)
def test_the_lines_tell_pitch_and_yaw(camera):
    lens = Lens(*camera)
    lines = np.concatenate([lines_of(road(lens, seed), level(lens)) for seed in range(8)])
    found = vanishing_point(lines, np.random.default_rng(0))
    assert (found.pitch_deg, found.yaw_deg) == pytest.approx((lens.pitch_deg, lens.yaw_deg), abs=0.3)
    assert found.agreeing > 0.4


def test_what_is_no_street_tells_nothing():
    rng = np.random.default_rng(0)
    lens = Lens(*CAMERAS[0])
    noise = [rng.integers(0, 256, (30, 40, 3), np.uint8).repeat(16, 0).repeat(16, 1) for _ in range(4)]
    assert vanishing_point(np.concatenate([lines_of(each, lens) for each in noise]), rng) is None
    assert vanishing_point(lines_of(np.full((480, 640, 3), 90, np.uint8), lens), rng) is None


def place(number, *, heading_deg=40.0, speed_mps=10.0):
    at = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)
    return Place(43.55, 7.01, 4.9, heading_deg, speed_mps, 4.0 * number, "between_fixes", at, "gnss")


def test_a_camera_that_slipped_is_told_after_some_street_and_one_that_did_not_is_in_order():
    lens = Lens(*CAMERAS[0])
    slipped = Lens(640, 480, 1.35, 9.0, -1.0, 63.0)
    pictures = {each: [road(each, seed) for seed in range(3)] for each in (lens, slipped)}
    for camera, moved in ((lens, False), (slipped, True)):
        mount, told = Mount(lens), []
        for number in range(EVERY * FRAMES + 1):
            drift = mount.take(pictures[camera][number % 3], place(number))
            told += [] if drift is None else [drift]
        assert [each.moved for each in told] == [moved]
        assert told[0].pitch_deg == pytest.approx(camera.pitch_deg - lens.pitch_deg, abs=0.4)
        assert told[0].yaw_deg == pytest.approx(camera.yaw_deg - lens.yaw_deg, abs=0.4)
        assert told[0].frames == FRAMES


def test_bends_and_slow_traffic_say_nothing_of_the_mount():
    lens = Lens(*CAMERAS[0])
    picture, mount = road(lens, 0), Mount(lens)
    for number in range(2 * EVERY):
        assert mount.take(picture, place(number, heading_deg=5.0 * number)) is None
        assert mount.take(picture, place(number, speed_mps=2.0)) is None
    assert not mount._lines
    assert drift_of([lines_of(np.full((480, 640, 3), 90, np.uint8), lens)], lens) is None
