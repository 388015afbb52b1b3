"""`python -m inference.evaluate`, on drawn streets and tiny models."""

import base64
import io
import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from inference.evaluate import main

RED, GREEN = (255, 0, 0), (0, 255, 0)
KEYS = ["model_sha256", "images", "boxes", "iou", "mAP50", "mAP50_95", "ap50", "threshold", "centre_hit", "latency_ms"]
NEAR, OTHER = (32, 16, 16, 16), (128, 64, 16, 16)
"""What is drawn: one cell of 8 px of the model's input."""
AROUND_NEAR, AROUND_OTHER = (24, 8, 32, 32), (120, 56, 32, 32)
"""What the model says of it: a box of about two cells."""


def street(seed, *things):
    """192x128, twice the model's size; `things` are (colour, box as left, top, width, height)."""
    picture = np.random.default_rng(seed).integers(100, 150, (128, 192, 3), dtype=np.uint8)
    for colour, (left, top, width, height) in things:
        picture[top : top + height, left : left + width] = colour
    return picture


@pytest.fixture
def given(tmp_path):
    """Writes a set: `given(categories, [(picture, [(category id, box)])])` gives the arguments that name it."""

    def write(kinds, pictures, **changes):
        folder = tmp_path / "images"
        folder.mkdir(exist_ok=True)
        images, annotations = [], []
        for number, (picture, boxes) in enumerate(pictures, 1):
            Image.fromarray(picture).save(folder / f"{number}.png")
            images.append({"id": number, "file_name": f"{number}.png", "width": picture.shape[1], "height": picture.shape[0]})
            for category, box in boxes:
                annotations.append({"id": len(annotations) + 1, "image_id": number, "category_id": category, "bbox": list(box)})
        document = {"images": images, "annotations": annotations, "categories": kinds} | changes
        data = tmp_path / "val.json"
        data.write_text(json.dumps(document))
        return ["--data", str(data), "--images", str(folder)]

    return write


ROADS = [
    {"id": 3, "name": "D40"},
    {"id": 7, "name": "unicorn"},
    {"id": 9, "name": "stop", "supercategory": "other", "signs_france": "sign_stop"},
]


