"""`ronde bench findings`: places, radii and merging on the simulated street, against its truth.

Three kinds of boxes go through the same code: perfect ones, made from the scene's sizes without drawing a picture; the truth of
drawn pictures, where things cover each other; and what the roads model finds in the same pictures. So what locating and merging
do wrong stays apart from what the model does.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any, Final

from device.simulated_round import drive_round
from device.simulated_senses import Camera as Exposing
from device.simulated_senses import Receiver
from device.street.drive import TownDrive, drive_loop
from device.street.furnish import make_scene
from device.street.geometry import Pinhole
from device.street.recording import HEIGHT_M, HFOV_DEG, PITCH_DEG, YAW_DEG
from device.street.scene import Thing
from device.street.seeds import Purpose, rng_of
from device.street.truth import true_frame
from device.street.view import View as Drawing
from inference.detect import Detection, detect
from inference.finding import finding_of
from inference.lens import Lens
from inference.letterbox import letterbox
from inference.manifest import locate
from inference.merge import Merge, View
from inference.sighting import rivals_of, shared
from inference.tflite import TfliteModel
from provisioning.settings import Models
from sync.finding_measures import Trial, goals_of, measure
from sync.street_boxes import boxes_of, reported

CAMERA: Final = Pinhole(640, 480, HEIGHT_M, PITCH_DEG, YAW_DEG, HFOV_DEG)
LENS: Final = Lens(CAMERA.width, CAMERA.height, CAMERA.height_m, CAMERA.pitch_deg, CAMERA.yaw_deg, CAMERA.hfov_deg)
RECEIVER: Final = Receiver(position_m=2.0, correlation_s=60.0)
PURPOSE: Final[Purpose] = "bench"
TOWNS, DRAWN = 16, 400
"""Towns driven once around with perfect boxes, and pictures drawn in the first of them."""
SPACING_M = 4.0
SAME_IOU = 0.3
"""A detection is of the true thing whose box it overlaps by so much."""
MOST_COVERED = 0.8
SURE = 1.0

Progress = Callable[[int, int], None]
Seen = Sequence[tuple[Detection, Thing | None]]
"""What was detected in a frame, and of what."""


class BenchRefused(Exception):
    """The bench cannot be run like this; one sentence that says why."""


def bench_findings(
    towns: int = TOWNS, drawn: int = DRAWN, progress: Progress = lambda _done, _of: None, purpose: Purpose = PURPOSE
) -> dict[str, Any]:
    """Drive `towns` with perfect boxes, and draw so many pictures of the first for the model; goals hold for perfect boxes.

    Raises:
        BenchRefused: there is no town to drive.
    """
    if towns < 1 or drawn < 0:
        raise BenchRefused(f"--towns {towns} --drawn {drawn}: at least one town is needed, and no less than no picture")
    steps = towns + (1 if drawn else 0)
    trials = []
    for seed in range(1, towns + 1):
        trials.append(drive_perfect(purpose, seed))
        progress(seed, steps)
    perfect = measure(trials)
    result = {"software": version("ronde"), "towns": towns, "drawn": drawn, "perfect": perfect}
    if drawn:
        model = TfliteModel(locate(Models().roads), 1)
        truth, detector = drive_drawn(purpose, 1, drawn, model)
        result |= {"model": model.manifest.name, "truth": measure([truth]), "detector": measure([detector])}
        progress(steps, steps)
    return result | {"goals_missed": [goal for goal, met in goals_of(perfect).items() if not met]}


def drive_perfect(purpose: Purpose, seed: int, number: int = 1) -> Trial:
    """Once around a town, with perfect boxes; `number` is the round."""
    drive = drive_loop(make_scene(purpose, seed), number)
    things = reported(drive.scene.in_round(drive.round))

    def seen(at_s: float) -> Seen:
        return [(Detection(thing.kind, SURE, box), thing) for thing, box in boxes_of(things, drive.pose(at_s), CAMERA)]

    return merge_drive(drive, _photos(drive, purpose, seed), lambda at_s: (seen(at_s),))[0]


def drive_drawn(purpose: Purpose, seed: int, pictures: int, model: TfliteModel, number: int = 1) -> tuple[Trial, Trial]:
    """The first photos of a town, drawn: with the true boxes of what can be seen of each thing, and with the model's boxes."""
    drive = drive_loop(make_scene(purpose, seed), number)
    drawing = Drawing(drive, CAMERA)
    by_id = {thing.id: thing for thing in reported(drive.scene.in_round(drive.round))}
    size = model.manifest.input.width, model.manifest.input.height

    def seen(at_s: float) -> tuple[Seen, Seen]:
        frame = true_frame(drawing, at_s)
        true = [
            (Detection(each.label, SURE, each.box), by_id[each.id])
            for each in frame.seen
            if each.id in by_id and each.covered <= MOST_COVERED
        ]
        picture = letterbox(frame.pixels, *size)
        found = detect(model.manifest, model.invoke(picture.pixels), picture)
        return true, [(each, _whose(each, true)) for each in found]

    truth, detector = merge_drive(drive, _photos(drive, purpose, seed)[:pictures], seen)
    return truth, detector


