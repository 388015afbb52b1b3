"""What a model is to the rest of ronde."""

from dataclasses import dataclass
from typing import Protocol

from device.frame import Pixels
from inference.manifest import Manifest, Values


class ModelFailed(Exception):
    """A model that was accepted gave nothing usable for one picture; the message says what."""


@dataclass(frozen=True, slots=True, eq=False)
class Output:
    """What one head said, as written by the model: `scores` (points, labels) and `boxes` (points, 4 or 44)."""

    scores: Values
    boxes: Values


class Model(Protocol):
    """What finds things in a picture."""

    @property
    def manifest(self) -> Manifest:
        """What the model takes and gives."""
        ...

    def invoke(self, picture: Pixels) -> tuple[Output, ...]:
        """The output of each head for `picture`, (height, width, 3) as the manifest's input says.

        Raises:
            ModelFailed: no output.
        """
        ...
