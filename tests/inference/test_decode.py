"""From raw numbers to boxes, against hand-computed cases and a slow decoder that decodes everything."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.boxes import iou
from inference.decode import DOUBLE_IOU, decode, grid_of, suppress
from inference.detect import detect
from inference.letterbox import letterbox
from inference.manifest import Head, Input, Manifest, Numbers, Tensor
from inference.model import ModelFailed, Output

POINTS = 96 + 24 + 6
REAL = Numbers("float32", 1.0, 0)
INT8 = Numbers("int8", 0.125, -3)


def manifest_of(scores=REAL, boxes=REAL, encoding="log_distance", labels=("pothole", "patch")):
    columns = {"log_distance": 4, "distance_bins": 44}[encoding]
    head = Head(
        labels,
        Tensor("scores", (1, POINTS, len(labels)), scores),
        Tensor("boxes", (1, POINTS, columns), boxes),
        encoding,
    )
    picture = Input(96, 64, 128.0, 64.0, Numbers("int8", 1 / 64, 0))
    return Manifest("drawn", "roads", "", 1, picture, (8, 16, 32), (head,), dict.fromkeys(labels, 0.5))


def decode_all(manifest, output, **how):
    return decode(manifest.heads[0], output, grid_of(manifest), manifest.thresholds, **how)


def blank(columns=4):
    return np.full((POINTS, 2), -20.0, np.float32), np.zeros((POINTS, columns), np.float32)


@pytest.mark.parametrize(
    ("point", "centre", "stride"),
    [
        (0, (4, 4), 8),
        (13, (12, 12), 8),
        (95, (92, 60), 8),
        (96, (8, 8), 16),
        (102, (8, 24), 16),
        (120, (16, 16), 32),
        (125, (80, 48), 32),
    ],
)
def test_points_are_ordered_stride_by_stride_row_by_row(point, centre, stride):
    scores, boxes = blank()
    scores[point, 1] = 3.0
    boxes[point] = np.log([0.5, 1, 2, 3])
    found = decode_all(manifest_of(), Output(scores, boxes))
    assert found.columns.tolist() == [1]
    assert found.scores[0] == pytest.approx(1 / (1 + math.exp(-3)))
    x, y = centre
    assert np.allclose(found.boxes, [[x - 0.5 * stride, y - stride, x + 2 * stride, y + 3 * stride]], atol=1e-4)


def test_distance_bins_are_the_mean_of_their_distribution():
    scores, boxes = blank(44)
    scores[0, 0] = 3.0
    bins = boxes[0].reshape(4, 11)
    bins[:] = -50
    bins[0, 2] = bins[0, 3] = 1.0  # half and half: 2.5 strides
    bins[1, 0] = 5.0
    bins[2, 10] = 5.0
    bins[3] = 0.0  # all alike: 5 strides
    found = decode_all(manifest_of(encoding="distance_bins"), Output(scores, boxes))
    assert np.allclose(found.boxes, [[4 - 20, 4, 4 + 80, 4 + 40]], atol=1e-3)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["log_distance", "distance_bins"]), st.floats(0.02, 0.98))
def test_choosing_before_decoding_gives_what_decoding_everything_gives(seed, encoding, threshold):
    random = np.random.default_rng(seed)
    manifest = manifest_of(INT8, Numbers("int8", 1 / 32, 5), encoding)
    columns = 4 if encoding == "log_distance" else 44
    scores = random.integers(-128, 128, (POINTS, 2)).astype(np.int8)
    boxes = random.integers(-128, 128, (POINTS, columns)).astype(np.int8)
    grid, head = grid_of(manifest), manifest.heads[0]
    found = decode(head, Output(scores, boxes), grid, {"pothole": threshold, "patch": threshold})
    real = decode(
        manifest_of(encoding=encoding).heads[0],
        Output(INT8.real(scores), Numbers("int8", 1 / 32, 5).real(boxes)),
        grid,
        {"pothole": threshold, "patch": threshold},
    )
    likely = 1 / (1 + np.exp(-(scores.astype(float) + 3) * 0.125))
    assert found.candidates == int((likely >= threshold).sum())
    assert np.allclose(found.boxes, real.boxes, atol=1e-2)
    assert np.allclose(found.scores, real.scores, atol=1e-5)


def test_each_label_has_its_own_threshold_and_1_means_never():
    scores, boxes = blank()
    scores[:] = INT8.written(8.0)
    head = manifest_of(INT8).heads[0]
    output = Output(scores.astype(np.int8), boxes)
    grid = grid_of(manifest_of())
    assert set(decode(head, output, grid, {"pothole": 1.0, "patch": 0.9}).columns.tolist()) == {1}
    assert not len(decode(head, output, grid, {"pothole": 1.0, "patch": 1.0}).boxes)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_what_is_kept_overlaps_no_better_one_of_its_label(seed, count):
    random = np.random.default_rng(seed)
    near = random.uniform(0, 20, (count, 2))
    boxes = np.concatenate([near, near + random.uniform(1, 30, (count, 2))], axis=1).astype(np.float32)
    scores, columns = random.random(count).astype(np.float32), random.integers(0, 2, count)
    kept = suppress(boxes, scores, columns)
    overlap = iou(boxes, boxes)
    assert (np.diff(scores[kept]) <= 0).all()
    for each in range(count):
        better = [k for k in kept if columns[k] == columns[each] and scores[k] >= scores[each] and k != each]
        assert (each in kept) == all(overlap[k, each] <= DOUBLE_IOU for k in better)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("part", [0, 1])
def test_numbers_that_are_not_finite_are_a_failure_not_an_empty_street(value, part):
    parts = blank()
    parts[part][77, 1] = value
    with pytest.raises(ModelFailed, match="not finite"):
        decode_all(manifest_of(), Output(*parts))


def test_a_saturated_output_is_bounded_where_scores_are_measured_and_a_failure_where_pictures_are_looked_at(monkeypatch):
    scores, boxes = blank()
    scores[:] = 9.0
    scores[50, 0] = 10.0
    found = decode_all(manifest_of(), Output(scores, boxes), at_most=10)
    assert found.candidates == 2 * POINTS
    assert len(found.boxes) <= 10
    assert found.columns[0] == 0
    assert found.scores[0] == pytest.approx(1 / (1 + math.exp(-10)))
    monkeypatch.setattr("inference.detect.MOST_CANDIDATES", 200)
    with pytest.raises(ModelFailed, match="saturated"):
        detect(manifest_of(), (Output(scores, boxes),), letterbox(np.zeros((64, 96, 3), np.uint8), 96, 64))


def test_distances_beyond_any_picture_stay_finite():
    scores, boxes = blank()
    scores[0, 0], boxes[0] = 5.0, 1e30
    boxed = letterbox(np.zeros((128, 192, 3), np.uint8), 96, 64)
    (detection,) = detect(manifest_of(), (Output(scores, boxes),), boxed)
    assert detection.box == (0, 0, 192, 128)


def test_what_lies_in_the_padding_alone_is_left_out():
    scores, boxes = blank()
    scores[95, 0] = 5.0
    boxed = letterbox(np.zeros((32, 96, 3), np.uint8), 96, 64)
    assert detect(manifest_of(), (Output(scores, boxes),), boxed) == ()
