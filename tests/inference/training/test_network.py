"""The networks, their loss and a short training; only where torch is installed (`pip install .[train]`)."""

import json

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="torch is not installed: the networks are trained elsewhere")

from inference.training import fit  # noqa: E402
from inference.training.doubts import with_doubts  # noqa: E402
from inference.training.loss import Truth, assign, corners, detection_loss, make_grid, overlap  # noqa: E402
from inference.training.network import CocoHead, Head, Leaky, PrivacyNetwork, Trunk  # noqa: E402
from inference.training.sets import OTHER, UNTOLD, Picture, Supervision  # noqa: E402
from inference.training.weights import Convolution, read_convolutions  # noqa: E402

GRID = make_grid(128, 96)
LABELS = 5


def truth(boxes, labels, judged=None, any_crack=False):
    ones = np.ones(LABELS, np.float32) if judged is None else np.array(judged, np.float32)
    return Truth(torch.tensor(boxes).reshape(-1, 4).float(), torch.tensor(labels).long(), Supervision(ones, any_crack))


def outputs():
    torch.manual_seed(0)
    points = len(GRID.strides)
    return (torch.randn(1, points, LABELS) - 3).requires_grad_(), torch.full((1, points, 4), 0.7).requires_grad_()


def test_points_come_stride_by_stride_and_row_by_row():
    assert GRID.centres[:2].tolist() == [[4, 4], [12, 4]]
    assert len(GRID.strides) == 16 * 12 + 8 * 6 + 4 * 3
    assert GRID.strides.unique_consecutive().tolist() == [8, 16, 32]


def test_heads_give_one_row_per_point():
    maps = Trunk().eval()(torch.zeros(1, 3, 96, 128))
    scores, boxes = Head(LABELS).eval()(maps)
    assert scores.shape == (1, len(GRID.strides), LABELS)
    assert boxes.shape == (1, len(GRID.strides), 4)


def test_the_untouched_head_takes_the_strongest_vehicle():
    kernel = np.zeros((124, 128, 1, 1), np.float32)
    bias = np.full(124, -9.0, np.float32)
    bias[[0, 2, 3, 5, 7]] = [1, 2, 5, 3, 4]
    maps = [torch.zeros(1, 128, *size) for size in ((12, 16), (6, 8), (3, 4))]
    scores, boxes = CocoHead([Convolution(kernel, bias)] * 3)(maps)
    assert scores[0, 0].tolist() == [1, 5]
    assert boxes.shape == (1, len(GRID.strides), 44)


def test_both_ways_to_leak_agree():
    x = torch.linspace(-5, 5, 101)
    assert torch.allclose(Leaky().train()(x), Leaky().eval()(x))


def test_overlap_of_known_boxes():
    one, other = torch.tensor([0.0, 0, 10, 10]), torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [20, 0, 30, 10]])
    iou, generalised = overlap(one, other)
    assert iou.tolist() == pytest.approx([1, 1 / 3, 0], abs=1e-5)
    assert generalised.tolist() == pytest.approx([1, 1 / 3, -1 / 3], abs=1e-5)


def test_every_box_gets_a_point_even_when_thinner_than_a_cell():
    boxes = torch.tensor([[10.0, 10, 60, 60], [99, 5, 100, 90]])
    found = corners(torch.full((len(GRID.strides), 4), 0.7), GRID)
    owner, target = assign(torch.full((2, len(GRID.strides)), 0.5), found, boxes, GRID)
    assert {0, 1} <= set(owner.tolist())
    assert (target[owner < 0] == 0).all()
    assert 0 < float(target.max()) <= 1


def test_labels_that_a_set_does_not_judge_are_left_alone():
    scores, boxes = outputs()
    loss = detection_loss(scores, boxes, [truth([], [], judged=[1, 1, 1, 0, 1])], GRID)
    loss.scores.backward()
    assert (scores.grad[..., 3] == 0).all()
    assert (scores.grad[..., [0, 1, 2, 4]] > 0).all()


