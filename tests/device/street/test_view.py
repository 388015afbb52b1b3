import math
from dataclasses import replace

import numpy as np
import pytest

from device.street.assets import Assets
from device.street.drive import TownDrive
from device.street.furnish import make_scene
from device.street.geometry import Pinhole
from device.street.scene import Thing
from device.street.truth import true_frame
from device.street.view import View

CAMERAS = [
    Pinhole(640, 480, 1.35, 6.0, 0.0, 63.0),
    Pinhole(1456, 1088, 1.35, 6.0, 0.0, 63.0),
    Pinhole(800, 600, 1.9, 9.0, -7.0, 80.0),
    Pinhole(640, 480, 1.1, 3.0, 10.0, 50.0),
]
AT_M = 30.0
TOWN = make_scene("tests", 1)
DRY = replace(TOWN.weather[0], rain=0.0, wet=0.0, hour=11.0, exposure_ms=0.5)


def standing(*things, scene=TOWN, from_m=AT_M):
    """A car that stands in a town with these things alone."""
    return TownDrive(replace(scene, things=things), np.zeros(200), from_m)


def thing(kind, ahead_m, right_m, size_m, turn_deg=0.0, **more):
    pose = TOWN.path.at(AT_M + ahead_m, right_m)
    return Thing(
        f"{kind}-{ahead_m}", kind, AT_M + ahead_m, right_m, pose.east_m, pose.north_m, (pose.heading_deg + turn_deg) % 360,
        *size_m, None, (1,), 79, **more,
    )  # fmt: skip


