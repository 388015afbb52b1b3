"""One model against another, one runtime against another: what is said, and when a goal is missed."""

import json
import sys

import numpy as np
import pytest
from PIL import Image

from inference import compare
from inference.model import Output
from inference.raw import read_raw, write_raw


@pytest.fixture
def pictures(tmp_path):
    """Two pictures with a red square each, which the tiny models take for a pothole."""
    (tmp_path / "images").mkdir()
    images, boxes = [], []
    for number in (1, 2):
        pixels = np.full((64, 96, 3), 128, np.uint8)
        pixels[16:32, 16 * number : 16 * number + 16] = (255, 0, 0)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
        images.append({"id": number, "file_name": f"{number}.png", "width": 96, "height": 64})
        boxes.append({"image_id": number, "category_id": 1, "bbox": [16 * number, 16, 16, 16], "iscrowd": 0})
    document = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "pothole"}]}
    (tmp_path / "val.json").write_text(json.dumps(document))
    return ["--data", str(tmp_path / "val.json"), "--images", str(tmp_path / "images"), "--json"]


def test_a_quantized_model_is_held_against_its_float(model_file, pictures, capsys):
    small, full = model_file("roads", "small"), model_file("roads", "full", io="float32", real=True)
    assert compare.main(["--model", str(small), "--against", str(full), *pictures]) == compare.DONE
    said = json.loads(capsys.readouterr().out)
    assert said["boxes"] == 2
    assert said["mAP"] == pytest.approx(said["reference_mAP"], abs=0.3)
    assert said["lost"] == pytest.approx(said["reference_mAP"] - said["mAP"], abs=1e-4)
    assert said["lost_at_most_95"] >= said["lost"]


def test_the_same_runtime_in_another_process_gives_the_same_to_the_last_quantum(model_file, pictures, capsys, monkeypatch):
    monkeypatch.setenv(compare.OTHER_PYTHON, sys.executable)
    assert compare.main(["--model", str(model_file("roads")), "--runtime", *pictures]) == compare.DONE
    said = json.loads(capsys.readouterr().out)
    assert (said["within_one_quantum"], said["most_quanta"], said["goals_missed"]) == (1.0, 0.0, [])
    assert said["outputs"] == 2 * (96 + 24 + 6) * (3 + 4)


def test_without_another_python_there_is_nothing_to_compare_with(model_file, pictures, capsys, monkeypatch):
    monkeypatch.delenv(compare.OTHER_PYTHON, raising=False)
    assert compare.main(["--model", str(model_file("roads")), "--runtime", *pictures]) == compare.REFUSED
    assert compare.OTHER_PYTHON in capsys.readouterr().err


def test_a_set_that_shows_nothing_the_model_knows_is_refused(model_file, pictures, capsys, monkeypatch):
    monkeypatch.setenv(compare.OTHER_PYTHON, sys.executable)
    assert compare.main(["--model", str(model_file("privacy")), "--runtime", *pictures]) == compare.REFUSED
    assert "shows nothing" in capsys.readouterr().err


def test_numbers_that_are_apart_are_counted_in_quanta():
    ours = [(Output(np.zeros((2, 1), np.int8), np.zeros((2, 4), np.int8)),)]
    theirs = [(Output(np.array([[0], [5]], np.int8), np.full((2, 4), -1, np.int8)),)]
    quanta = compare.apart(ours, theirs)
    assert sorted(quanta.tolist()) == [0, *[1] * 8, 5]


def test_raw_outputs_are_read_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    raw = [
        tuple(Output(rng.integers(-9, 9, (3, 2), np.int8), rng.integers(-9, 9, (3, 4), np.int8)) for _ in range(2))
        for _ in range(11)
    ]
    write_raw(tmp_path / "raw.npz", raw)
    again = read_raw(tmp_path / "raw.npz")
    assert len(again) == 11
    for one, other in zip(raw, again, strict=True):
        for mine, yours in zip(one, other, strict=True):
            assert np.array_equal(mine.scores, yours.scores)
            assert np.array_equal(mine.boxes, yours.boxes)