def test_a_point_on_a_labelled_box_is_no_other_label_judged_or_not():
    scores, boxes = outputs()
    detection_loss(scores, boxes, [truth([[30, 30, 80, 80]], [4], judged=[0, 0, 0, 0, 1])], GRID).scores.backward()
    pushed = (scores.grad[0, :, 3] > 0).nonzero()[:, 0]
    assert 0 < len(pushed) <= 10
    centres = GRID.centres[pushed]
    assert ((centres > 30) & (centres < 80)).all()


def test_a_crack_of_unknown_kind_teaches_only_the_strongest_kind():
    scores, boxes = outputs()
    strongest = scores[0, :, :3].argmax(1)
    told = truth([[30, 30, 80, 80]], [LABELS], judged=[1, 1, 1, 1, 0], any_crack=True)
    detection_loss(scores, boxes, [told], GRID).scores.backward()
    touched = scores.grad[0, :, :3] != 0
    assert (touched.sum(1) == 1).all()
    assert (touched.int().argmax(1) == strongest).all()
    raised = (scores.grad[0, :, :3] < 0).any(1)
    assert 0 < int(raised.sum()) <= 10


def test_a_box_of_something_else_teaches_that_no_label_is_there_and_nothing_more():
    scores, distances = outputs()
    told = truth([[10.0, 10, 60, 60]], [OTHER], judged=[0] * LABELS)
    losses = detection_loss(scores, distances, [told], GRID)
    losses.scores.backward()
    touched = scores.grad[0].abs().sum(1) > 0
    middles = GRID.centres
    inside = ((middles > 10) & (middles < 60)).all(1)
    assert torch.equal(touched, inside)
    assert (scores.grad[0][inside] > 0).all()
    assert float(losses.overlap) == 0


def test_where_nothing_is_told_nothing_is_taught_but_for_what_is_labelled():
    scores, distances = outputs()
    told = truth([[10.0, 10, 100, 90], [40, 40, 60, 60]], [UNTOLD, 2])
    detection_loss(scores, distances, [told], GRID).scores.backward()
    touched = scores.grad[0].abs().sum(1) > 0
    untold = ((GRID.centres > 10) & (GRID.centres < torch.tensor([100.0, 90.0]))).all(1)
    labelled = ((GRID.centres > 40) & (GRID.centres < 60)).all(1)
    assert touched[~untold].all()
    assert not touched[untold & ~labelled].any()
    assert touched[labelled].any()


def test_a_vehicle_without_a_labelled_plate_is_a_doubt(tmp_path, write_package):
    whole_package(tmp_path / "weights", write_package)
    network = PrivacyNetwork(tmp_path / "weights", 2)
    for layer in network.coco.scores:
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.constant_(layer.bias, -9.0)
    network.coco.scores[2].bias.data[1:] = 9.0  # a vehicle at every point of the coarsest stride
    picture = Picture(Image.new("RGB", (512, 384)), np.array([[100, 100, 110, 110]], np.float32), np.array([0]))
    (doubted,) = with_doubts([picture], network, make_grid(512, 384))
    assert doubted.labels[0] == 0
    assert set(doubted.labels[1:].tolist()) == {UNTOLD}
    bare = doubted.boxes[1:]
    assert len(bare) > 1
    assert not ((bare[:, :2] <= 105) & (bare[:, 2:] >= 105)).all(1).any()


def test_training_a_head_on_one_box_finds_it():
    torch.manual_seed(0)
    head = Head(LABELS)
    maps = [torch.randn(1, 128, *size) for size in ((12, 16), (6, 8), (3, 4))]
    optimiser = torch.optim.AdamW(head.parameters(), lr=5e-3)
    told = truth([[30, 30, 80, 80]], [2])
    for _ in range(80):
        scores, boxes = head(maps)
        losses = detection_loss(scores, boxes, [told], GRID)
        optimiser.zero_grad()
        sum(losses).backward()
        optimiser.step()
    best = scores[0].max(1).values.argmax()
    assert int(scores[0, best].argmax()) == 2
    assert float(overlap(corners(boxes[0].detach(), GRID)[best], told.boxes[0])[0]) > 0.8


