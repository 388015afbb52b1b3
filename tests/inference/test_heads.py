"""Heads of the street: told by distance and by where they look."""

import json

import numpy as np
import pytest
from PIL import Image

from inference import heads
from inference.heads import Head, heads_in, told


def annotation(name, person, box, *, ahead_m=10.0, crowd=0):
    who = {"name": name, "thing": f"{person}-{name}-0", "part_of": person}
    return who | {"bbox": list(box), "iscrowd": crowd, "ahead_m": ahead_m}


def test_a_head_is_covered_when_nine_tenths_of_it_are_and_faces_tell_where_it_looks():
    boxes = [
        annotation("head", "a", (10, 10, 10, 10)),
        annotation("face", "a", (12, 12, 5, 5)),
        annotation("head", "b", (50, 10, 10, 10), ahead_m=4.0),
        annotation("head", "c", (80, 10, 3, 3), crowd=1),
        annotation("plate", "d", (80, 10, 3, 3)),
    ]
    found = heads_in(boxes, [(10, 10, 20, 19), (50, 10, 58, 20)])
    assert found == [Head(10.0, True, True), Head(4.0, False, False)]


def test_groups_hold_every_head_once_by_distance_and_once_by_where_it_looks():
    some = [Head(3.0, True, True), Head(9.0, True, False), Head(9.5, False, True), Head(30.0, False, True)]
    said = told(some, [0.01, 0.03])
    assert said["covered"] == 0.75
    assert sum(group["heads"] for group in said["groups"].values()) == 2 * len(some)
    assert said["groups"]["8 to 12 m"] == {"covered": 0.5, "heads": 2}
    assert said["groups"]["turned away"]["covered"] == 1.0
    assert said["hidden_share_median"] == pytest.approx(0.02)


def test_the_command_says_what_is_covered(model_file, tmp_path, capsys):
    """To the tiny model, red is a person; the head of one is in its upper part."""
    pixels = np.full((64, 96, 3), 128, np.uint8)
    pixels[16:32, 32:48] = (255, 0, 0)
    (tmp_path / "images").mkdir()
    Image.fromarray(pixels).save(tmp_path / "images" / "1.png")
    document = {
        "images": [{"id": 1, "file_name": "1.png"}],
        "categories": [{"id": 1, "name": "head"}],
        "annotations": [{**annotation("", "a", (36, 18, 6, 5)), "image_id": 1, "category_id": 1}],
    }
    (tmp_path / "truth.json").write_text(json.dumps(document))
    command = ["--model", str(model_file("privacy")), "--street", str(tmp_path)]
    assert heads.main([*command, "--json"]) == heads.DONE
    assert json.loads(capsys.readouterr().out)["covered"] == 1.0
    assert heads.main(command) == heads.DONE
    assert "1 heads, 1.000 covered" in capsys.readouterr().out
    (tmp_path / "truth.json").write_text("{}")
    assert heads.main(command) == heads.REFUSED
    assert "no street" in capsys.readouterr().err
