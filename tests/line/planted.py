"""A replay whose privacy model finds one more plate: the place where the test has planted its pattern.

Run as `python planted.py DRIVE OUT LEFT TOP RIGHT BOTTOM`; the models are the shipped ones, their code is the product's.
"""

import sys
from pathlib import Path

import numpy as np

from inference.decode import grid_of
from inference.model import Output
from sync import replay


class Planted:
    """A model that finds what the shipped one finds, and a plate at `box` of the frame."""

    def __init__(self, model, box, frame_size):
        self.manifest = model.manifest
        self._model = model
        width, height = frame_size
        scale = min(self.manifest.input.width / width, self.manifest.input.height / height)
        self._box = np.array(box) * scale

    def invoke(self, picture):
        return tuple(
            self._plant(head, output) for head, output in zip(self.manifest.heads, self._model.invoke(picture), strict=True)
        )

    def _plant(self, head, output):
        if "plate" not in head.labels:
            return output
        left, top, right, bottom = self._box
        grid = grid_of(self.manifest)
        centre = np.array([(left + right) / 2, (top + bottom) / 2])
        point = int(np.argmin(np.linalg.norm(grid.centres - centre, axis=1)))
        x, y = grid.centres[point]
        sides = np.log(np.array([x - left, y - top, right - x, bottom - y]) / grid.strides[point])
        scores, boxes = output.scores.copy(), output.boxes.copy()
        scores[point, head.labels.index("plate")] = np.iinfo(scores.dtype).max
        boxes[point] = [np.clip(round(head.boxes.numbers.written(side)), -128, 127) for side in sides]
        return Output(scores, boxes)


def main():
    drive, out, *box = sys.argv[1:]
    real = replay.load_models

    def load_models(models):
        roads, privacy = real(models)
        return roads, Planted(privacy, [float(side) for side in box], (640, 480))

    replay.load_models = load_models
    replay.replay(Path(drive), Path(out))


if __name__ == "__main__":
    main()
