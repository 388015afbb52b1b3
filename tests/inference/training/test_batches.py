"""Batches: each set's share, the same for the same seed, drawn ahead."""

import itertools

import numpy as np
from PIL import Image

from inference.training.batches import Example, Source, batches, draw_batch
from inference.training.sets import Picture, PictureSet, draw_weights, supervision
from inference.training.windows import Window


def source(name, per_batch, colour):
    pictures = [
        Picture(Image.new("RGB", (300, 200), colour), np.array([[50, 50, 150, 150]], np.float32), np.array([0])) for _ in range(5)
    ]
    plan = PictureSet(name, "none", per_batch, (0.5, 1.5))
    return Source(plan, pictures, draw_weights(pictures, 1), supervision({"pothole"}, (), ("pothole",)))


def test_each_batch_holds_every_set_in_its_share():
    sources = [source("red", 3, (200, 0, 0)), source("blue", 2, (0, 0, 200))]
    examples = draw_batch(sources, (208, 160), (512, 384), 0.0, np.random.default_rng(0))
    reds = [example.window.pixels[..., 0].astype(int).max() > example.window.pixels[..., 2].max() for example in examples]
    assert reds == [True] * 3 + [False] * 2
    assert all(example.window.pixels.shape == (160, 208, 3) for example in examples)


def test_half_a_picture_is_one_in_every_second_batch():
    sources = [source("red", 1.5, (200, 0, 0))]
    counts = [len(draw_batch(sources, (64, 64), (512, 384), 0.9, np.random.default_rng(seed))) for seed in range(60)]
    assert set(counts) == {1, 2}
    assert 1.3 < np.mean(counts) < 1.7


def test_covers_are_drawn_onto_roads_alone():
    asphalt = source("asphalt", 8, (118, 118, 120))
    asphalt = asphalt._replace(pictures=[one._replace(boxes=one.boxes[:0], labels=one.labels[:0]) for one in asphalt.pictures])
    for numbers, wanted in (({"drain": 4, "manhole": 5}, {4, 5}), ({}, set())):
        examples = [
            example
            for seed in range(5)
            for example in draw_batch(
                [asphalt._replace(numbers=numbers)], (208, 160), (512, 384), 0.9, np.random.default_rng(seed)
            )
        ]
        assert {int(label) for example in examples for label in example.window.labels} == wanted


def test_late_in_training_there_are_no_mosaics():
    sources = [source("red", 8, (200, 0, 0))]
    early, late = (
        [
            len(example.window.boxes)
            for seed in range(4)
            for example in draw_batch(sources, (208, 160), (512, 384), progress, np.random.default_rng(seed))
        ]
        for progress in (0.0, 0.9)
    )
    assert max(early) > 1
    assert max(late) == 1


def test_a_resumed_run_goes_on_with_the_batches_that_would_have_come():
    def draw(rng):
        pixels = rng.integers(0, 255, (2, 2, 3)).astype(np.uint8)
        return [Example(Window(pixels, np.zeros((0, 4), np.float32), np.zeros(0, np.int64)), supervision((), (), ()))]

    whole = [batch[0].window.pixels.tolist() for batch in itertools.islice(batches(draw, 5, 0), 6)]
    rest = [batch[0].window.pixels.tolist() for batch in itertools.islice(batches(draw, 5, 4), 2)]
    assert rest == whole[4:]
    assert len({str(pixels) for pixels in whole}) == 6
