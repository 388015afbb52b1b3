"""One look at a frame: roads, signs, people and plates found together, hidden, and only then kept."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from device.boot import now_s
from device.frame import Frame
from inference.anonymise import SURE, AnonymousFrame, hide
from inference.detect import Box, Detection, detect
from inference.letterbox import Letterboxed, letterbox
from inference.manifest import ModelRefused, Task
from inference.model import Model, ModelFailed, Output
from inference.people import find_people
from inference.quality import Glance, glance

DEADLINE_S = 2.0
"""By when the privacy model must have answered; a road photo that takes longer holds up the ring."""
PLAIN_SIGNS = frozenset({"sign_danger", "sign_prohibition", "sign_mandatory", "sign_yield", "sign_stop"})
"""Signs that carry writing. Not traffic lights: a car's rear lamps are taken for one, and its plate lies between them."""


Pictures = Mapping[tuple[int, int], Letterboxed]
Asked = Future[tuple[Output, ...]]


class HidingFailed(Exception):
    """People in this frame could not be hidden for certain, so it is not kept; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What one look gave.

    `detections` are the roads model's, in pixels of the frame. `roads_failed` is the reason where there can be none: the photo
    is kept all the same. `seconds` holds letterbox, invoke, decode, hide and glance. `glance` says what light, weather and lens
    are like; None where nothing looked.
    """

    frame: AnonymousFrame
    detections: tuple[Detection, ...]
    seconds: Mapping[str, float]
    roads_failed: str | None = None
    glance: Glance | None = None


class Look:
    """Looks at frames with one roads and one privacy model. A model that was refused at load is None here.

    The two run side by side: on two cores, one thread each takes a tenth less of the processor than two threads for one after the
    other, which wait for each other at every layer.
    """

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
        self._beside = ThreadPoolExecutor(max_workers=1, thread_name_prefix="roads")

    def look(self, frame: Frame) -> Looked:
        """Finds and hides.

        Raises:
            HidingFailed: the privacy model is missing, failed or was late.
        """
        if self._privacy is None:
            raise HidingFailed("no privacy model is loaded")
        watch = _Watch(self._clock)
        sizes = {_size(model) for model in (self._roads, self._privacy) if model}
        pictures = {size: letterbox(frame.pixels, *size) for size in sizes}
        watch.lap("letterbox")
        asked = self._beside.submit(self._roads.invoke, pictures[_size(self._roads)].pixels) if self._roads else None
        try:
            people = self._people(self._privacy, frame, pictures, watch)
        finally:
            wait([asked] if asked else [])  # a look that ends early leaves no work behind
        watch.lap("invoke")
        things, failed = self._things(pictures, asked)
        watch.lap("decode")
        anonymous = hide(frame, people, [found for found in things if found.label in PLAIN_SIGNS])
        watch.lap("hide")
        glanced = glance(pictures[_size(self._privacy)].picture, _vehicles(people, frame))
        watch.lap("glance")
        return Looked(anonymous, things, watch.seconds, failed, glanced)

    def _people(self, privacy: Model, frame: Frame, pictures: Pictures, watch: "_Watch") -> tuple[Detection, ...]:
        try:
            people = find_people(privacy, frame.pixels, pictures[_size(privacy)], watch.lap)
        except ModelFailed as error:
            raise HidingFailed(str(error)) from error
        took_s = watch.elapsed_s()
        if took_s > self._deadline_s:
            raise HidingFailed(f"the privacy model took {took_s:.2f} s, allowed are {self._deadline_s:.2f} s")
        return people

    def _things(self, pictures: Pictures, asked: Asked | None) -> tuple[tuple[Detection, ...], str | None]:
        """What the roads model found, or nothing and the reason."""
        if self._roads is None or asked is None:
            return (), "no roads model is loaded"
        try:
            return detect(self._roads.manifest, asked.result(), pictures[_size(self._roads)]), None
        except ModelFailed as error:
            return (), str(error)


class _Watch:
    """One look's seconds per stage."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.seconds = {"letterbox": 0.0, "invoke": 0.0, "decode": 0.0, "hide": 0.0, "glance": 0.0}
        self._clock = clock
        self._begun = self._last = clock()

    def lap(self, stage: str) -> None:
        now = self._clock()
        self.seconds[stage] += now - self._last
        self._last = now

    def elapsed_s(self) -> float:
        return self._clock() - self._begun


def _vehicles(people: Sequence[Detection], frame: Frame) -> tuple[Box, ...]:
    """The boxes of vehicles that are certain enough, as shares of the frame."""
    height, width = frame.pixels.shape[:2]
    return tuple(
        (one.box[0] / width, one.box[1] / height, one.box[2] / width, one.box[3] / height)
        for one in people
        if one.label == "vehicle" and one.score >= SURE
    )


def _size(model: Model) -> tuple[int, int]:
    return model.manifest.input.width, model.manifest.input.height


def _check_task(model: Model | None, task: Task) -> None:
    if model is not None and model.manifest.task != task:
        raise ModelRefused(f"{model.manifest.name} is a model for {model.manifest.task} and stands where one for {task} belongs")
