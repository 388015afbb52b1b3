"""Whether two processors see the same: what `./run arm64` holds its two replays against each other with."""

import dataclasses
import importlib.util
import sys
from pathlib import Path

import pytest

from inference.manifest import SHIPPED

FILE = Path(__file__).parents[2] / "systemd" / "package" / "likeness.py"


@pytest.fixture(scope="module")
def likeness():
    spec = importlib.util.spec_from_file_location("likeness", FILE)
    made = importlib.util.module_from_spec(spec)
    sys.modules["likeness"] = made
    spec.loader.exec_module(made)
    yield made
    del sys.modules["likeness"]


@pytest.fixture
def scales(likeness):
    return {"pothole": likeness.Scale(0.5, 0.05), "patch": likeness.Scale(0.5, 0.05)}


@pytest.fixture
def pothole(likeness):
    return likeness.Seen("pothole", 0.8, (100.0, 200.0, 140.0, 230.0))


def test_the_same_twice_is_alike(likeness, scales, pothole):
    found = likeness.likeness({"1.jpg": [pothole], "2.jpg": []}, {"1.jpg": [pothole], "2.jpg": []}, scales)
    assert (found["frames"], found["detections"], found["identical"], found["goals_missed"]) == (2, 1, 1, [])
    assert (found["boxes_within"], found["scores_within"]) == (1.0, 1.0)


def test_how_many_are_within_is_told_beside_the_worst(likeness, scales, pothole):
    moved = dataclasses.replace(pothole, box=(110.0, 200.0, 140.0, 230.0))
    found = likeness.likeness({"1.jpg": [pothole], "2.jpg": [pothole]}, {"1.jpg": [pothole], "2.jpg": [moved]}, scales)
    assert (found["boxes_within"], found["worst_box_px"], found["scores_within"]) == (0.5, 10.0, 1.0)


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"box": (101.5, 200.0, 140.0, 230.0)}, []),
        ({"box": (103.0, 200.0, 140.0, 230.0)}, ["boxes within 2 px"]),
        ({"score": 0.815}, []),
        ({"score": 0.86}, ["scores within 3 quanta"]),
        ({"label": "patch"}, ["the same labels for 99%"]),
        ({"box": (300.0, 200.0, 340.0, 230.0)}, ["the same labels for 99%"]),
    ],
)
def test_what_differs_is_told_by_its_goal(likeness, scales, pothole, changed, missed):
    other = dataclasses.replace(pothole, **changed)
    for ours, theirs in ((pothole, other), (other, pothole)):
        assert likeness.likeness({"1.jpg": [ours]}, {"1.jpg": [theirs]}, scales)["goals_missed"] == missed


def test_what_only_one_of_them_sees_counts_unless_it_was_unsure(likeness, scales, pothole):
    unsure = dataclasses.replace(pothole, score=0.54)
    assert likeness.likeness({"1.jpg": [pothole]}, {"1.jpg": []}, scales)["goals_missed"] == ["the same labels for 99%"]
    found = likeness.likeness({"1.jpg": [pothole]}, {"1.jpg": [pothole, unsure]}, scales)
    assert (found["detections"], found["goals_missed"]) == (1, [])


def test_a_frame_that_one_of_them_has_not_is_missed(likeness, scales, pothole):
    assert "the same frames" in likeness.likeness({"1.jpg": [pothole]}, {"1.jpg": [pothole], "2.jpg": []}, scales)["goals_missed"]


def test_each_shipped_label_has_its_threshold_and_quantum(likeness):
    scales = likeness.scales_of(sorted(SHIPPED.glob("*.json")))
    assert {"pothole", "plate", "person"} <= set(scales)
    assert all(0 < each.threshold < 1 and each.quantum > 0 for each in scales.values())
