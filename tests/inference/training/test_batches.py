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