def bounds(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def projected(camera, points):
    """The box of points (along, right, up) of the town, in closed form."""
    pose = TOWN.path.at(AT_M)
    spots = []
    for along_m, right_m, up_m in points:
        place = TOWN.path.at(AT_M + along_m, right_m)
        spots.append((*pose.to_car(place.east_m, place.north_m), up_m))
    columns, rows, _ = camera.project(*np.array(spots).T)
    return columns.min(), rows.min(), columns.max(), rows.max()


@pytest.mark.parametrize("camera", CAMERAS)
def test_covers_lie_within_a_pixel_of_their_projections_and_so_do_their_true_boxes(camera):
    spots = [(5.0, 0.3), (7.5, -1.0), (11.0, 0.8)]
    covers = [thing("manhole", *spot, (0.7, 0.7, 0.0)) for spot in spots]
    turns = np.linspace(0, 2 * math.pi, 90)
    without = View(standing(), camera).frame(0.5, DRY).astype(int)
    truth = true_frame(View(standing(*covers), camera), 0.5, DRY)
    # The noise is the same in both.
    changed = np.abs(truth.pixels.astype(int) - without).max(axis=2) > 22
    seen = {each.id: each for each in truth.seen}
    for cover, (ahead_m, right_m) in zip(covers, spots, strict=True):
        sheet, _ = Assets().lying(cover)
        iron = sheet.truth
        radius_m, to_right_m = (iron.right_m - iron.left_m) / 2, (iron.left_m + iron.right_m - sheet.width_m) / 2
        to_far_m = (sheet.height_m - iron.top_m - iron.bottom_m) / 2
        ring = [(ahead_m + to_far_m + radius_m * math.cos(a), right_m + to_right_m + radius_m * math.sin(a), 0.0) for a in turns]
        wanted = projected(camera, ring)
        here = np.zeros_like(changed)
        around = (slice(int(wanted[1]) - 4, int(wanted[3]) + 5), slice(int(wanted[0]) - 4, int(wanted[2]) + 5))
        here[around] = changed[around]
        left, top, right, bottom = bounds(here)
        assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx(
            ((wanted[0] + wanted[2]) / 2, (wanted[1] + wanted[3]) / 2), abs=0.8
        )
        # An edge is soft, and it is counted in whole pixels.
        assert (left, top, right, bottom) == pytest.approx(wanted, abs=2.0)
        found = seen[cover.id]
        assert found.box == pytest.approx(wanted, abs=1.0)
        assert (found.label, found.covered) == ("manhole", 0.0)
        assert (found.ahead_m, found.right_m) == pytest.approx((ahead_m, right_m), abs=0.01)
        assert found.contrast > 5


@pytest.mark.parametrize("camera", CAMERAS)
def test_a_person_stands_on_the_ground_and_is_as_tall_as_the_scene_says(camera):
    person = thing("person", 9.0, 1.5, (0.6, 0.3, 1.8), 180.0)
    view = View(standing(person), camera)
    seen = {each.label: each for each in true_frame(view, 0.5, DRY).seen}
    _, top, _, bottom = projected(camera, [(9.0, 1.5, 0.0), (9.0, 1.5, 1.8)])
    assert (seen["person"].box[1], seen["person"].box[3]) == pytest.approx((top, bottom), abs=2.0 * camera.width / 640)
    head, face, whole = seen["head"].box, seen["face"].box, seen["person"].box
    for inner, outer in ((face, head), (head, whole)):
        assert all(inner[n] >= outer[n] - 1.5 for n in (0, 1))
        assert all(inner[n] <= outer[n] + 1.5 for n in (2, 3))
    assert 0.09 < (head[3] - head[1]) / (whole[3] - whole[1]) < 0.2


def test_a_face_is_seen_from_before_alone():
    for turn_deg, faces in ((180.0, 1), (0.0, 0)):
        person = thing("person", 8.0, 1.0, (0.6, 0.3, 1.8), turn_deg)
        labels = [each.label for each in true_frame(View(standing(person), CAMERAS[0]), 0.5, DRY).seen]
        assert (labels.count("face"), labels.count("head"), labels.count("person")) == (faces, 1, 1)


def test_what_stands_before_covers_what_is_behind():
    behind = thing("person", 12.0, 0.0, (0.6, 0.3, 1.8), 180.0)
    car = thing("vehicle", 7.0, 0.25, (1.8, 4.2, 1.5), variant="car")
    seen = {each.label: each for each in true_frame(View(standing(behind, car), CAMERAS[0]), 0.5, DRY).seen}
    assert 0.5 < seen["person"].covered < 1.0
    assert seen["person"].box[3] < seen["person"].whole[3] - 5
    assert seen["vehicle"].covered == 0.0
    assert seen["plate"].part_of == seen["vehicle"].id
    left, top, right, bottom = seen["plate"].box
    # 52 x 11 cm at the rear end, 4.9 m ahead.
    assert right - left == pytest.approx(0.52 / 4.9 * CAMERAS[0].focal_px, abs=2.0)
    assert bottom - top == pytest.approx(0.11 / 4.9 * CAMERAS[0].focal_px, abs=2.0)


def test_lights_show_their_colour():
    light = TOWN.lights[0]
    at_m = light.at_m - 12.0
    pose = TOWN.path.at(light.at_m, 3.0)
    post = Thing("post", "traffic_light", light.at_m, 3.0, pose.east_m, pose.north_m, (pose.heading_deg + 180) % 360,
                 0.4, 0.3, 3.3, None, (1,), 5, light=light.id)  # fmt: skip
    for state, brightest in (("red", 0), ("green", 1)):
        at_s = next(each for each in np.arange(0, 200, 0.5) if light.state(each) == state)
        drive = TownDrive(replace(TOWN, things=(post,)), np.zeros(30_000), at_m)
        frame = true_frame(View(drive, CAMERAS[0]), float(at_s), DRY)
        (seen,) = frame.seen
        left, top, right, bottom = (round(each) for each in seen.box)
        lamp = frame.pixels[top:bottom, left:right].astype(int)
        vivid = lamp[lamp.max(axis=2) - lamp.min(axis=2) > 100]
        assert len(vivid) > 4
        assert vivid.mean(axis=0).argmax() == brightest


def test_a_frame_does_not_depend_on_what_was_drawn_before():
    scene = make_scene("tests", 3)
    drive = TownDrive(scene, np.full(20_000, 10.0))
    times_s = [3.0, 60.0, 61.0, 190.0]
    forward, backward = View(drive, CAMERAS[0]), View(drive, CAMERAS[0])
    first = {at_s: forward.frame(at_s) for at_s in times_s}
    for at_s in reversed(times_s):
        assert np.array_equal(backward.frame(at_s), first[at_s])
    assert not np.array_equal(first[60.0], first[61.0])


@pytest.mark.parametrize(
    ("change", "darker"),
    [({"hour": 20.3}, True), ({"rain": 1.0, "wet": 1.0}, True), ({"lens": "covered"}, True), ({"lens": "dirty"}, False)],
)
def test_weather_light_and_lens_are_seen(change, darker):
    view = View(TownDrive(TOWN, np.zeros(100), 200.0), CAMERAS[0])
    plain, other = view.frame(0.5, DRY).astype(int), view.frame(0.5, replace(DRY, **change)).astype(int)
    assert np.abs(plain - other).mean() > 2
    assert not darker or other.mean() < plain.mean() - 3


def test_a_sign_is_told_from_before_alone():
    for turn_deg, labels in ((180.0, ["sign_stop"]), (0.0, [])):
        sign = thing("sign_stop", 9.0, 2.5, (0.75, 0.1, 2.75), turn_deg)
        frame = true_frame(View(standing(sign), CAMERAS[0]), 0.5, DRY)
        assert [each.label for each in frame.seen] == labels
        red = frame.pixels.astype(int)
        assert bool(((red[..., 0] > 120) & (red[..., 1] < 70)).sum() > 30) == bool(labels)


def test_a_rider_is_a_person_on_a_vehicle():
    rider = thing("person", 8.0, 1.0, (0.6, 1.8, 1.72), 180.0, variant="cyclist")
    seen = {each.label: each for each in true_frame(View(standing(rider), CAMERAS[0]), 0.5, DRY).seen}
    assert set(seen) == {"person", "vehicle", "head", "face"}
    person, ride = seen["person"].box, seen["vehicle"].box
    assert person[1] < ride[1] < person[3] < ride[3] + 1
    assert seen["vehicle"].part_of == rider.id


def test_it_is_dark_in_the_tunnel_and_there_is_no_sky():
    (tunnel,) = TOWN.tunnels
    inside = View(TownDrive(TOWN, np.zeros(100), (tunnel.from_m + tunnel.to_m) / 2), CAMERAS[0]).frame(0.5, DRY)
    outside = View(TownDrive(TOWN, np.zeros(100), 200.0), CAMERAS[0]).frame(0.5, DRY)
    assert inside[:20].mean() < outside[:20].mean()
    assert inside[:20, :, 2].mean() < inside[:20, :, 0].mean() + 5
