from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from device.street.geometry import Pinhole, Pose
from device.street.optics import Optics, sun
from device.street.scene import Weather

CAMERA = Pinhole(640, 480, 1.35, 6.0, 0.0, 63.0)
OPTICS = Optics(CAMERA)
NOON = Weather(0.0, 100.0, 12.5, 0.0, 0.0, "clean", 2.0)
NORTH = Pose(0.0, 0.0, 0.0)


def chequered():
    rows, columns = np.mgrid[:480, :640]
    grey = np.where((rows // 4 + columns // 4) % 2, 150, 60).astype(np.uint8)
    return Image.fromarray(np.repeat(grey[..., None], 3, axis=2))


def exposed(weather=NOON, *, pose=NORTH, at_s=1.0, moved_m=0.0, light=1.0, picture=None):
    frame = OPTICS.expose(picture or chequered(), weather, pose, at_s, moved_m=moved_m, light=light)
    pixels = np.asarray(frame)
    assert pixels.shape == (480, 640, 3)
    assert pixels.dtype == np.uint8
    return pixels.astype(float)


def contrast(pixels, rows):
    return np.abs(np.diff(pixels[rows].mean(axis=2), axis=0)).mean()


def test_the_same_moment_gives_the_same_bytes_and_another_other_noise():
    assert (exposed() == exposed()).all()
    assert (exposed() != exposed(at_s=1.1)).mean() > 0.3


def test_the_sun_is_highest_at_noon_in_the_south():
    heights = [sun(hour)[1] for hour in (8.0, 10.5, 13.0, 16.0, 19.0)]
    assert max(heights) == heights[2]
    assert sun(13.0)[0] == 180.0
    assert sun(9.0)[0] < 180.0 < sun(17.0)[0]


def test_dusk_is_darker_and_bluer_and_has_more_noise():
    grey = Image.new("RGB", (640, 480), (140, 140, 140))
    noon, dusk = exposed(picture=grey), exposed(replace(NOON, hour=20.5), picture=grey)
    assert dusk.mean() < 0.7 * noon.mean()
    assert dusk[..., 2].mean() / dusk[..., 0].mean() > noon[..., 2].mean() / noon[..., 0].mean()
    assert dusk.std(axis=(0, 1)).mean() > 1.5 * noon.std(axis=(0, 1)).mean()


def test_motion_blurs_the_road_near_the_car_along_its_way_and_not_what_is_far():
    still, moving = exposed(), exposed(moved_m=0.08)
    near, far = slice(400, 470), slice(0, 230)
    assert contrast(moving, near) < 0.7 * contrast(still, near)
    assert contrast(moving, far) == pytest.approx(contrast(still, far), rel=0.02)
    stripes = Image.fromarray(np.asarray(chequered())[:1].repeat(480, axis=0))
    across = [np.abs(np.diff(exposed(picture=stripes, moved_m=m)[near].mean(axis=2), axis=1)).mean() for m in (0.0, 0.08)]
    assert across[1] == pytest.approx(across[0], rel=0.02)


def test_faster_is_blurred_more():
    near = slice(420, 470)
    lengths = [contrast(exposed(moved_m=moved_m), near) for moved_m in (0.0, 0.02, 0.05)]
    assert lengths == sorted(lengths, reverse=True)
    assert lengths[2] < lengths[0]


def test_a_covered_lens_hides_and_a_dirty_one_dulls():
    clean, dirty, covered = (exposed(replace(NOON, lens=lens)) for lens in ("clean", "dirty", "covered"))
    everywhere = slice(0, 480)
    assert contrast(dirty, everywhere) < 0.97 * contrast(clean, everywhere)
    assert contrast(covered, everywhere) < 0.6 * contrast(clean, everywhere)


def test_rain_draws_streaks():
    dark = Image.new("RGB", (640, 480), (40, 40, 40))
    dry, wet = exposed(picture=dark), exposed(replace(NOON, rain=0.8), picture=dark)
    assert wet.max() > dry.max() + 10
    assert ((wet - dry).max(axis=2) > 10).mean() > 0.002


def test_a_low_sun_ahead_veils_and_one_behind_does_not():
    low = replace(NOON, hour=19.2)
    towards = sun(19.2)[0]
    ahead, behind = (exposed(low, pose=Pose(0.0, 0.0, turn % 360.0)) for turn in (towards, towards + 180.0))
    assert ahead.mean() > behind.mean() + 5
    assert ahead.max() > behind.max() + 30
