"""What is said about a model: precision, thresholds, false alarms and what hiding covers, on pictures made for it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.coco import TruePicture
from inference.detect import Detection
from inference.training.judge import Judged, best_working, precision_of, quiet_from, shown
from inference.training.report import (
    Hiding,
    accuracy,
    alarms,
    by_picture,
    choose_thresholds,
    hiding,
    privacy_thresholds,
    safety_thresholds,
    write_report,
)
from inference.training.sets import DRAWN, PictureSet


def judged(truths, found, *, name="a", absent=(), labels=("pothole",), closer=()):
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
    return Judged(PictureSet(name, "none", 1, (1, 1), absent), labels, pictures, detections, closer or ((),) * len(pictures))


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
    assert alarms([shows, never], Hiding({"pothole": 0.5}, 0)) == {"a": {}, "signs": {"pothole": 100.0}}
    assert alarms([never], Hiding({"pothole": 0.7}, 0)) == {"signs": {}}


def test_no_more_alarms_than_three_in_a_hundred_are_bought_with_recall():
    """Ten good finds would be worth six alarms, by F1; six alarms in a hundred pictures are three too many."""
    shows = judged([[("pothole", A)]] * 20, [[("pothole", 0.9, A)]] * 10 + [[("pothole", 0.4, A)]] * 10)
    never = judged([[]] * 100, [[("pothole", 0.5, A)]] * 6 + [[]] * 94, name="signs", absent=("pothole",), labels=())
    assert choose_thresholds([shows, never], ["pothole"]) == {"pothole": 0.9}
    assert quiet_from([shows, never], "pothole") == pytest.approx(0.5)
    fewer = judged([[]] * 100, [[("pothole", 0.5, A)]] * 3 + [[]] * 97, name="signs", absent=("pothole",), labels=())
    assert quiet_from([shows, fewer], "pothole") == 0
    assert choose_thresholds([shows, fewer], ["pothole"]) == {"pothole": 0.4}


def test_a_threshold_comes_from_real_pictures_where_any_show_the_thing():
    real = judged([[("pothole", A)]], [[("pothole", 0.6, A)]])
    drawn = judged([[("pothole", A), ("drain", B)]], [[("pothole", 0.2, A), ("drain", 0.3, B)]], labels=("pothole", "drain"))
    drawn = replace(drawn, plan=replace(drawn.plan, licence=DRAWN))
    assert choose_thresholds([real, drawn], ["pothole", "drain"]) == {"pothole": 0.6, "drain": 0.3}


def test_sets_too_small_to_tell_are_counted_together():
    small = [
        judged([[]] * 20, [[("pothole", score, A)]] + [[]] * 19, name=name, absent=("pothole",), labels=())
        for name, score in (("one", 0.6), ("two", 0.3))
    ]
    assert quiet_from(small, "pothole") == pytest.approx(0.3)
    assert quiet_from(small[:1], "pothole") == pytest.approx(0.6)


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


def plates_and_others():
    plates = judged(
        [[("plate", A)], [("plate", B)]],
        [[("plate", 0.6, A)], [("vehicle", 0.9, (80, 0, 160, 80)), ("plate", 0.13, B)]],
        name="plates",
        labels=("plate",),
    )
    bare = judged([[]] * 40, [[("plate", 0.3, A), ("face", 0.12, B)]] * 2 + [[]] * 38, name="dnit", absent=("plate", "face"))
    return plates, bare


def test_hiding_is_counted_by_what_the_product_hides():
    plates, bare = plates_and_others()
    thresholds, alone = privacy_thresholds([plates, bare])
    assert thresholds["plate"] == pytest.approx(0.125)
    assert thresholds["face"] == pytest.approx(0.121)
    assert alone == pytest.approx(0.301)
    said = hiding([plates, bare], Hiding(thresholds, alone))
    assert said["plates val"]["plate"]["covered"] == 1
    assert said["plates val"]["plate"]["n"] == 2
    assert said["plates val"]["hidden_share_median"] > 0
    assert said["dnit val"] == {"hidden_share_median": 0.0}
    blind = hiding([plates], Hiding(thresholds | {"plate": 0.9, "vehicle": 0.95}, 0.9))["plates val"]
    assert blind["plate"]["covered"] == 0
    assert blind["hidden_share_median"] == 0


def test_a_plate_of_the_closer_look_counts_like_one_of_the_first():
    vehicle = ("vehicle", 0.9, (80, 0, 160, 80))
    far = judged([[("plate", (112, 60, 120, 64))]], [[vehicle]], name="far", labels=("plate",))
    seen = judged(
        [[("plate", (112, 60, 120, 64))]],
        [[vehicle]],
        name="far",
        labels=("plate",),
        closer=((Detection("plate", 0.5, (112, 60, 120, 64)),),),
    )
    at = Hiding({"vehicle": 0.25, "plate": 0.4}, 0.4)
    whole, close = (hiding([one], at)["far val"] for one in (far, seen))
    assert close["plate"]["covered"] == 1
    assert close["hidden_share_median"] < whole["hidden_share_median"]


def test_a_sign_counts_as_hidden_by_mistake_when_half_of_it_is():
    sign = judged([[("sign_stop", A)]], [[("plate", 0.5, (10, 10, 50, 35))]], name="signs", labels=())
    sign = replace(sign, plan=replace(sign.plan, others=True))
    assert hiding([sign], Hiding({"plate": 0.4}, 0.4))["signs val"]["sign_stop"]["covered"] == 1
    assert hiding([sign], Hiding({"plate": 0.6}, 0.6))["signs val"]["sign_stop"]["covered"] == 0


def test_the_report_tells_every_label_and_alarm(tmp_path):
    shows = judged([[("pothole", A)]], [[("pothole", 0.9, A)]])
    never = judged([[]], [[("pothole", 0.95, A)]], name="signs", absent=("pothole",), labels=())
    document = {"name": "roads-0", "ap50": accuracy([shows], [shows]), "thresholds": {"pothole": 0.9}}
    write_report(tmp_path / "report.md", document, [shows, never])
    text = (tmp_path / "report.md").read_text()
    assert "| a val | pothole | 1 | 1.000 | 1.000 |" in text
    assert "| signs | pothole | 100.0 |" in text


def test_fire_is_judged_by_picture_and_lamps_bound_its_threshold():
    burning = judged([[("fire", A)], [("fire", B)], []], [[("fire", 0.9, B)], [("fire", 0.4, B)], []], labels=("fire",))
    lamps = judged([[]] * 50, [[("fire", 0.6, A)]] * 2 + [[]] * 48, name="lamps", absent=("fire",), labels=())
    assert safety_thresholds([burning], ("fire",)) == {"fire": 0.4}
    assert safety_thresholds([burning, lamps], ("fire",)) == {"fire": 0.9}
    told = by_picture([burning, lamps], {"fire": 0.5})
    assert told["a val"]["fire"]["recall"] | {"interval_95": None} == {"share": 0.5, "interval_95": None, "pictures": 2}
    assert told["lamps val"]["fire"]["alarms"]["share"] == 0.04
