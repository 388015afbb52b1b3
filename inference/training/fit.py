"""Trains a network for a number of minutes, on a CPU, and can be stopped and resumed at any time.

Elapsed time, not a number of steps, drives the learning rate down a cosine: the training ends when it was asked to.
"""

import copy
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from inference.training.batches import Example, Rng, batches, draw_batch, read_sources
from inference.training.doubts import with_doubts
from inference.training.loss import Grid, Losses, Truth, detection_loss, make_grid
from inference.training.network import PrivacyNetwork, RoadsNetwork
from inference.training.sets import TASKS, plans_of
from inference.training.weights import HEIGHT, MEAN, STD, WIDTH

WINDOW: Final = (416, 320)
HEAD_RATE: Final = 1.5e-3
TRUNK_RATE: Final = 0.25  # of the head's
LATER_RATE: Final = 0.6  # of a run that goes on from another's weights
WEIGHT_DECAY: Final = 0.05
WARM_UP_STEPS: Final = 100
LAST_RATE: Final = 0.02  # of the first
AVERAGE: Final = 0.998
LONGEST_GRADIENT: Final = 10.0
LOSS_WEIGHTS: Final = Losses(1.0, 2.0, 0.5)
SAVE_EVERY_S: Final = 150.0
SAY_EVERY_STEPS: Final = 50
# Parts that keep what COCO taught them: NanoDet's head stays valid only on an untouched trunk.
FROZEN: Final = {
    "roads": ("trunk.stem.", "trunk.stages.0."),
    "safety": ("trunk.stem.", "trunk.stages.0."),
    "privacy": ("trunk.", "coco."),
}
CHECKPOINT: Final = "checkpoint.pt"


class Course(NamedTuple):
    """How long to train, and from where: `start` is another run's checkpoint, whose averaged weights are trained on.

    With `clear`, sets whose licence is unclear are left out.
    """

    task: str
    data: Path
    weights: Path
    out: Path
    minutes: float
    seed: int = 0
    threads: int = 2
    start: Path | None = None
    clear: bool = False


