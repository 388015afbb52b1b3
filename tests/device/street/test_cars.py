import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.street.cars import PX
from device.street.plates import PLATE_M, plate
from device.street.scene import Thing
from device.street.vehicles import far_vehicle, vehicle

SIZES_M = {
    "hatch": (1.75, 4.05, 1.48),
    "saloon": (1.8, 4.55, 1.44),
    "estate": (1.8, 4.6, 1.5),
    "suv": (1.84, 4.4, 1.64),
    "van": (2.0, 5.4, 2.3),
    "lorry": (2.4, 7.6, 3.2),
    "bus": (2.5, 10.5, 3.0),
}
VARIANTS = tuple(SIZES_M)


def made(variant="hatch", seed=1, far=False):
    thing = Thing("it", "vehicle", 0.0, 0.0, 0.0, 0.0, 0.0, *SIZES_M[variant], None, (1,), seed, variant)
    near = vehicle(thing)
    return {panel.name: panel for panel in (far_vehicle(thing, near) if far else near)}


def at_plate(sheet):
    (part,) = sheet.parts["plate"]
    px = sheet.px_per_m
    rows = slice(round(part.top_m * px), round(part.bottom_m * px))
    return part, sheet.rgba[rows, round(part.left_m * px) : round(part.right_m * px)].astype(float)


def corners(panel):
    corner, across, down = (np.array(each) for each in (panel.corner, panel.across, panel.down))
    return np.array([corner, corner + across, corner + across + down, corner + down])


@pytest.mark.parametrize("variant", VARIANTS)
def test_its_panels_fill_the_size_that_the_scene_gives_and_no_more(variant):
    width_m, length_m, height_m = SIZES_M[variant]
    for far in (False, True):
        spots = np.concatenate([corners(panel) for panel in made(variant, far=far).values()])
        assert spots.min(axis=0) == pytest.approx((-width_m / 2, -length_m / 2, 0.0), abs=1e-9)
        assert spots.max(axis=0) == pytest.approx((width_m / 2, length_m / 2, height_m), abs=1e-9)


@pytest.mark.parametrize("variant", ["hatch", "saloon", "estate", "suv"])
def test_bonnet_windscreen_and_roof_meet(variant):
    panels = made(variant)
    front, bonnet, screen, roof, window = (corners(panels[name]) for name in ("front", "bonnet", "screen", "roof", "window"))
    assert bonnet[[3, 2]] == pytest.approx(front[:2], abs=1e-9)
    assert screen[[3, 2]] == pytest.approx(bonnet[:2], abs=1e-9)
    # Ahead and up; what leans inwards does so in the panes' pictures.
    assert roof[0, 1:] == pytest.approx(screen[0, 1:])
    assert roof[3, 1:] == pytest.approx(window[0, 1:])


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**53), st.sampled_from(VARIANTS), st.sampled_from(("front", "rear")), st.booleans())
def test_an_end_has_a_plate_of_its_size_in_the_middle_above_the_ground(seed, variant, end, far):
    panel = made(variant, seed, far)[end]
    part, pixels = at_plate(panel.sheet)
    slack_m = 1.5 / panel.sheet.px_per_m
    assert (part.right_m - part.left_m, part.bottom_m - part.top_m) == pytest.approx(PLATE_M, abs=slack_m)
    assert (part.left_m + part.right_m) / 2 == pytest.approx(SIZES_M[variant][0] / 2, abs=0.03)
    assert 0.2 < panel.corner[2] - part.bottom_m < 1.3
    assert (pixels[..., 3] == 255).all()


@pytest.mark.parametrize("end", ["front", "rear"])
def test_a_plate_is_dark_writing_on_white_beside_a_blue_end(end):
    _, pixels = at_plate(made(seed=3)[end].sheet)
    grey = pixels[..., :3].mean(axis=2)
    writing = grey[3:-3, 10:-10]
    assert np.quantile(writing, 0.8) > 150
    assert writing.min() < 110
    assert (pixels[3:-3, 1:4, 2] - pixels[3:-3, 1:4, 0]).mean() > 40


def test_plates_differ_and_some_are_from_abroad():
    plates = [np.asarray(plate(np.random.default_rng(seed))).astype(int) for seed in range(40)]
    assert len({each.tobytes() for each in plates}) == 40
    blue_right = [(each[4:-4, -10:-4, 2] - each[4:-4, -10:-4, 0]).mean() > 40 for each in plates]
    assert 0.6 < np.mean(blue_right) < 1.0


def test_one_vehicle_has_one_paint_and_one_plate_and_is_the_same_each_time():
    for variant in ("hatch", "van"):
        ends = [at_plate(made(variant)[end].sheet)[1][..., :3].mean() for end in ("front", "rear")]
        assert ends[0] == pytest.approx(ends[1], abs=25)
        one, other = made(variant), made(variant)
        assert all((one[name].sheet.rgba == other[name].sheet.rgba).all() for name in one)
        assert (made(variant, 2)["rear"].sheet.rgba != one["rear"].sheet.rgba).any()


def test_its_lamps_are_red_behind_and_white_before():
    def red(sheet):
        rgba = sheet.rgba.astype(float)
        return int(((rgba[..., 0] > 3.0 * rgba[..., 1]) & (rgba[..., 0] > 100) & (rgba[..., 3] > 128)).sum())

    for seed in range(20):
        panels = made(seed=seed)
        pixel = panels["bonnet"].sheet.rgba[40, 90, :3].astype(int)
        if np.ptp(pixel) < 14:  # a grey car
            assert red(panels["rear"].sheet) > 400
            assert red(panels["front"].sheet) == 0
            return
    pytest.fail("no grey car among twenty")


@pytest.mark.parametrize(("variant", "wheels"), [("hatch", 2), ("van", 2), ("bus", 2), ("lorry", 3)])
def test_a_side_shows_its_wheels_on_the_ground_and_no_plate(variant, wheels):
    panels = made(variant)
    sheet = panels["left flank"].sheet
    assert sheet.width_m == pytest.approx(SIZES_M[variant][1], abs=1 / PX)
    assert "plate" not in sheet.parts
    ground = sheet.rgba[-4, :, 3] > 128
    assert len(np.flatnonzero(np.diff(ground.astype(int)) == 1)) == wheels
    assert (panels["right flank"].sheet.rgba == sheet.rgba).all()
    assert panels["right flank"].mirrored
    assert not panels["left flank"].mirrored


def test_far_away_a_car_is_four_panels_of_a_third_of_the_bytes():
    near, far = made(), made(far=True)
    assert set(far) == {"front", "rear", "left flank", "right flank"}
    assert sum(each.sheet.rgba.nbytes for each in far.values()) < sum(each.sheet.rgba.nbytes for each in near.values()) / 3
    # Glass above, wheels below.
    side = far["left flank"].sheet.rgba
    assert side[len(side) // 5, side.shape[1] // 2, :3].mean() < 90