def run(capsys, *arguments):
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_model_that_finds_all_scores_1_and_stdout_is_one_object(model_file, given):
    path = model_file("roads")
    pictures = [
        (street(1, (RED, NEAR)), [(3, AROUND_NEAR), (7, (0, 0, 9, 9))]),
        (street(2, (GREEN, OTHER)), [(9, AROUND_OTHER)]),
    ]
    done = subprocess.run(
        [sys.executable, "-m", "inference.evaluate", "--model", path, *given(ROADS, pictures), "--json", "--iou", "0.3"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert list(report) == KEYS
    assert (report["images"], report["boxes"], report["iou"]) == (2, 2, 0.3)
    assert set(report["ap50"]) == {"pothole", "sign_stop"}
    assert report["mAP50"] == 1
    assert report["centre_hit"] == {"pothole": 1, "sign_stop": 1}
    assert 0.5 < report["threshold"]["pothole"] <= 1
    assert report["mAP50_95"] < 1
    assert 0 < report["latency_ms"]["median"] <= report["latency_ms"]["p95"]


def test_a_missed_thing_and_a_false_one_cost_what_they_should(model_file, given, capsys):
    pictures = [(street(1, (RED, NEAR)), [(3, AROUND_NEAR), (3, (130, 80, 20, 20))])]
    code, out, _ = run(capsys, "--model", model_file("roads"), *given(ROADS, pictures), "--json", "--iou", "0.3")
    report = json.loads(out)
    assert code == 0
    assert report["ap50"] == {"pothole": pytest.approx(51 / 101, abs=1e-4)}
    assert report["centre_hit"] == {"pothole": 0.5}


def test_an_unknown_crack_is_any_of_the_models_cracks(model_file, given, capsys):
    def three_cracks(manifest):
        manifest["heads"][0]["labels"] = ["crack_longitudinal", "crack_transverse", "patch"]
        manifest["thresholds"] = dict.fromkeys(manifest["heads"][0]["labels"], 0.5)

    pictures = [(street(1, (RED, NEAR), (GREEN, OTHER)), [(1, AROUND_NEAR), (1, AROUND_OTHER)])]
    arguments = given([{"id": 1, "name": "crack"}, {"id": 2, "name": "pothole"}], pictures)
    code, out, _ = run(capsys, "--model", model_file("roads", edit=three_cracks), *arguments, "--json", "--iou", "0.3")
    report = json.loads(out)
    assert code == 0
    assert report["ap50"] == {"crack": 1}


def test_fire_and_smoke_are_judged_by_picture(model_file, given, capsys):
    kinds = [{"id": 1, "name": "fire"}, {"id": 2, "name": "smoke"}]
    burning = (street(1, (RED, NEAR)), [(1, (0, 0, 190, 120))])  # somewhere in it: its edges do not matter
    arguments = given(kinds, [burning, (street(2), [(1, AROUND_OTHER)]), (street(3, (RED, OTHER)), []), (street(4), [])])
    model = model_file("safety")
    code, out, _ = run(capsys, "--model", model, *arguments, "--json")
    told = json.loads(out)["by_picture"]["fire"]
    assert code == 0
    assert {name: (entry["share"], entry["pictures"]) for name, entry in told.items()} == {"recall": (0.5, 2), "alarms": (0.5, 2)}
    _, out, _ = run(capsys, "--model", model, *arguments)
    assert "fire, per picture: recall 0.500 of 2 (95 %: 0.095 to 0.905)" in out


def test_detections_are_written_as_coco_results(model_file, given, capsys, tmp_path):
    pictures = [(street(1, (RED, NEAR)), []), (street(2, (GREEN, OTHER)), [(9, AROUND_OTHER)])]
    out = tmp_path / "found.json"
    assert run(capsys, "--model", model_file("roads"), *given(ROADS, pictures), "--detections", out)[0] == 0
    found = json.loads(out.read_text())
    best = max((each for each in found if each["image_id"] == 2), key=lambda each: each["score"])
    assert best["category_id"] == 9
    left, top, width, height = best["bbox"]
    assert np.allclose([left, top, width, height], AROUND_OTHER, atol=4)
    assert all(set(each) == {"image_id", "category_id", "bbox", "score"} and each["score"] >= 0.01 for each in found)


PEOPLE = [{"id": 1, "name": "license-plate"}, {"id": 2, "name": "face"}]


def test_cover_says_which_share_is_hidden(model_file, given, capsys):
    pictures = [(street(1, (RED, NEAR)), [(1, NEAR), (1, (140, 90, 20, 20))]), (street(2, (GREEN, OTHER)), [(2, OTHER)])]
    code, out, _ = run(capsys, "--model", model_file("privacy"), *given(PEOPLE, pictures), "--json", "--cover")
    report = json.loads(out)
    assert code == 0
    assert report["covered_share"] == {"plate": 0.5, "face": 1}
    low, high = report["covered_interval_95"]["plate"]
    assert low < 0.5 < high
    assert 0 < report["hidden_area_share"]["median"] < 0.5


def pictures_in(page):
    return [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))).astype(int)
        for data in re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page)
    ]


def chequered(seed):
    """A red thing with a pattern that would be known again, and a second one too faint for the model: only the truth knows it."""
    picture = street(seed, (RED, NEAR), ((150, 110, 110), OTHER))
    picture[16:32:4, 32:48] = (200, 0, 0)
    picture[64:80:4, 128:144] = (20, 20, 20)
    return picture


