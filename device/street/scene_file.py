"""The scene as a JSON file. What is read is checked: a scene that contradicts itself is refused in one sentence."""

import json
import math
import types
import typing
from dataclasses import MISSING, asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from device.earth import turn_deg
from device.street.scene import VERSION, Scene, Stretch, Weather

MOST_BYTES = 50_000_000
CLOSES_WITHIN_M, TURNS_WITHIN_DEG = 0.001, 0.001
AGREES_WITHIN_M = 0.01
"""East and north of a thing say the same as along and right to so much."""
LONGEST_M = 50_000.0


class SceneRefused(Exception):
    """A scene file that cannot be used: one sentence with the file and the place in it."""


def write_scene(scene: Scene, file: Path) -> None:
    """Write it; the same scene gives the same bytes."""
    file.write_text(json.dumps(asdict(scene), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_scene(file: Path) -> Scene:
    """Read it.

    Raises:
        SceneRefused: it cannot be read, has another version, lacks a value, has one too many or of the wrong kind, or contradicts
            itself.
    """
    try:
        if file.stat().st_size > MOST_BYTES:
            raise SceneRefused(f"{file} is larger than {MOST_BYTES} bytes")
        values = json.loads(file.read_text(encoding="utf-8"), parse_constant=_no_number)
    except (OSError, UnicodeDecodeError) as error:
        raise SceneRefused(f"{file} cannot be read: {error}") from error
    except (ValueError, RecursionError) as error:
        raise SceneRefused(f"{file} is no JSON: {error}") from error
    if not isinstance(values, dict) or values.get("version") != VERSION:
        found = values.get("version") if isinstance(values, dict) else None
        raise SceneRefused(f"{file}: version is {found!r}; this ronde reads version {VERSION}")
    try:
        scene: Scene = _read(Scene, values, "the scene")
        check_scene(scene)
    except SceneRefused as error:
        raise SceneRefused(f"{file}: {error}") from error
    return scene


def check_scene(scene: Scene) -> None:
    """See that a scene is one.

    Raises:
        SceneRefused: what contradicts what.
    """
    _check_line(scene)
    length_m = scene.path.length_m
    whole: tuple[tuple[str, tuple[Stretch | Weather, ...]], ...] = (("stretches", scene.stretches), ("weather", scene.weather))
    for name, parts in whole:
        reached_m = 0.0
        for number, part in enumerate(parts):
            if abs(part.from_m - reached_m) > AGREES_WITHIN_M or part.to_m <= part.from_m:
                raise SceneRefused(
                    f"{name} {number} goes from {part.from_m:g} to {part.to_m:g} m, wanted from {reached_m:g} m on"
                )
            reached_m = part.to_m
        if abs(reached_m - length_m) > AGREES_WITHIN_M:
            raise SceneRefused(f"{name} end at {reached_m:g} m, the line at {length_m:g} m")
    for tunnel in scene.tunnels:
        if not 0.0 <= tunnel.from_m < tunnel.to_m <= length_m:
            raise SceneRefused(f"a tunnel goes from {tunnel.from_m:g} to {tunnel.to_m:g} m of a line of {length_m:g} m")
    for light in scene.lights:
        if not 0.0 < light.red_s < light.period_s:
            raise SceneRefused(f"light {light.id} is red for {light.red_s:g} s of each {light.period_s:g} s")
    _check_things(scene)


def _check_line(scene: Scene) -> None:
    if not scene.line:
        raise SceneRefused("line is empty")
    for number, piece in enumerate(scene.line):
        if not 0.0 < piece.length_m <= LONGEST_M:
            raise SceneRefused(f"line {number} is {piece.length_m:g} m long; allowed: above 0, up to {LONGEST_M:g}")
        end, after = piece.at(piece.length_m), scene.line[(number + 1) % len(scene.line)]
        apart_m = math.hypot(end.east_m - after.east_m, end.north_m - after.north_m)
        if apart_m > CLOSES_WITHIN_M or abs(turn_deg(end.heading_deg - after.heading_deg)) > TURNS_WITHIN_DEG:
            raise SceneRefused(f"line {number} ends {apart_m:.3f} m from where the next piece starts, or points elsewhere")


def _check_things(scene: Scene) -> None:
    seen: set[str] = set()
    for thing in scene.things:
        if thing.id in seen:
            raise SceneRefused(f"thing {thing.id} is there twice")
        seen.add(thing.id)
        if not thing.rounds or min(thing.rounds) < 1 or len(set(thing.rounds)) != len(thing.rounds):
            raise SceneRefused(f"thing {thing.id} has rounds {list(thing.rounds)}; wanted: numbers from 1 on, each once")
        if thing.severity is not None and not 1 <= thing.severity <= 3:
            raise SceneRefused(f"thing {thing.id} has severity {thing.severity}; allowed: 1 to 3")
        if not all(0.0 <= size <= 100.0 for size in (thing.width_m, thing.length_m, thing.height_m)) or thing.width_m == 0.0:
            raise SceneRefused(
                f"thing {thing.id} has a size that is none: {thing.width_m} x {thing.length_m} x {thing.height_m} m"
            )
        if thing.light and thing.light not in scene.lights_by_id:
            raise SceneRefused(f"thing {thing.id} shows light {thing.light}, which is not there")
        pose = scene.path.at(thing.along_m, thing.right_m)
        apart_m = math.hypot(pose.east_m - thing.east_m, pose.north_m - thing.north_m)
        if apart_m > AGREES_WITHIN_M:
            raise SceneRefused(
                f"thing {thing.id} is {apart_m:.2f} m away from itself: east_m and north_m against along_m and right_m"
            )


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _read(kind: Any, value: Any, place: str) -> Any:
    """A value of JSON as the type that a dataclass's field has."""
    if is_dataclass(kind) and isinstance(kind, type):
        return _read_object(kind, value, place)
    origin, inside = get_origin(kind), get_args(kind)
    if origin is tuple:
        if not isinstance(value, list):
            raise SceneRefused(f"{place} is {_shown(value)}; wanted: a list")
        return tuple(_read(inside[0], each, f"{place} {number}") for number, each in enumerate(value))
    if origin is Literal:
        if value not in inside:
            raise SceneRefused(f"{place} is {_shown(value)}; allowed: {', '.join(map(str, inside))}")
        return value
    if origin in {typing.Union, types.UnionType}:
        return None if value is None else _read(next(each for each in inside if each is not type(None)), value, place)
    return _read_plain(kind, value, place)


def _read_plain(kind: Any, value: Any, place: str) -> Any:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    if kind in {int, str} and type(value) is kind:
        return value
    words = {float: "a number", int: "a whole number", str: "a text"}
    raise SceneRefused(f"{place} is {_shown(value)}; wanted: {words[kind]}")


def _read_object(kind: type, value: Any, place: str) -> Any:
    if not isinstance(value, dict):
        raise SceneRefused(f"{place} is {_shown(value)}; wanted: an object")
    hints = get_type_hints(kind)
    known = {field.name: field for field in fields(kind) if field.init}
    for name in value:
        if name not in known:
            raise SceneRefused(f"{place} has {name!r}, which is not known")
    given = {}
    for name, field in known.items():
        if name in value:
            given[name] = _read(hints[name], value[name], f"{place}: {name}")
        elif field.default is MISSING:
            raise SceneRefused(f"{place} lacks {name}")
    return kind(**given)


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
