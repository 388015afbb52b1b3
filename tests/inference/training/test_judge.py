"""What is said about a model: precision, thresholds, false alarms and what hiding covers, on pictures made for it."""

from pathlib import Path

import numpy as np
import pytest

from inference.coco import TruePicture
from inference.detect import Detection
from inference.training.judge import Judged, best_working, precision_of, shown
from inference.training.report import accuracy, alarms, choose_thresholds, hiding, privacy_thresholds, write_report
from inference.training.sets import PictureSet


def judged(truths, found, *, name="a", absent=(), labels=("pothole",)):
    """Pictures of 200 x 100; `truths` and `found` are per picture lists of (label, box) and (label, score, box)."""
    pictures = tuple(
        TruePicture(
            number,
            Path(f"{number}.jpg"),
            (200, 100),
            tuple(label for label, _ in one),
            np.array([box for _, box in one], np.float64).reshape(-1, 4),
            np.zeros(len(one), bool),
        )
        for number, one in enumerate(truths)
    )
    detections = tuple(tuple(Detection(*each) for each in one) for one in found)
    return Judged(PictureSet(name, "none", 1, (1, 1), absent), labels, pictures, detections)


A, B = (10, 10, 50, 50), (100, 10, 140, 50)


def test_precision_of_perfect_and_of_blind_models():
    truths = [[("pothole", A)], [("pothole", B)]]
    assert precision_of(judged(truths, [[("pothole", 0.9, A)], [("pothole", 0.8, B)]]), "pothole", 0.5) == 1
    assert precision_of(judged(truths, [[], []]), "pothole", 0.5) == 0


def test_a_threshold_lies_between_hits_and_false_alarms():
    one = judged([[("pothole", A)], [("pothole", B)]], [[("pothole", 0.9, A)], [("pothole", 0.6, B), ("pothole", 0.3, A)]])
    best = best_working([one], "pothole")
    assert (best.threshold, best.f1, best.truths) == (0.6, 1.0, 2)


def test_alarms_on_sets_that_never_show_a_label_raise_its_threshold():
    shows = judged([[("pothole", A)], [("pothole", B)]], [[("pothole", 0.9, A)], [("pothole", 0.4, B)]])
    never = judged([[]] * 4, [[("pothole", 0.6, A)]] * 4, name="signs", absent=("pothole",), labels=())
    assert choose_thresholds([shows], ["pothole"]) == {"pothole": 0.4}
    assert choose_thresholds([shows, never], ["pothole"]) == {"pothole": 0.9}
    assert alarms([shows, never], {"pothole": 0.5}) == {"a": {}, "signs": {"pothole": 100.0}}
    assert alarms([never], {"pothole": 0.7}) == {"signs": {}}


def test_a_label_never_found_rightly_is_never_reported():
    wrong = judged([[("pothole", A)]], [[("pothole", 0.9, B)]])
    assert choose_thresholds([wrong], ["pothole"]) == {"pothole": 1.0}


def test_only_labels_with_boxes_are_reported_and_small_is_compared_with_float():
    truths = [[("pothole", A)], [("pothole", B)]]
    full = judged(truths, [[("pothole", 0.9, A)], [("pothole", 0.8, B)]], labels=("patch", "pothole"))
    small = judged(truths, [[("pothole", 0.9, A)], []], labels=("patch", "pothole"))
    entry = accuracy([full], [small])["a val"]
    assert set(shown(full)) == set(entry["labels"]) == {"pothole"}
    assert entry["labels"]["pothole"]["float"] == 1
    assert entry["labels"]["pothole"]["int8"] == pytest.approx(51 / 101, abs=1e-4)
    assert entry["mean"]["int8"] == entry["labels"]["pothole"]["int8"]


def test_masks_cut_into_boxes_are_judged_leniently_too():
    near = (10, 10, 50, 30)  # half of A
    one = judged([[("pothole", A)]], [[("pothole", 0.9, near)]], name="dnit-brazil")
    document = accuracy([one], [one])
    assert document["dnit-brazil val"]["iou"] == 0.5
    assert document["dnit-brazil val, IoU 0.3"]["mean"]["float"] == 1
    assert choose_thresholds([one], ["pothole"])["pothole"] == 0.9


def test_hiding_is_counted_by_what_the_product_hides():
    plates = judged(
        [[("plate", A)], [("plate", B)]], [[("plate", 0.4, A)], [("plate", 0.13, B)]], name="plates", labels=("plate",)
    )
    faces = judged([[("face", A)]], [[("face", 0.83, A)]], name="faces", labels=("face",))
    chosen = privacy_thresholds([plates, faces])
    assert chosen["plate"] == 0.125
    assert chosen["face"] == 0.3
    said = hiding([plates, faces], chosen)
    assert said["plates val"]["plate"]["covered"] == 1
    assert said["plates val"]["plate"]["n"] == 2
    assert said["plates val"]["hidden_share_median"] > 0
    blind = hiding([plates], chosen | {"plate": 0.9})["plates val"]
    assert blind["plate"]["covered"] == 0
    assert blind["hidden_share_median"] == 0


def test_the_report_tells_every_label_and_alarm(tmp_path):
    shows = judged([[("pothole", A)]], [[("pothole", 0.9, A)]])
    never = judged([[]], [[("pothole", 0.95, A)]], name="signs", absent=("pothole",), labels=())
    document = {"name": "roads-0", "ap50": accuracy([shows], [shows]), "thresholds": {"pothole": 0.9}}
    write_report(tmp_path / "report.md", document, [shows, never])
    text = (tmp_path / "report.md").read_text()
    assert "| a val | pothole | 1 | 1.000 | 1.000 |" in text
    assert "| signs | pothole | 100.0 |" in text