def whole_package(folder, write_package):
    """Random weights for every convolution of NanoDet-g, its three heads between the three towers."""
    rng = np.random.default_rng(0)
    trunk = [tuple(layer.weight.shape) for layer in Trunk().layers()]
    heads = [shape for tower in trunk[28:] for shape in (tower, (124, 128, 1, 1))]
    shapes = trunk[:28] + heads
    folder.mkdir()
    kernels = [rng.normal(size=(high, wide, into, out)) * (2 / (into * high * wide)) ** 0.5 for out, into, high, wide in shapes]
    write_package(folder, kernels, [np.zeros(shape[0]) for shape in shapes])


def test_the_trunk_holds_the_weights_of_the_package_in_its_order(tmp_path, write_package):
    whole_package(tmp_path / "weights", write_package)
    convolutions = read_convolutions(tmp_path / "weights")
    network = PrivacyNetwork(tmp_path / "weights", 2)
    assert torch.equal(network.trunk.stages[0].entry[0].weight, torch.from_numpy(convolutions[1].kernel))
    assert torch.equal(network.trunk.towers[2][0].weight, torch.from_numpy(convolutions[32].kernel))
    assert torch.equal(network.coco.boxes[2].weight, torch.from_numpy(convolutions[33].kernel[80:]))
    assert not torch.equal(network.trunk.stem[0][0].weight, torch.from_numpy(convolutions[0].kernel))


def test_a_run_is_resumed_where_it_stopped_and_leaves_the_frozen_part_alone(tmp_path, write_package, monkeypatch):
    weights, data = tmp_path / "weights", tmp_path / "data"
    whole_package(weights, write_package)
    labels, plans = fit.TASKS["privacy"]
    monkeypatch.setitem(
        fit.TASKS, "privacy", (labels, [plan for plan in plans if plan.name in {"plates", "faces", "signs-france"}])
    )
    for plan in fit.TASKS["privacy"][1]:
        folder = data / plan.name
        (folder / "images").mkdir(parents=True)
        Image.new("RGB", (64, 48), (90, 90, 90)).save(folder / "images" / "a.png")
        label = "face" if plan.name == "faces" else "plate"
        document = {
            "images": [{"id": 1, "file_name": "a.png", "width": 64, "height": 48}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 20, 20], "iscrowd": 0}],
            "categories": [{"id": 1, "name": label}],
        }
        (folder / "train.json").write_text(json.dumps(document))
    said = []
    course = fit.Course("privacy", data, weights, tmp_path / "run", minutes=1e-6)
    fit.fit(course, said.append)
    trained_s = fit.trained("privacy", course.out, weights)[1]["seconds"]
    fit.fit(course._replace(minutes=trained_s * 1.01 / 60), said.append)
    assert any(line.startswith("resumed after") for line in said)
    steps = [int(line.split()[1]) for line in said if line.startswith("trained")]
    assert steps[1] > steps[0] > 0
    network, told = fit.trained("privacy", tmp_path / "run", weights)
    assert 6 * steps[1] <= told["pictures"] <= 7 * steps[1]
    fresh = fit.build("privacy", weights)
    for part in ("trunk", "coco"):
        for now, before in zip(getattr(network, part).parameters(), getattr(fresh, part).parameters(), strict=True):
            assert torch.equal(now, before)


def test_a_run_goes_on_from_anothers_averaged_weights_and_a_new_label_is_a_new_row(tmp_path):
    torch.manual_seed(0)
    known, wider = Head(LABELS), Head(LABELS + 1)
    torch.save({"average": known.state_dict()}, tmp_path / "checkpoint.pt")
    before = wider.scores[0].weight[LABELS].clone()
    fit.begin(wider, tmp_path / "checkpoint.pt")
    assert torch.equal(wider.scores[0].weight[:LABELS], known.scores[0].weight)
    assert torch.equal(wider.scores[0].weight[LABELS], before)
    assert torch.equal(wider.boxes[2].weight, known.boxes[2].weight)
    assert torch.equal(wider.score_branches[1][0].weight, known.score_branches[1][0].weight)
