"""What a set teaches: its labels, what it never shows, and cracks whose kind it does not say."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.coco import TruePicture, TrueSet, read_set
from inference.labels import BY_NAME, CRACK, CRACKS
from inference.training.sets import (
    HEADS,
    OTHER,
    POSTS,
    PRIVACY_LABELS,
    ROAD_LABELS,
    ROAD_SETS,
    STREETS,
    TASKS,
    Picture,
    decoded,
    draw_weights,
    plans_of,
    read_split,
    supervision,
)

DATA = Path(os.environ.get("RONDE_DATA", Path(__file__).parents[3] / ".." / "shared" / "data"))
DNIT = next(plan for plan in ROAD_SETS if plan.name == "dnit-brazil")
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"no pictures at {DATA}: set RONDE_DATA to the folder of the data sets")


def judged(told):
    return {label for label, one in zip(ROAD_LABELS, told.judged, strict=True) if one}


def test_a_set_judges_its_own_labels_and_those_it_never_shows_and_no_other():
    told = supervision({"pothole"}, POSTS, ROAD_LABELS)
    assert judged(told) == {"pothole", *POSTS}
    assert not told.any_crack


def test_a_crack_of_unknown_kind_judges_all_three_but_only_their_strongest():
    told = supervision({CRACK, "pothole"}, (), ROAD_LABELS)
    assert judged(told) == {"pothole", *CRACKS}
    assert told.any_crack


def test_cracks_mean_nothing_to_a_network_that_has_no_cracks():
    told = supervision({CRACK, "pothole"}, PRIVACY_LABELS, PRIVACY_LABELS)
    assert not told.any_crack
    assert told.judged.tolist() == [1, 1]


def test_no_set_says_that_it_never_shows_what_it_labels():
    if not DATA.is_dir():
        pytest.skip(f"no pictures at {DATA}: set RONDE_DATA to the folder of the data sets")
    for labels, plans in TASKS.values():
        for plan in plans:
            if plan.name in STREETS:  # not drawn here
                continue
            own = set(read_split(DATA, plan, "val").categories)
            if plan.others:
                assert own, plan.name
                continue
            assert not own & set(plan.absent), plan.name
            assert not (CRACK in own and set(CRACKS) & set(plan.absent)), plan.name
            assert supervision(own, plan.absent, labels).judged.any(), plan.name


def test_the_clear_sets_are_those_with_a_licence_that_says_so():
    clear = {plan.name for plan in plans_of("roads", clear=True)}
    assert {"rdd2022-china-motorbike", "dnit-brazil", "street", "signs-germany"} <= clear
    assert not {"signs-france", "potholes-web", "manholes-web", "faces", "plates"} & clear
    assert len(plans_of("roads", clear=False)) == len(ROAD_SETS)


def test_labels_are_ronde_labels_and_every_set_has_a_licence():
    for labels, plans in TASKS.values():
        assert set(labels) <= set(BY_NAME)
        assert all(plan.licence for plan in plans)
        assert all(set(plan.absent) <= set(labels) for plan in plans)


@needs_data
def test_boxes_come_with_the_number_of_their_label():
    truth = read_split(DATA, DNIT, "val")
    pictures = decoded(truth, ROAD_LABELS)
    assert len(pictures) == len(truth.pictures)
    numbers = np.concatenate([picture.labels for picture in pictures])
    assert set(numbers.tolist()) == {ROAD_LABELS.index("pothole"), len(ROAD_LABELS)}
    for picture in pictures:
        assert picture.boxes.shape == (len(picture.labels), 4)
        assert (picture.boxes[:, 2:] > picture.boxes[:, :2]).all()


def test_boxes_that_are_too_small_or_covered_to_be_seen_teach_nothing(tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "street.png")
    boxes = np.array([(0, 0, 20, 20), (30, 30, 34, 34)], float)
    true = TruePicture(1, tmp_path / "street.png", (64, 48), ("pothole", "manhole"), boxes, np.array([False, True]))
    (picture,) = decoded(TrueSet((true,), {}), ROAD_LABELS)
    assert picture.labels.tolist() == [ROAD_LABELS.index("pothole")]
    assert picture.boxes.tolist() == [[0, 0, 20, 20]]


def test_what_a_network_does_not_know_is_left_out_or_is_something_else(tmp_path):
    Image.new("RGB", (64, 48)).save(tmp_path / "street.png")
    boxes = np.array([(0, 0, 20, 20), (30, 30, 44, 44)], float)
    true = TruePicture(1, tmp_path / "street.png", (64, 48), ("plate", "sign_stop"), boxes, np.zeros(2, bool))
    for others, wanted in ((False, [0]), (True, [0, OTHER])):
        (picture,) = decoded(TrueSet((true,), {}), PRIVACY_LABELS, others=others)
        assert picture.labels.tolist() == wanted
        assert draw_weights([picture], len(PRIVACY_LABELS)).tolist() == [1]


def test_categories_can_be_called_something_else(tmp_path):
    (tmp_path / "images").mkdir()
    document = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "head"}, {"id": 2, "name": "face"}, {"id": 3, "name": "plate"}],
        "annotations": [{"image_id": 1, "category_id": number, "bbox": [number, 0, 5, 5], "iscrowd": 0} for number in (1, 2, 3)],
    }
    (tmp_path / "truth.json").write_text(json.dumps(document))
    assert read_set(tmp_path / "truth.json", tmp_path / "images").pictures[0].labels == ("face", "plate")
    (picture,) = read_set(tmp_path / "truth.json", tmp_path / "images", HEADS).pictures
    assert picture.labels == ("face", "plate")
    assert picture.boxes[:, 0].tolist() == [1, 3]


@needs_data
def test_boxes_of_other_tasks_are_left_out():
    pictures = decoded(read_split(DATA, DNIT, "val"), PRIVACY_LABELS)
    assert not any(len(picture.boxes) for picture in pictures)


def test_pictures_with_rare_labels_are_drawn_more_often_up_to_three_times():
    image = Image.new("RGB", (8, 8))
    often = [Picture(image, np.zeros((1, 4), np.float32), np.array([0])) for _ in range(99)]
    rare = Picture(image, np.zeros((1, 4), np.float32), np.array([1]))
    weights = draw_weights([*often, rare], labels=2)
    assert weights.sum() == pytest.approx(1)
    assert weights[-1] == pytest.approx(3 * weights[0])
    assert np.ptp(weights[:-1]) == 0
