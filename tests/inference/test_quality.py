"""What a small picture says of light, weather and lens, on a small part of what `ronde bench quality` drives."""

from dataclasses import replace

import numpy as np
import pytest

from device.street.drive import drive_loop
from device.street.furnish import make_scene
from device.street.scene import Weather
from device.street.view import View
from inference.letterbox import letterbox
from inference.quality import CELL_PX, Glance, glance
from inference.quality_gate import EVERY, NORM_FRAMES, NORM_LEAST, WINDOW, Gate, Judged, Norm, hidden_share
from inference.quality_zones import zones_of
from sync.bench_quality import CAMERA, LENS, SMALL_PX

NOON = Weather(0.0, 1e9, 12.0, 0.0, 0.0, "clean", 1.5)
FROM_S, STEP_S = 12.0, 0.4
DRY = Norm(tuple(0.98 + 0.005 * (n % 5) for n in range(NORM_LEAST)))


@pytest.fixture(scope="module")
def view():
    return View(drive_loop(make_scene("tests", 41)), CAMERA)


@pytest.fixture(scope="module")
def seen(view):
    """The glances of a few seconds in a weather, each drawn once."""
    drawn = {}

    def see(weather, count):
        have = drawn.setdefault(weather, [])
        for n in range(len(have), count):
            have.append(glance(letterbox(view.frame(FROM_S + n * STEP_S, weather), *SMALL_PX).picture))
        return have[:count]

    return see


def said(glances, norm=DRY):
    gate = Gate(LENS, 0.3, norm)
    return [gate.take(each) for each in glances]


WINDOWED = {"wet", "dirty_lens", "covered"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"hour": 16.5}, None),
        ({"hour": 20.5, "exposure_ms": 4.0}, "dark"),
        ({"exposure_ms": 15.0}, "blur"),
        ({"lens": "dirty"}, "dirty_lens"),
        ({"lens": "covered"}, "covered"),
        ({"rain": 0.5, "wet": 1.0}, "wet"),
    ],
)
def test_each_weather_of_the_street_is_told_by_its_reason(seen, changes, reason):
    judged = said(seen(replace(NOON, **changes), WINDOW if reason in WINDOWED else 5))
    if reason is None:
        assert all(each.reasons == () for each in judged)
    elif reason in WINDOWED:
        assert reason in judged[-1].reasons
        assert judged[-1].before == {reason: WINDOW - 1}  # all of the window is so
        assert all(reason not in each.reasons for each in judged[: WINDOW - EVERY])
    else:
        assert all(reason in each.reasons for each in judged)


def test_dirt_is_told_until_it_is_wiped_off(seen):
    gate = Gate(LENS, 0.3, DRY)
    for each in seen(replace(NOON, lens="dirty"), WINDOW):
        judged = gate.take(each)
    assert judged.reasons == ("dirty_lens",)
    clean = [gate.take(each) for each in seen(NOON, WINDOW)]
    assert clean[EVERY - 1].reasons == ("dirty_lens",)
    assert clean[-1].reasons == ()


def test_a_camera_of_which_nothing_is_known_calls_no_road_wet(seen):
    wet = seen(replace(NOON, rain=0.5, wet=1.0), WINDOW)
    assert all("wet" not in each.reasons for each in said(wet, Norm()))


def test_the_dry_road_is_learnt_in_medians_and_old_ones_are_forgotten():
    norm = Norm()
    assert norm.wet_from is None
    for n in range(NORM_FRAMES * NORM_LEAST):
        norm = norm.taken(1.1 if n % 7 else 5.0)  # a car now and then
    assert norm.medians == (1.1,) * NORM_LEAST
    assert norm.wet_from == pytest.approx(1.135)
    assert norm.taken(1.0).medians == norm.medians


def even(level, shape=(300, 512)):
    return np.full((*shape, 3), level, np.uint8)


def test_night_with_lamps_is_dark_and_a_shaded_street_under_a_bright_sky_is_not():
    night = even(20)
    night[100:120, 200:240] = 255
    day = even(80)
    day[:110] = 230
    assert said([glance(night)])[0].reasons == ("dark",)
    assert "dark" not in said([glance(day)])[0].reasons


def test_a_frame_out_of_focus_is_blurred(view):
    sharp = letterbox(view.frame(FROM_S, NOON), *SMALL_PX).picture.astype(np.float64)
    for _ in range(12):
        sharp[1:-1, 1:-1] = (sharp[:-2, 1:-1] + sharp[2:, 1:-1] + sharp[1:-1, :-2] + sharp[1:-1, 2:] + sharp[1:-1, 1:-1]) / 5.0
    assert said([glance(sharp.astype(np.uint8))])[0].reasons == ("blur",)


def test_a_low_sun_is_told_with_the_third_frame_and_a_white_wall_is_no_sun():
    def street(draw):
        rng = np.random.default_rng(3)
        picture = even(120).astype(np.float64) + rng.normal(0, 4, (300, 512, 3))
        draw(picture)
        return glance(np.clip(picture, 0, 255).astype(np.uint8))

    y, x = np.mgrid[:300, :512]
    away = np.hypot(x - 300, y - 70) / 512

    def sun(picture):
        light = np.clip(1.15 * np.exp(-((away / 0.028) ** 2)) + 0.62 * np.exp(-away / 0.16), 0, 1)[..., None]
        picture += light * (np.array((255, 238, 200)) - picture * 0.8) * 0.6

    def wall(picture):
        picture[40:130, 260:340] = 235

    judged = said([street(sun)] * 3)
    assert [each.reasons for each in judged] == [(), (), ("glare",)]
    assert judged[-1].before == {"glare": 2}
    assert said([street(sun), street(wall), street(wall), street(sun)])[-1].reasons == ()
    assert [each.reasons for each in said([street(wall)] * 3)] == [()] * 3


def test_cars_that_hide_the_lane_are_traffic(seen):
    (clear,) = seen(NOON, 1)
    close = replace(clear, vehicles=((0.2, 0.4, 0.8, 0.75),))
    beside = replace(clear, vehicles=((0.85, 0.4, 1.0, 0.7),))
    assert hidden_share(close.vehicles, zones_of(LENS, close), close.cells.shape) > 0.5
    assert [each.reasons for each in said([close, beside])] == [("traffic",), ()]


@pytest.mark.parametrize("shape", [(384, 512), (288, 512), (40, 64), (8, 9)])
def test_any_size_of_picture_is_measured(shape):
    found = glance(np.random.default_rng(1).integers(0, 256, (*shape, 3)).astype(np.uint8))
    assert isinstance(found, Glance)
    assert found.cells.shape == found.edges.shape == (shape[0] // CELL_PX, shape[1] // CELL_PX)
    assert isinstance(said([found])[0], Judged)


def test_a_camera_that_shows_no_road_is_judged_by_what_it_shows():
    upwards = replace(LENS, pitch_deg=-60.0)
    gate = Gate(upwards, 0.3)
    assert gate.take(glance(even(150))).reasons == ()
