"""The models that are shipped: each is the file that its manifest describes, and says where it comes from."""

import hashlib
import json
from pathlib import Path

import pytest

import inference
from inference.labels import BY_NAME
from inference.training.sets import TASKS

MODELS = Path(inference.__file__).parent / "models"
MANIFESTS = sorted(MODELS.glob("*.json"))


def test_both_tasks_have_a_model():
    assert {json.loads(path.read_text())["task"] for path in MANIFESTS} >= {"roads", "privacy"}


@pytest.fixture(params=MANIFESTS, ids=lambda path: path.stem)
def shipped(request):
    return request.param, json.loads(request.param.read_text(encoding="utf-8"))


def test_the_file_is_the_one_described(shipped):
    path, manifest = shipped
    content = path.with_suffix(".tflite").read_bytes()
    assert manifest["name"] == path.stem
    assert manifest["bytes"] == len(content)
    assert manifest["sha256"] == hashlib.sha256(content).hexdigest()


def test_each_label_is_known_and_has_a_threshold(shipped):
    _, manifest = shipped
    labels = [label for head in manifest["heads"] for label in head["labels"]]
    assert set(labels) <= set(BY_NAME)
    assert set(manifest["thresholds"]) == set(labels)
    assert all(0 < threshold <= 1 for threshold in manifest["thresholds"].values())


def test_each_set_is_named_with_its_licence_and_share(shipped):
    _, manifest = shipped
    labels, plans = TASKS[manifest["task"]]
    own = manifest["heads"][-1]["labels"]
    assert own == list(labels[: len(own)])
    licences = {plan.name: plan.licence for plan in plans}
    assert all(entry["licence"] == licences[entry["set"]] for entry in manifest["data"])
    assert all(entry["pictures"] > 0 for entry in manifest["data"])
    assert "Apache-2.0" in manifest["start"]["licence"]


def test_int8_pixels_are_bytes_less_128(shipped):
    _, manifest = shipped
    entry = manifest["input"]
    assert (entry["dtype"], entry["scale"], entry["zero_point"]) == ("int8", 1 / entry["std"], 0)
    assert entry["mean"] == 128


def test_what_val_says_is_there_for_every_number_of_boxes(shipped):
    _, manifest = shipped
    for entry in manifest["ap50"].values():
        assert entry["labels"]
        for row in entry["labels"].values():
            assert row["boxes"] > 0
            assert 0 <= row["float"] <= 1
            assert 0 <= row["int8"] <= 1