@pytest.mark.parametrize("task", ["roads", "privacy"])
def test_a_gallery_holds_hidden_pictures_alone(model_file, given, capsys, tmp_path, task):
    model_file("privacy", "privacy-1")
    path = model_file("roads") if task == "roads" else tmp_path / "privacy-1.tflite"
    categories = [*PEOPLE, {"id": 3, "name": "D40"}]
    boxes = [(1, NEAR), (1, OTHER), (3, NEAR), (3, (10, 90, 20, 20))]
    out = tmp_path / "gallery.html"
    code, _, err = run(capsys, "--model", path, *given(categories, [(chequered(1), boxes)]), "--gallery", out, "--iou", "0.3")
    assert code == 0, err
    page = out.read_text()
    (shown,) = pictures_in(page)
    for left, top, width, height in (NEAR, OTHER):
        region = shown[top + 2 : top + height - 2, left + 2 : left + width - 2]
        assert region.std(axis=(0, 1)).max() < 3
    assert shown[:, 80:120].std() > 3
    assert page.count("<rect") >= 2
    assert 'stroke-dasharray="6 4"' in page


def test_no_gallery_without_a_privacy_model(model_file, given, capsys, tmp_path):
    path, out = model_file("roads"), tmp_path / "gallery.html"
    arguments = given(ROADS, [(street(1), [(3, NEAR)])])
    code, _, err = run(capsys, "--model", path, *arguments, "--gallery", out)
    assert (code, out.exists()) == (2, False)
    assert "has no privacy-*.tflite" in err
    torn = model_file("privacy", "privacy-1")
    torn.write_bytes(b"torn")
    code, _, err = run(capsys, "--model", path, *arguments, "--gallery", out)
    assert (code, out.exists()) == (2, False)
    assert "privacy-1.tflite" in err


def one_line(text):
    return [line for line in text.splitlines() if not line.startswith("INFO")]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"categories": [{"id": 3, "name": "unicorn"}], "annotations": []}, "no label in common"),
        ({"images": [], "annotations": []}, "has no picture"),
        ({"images": [{"id": 1, "file_name": "gone.png"}]}, "gone.png: cannot be read as a picture"),
        ({"images": [{"id": 1, "file_name": "1.png", "width": 99, "height": 128}]}, "boxes would be misplaced"),
        ({"images": [{"id": 5, "file_name": "1.png"}]}, "is no COCO file of boxes"),
        ({"annotations": [{"image_id": 1, "category_id": 3, "bbox": [1, 2]}]}, "is no COCO file of boxes"),
        ({"annotations": [{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, float("nan")]}]}, "is not finite"),
        ({"categories": None}, "is no COCO file of boxes"),
    ],
)
def test_bad_data_is_refused_in_one_sentence(model_file, given, capsys, changes, reason):
    arguments = given(ROADS, [(street(1), [(3, NEAR)])], **changes)
    code, out, err = run(capsys, "--model", model_file("roads"), *arguments, "--json")
    assert (code, out) == (2, "")
    (line,) = one_line(err)
    assert reason in line


def test_wrong_use_is_refused(model_file, given, capsys, tmp_path):
    path = model_file("roads")
    arguments = given(ROADS, [(street(1), [(3, NEAR)])])
    assert "--cover asks what a privacy model hides" in run(capsys, "--model", path, *arguments, "--cover")[2]
    assert run(capsys, "--model", tmp_path / "gone.tflite", *arguments)[0] == 2
    assert run(capsys, "--model", path, *arguments[:3], tmp_path / "nowhere")[0] == 2
    assert run(capsys, "--model", path, *arguments, "--detections", tmp_path / "no" / "folder.json")[0] == 2
    (tmp_path / "val.json").write_text("{")
    assert "is no JSON" in run(capsys, "--model", path, *arguments)[2]
    with pytest.raises(SystemExit) as stopped:
        main(["--model", str(path), *arguments, "--iou", "2"])
    assert stopped.value.code == 2


def test_a_model_that_fails_is_a_fault_of_ours(model_file, given, capsys):
    def spoil(content):  # the biases of the scores in a float model
        bias = np.full(3, -8.0, "<f4").tobytes()
        assert bias in content
        return content.replace(bias, np.full(3, np.nan, "<f4").tobytes())

    path = model_file("roads", io="float32", real=True, spoil=spoil)
    code, out, err = run(capsys, "--model", path, *given(ROADS, [(street(1), [(3, NEAR)])]), "--json")
    assert (code, out) == (1, "")
    assert "not finite" in err
