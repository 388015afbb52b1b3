"""A labelled set of the street: pictures, and what they really show as COCO writes it down."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from device.street.drive import drive_loop
from device.street.furnish import make_scene
from device.street.geometry import Pinhole
from device.street.scene import LYING, SIGNS, Lens, Weather
from device.street.seeds import Purpose, rng_of
from device.street.truth import FrameTruth, Seen, true_frame
from device.street.view import View

CATEGORIES: Final = (*LYING, *SIGNS, "traffic_light", "person", "vehicle", "plate", "face", "head")
JPEG_QUALITY = 90
HARD_COVERED, SMALLEST_PX, FAINTEST = 0.8, 6.0, 7.0
"""More covered, smaller or fainter than this, a box is marked `iscrowd`: who finds it is right, who does not is not wrong."""
FRAMES_A_TOWN = 120
"""After so many frames another town begins."""


def write_set(
    folder: Path,
    frames: int,
    seed: int,
    purpose: Purpose,
    camera: Pinhole,
    *,
    say: Callable[[int, int], None] = lambda _done, _of: None,
) -> dict[str, Any]:
    """Write `folder`/images and `folder`/truth.json; gives the COCO document.

    Places are drawn at random along towns that are drawn from the seed, weather and light for each frame.
    """
    (folder / "images").mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "info": {"description": "the street that ronde draws", "purpose": purpose, "seed": seed},
        "categories": [{"id": number, "name": name} for number, name in enumerate(CATEGORIES, 1)],
        "images": [],
        "annotations": [],
    }
    for number, frame in enumerate(random_frames(frames, seed, purpose, camera), 1):
        name = f"{number:06d}.jpg"
        Image.fromarray(frame.pixels).save(folder / "images" / name, quality=JPEG_QUALITY)
        document["images"].append(_image(number, name, frame))
        document["annotations"] += [
            _annotation(len(document["annotations"]) + n, number, seen) for n, seen in enumerate(frame.seen, 1)
        ]
        say(number, frames)
    (folder / "truth.json").write_text(json.dumps(document) + "\n", encoding="utf-8")
    return document


def random_frames(frames: int, seed: int, purpose: Purpose, camera: Pinhole) -> Iterator[FrameTruth]:
    """Frames of towns at random places, in order of place within each town."""
    for town in range(-(-frames // FRAMES_A_TOWN)):
        here = min(FRAMES_A_TOWN, frames - town * FRAMES_A_TOWN)
        rng = rng_of(purpose, seed, "frames", town)
        drive = drive_loop(make_scene(purpose, seed * 1000 + town), 1 + town % 2)
        view = View(drive, camera)
        driven_m = np.sort(rng.uniform(0.0, drive.odometers_m[-1], here))
        for at_m in driven_m:
            at_s = float(np.interp(at_m, drive.odometers_m, np.arange(len(drive.odometers_m)) * 0.01))
            yield true_frame(view, at_s, random_weather(drive.scene.weather[0], rng))


def random_weather(like: Weather, rng: np.random.Generator) -> Weather:
    """Any light and weather of the year's surveys: mostly dry days."""
    kind = rng.random()
    rain, wet = (
        (0.0, 0.0) if kind < 0.66 else (0.0, float(rng.uniform(0.3, 1.0))) if kind < 0.82 else (float(rng.uniform(0.3, 1.0)), 1.0)
    )
    hour = float(rng.uniform(8.0, 17.5)) if rng.random() < 0.7 else float(rng.uniform(17.5, 20.6))
    lens: Lens = "dirty" if rng.random() < 0.1 else "clean"
    return replace(like, hour=hour, rain=rain, wet=wet, lens=lens, exposure_ms=float(rng.uniform(0.5, 3.0)))


def _image(number: int, name: str, frame: FrameTruth) -> dict[str, Any]:
    height, width = frame.pixels.shape[:2]
    pose, weather = frame.pose, frame.weather
    return {
        "id": number,
        "file_name": name,
        "width": width,
        "height": height,
        "pose": {"east_m": round(pose.east_m, 3), "north_m": round(pose.north_m, 3), "heading_deg": round(pose.heading_deg, 3)},
        "weather": {"hour": weather.hour, "rain": weather.rain, "wet": weather.wet, "lens": weather.lens},
    }


def _annotation(number: int, image: int, seen: Seen) -> dict[str, Any]:
    left, top, right, bottom = (round(each, 2) for each in seen.box)
    return {
        "id": number,
        "image_id": image,
        "category_id": CATEGORIES.index(seen.label) + 1,
        "bbox": [left, top, round(right - left, 2), round(bottom - top, 2)],
        "area": round((right - left) * (bottom - top), 1),
        "iscrowd": int(is_hard(seen)),
        "covered": round(seen.covered, 3),
        "ahead_m": round(seen.ahead_m, 3),
        "right_m": round(seen.right_m, 3),
        "thing": seen.id,
    } | _more(seen)


def _more(seen: Seen) -> dict[str, Any]:
    """What only some have: whose head, face or plate it is, and how much of the road's brightness it changes."""
    whose = {} if seen.part_of is None else {"part_of": seen.part_of}
    return whose | ({} if seen.contrast is None else {"contrast": round(seen.contrast, 1)})


def is_hard(seen: Seen) -> bool:
    """Whether a person might not have labelled it: too covered, too small or too faint."""
    left, top, right, bottom = seen.box
    faint = seen.contrast is not None and seen.contrast < FAINTEST
    return seen.covered > HARD_COVERED or min(right - left, bottom - top) < SMALLEST_PX or faint
