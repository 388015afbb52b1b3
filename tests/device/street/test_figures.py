import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.street.figures import PX, person, tree


def rng(seed=1):
    return np.random.default_rng(seed)


def inside(sheet, part):
    """The pixels of a part, RGBA."""
    left, top, right, bottom = (round(each * sheet.px_per_m) for each in (part.left_m, part.top_m, part.right_m, part.bottom_m))
    return sheet.rgba[top:bottom, left:right].astype(float)


def within(sheet, part):
    return -0.01 <= part.left_m < part.right_m <= sheet.width_m + 0.01 and -0.01 <= part.top_m < part.bottom_m <= sheet.height_m


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**53), st.floats(1.0, 1.95), st.integers(0, 3), st.booleans())
def test_a_person_stands_on_the_ground_with_a_head_on_top_and_a_face_only_towards_us(seed, height_m, step, facing):
    sheet = person(rng(seed), height_m, step, facing=facing)
    assert sheet.height_m == pytest.approx(height_m, abs=1 / PX)
    assert sheet.truth.bottom_m == pytest.approx(sheet.height_m, abs=0.06)
    assert sheet.truth.top_m < 0.03
    (head,) = sheet.parts["head"]
    assert within(sheet, head)
    assert head.top_m < 0.02
    assert 0.1 * height_m < head.bottom_m - head.top_m < 0.17 * height_m
    assert (inside(sheet, head)[..., 3] > 128).mean() > 0.6
    faces = sheet.parts["face"]
    assert len(faces) == int(facing)
    for face in faces:
        assert head.left_m <= face.left_m < face.right_m <= head.right_m
        assert head.top_m < face.top_m < face.bottom_m <= head.bottom_m + 1e-9
    assert (person(rng(seed), height_m, step, facing=facing).rgba == sheet.rgba).all()


def test_a_face_is_lighter_than_the_hair_behind_it_and_has_eyes():
    toward, away = (person(rng(8), 1.75, 1, facing=facing) for facing in (True, False))
    (face,), (head,) = toward.parts["face"], away.parts["head"]
    skin = inside(toward, face)
    assert np.median(skin[..., :3]) > np.median(inside(away, head)[..., :3]) + 20
    eyes = skin[: len(skin) // 2, skin.shape[1] // 5 : -skin.shape[1] // 5, :3].mean(axis=2)
    assert eyes.min() < np.median(eyes) - 40


def test_people_differ_and_walk():
    assert len({person(rng(seed), 1.75, 1, facing=True).rgba.tobytes() for seed in range(8)}) == 8
    assert len({person(rng(1), 1.75, step, facing=False).rgba.tobytes() for step in (0, 1, 2)}) == 3


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**53), st.floats(4, 9))
def test_a_tree_is_green_above_and_stands_on_a_trunk(seed, height_m):
    sheet = tree(rng(seed), height_m)
    assert sheet.height_m == pytest.approx(height_m, abs=0.02)
    crown = sheet.rgba[: len(sheet.rgba) // 2]
    crown = crown[crown[..., 3] > 128].astype(float)
    assert crown[:, 1].mean() > crown[:, 0].mean() > crown[:, 2].mean()
    foot = sheet.rgba[-3:, :, 3] > 128
    assert 0 < foot.sum(axis=1).max() < 0.2 * foot.shape[1]
