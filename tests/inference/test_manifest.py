"""The manifest beside a model: what is wrong with it is said in one sentence that names the file and the place."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.manifest import ModelRefused, locate, read_manifest, read_model


def test_a_manifest_is_read(model_file):
    path = model_file("privacy")
    manifest, content = read_model(path)
    assert content == path.read_bytes()
    assert manifest.labels == ("person", "vehicle", "plate", "face")
    assert manifest.heads[0].encoding == "distance_bins"
    assert manifest.heads[1].boxes.shape == (1, 96 + 24 + 6, 4)
    assert manifest.thresholds["plate"] == 0.5
    numbers = manifest.heads[0].scores.numbers
    assert numbers.real(np.array([round(numbers.written(2.0))], np.int8)) == 2.0


def without(*keys):
    def edit(manifest):
        for key in keys[:-1]:
            manifest = manifest[key]
        del manifest[keys[-1]]

    return edit


def with_value(value, *keys):
    def edit(manifest):
        for key in keys[:-1]:
            manifest = manifest[key]
        manifest[keys[-1]] = value

    return edit


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        *((without(key), f"{key} is missing") for key in ("name", "task", "sha256", "bytes", "input", "strides", "heads")),
        (without("thresholds"), "thresholds is missing"),
        (without("thresholds", "patch"), "[thresholds] patch is missing"),
        (without("input", "scale"), "[input] scale is missing"),
        (without("heads", 0, "scores", "shape"), "shape is missing"),
        (with_value("road", "task"), "task is 'road'; allowed: roads, privacy"),
        (with_value(512, "name"), "name is a text"),
        (with_value("twelve", "bytes"), "bytes is 'twelve'"),
        (with_value(True, "input", "width"), "[input] width is True"),
        (with_value("bgr", "input", "colour"), "colour is 'bgr'; allowed: rgb"),
        (with_value(0, "input", "std"), "[input] std is 0"),
        (with_value(0, "heads", 0, "boxes", "scale"), "scale is 0"),
        (with_value(float("nan"), "heads", 0, "boxes", "scale"), "scale is nan"),
        (with_value(200, "heads", 0, "boxes", "zero_point"), "zero_point is 200; allowed: a whole number from -128 to 127"),
        (with_value("int16", "heads", 0, "boxes", "dtype"), "dtype is 'int16'; allowed: int8, uint8, float32"),
        (with_value([1, 126, 44], "heads", 0, "boxes", "shape"), "shape is [1, 126, 44]"),
        (with_value("1x126x4", "heads", 0, "boxes", "shape"), "shape is '1x126x4'; allowed: a list of whole numbers"),
        (with_value("distance_bins", "heads", 0, "encoding"), "shape is [1, 126, 4]"),
        (with_value("corners", "heads", 0, "encoding"), "encoding is 'corners'"),
        (with_value([8, 16, 40], "strides"), "strides are [8, 16, 40]"),
        (with_value([], "strides"), "strides are []"),
        (with_value(["pothole", "unicorn", "patch"], "heads", 0, "labels"), "unicorn"),
        (with_value(["pothole", "pothole", "patch"], "heads", 0, "labels"), "each once"),
        (with_value(["pothole", "face", "patch"], "heads", 0, "labels"), "face"),
        (with_value([], "heads"), "no label"),
        (with_value({}, "heads"), "list of tables"),
        (with_value(1.5, "thresholds", "patch"), "[thresholds] patch is 1.5"),
        (with_value("high", "thresholds", "patch"), "[thresholds] patch is 'high'"),
        (with_value("0" * 64, "sha256"), "sha256 differs"),
        (with_value(12, "bytes"), "where its manifest says 12"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(model_file, edit, reason):
    path = model_file("roads", edit=edit)
    with pytest.raises(ModelRefused) as refused:
        read_model(path)
    sentence = str(refused.value)
    assert reason in sentence
    assert sentence.startswith(str(path.with_suffix("")))
    assert "\n" not in sentence


def test_a_privacy_model_that_cannot_hide_plates_is_refused(model_file):
    path = model_file("privacy", edit=with_value(["vehicle", "face"], "heads", 1, "labels"))
    manifest = json.loads(path.with_suffix(".json").read_text())
    manifest["heads"] = manifest["heads"][1:]
    path.with_suffix(".json").write_text(json.dumps(manifest))
    with pytest.raises(ModelRefused, match="lack person, plate: too little would be hidden"):
        read_manifest(path.with_suffix(".json"))


@pytest.mark.parametrize("text", ["", "{", "[1]", "nothing", '{"name": '])
def test_a_torn_manifest_is_refused(model_file, text):
    path = model_file("roads").with_suffix(".json")
    path.write_text(text)
    with pytest.raises(ModelRefused, match="is no JSON"):
        read_manifest(path)


def test_a_missing_file_is_refused(model_file):
    path = model_file("roads")
    path.unlink()
    with pytest.raises(ModelRefused, match=r"roads-tiny\.tflite: cannot be read \(No such file"):
        read_model(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(ModelRefused, match=r"roads-tiny\.json: the model's manifest cannot be read"):
        read_model(path)


def test_a_name_means_a_shipped_model_and_anything_else_is_a_path(model_file):
    path = model_file("roads")
    assert locate("roads-tiny.tflite", path.parent) == path
    assert str(locate("elsewhere.tflite", path.parent)) == "elsewhere.tflite"
    assert str(locate("./roads-tiny.tflite", path.parent)) == "roads-tiny.tflite"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def places(value, before=()):
    yield before
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*before, key))


@settings(max_examples=120, deadline=None)
@given(drawn=st.data(), value=json_values)
def test_whatever_stands_anywhere_in_a_manifest_is_read_or_refused(tmp_path_factory, drawn, value):
    folder = tmp_path_factory.getbasetemp()
    heads = {"labels": ["plate", "face", "person"], "encoding": "log_distance"}
    numbers = {"dtype": "int8", "scale": 0.1, "zero_point": 0}
    heads |= {"scores": {"name": "s", "shape": [1, 126, 3]} | numbers, "boxes": {"name": "b", "shape": [1, 126, 4]} | numbers}
    picture = {"width": 96, "height": 64, "colour": "rgb", "mean": 128.0, "std": 64.0} | numbers
    manifest = {
        "name": "n",
        "task": "privacy",
        "sha256": "0",
        "bytes": 9,
        "input": picture,
        "strides": [8, 16, 32],
        "heads": [heads],
    }
    manifest["thresholds"] = dict.fromkeys(heads["labels"], 0.5)
    place = drawn.draw(st.sampled_from([each for each in places(manifest) if each]))
    with_value(value, *place)(manifest)
    path = folder / "n.json"
    path.write_text(json.dumps(manifest))
    try:
        read = read_manifest(path)
    except ModelRefused:
        return
    assert set(read.labels) == set(heads["labels"]) or place[0] == "heads"
    assert all(0 < threshold <= 1 for threshold in read.thresholds.values())
    assert read.input.numbers.scale > 0
