"""One look at a frame: roads, signs, people and plates found together, hidden, and only then kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from device.boot import now_s
from device.frame import Frame
from inference.anonymise import AnonymousFrame, hide
from inference.detect import Detection, detect
from inference.letterbox import Letterboxed, letterbox
from inference.manifest import ModelRefused, Task
from inference.model import Model, ModelFailed, Output

DEADLINE_S = 1.0
"""By when the privacy model must have answered; a road photo that takes longer holds up the ring."""
PLAIN_SIGNS = frozenset({"sign_danger", "sign_prohibition", "sign_mandatory", "sign_yield", "sign_stop"})
"""Signs that carry writing. Not traffic lights: a car's rear lamps are taken for one, and its plate lies between them."""


class HidingFailed(Exception):
    """People in this frame could not be hidden for certain, so it is not kept; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What one look gave.

    `detections` are the roads model's, in pixels of the frame. `roads_failed` is the reason where there can be none: the photo
    is kept all the same. `seconds` holds letterbox, invoke, decode and hide.
    """

    frame: AnonymousFrame
    detections: tuple[Detection, ...]
    seconds: Mapping[str, float]
    roads_failed: str | None = None


class Look:
    """Looks at frames with one roads and one privacy model. A model that was refused at load is None here."""

    def __init__(
        self, roads: Model | None, privacy: Model | None, deadline_s: float = DEADLINE_S, clock: Callable[[], float] = now_s
    ) -> None:
        """Take the models.

        Raises:
            ModelRefused: they stand in each other's place.
        """
        _check_task(roads, "roads")
        _check_task(privacy, "privacy")
        self._roads = roads
        self._privacy = privacy
        self._deadline_s = deadline_s
        self._clock = clock

    def look(self, frame: Frame) -> Looked:
        """Finds and hides.

        Raises:
            HidingFailed: the privacy model is missing, failed or was late.
        """
        watch = _Watch(self._clock)
        people = self._people(frame, watch)
        roads, failed = self._things(frame, watch)
        anonymous = hide(frame, people, [found for found in roads if found.label in PLAIN_SIGNS])
        watch.lap("hide")
        return Looked(anonymous, roads, watch.seconds, failed)

    def _people(self, frame: Frame, watch: "_Watch") -> tuple[Detection, ...]:
        """What the privacy model found, first of all: a slow roads model must not make it late."""
        if self._privacy is None:
            raise HidingFailed("no privacy model is loaded")
        try:
            people = watch.detect(self._privacy, frame)
        except ModelFailed as error:
            raise HidingFailed(str(error)) from error
        if watch.total_s() > self._deadline_s:
            raise HidingFailed(f"the privacy model took {watch.total_s():.2f} s, allowed are {self._deadline_s:.2f} s")
        return people

    def _things(self, frame: Frame, watch: "_Watch") -> tuple[tuple[Detection, ...], str | None]:
        """What the roads model found, or nothing and the reason."""
        if self._roads is None:
            return (), "no roads model is loaded"
        try:
            return watch.detect(self._roads, frame), None
        except ModelFailed as error:
            return (), str(error)


class _Watch:
    """One look's seconds per stage, and the frame letterboxed once for each size of input."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.seconds = {"letterbox": 0.0, "invoke": 0.0, "decode": 0.0, "hide": 0.0}
        self._clock = clock
        self._begun = self._last = clock()
        self._pictures: dict[tuple[int, int], Letterboxed] = {}

    def detect(self, model: Model, frame: Frame) -> tuple[Detection, ...]:
        size = (model.manifest.input.width, model.manifest.input.height)
        if size not in self._pictures:
            self._pictures[size] = letterbox(frame.pixels, *size)
        picture = self._pictures[size]
        self.lap("letterbox")
        outputs: tuple[Output, ...] = model.invoke(picture.pixels)
        self.lap("invoke")
        detections = detect(model.manifest, outputs, picture)
        self.lap("decode")
        return detections

    def lap(self, stage: str) -> None:
        now = self._clock()
        self.seconds[stage] += now - self._last
        self._last = now

    def total_s(self) -> float:
        return self._last - self._begun


def _check_task(model: Model | None, task: Task) -> None:
    if model is not None and model.manifest.task != task:
        raise ModelRefused(f"{model.manifest.name} is a model for {model.manifest.task} and stands where one for {task} belongs")