class Training:
    """A network under training: `step` takes one batch; `save` and `resume` keep all that goes on changing."""

    def __init__(self, course: Course) -> None:
        torch.manual_seed(course.seed)
        torch.set_num_threads(course.threads)
        self.course = course
        self.network = build(course.task, course.weights).to(memory_format=torch.channels_last)
        for name, parameter in self.network.named_parameters():
            parameter.requires_grad_(not name.startswith(FROZEN[course.task]))
        self.share = 1.0 if course.start is None else LATER_RATE
        if course.start is not None:
            begin(self.network, course.start)
        self.average = copy.deepcopy(self.network).eval()
        self.optimiser = torch.optim.AdamW(_groups(self.network), lr=HEAD_RATE)
        self.grid: Grid = make_grid(*WINDOW)
        self.steps = self.pictures = 0
        self.seconds = 0.0

    @property
    def progress(self) -> float:
        """0 to 1, by the time trained."""
        return min(1.0, self.seconds / (self.course.minutes * 60))

    def step(self, examples: Sequence[Example]) -> Losses:
        """Learns from one batch."""
        for group in self.optimiser.param_groups:
            group["lr"] = HEAD_RATE * self.share * group["share"] * rate(self.progress, self.steps)
        pixels, truths = _tensors(examples)
        self.network.train()
        with torch.autocast("cpu", torch.bfloat16):
            scores, boxes = self.network(pixels)[-2:]
        losses = detection_loss(scores.float(), boxes.float(), truths, self.grid)
        sum(weight * loss for weight, loss in zip(LOSS_WEIGHTS, losses, strict=True)).backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), LONGEST_GRADIENT)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        self._follow()
        self.steps += 1
        self.pictures += len(examples)
        return Losses(*(float(loss.detach()) for loss in losses))

    def save(self) -> None:
        """Writes a checkpoint; the one before stays until the new one is whole."""
        path = self.course.out / CHECKPOINT
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        counts = {"steps": self.steps, "pictures": self.pictures, "seconds": self.seconds}
        told = {"task": self.course.task, "seed": self.course.seed, "threads": self.course.threads}
        told |= {"start": str(self.course.start or ""), "clear": self.course.clear}
        torch.save(state | counts | told, path.with_suffix(".new"))
        path.with_suffix(".new").replace(path)

    def resume(self) -> bool:
        """Goes on from the folder's checkpoint; False where there is none."""
        path = self.course.out / CHECKPOINT
        if not path.exists():
            return False
        state = torch.load(path, weights_only=True)
        for name, part in (("network", self.network), ("average", self.average), ("optimiser", self.optimiser)):
            part.load_state_dict(state[name])
        self.steps, self.pictures, self.seconds = state["steps"], state["pictures"], state["seconds"]
        return True

    def _follow(self) -> None:
        """Moves the averaged weights a little towards the present ones (quickly at first)."""
        share = 1 - min(AVERAGE, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            for mean, now in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if mean.dtype.is_floating_point:
                    mean.lerp_(now, share)


def fit(course: Course, say: Callable[[str], None] = print) -> None:
    """Trains to the end of the course, from the folder's checkpoint where there is one."""
    course.out.mkdir(parents=True, exist_ok=True)
    training = Training(course)
    if training.resume():
        say(f"resumed after {training.steps} steps, {training.seconds / 60:.1f} of {course.minutes:g} minutes")
    sources = read_sources(course.data, plans_of(course.task, clear=course.clear), TASKS[course.task][0])
    if course.task == "privacy":
        whole = make_grid(WIDTH, HEIGHT)
        sources = [
            source._replace(pictures=with_doubts(source.pictures, training.network, whole)) if source.plan.partly else source
            for source in sources
        ]
    for source in sources:
        say(f"{source.plan.name}: {len(source.pictures)} pictures, {source.plan.per_batch} in each batch")

    def draw(rng: Rng) -> list[Example]:
        return draw_batch(sources, WINDOW, (WIDTH, HEIGHT), training.progress, rng)

    saved = before = time.monotonic()
    mean = np.zeros(3)
    for examples in batches(draw, course.seed, training.steps):
        if training.progress >= 1:
            break
        losses = training.step(examples)
        mean = mean * 0.98 + np.array(losses) * 0.02 if mean.any() else np.array(losses)
        training.seconds += (now := time.monotonic()) - before
        before = now
        if training.steps % SAY_EVERY_STEPS == 0:
            say(_line(training, mean))
        if now - saved > SAVE_EVERY_S:
            training.save()
            saved = now
    training.save()
    say(f"trained {training.steps} steps, {training.pictures} pictures in {training.seconds / 60:.1f} minutes")


def build(task: str, weights: Path) -> Any:
    """Builds the task's network with the weights that it starts from."""
    labels = len(TASKS[task][0])
    return PrivacyNetwork(weights, labels) if task == "privacy" else RoadsNetwork(weights, labels)


def begin(network: Any, start: Path) -> None:
    """Takes the averaged weights of another run. Labels that it did not know are new rows at the end, left as they are."""
    known = torch.load(start, weights_only=True)["average"]
    with torch.no_grad():
        for name, now in network.state_dict().items():
            rows = known[name]
            if now.ndim and len(rows) < len(now):
                now[: len(rows)].copy_(rows)
            else:
                now.copy_(rows)


def trained(task: str, run: Path, weights: Path) -> tuple[Any, dict[str, Any]]:
    """Gives the averaged network of a run, ready to use, and what the run says about itself."""
    state = torch.load(run / CHECKPOINT, weights_only=True)
    network = build(task, weights)
    network.load_state_dict(state["average"])
    told = {name: state.get(name) for name in ("seed", "threads", "pictures", "seconds", "start", "clear")}
    return network.eval(), told


def rate(progress: float, steps: int) -> float:
    """The learning rate as a share of the highest: a short rise, then a cosine down."""
    fall = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * progress)) / 2
    return min(1.0, (steps + 1) / WARM_UP_STEPS) * fall


def _groups(network: Any) -> list[dict[str, Any]]:
    """Parameters by where they are (the trunk learns slower) and what they are (biases and norms do not decay)."""
    groups: dict[tuple[bool, bool], list[Any]] = {}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("trunk."), parameter.ndim > 1), []).append(parameter)
    return [
        {"params": parameters, "share": TRUNK_RATE if in_trunk else 1.0, "weight_decay": WEIGHT_DECAY if decays else 0.0}
        for (in_trunk, decays), parameters in groups.items()
    ]


def _tensors(examples: Sequence[Example]) -> tuple[Any, list[Truth]]:
    """(n, 3, h, w) normalised pixels, channels last in memory, and what each window shows."""
    stack = torch.from_numpy(np.stack([example.window.pixels for example in examples]))
    truths = [
        Truth(torch.from_numpy(example.window.boxes), torch.from_numpy(example.window.labels), example.supervision)
        for example in examples
    ]
    return (stack.float() - MEAN).div_(STD).permute(0, 3, 1, 2), truths


def _line(training: Training, losses: Any) -> str:
    left = training.course.minutes * (1 - training.progress)
    pace = training.pictures / training.seconds
    return f"step {training.steps}: loss {losses.round(3).tolist()}, {pace:.1f} pictures/s, {left:.1f} minutes left"
