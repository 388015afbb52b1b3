"""Loading a model and running it: refused with a reason, or the same boxes whatever the file's outer numbers are."""

import numpy as np
import pytest

from inference.detect import detect
from inference.letterbox import letterbox
from inference.manifest import SHIPPED, ModelRefused
from inference.model import ModelFailed
from inference.tflite import TfliteModel

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def street(seed=0):
    """A drawn picture of the model's own size: grey noise and patches of pure colour."""
    picture = np.random.default_rng(seed).integers(90, 160, (64, 96, 3), dtype=np.uint8)
    picture[8:24, 16:32] = RED
    picture[32:64, 64:96] = GREEN
    picture[40:48, 8:16] = BLUE
    return picture


def found(path, picture):
    model = TfliteModel(path)
    boxed = letterbox(picture, 96, 64)
    return detect(model.manifest, model.invoke(boxed.pixels), boxed)


def test_pure_colours_are_found_where_they_are(model_file):
    detections = found(model_file("roads"), street())
    by_label = {}
    for detection in detections:
        by_label.setdefault(detection.label, []).append(detection)
    assert set(by_label) == {"pothole", "sign_stop", "patch"}
    blue = max(by_label["patch"], key=lambda detection: detection.score)
    assert np.allclose(blue.box, (4, 36, 20, 52), atol=2.5)  # about two cells of 8 px, by the drawn weights
    assert blue.score > 0.99
    assert max(detection.box[2] - detection.box[0] for detection in by_label["sign_stop"]) > 32


@pytest.mark.parametrize("task", ["roads", "privacy"])
@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_the_same_model_with_other_outer_numbers_gives_the_same_boxes(model_file, task, kind):
    picture = street()
    plain = found(model_file(task, "plain"), picture)
    other = found(model_file(task, "other", io=kind), picture)
    assert len(plain) > 3
    for one, two in zip(plain, other, strict=True):
        assert (one.label, one.score) == (two.label, pytest.approx(two.score, abs=1e-6))
        assert np.allclose(one.box, two.box, atol=1e-4)


@pytest.mark.parametrize("task", ["roads", "privacy"])
def test_a_float_model_says_the_same_within_a_quantum(model_file, task):
    picture = street()
    plain, real = TfliteModel(model_file(task, "plain")), TfliteModel(model_file(task, "real", io="float32", real=True))
    outputs = zip(plain.manifest.heads, plain.invoke(picture), real.invoke(picture), strict=True)
    for head, written, exact in outputs:
        for tensor, ours, theirs in ((head.scores, written.scores, exact.scores), (head.boxes, written.boxes, exact.boxes)):
            limits = [tensor.numbers.real(np.array(edge)) for edge in (-128, 127)]
            apart = np.abs(tensor.numbers.real(ours) - np.clip(theirs, *limits))
            assert apart.max() <= tensor.numbers.scale * 1.01
    best = {}
    for model in (plain, real):
        boxed = letterbox(picture, 96, 64)
        for one in detect(model.manifest, model.invoke(boxed.pixels), boxed):
            best.setdefault(one.label, {}).setdefault(model.manifest.name, one)
    assert len(best) >= 3
    for pair in best.values():
        assert np.allclose(pair["plain"].box, pair["real"].box, atol=1.0)


def test_a_picture_enters_as_its_manifest_says(model_file):
    odd = {"mean": 100.0, "std": 50.0}
    path = model_file("roads", "odd", edit=lambda manifest: manifest["input"].update(odd))
    plain = TfliteModel(model_file("roads", "plain"))
    picture = street()
    real = (picture.astype(np.float64) - 100) / 50
    same = np.clip(np.round(real * 64) + 128, 0, 255).astype(np.uint8)
    for one, two in zip(TfliteModel(path).invoke(picture), plain.invoke(same), strict=True):
        assert (one.scores == two.scores).all()
        assert (one.boxes == two.boxes).all()


def change_input(**changes):
    return {"edit": lambda manifest: manifest["input"].update(changes)}


def change_scores(**changes):
    return {"edit": lambda manifest: manifest["heads"][0]["scores"].update(changes)}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (change_input(scale=0), "[input] scale is 0"),
        (change_input(scale=0.5), "its input has scale 0.015625 and zero point 0, its manifest says scale 0.5"),
        (change_input(zero_point=3), "its manifest says scale 0.015625 and zero point 3"),
        (change_input(dtype="uint8"), "its input is int8 where its manifest says uint8"),
        (change_input(dtype="float32"), "its input is int8 where its manifest says float32"),
        (change_input(width=64), "shape is [1, 126, 3]; input, strides, labels and encoding make it [1, 84, 3]"),
        (change_scores(name="elsewhere"), "has no output 'elsewhere'; it has boxes_0, scores_0"),
        (change_scores(dtype="uint8", zero_point=3), "its output 'scores_0' is int8 where its manifest says uint8"),
        (change_scores(scale=0.25), "its output 'scores_0' has scale 0.125"),
        ({"spoil": lambda content: content[: len(content) // 2]}, "the runtime cannot load it"),
        ({"spoil": lambda content: b"no model at all" * 100}, "the runtime cannot load it"),
    ],
)
def test_a_file_that_is_not_what_its_manifest_says_is_refused_in_one_sentence(model_file, how, reason):
    path = model_file("roads", **how)
    with pytest.raises(ModelRefused) as refused:
        TfliteModel(path)
    sentence = str(refused.value)
    assert reason in sentence
    assert str(path.with_suffix("")) in sentence
    assert "\n" not in sentence


@pytest.mark.parametrize("at", [0.1, 0.5, 0.99])
def test_one_flipped_bit_is_refused(model_file, at):
    path = model_file("roads")
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelRefused, match="sha256"):
        TfliteModel(path)


@pytest.mark.parametrize("scale", [0.0, float("nan")])
def test_a_scale_of_zero_in_the_file_itself_is_refused(model_file, scale):
    quarter = np.float32(0.125).tobytes()

    def spoil(content):
        assert quarter in content
        return content.replace(quarter, np.float32(scale).tobytes())

    with pytest.raises(ModelRefused):
        TfliteModel(model_file("roads", spoil=spoil))


def test_a_picture_of_another_size_fails(model_file):
    with pytest.raises(ModelFailed, match=r"takes pictures of shape \(64, 96, 3\)"):
        TfliteModel(model_file("roads")).invoke(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.tflite")), ids=lambda path: path.name)
def test_every_shipped_model_is_accepted_and_finds_little_on_grey(path):
    model = TfliteModel(path)
    picture = model.manifest.input
    boxed = letterbox(np.full((1088, 1456, 3), 110, np.uint8), picture.width, picture.height)
    assert len(detect(model.manifest, model.invoke(boxed.pixels), boxed)) < 20
