"""Batches of training windows, drawn while the network works on the one before."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np

from inference.training.covers import COVERS, with_covers
from inference.training.sets import Floats, Picture, PictureSet, Supervision, decoded, draw_weights, read_split, supervision
from inference.training.weather import weathered
from inference.training.windows import MOSAICS, MOSAICS_UNTIL, Window, draw_mosaic, draw_window, mirrored, tinted

Rng = np.random.Generator

AHEAD: Final = 3
COVERED_ROADS: Final = 0.5  # of the whole windows of roads: so often a drain, a cover or stripes are drawn


class Source(NamedTuple):
    """One set, decoded, with what its pictures supervise and how often each is drawn.

    `numbers` are the labels of the covers that are drawn onto its pictures, none where nothing is drawn.
    """

    plan: PictureSet
    pictures: list[Picture]
    weights: Floats
    supervision: Supervision
    numbers: Mapping[str, int] = MappingProxyType({})


class Example(NamedTuple):
    """One window and what it supervises."""

    window: Window
    supervision: Supervision


def read_sources(data: Path, plans: Sequence[PictureSet], labels: Sequence[str]) -> list[Source]:
    """Reads the training split of all sets."""
    sources = []
    for plan in plans:
        truth = read_split(data, plan, "train")
        pictures = decoded(truth, labels, others=plan.others)
        told = supervision(truth.categories, plan.absent, labels)
        numbers = {label: number for number, label in enumerate(labels) if label in COVERS} if plan.roads else {}
        sources.append(Source(plan, pictures, draw_weights(pictures, len(labels)), told, numbers))
    return sources


def draw_batch(
    sources: Sequence[Source], size: tuple[int, int], full: tuple[int, int], progress: float, rng: Rng
) -> list[Example]:
    """Draws each set's share of windows of `size` (width, height); `progress` of the training goes from 0 to 1."""
    examples = []
    for source in sources:
        count = int(source.plan.per_batch + rng.random())
        for number in rng.choice(len(source.pictures), count, p=source.weights):
            if progress < MOSAICS_UNTIL and rng.random() < MOSAICS:
                others = rng.integers(len(source.pictures), size=3)
                four = [source.pictures[place] for place in (number, *others)]
                window = draw_mosaic(four, source.plan.zoom, size, full, rng)
            else:
                picture = source.pictures[number]
                if source.numbers and rng.random() < COVERED_ROADS:
                    picture = with_covers(picture, source.numbers, rng)
                window = draw_window(picture, source.plan.zoom, size, full, rng)
            window = mirrored(window) if rng.random() < 0.5 else window
            pixels = weathered(tinted(window.pixels, rng), rng)
            examples.append(Example(window._replace(pixels=pixels), source.supervision))
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
