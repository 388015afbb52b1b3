"""Batches of training windows, drawn while the network works on the one before."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from inference.training.sets import Floats, Picture, PictureSet, Supervision, decoded, draw_weights, read_split, supervision
from inference.training.windows import MOSAICS, MOSAICS_UNTIL, Window, draw_mosaic, draw_window, mirrored, tinted

Rng = np.random.Generator

AHEAD: Final = 3


class Source(NamedTuple):
    """One set, decoded, with what its pictures supervise and how often each is drawn."""

    plan: PictureSet
    pictures: list[Picture]
    weights: Floats
    supervision: Supervision


class Example(NamedTuple):
    """One window and what it supervises."""

    window: Window
    supervision: Supervision


def read_sources(data: Path, plans: Sequence[PictureSet], labels: Sequence[str]) -> list[Source]:
    """Reads the training split of all sets."""
    sources = []
    for plan in plans:
        truth = read_split(data, plan.name, "train")
        pictures = decoded(truth, labels)
        told = supervision(truth.categories, plan.absent, labels)
        sources.append(Source(plan, pictures, draw_weights(pictures, len(labels)), told))
    return sources


def draw_batch(
    sources: Sequence[Source], size: tuple[int, int], full: tuple[int, int], progress: float, rng: Rng
) -> list[Example]:
    """Draws each set's share of windows of `size` (width, height); `progress` of the training goes from 0 to 1."""
    examples = []
    for source in sources:
        for number in rng.choice(len(source.pictures), source.plan.per_batch, p=source.weights):
            if progress < MOSAICS_UNTIL and rng.random() < MOSAICS:
                others = rng.integers(len(source.pictures), size=3)
                four = [source.pictures[place] for place in (number, *others)]
                window = draw_mosaic(four, source.plan.zoom, size, full, rng)
            else:
                window = draw_window(source.pictures[number], source.plan.zoom, size, full, rng)
            window = mirrored(window) if rng.random() < 0.5 else window
            examples.append(Example(window._replace(pixels=tinted(window.pixels, rng)), source.supervision))
    return examples


def batches(draw: Callable[[Rng], list[Example]], seed: int, first: int) -> Iterator[list[Example]]:
    """Gives batch after batch from number `first` on, some drawn ahead in a thread.

    What a batch holds depends on the seed, its number and the progress at which it is drawn.
    """
    waiting: deque[Future[list[Example]]] = deque()
    number = first
    with ThreadPoolExecutor(1) as pool:
        try:
            while True:
                while len(waiting) < AHEAD:
                    waiting.append(pool.submit(draw, np.random.default_rng([seed, number])))
                    number += 1
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
