"""What is hidden, and that nothing else changes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.frame import Frame, Place
from inference.anonymise import hide
from inference.detect import Detection

PLACE = Place(43.55, 7.01, 3.0, 90.0, 8.0, 120.0, "between_fixes", None, "unset")


def frame_of(pixels, source=None):
    return Frame(pixels, 1.0, PLACE, source)


def noise(width=200, height=120, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def mask_of(shape, regions):
    mask = np.zeros(shape[:2], bool)
    for left, top, right, bottom in regions:
        mask[top:bottom, left:right] = True
    return mask


sides = st.floats(-30, 260, allow_nan=False)
boxes = st.tuples(sides, sides, sides, sides).map(lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3])))
people = st.lists(
    st.builds(Detection, st.sampled_from(["face", "plate", "person", "vehicle"]), st.floats(0, 1), boxes), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(people, st.integers(1, 200), st.integers(1, 120), st.integers(0, 5))
def test_every_region_is_one_colour_and_nothing_else_changes(found, width, height, seed):
    pixels = noise(width, height, seed)
    before = pixels.copy()
    kept = hide(frame_of(pixels, "photo.jpg"), found)
    assert (pixels == before).all()
    for left, top, right, bottom in kept.hidden:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        region = kept.pixels[top:bottom, left:right]
        assert (region == region[0, 0]).all()
    mask = mask_of(pixels.shape, kept.hidden)
    assert (kept.pixels[~mask] == before[~mask]).all()
    assert kept.hidden_share == pytest.approx(mask.mean())
    assert (kept.place, kept.source) == (PLACE, "photo.jpg")
    assert not np.shares_memory(kept.pixels, pixels)


@settings(max_examples=100, deadline=None)
@given(people)
def test_every_pixel_of_a_face_and_of_a_plate_is_hidden(found):
    pixels = noise()
    mask = mask_of(pixels.shape, hide(frame_of(pixels), found).hidden)
    for each in found:
        if each.label in {"face", "plate"}:
            left, top, right, bottom = each.box
            columns, rows = np.arange(200), np.arange(120)
            inside = ((rows + 1 > top) & (rows < bottom))[:, None] & ((columns + 1 > left) & (columns < right))[None, :]
            assert mask[inside].all()


def hidden_share_of(box, regions):
    rows = mask_of((600, 800), regions)[box[1] : box[3], box[0] : box[2]]
    return rows.mean()


def hide_in_street(*found, signs=()):
    return hide(frame_of(np.full((600, 800, 3), 90, np.uint8)), found, signs).hidden


def test_of_a_standing_person_the_head_is_hidden_and_the_feet_are_not():
    regions = hide_in_street(Detection("person", 0.9, (300, 100, 360, 300)))
    assert hidden_share_of((300, 100, 360, 170), regions) == 1
    assert hidden_share_of((300, 200, 360, 300), regions) == 0


@pytest.mark.parametrize(
    "box",
    [(0, 100, 60, 300), (300, 0, 360, 200), (740, 100, 800, 300), (300, 395, 360, 595), (300, 100, 440, 300)],
    ids=["cut left", "cut above", "cut right", "cut below", "squat"],
)
def test_of_a_person_who_is_cut_or_squat_everything_is_hidden(box):
    assert hidden_share_of(box, hide_in_street(Detection("person", 0.9, box))) == 1


def test_a_plate_that_is_a_sign_stays_readable_and_one_at_its_edge_is_hidden():
    sign = Detection("sign_stop", 0.8, (400, 100, 500, 200))
    inside = Detection("plate", 0.7, (410, 130, 490, 160))
    across = Detection("plate", 0.7, (390, 130, 490, 160))
    beside = Detection("plate", 0.7, (520, 130, 600, 160))
    assert hide_in_street(inside, signs=[sign]) == ()
    assert len(hide_in_street(inside)) == 1
    assert len(hide_in_street(across, signs=[sign])) == 1
    regions = hide_in_street(beside, signs=[sign])
    assert hidden_share_of((520, 130, 600, 160), regions) == 1
    assert hidden_share_of((400, 100, 500, 200), regions) == 0


def test_a_vehicles_rear_taken_for_a_sign_does_not_free_its_plate_nor_a_sign_a_face():
    sign = Detection("sign_stop", 0.8, (400, 100, 500, 200))
    plate = Detection("plate", 0.7, (410, 130, 490, 160))
    assert len(hide_in_street(plate, Detection("vehicle", 0.5, (380, 60, 520, 220)), signs=[sign])) == 1
    assert len(hide_in_street(Detection("face", 0.5, (410, 130, 430, 150)), signs=[sign])) == 1


def test_of_a_vehicle_without_a_found_plate_the_band_is_hidden_where_it_must_be():
    vehicle = Detection("vehicle", 0.9, (100, 100, 300, 300))
    (band,) = hide_in_street(vehicle)
    assert band[0] > 100
    assert band[2] < 300
    assert 160 < band[1] < 200
    assert 270 < band[3] < 300


def test_a_vehicle_that_the_pictures_edge_cuts_may_have_its_plate_at_the_edge():
    (whole,) = hide_in_street(Detection("vehicle", 0.9, (100, 100, 300, 300)))
    (left,) = hide_in_street(Detection("vehicle", 0.9, (1, 100, 201, 300)))
    (right,) = hide_in_street(Detection("vehicle", 0.9, (598, 100, 798, 300)))
    (bottom,) = hide_in_street(Detection("vehicle", 0.9, (100, 399, 300, 599)))
    assert (left[0], left[2]) == (1, whole[2] - 99)
    assert (right[0], right[2]) == (whole[0] + 498, 798)
    assert (bottom[1], bottom[3]) == (whole[1] + 299, 599)


def test_of_a_vehicle_with_a_found_plate_no_more_than_the_plate_is_hidden():
    vehicle, plate = Detection("vehicle", 0.9, (100, 100, 300, 300)), Detection("plate", 0.4, (170, 240, 230, 260))
    assert hide_in_street(vehicle, plate) == hide_in_street(plate)
    other = Detection("vehicle", 0.9, (400, 100, 600, 300))
    assert len(hide_in_street(vehicle, plate, other)) == 2


def test_a_vehicle_seen_from_its_side_shows_no_plate_nor_does_one_that_may_be_none():
    assert hide_in_street(Detection("vehicle", 0.9, (100, 100, 400, 220))) == ()
    assert hide_in_street(Detection("vehicle", 0.3, (100, 100, 300, 300))) == ()


def test_a_vehicle_seen_twice_needs_its_plate_found_once():
    vehicle, plate = Detection("vehicle", 0.9, (100, 100, 300, 300)), Detection("plate", 0.4, (170, 270, 230, 290))
    upper = Detection("vehicle", 0.5, (100, 100, 300, 220))
    assert hide_in_street(vehicle, upper, plate) == hide_in_street(plate)


def test_the_colour_is_that_of_the_place():
    pixels = np.full((100, 100, 3), (200, 40, 40), np.uint8)
    pixels[:, 50:] = (10, 20, 220)
    kept = hide(frame_of(pixels), [Detection("face", 0.9, (20, 20, 30, 30)), Detection("face", 0.9, (70, 20, 80, 30))])
    assert kept.pixels[25, 25].tolist() == [200, 40, 40]
    assert kept.pixels[25, 75].tolist() == [10, 20, 220]
