"""The one table of labels, and the names that data sets use."""

import json
import os
from pathlib import Path

import pytest

from inference.labels import BY_NAME, CRACK, CRACKS, LABELS, SOURCE_CATEGORIES, label_of

DATA = Path(os.environ.get("RONDE_DATA", Path(__file__).parents[2] / ".." / "shared" / "data"))


def test_every_label_is_named_once_for_machines_and_once_in_each_language():
    for field in ("name", "english", "french"):
        words = [getattr(label, field) for label in LABELS]
        assert len(set(words)) == len(words)
    assert all(name == name.lower().strip() and name.isascii() for name in BY_NAME)


def test_the_codes_of_the_road_damage_dataset_lead_to_the_right_damage():
    expected = {
        "D00": "crack_longitudinal",
        "D10": "crack_transverse",
        "D20": "crack_alligator",
        "D40": "pothole",
        "Repair": "patch",
    }
    assert {code: label_of({"id": 1, "name": code}) for code in expected} == expected


def test_categories_of_the_other_sets():
    assert label_of({"name": "license-plate"}) == "plate"
    assert label_of({"name": "manhole_closed"}) == "manhole"
    assert label_of({"name": "crack"}) == CRACK
    assert label_of({"name": "unicorn"}) is None


def test_a_german_sign_is_judged_by_its_french_group_and_not_by_its_name():
    assert (
        label_of({"name": "speed limit 30", "supercategory": "prohibitory", "signs_france": "sign_prohibition"})
        == "sign_prohibition"
    )
    assert label_of({"name": "priority road", "supercategory": "other"}) is None


def test_the_unknown_crack_is_no_label_but_stands_for_three():
    assert CRACK not in BY_NAME
    assert all(BY_NAME[name].kind == "road" for name in CRACKS)


def test_every_source_name_leads_to_a_label():
    assert {ours for ours in SOURCE_CATEGORIES.values() if ours != CRACK} == set(BY_NAME)


def test_every_category_of_the_data_at_hand_is_known():
    if not DATA.is_dir():
        pytest.skip(f"no pictures at {DATA}: set RONDE_DATA to the folder of the data sets")
    unknown = {}
    for path in DATA.glob("*/val.json"):
        for category in json.loads(path.read_text())["categories"]:
            if label_of(category) is None:
                unknown.setdefault(path.parent.name, set()).add(category["name"])
    assert set(unknown) == {"signs-germany"}
    assert all("priority road" in name or "restriction ends" in name for name in unknown["signs-germany"])