def merge_drive(drive: TownDrive, photos: Sequence[Any], seen: Callable[[float], tuple[Seen, ...]]) -> tuple[Trial, ...]:
    """Locate and merge what is seen in the photos of a drive; one trial for each kind of boxes that `seen` gives."""
    trials: list[Trial] = []
    merges: list[Merge] = []
    for number, photo in enumerate(photos):
        frame_id = f"{number:06d}"
        for kind, boxes in enumerate(seen(photo.at_s)):
            if kind == len(trials):
                trials.append(Trial(drive.scene))
                merges.append(Merge())
            trial = trials[kind]
            trial.cameras[frame_id] = (photo.place, drive.pose(photo.at_s))
            trial.whose |= {(frame_id, n): thing for n, (_, thing) in enumerate(boxes) if thing is not None}
            trial.detections += len(boxes)
            begun_s = time.process_time()
            taken = merges[kind].take(View(frame_id, photo.place, LENS, [detection for detection, _ in boxes]))
            trial.frame_ms.append((time.process_time() - begun_s) * 1000.0)
            merges[kind] = taken.merge
            _tell(trial, taken.settled)
    for trial, merge in zip(trials, merges, strict=True):
        _tell(trial, merge.finish().settled)
    return tuple(trials)


def _tell(trial: Trial, settled: Sequence[Any]) -> None:
    for thing in settled:
        trial.found.append((finding_of(thing, round_id="bench", number=len(trial.found) + 1, model=""), thing))


def _photos(drive: TownDrive, purpose: Purpose, seed: int) -> list[Any]:
    """What the line keeps, with the receiver's noise: in order of the road."""
    rng = rng_of(purpose, seed, "findings", *([] if drive.round == 1 else [drive.round]))
    # The town's drive has the role of a Truth, though it is none (device/street/drive.py).
    return drive_round(drive, RECEIVER, Exposing(), rng, SPACING_M).photos  # type: ignore[arg-type]


def _whose(detection: Detection, true: Seen) -> Thing | None:
    """The true thing of a detection: of those with a rival's label, the one whose box it overlaps most."""
    overlaps = [(shared(detection.box, each.box), thing) for each, thing in true if each.label in rivals_of(detection.label)]
    best, thing = max(overlaps, key=lambda each: each[0], default=(0.0, None))
    return thing if best >= SAME_IOU else None


KINDS: Final = {
    "perfect": "perfect boxes",
    "truth": "truth of drawn pictures",
    "detector": "the model's boxes",
}


def in_words(result: Mapping[str, Any]) -> str:
    """The result as tables."""
    kinds = [kind for kind in KINDS if kind in result]
    lines = [f"{result['towns']} towns with perfect boxes, {result['drawn']} pictures drawn; metres, median and 95 %", ""]
    lines.append(f"{'':<44}" + "".join(f"{KINDS[kind]:>26}" for kind in kinds))
    lines += [f"{name:<44}" + "".join(f"{told(result[kind]):>26}" for kind in kinds) for name, told in ROWS]
    lines += ["", f"{'place by label, perfect boxes':<44}{'findings':>10}{'median':>9}{'95 %':>8}"]
    for label, each in result["perfect"]["labels"].items():
        lines.append(f"  {label:<42}{each['findings']:>10}{each['median']:>9.2f}{each['p95']:>8.2f}")
    return "\n".join([*lines, *_missed(result)])


def _missed(result: Mapping[str, Any]) -> Iterator[str]:
    yield from (f"missed: {goal}" for goal in result["goals_missed"])


def _both(key: str) -> Callable[[Mapping[str, Any]], str]:
    def told(numbers: Mapping[str, Any]) -> str:
        median, most = numbers[key]["median"], numbers[key]["p95"]
        return "-" if median is None else f"{median:.2f} / {most:.2f}"

    return told


def _percent(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda numbers: "-" if numbers[key] is None else f"{numbers[key]:.1%}"


def _count(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda numbers: str(numbers[key])


ROWS: Final = (
    ("detections", _count("detections")),
    ("findings", _count("findings")),
    ("  of no thing", _count("of_no_thing")),
    ("place, truth shifted by the receiver's error", _both("shifted_m")),
    ("place, absolute", _both("absolute_m")),
    ("the receiver's own error", _both("receiver_m")),
    ("the stated radius holds", _percent("radius_holds")),
    ("things seen twice", _count("seen_twice")),
    ("  told once", _percent("told_once")),
    ("  told twice", _percent("told_twice")),
    ("  not told", _percent("not_told")),
    ("label right", _percent("label_right")),
    (
        "locate and merge, ms of CPU a frame",
        lambda numbers: f"{numbers['frame_ms']['mean']:.2f} / {numbers['frame_ms']['p95']:.2f}",
    ),
)
