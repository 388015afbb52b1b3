"""A small recorded drive that ronde draws itself: a straight street of a town, seen through the windscreen.

It shows and tests the line where no recording is at hand. Everything is laid out on the ground in metres and projected by the
pinhole camera that drive.toml states, so what is found in the frames can be placed. The same seed draws the same drive.
"""

import csv
import itertools
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from device.sketch_figures import CAR_M, LIGHT_M, PERSON_M, SIGN_M, SIGNS, TREE_M
from device.sketch_things import CHUNK_M, GROUND_PX, HALF_M, KERB_M, LANE_M, ON_ROAD, Bytes, Rng, asphalt, facades
from device.sketch_view import HEIGHT_M, HFOV_DEG, PITCH_DEG, SEEN_M, Board, View

START = datetime(2026, 5, 12, 8, 30, tzinfo=timezone.utc)
START_LATITUDE_DEG, START_LONGITUDE_DEG, HEADING_DEG = 43.5528, 7.0174, 61.0
EARTH_M = 6_371_008.8
JPEG_QUALITY = 88
FACADES_M = 240.0
"""Houses repeat after this."""
STOP_LINE_M, CROSSING_M = 3.4, (4.4, 7.4)
"""Ahead of the camera while it waits."""
CARS, PEOPLE, SURFACES = 20, 12, 6
"""So many different ones are drawn."""
RECEIVER_M, RECEIVER_KEEPS = 0.5, 0.97
"""The receiver's error: standard deviation of each axis, and how much of it stays from second to second."""
EPH_M = 2.5

SPEED_KNOTS = (
    (0.0, 8.0), (6.0, 12.0), (13.0, 13.5), (18.5, 0.0), (24.0, 0.0),
    (30.0, 10.0), (37.0, 11.5), (42.0, 0.0), (47.0, 0.0), (53.0, 8.5), (60.0, 8.0),
)  # fmt: skip
"""Seconds and m/s of one minute, which repeats: up to 49 km/h, two red lights."""
MINUTE_S = SPEED_KNOTS[-1][0]
RED_S = ((12.0, 24.0), (35.0, 47.0))


@dataclass(frozen=True, slots=True)
class OnRoad:
    """A thing on the road: a label of inference.labels, metres along the street, metres right of its centre line."""

    label: str
    along_m: float
    right_m: float
    seed: int


def speed_at(seconds: float) -> float:
    """The car's speed in m/s; before the drive begins it rolls as at its beginning."""
    times, speeds = zip(*SPEED_KNOTS, strict=True)
    return float(np.interp(max(0.0, seconds) % MINUTE_S, times, speeds))


def driven_at(seconds: float) -> float:
    """Metres driven since the drive began: the integral of `speed_at`, which is linear between its knots."""
    if seconds <= 0:
        return seconds * SPEED_KNOTS[0][1]
    minutes, rest_s = divmod(seconds, MINUTE_S)
    return minutes * _driven_m(MINUTE_S) + _driven_m(rest_s)


def _driven_m(rest_s: float) -> float:
    driven_m = 0.0
    for (start_s, start_mps), (end_s, end_mps) in itertools.pairwise(SPEED_KNOTS):
        lasted_s = min(max(rest_s - start_s, 0.0), end_s - start_s)
        driven_m += lasted_s * start_mps + lasted_s**2 / 2 * (end_mps - start_mps) / (end_s - start_s)
    return driven_m


class Street:
    """What there is along the street, from its seed."""

    def __init__(self, seconds: float, seed: int) -> None:
        self.seed = seed
        self.length_m = driven_at(seconds) + SEEN_M
        self.stops_m = [driven_at(stop_s) for _, stop_s in _reds(seconds)]
        rng = np.random.default_rng(seed)
        self.on_road = self._on_road(rng)
        self._standing = [*self._cars(rng), *self._trees(rng), *self._signs(rng)]
        self._walking = [
            (along, rng.uniform(6.1, 8.2) * rng.choice((-1, 1)), rng.uniform(-1.4, 1.4))
            for along in np.arange(9.0, self.length_m, 11.0)
        ]

    def _on_road(self, rng: Rng) -> list[OnRoad]:
        labels = list(ON_ROAD)
        return [
            OnRoad(labels[n % len(labels)], along + rng.uniform(-2, 2), _lane(rng, n), self.seed * 1000 + n)
            for n, along in enumerate(np.arange(9.0, self.length_m, 8.0))
        ]

    def _clear(self, along_m: float, metres: float = 10.0) -> bool:
        return all(not -4.0 < along_m - stop_m < metres for stop_m in self.stops_m)

    def _cars(self, rng: Rng) -> Iterator[Board]:
        for side in (1, -1):
            along_m = 12.0
            while along_m < self.length_m:
                if self._clear(along_m + CAR_M[2]) and self._clear(along_m):
                    yield from car_boards(int(rng.integers(CARS)), along_m, side * (LANE_M + 1.05), coming=side < 0)
                along_m += CAR_M[2] + rng.choice((1.0, 1.6, 4.0, 9.0, 18.0))

    def _trees(self, rng: Rng) -> Iterator[Board]:
        for along_m in np.arange(6.0, self.length_m, 19.0):
            for side in (-1, 1):
                yield Board("tree", int(rng.integers(9)), along_m + 4 * side, side * 6.5, TREE_M)

    def _signs(self, rng: Rng) -> Iterator[Board]:
        for n, along_m in enumerate(np.arange(22.0, self.length_m, 21.0)):
            yield Board(SIGNS[n % len(SIGNS)], int(rng.integers(9)), along_m, 5.95, SIGN_M)

    def boards(self, seconds: float) -> Iterator[Board]:
        """All that stands upright at that moment of the drive."""
        yield from self._standing
        red = any(start_s <= seconds < end_s for start_s, end_s in _reds(seconds + MINUTE_S))
        for n, stop_m in enumerate(self.stops_m):
            yield Board("light_red" if red else "light_green", 0, stop_m + CROSSING_M[1] + 0.5, 6.0, LIGHT_M)
            for who in range(2):  # they cross while the car waits
                right_m = 7.0 - 1.35 * (seconds - _reds(MINUTE_S * (n + 1))[n][1] + 8.0) - 1.1 * who
                walks = -7.0 < right_m < 7.0
                step = int(seconds * 4 + who) % 4 if walks else 1
                yield Board(f"person_front-{step}", 50 + 2 * n + who, stop_m + 5.4 + who, max(-7.0, min(7.0, right_m)), PERSON_M)
        for n, (along_m, right_m, pace_mps) in enumerate(self._walking):
            view = "person_front" if pace_mps < 0 else "person_back"
            yield Board(f"{view}-{int(seconds * 3 + n) % 4}", n % PEOPLE, along_m + pace_mps * seconds, right_m, PERSON_M)
        for n in range(int(self.length_m / 60) + 1):  # they come down the other lane
            along_m = 80.0 + 130.0 * n - 9.0 * seconds
            yield from car_boards(n % CARS, along_m, -LANE_M / 2, coming=True)


def _lane(rng: Rng, n: int) -> float:
    return float(rng.uniform(-2.8, -0.8) if n % 5 == 4 else rng.uniform(0.7, 2.8))


def _reds(seconds: float) -> list[tuple[float, float]]:
    """The red lights of a drive of so many seconds: when each begins and ends."""
    minutes = range(int(seconds / MINUTE_S) + 1)
    return [(minute * MINUTE_S + start_s, minute * MINUTE_S + end_s) for minute in minutes for start_s, end_s in RED_S]


def car_boards(seed: int, along_m: float, right_m: float, *, coming: bool) -> Iterator[Board]:
    """A car as two pictures: its side, and what is nearer of its front and back."""
    width_m, height_m, length_m = CAR_M
    inner_m = right_m - math.copysign(width_m / 2, right_m)
    yield Board("car_side", seed, along_m, inner_m, (length_m, height_m), upright_along=True)
    yield Board("car_front" if coming else "car_behind", seed, along_m, right_m, (width_m, height_m), shadow_m=length_m)


def ground_chunk(street: Street, number: int) -> Bytes:
    """The ground from `number` * CHUNK_M on: (along, across, RGB)."""
    start_m = number * CHUNK_M
    sheet = Image.fromarray(asphalt(number % SURFACES))
    draw = ImageDraw.Draw(sheet)

    def place(right_m: float, along_m: float) -> tuple[float, float]:
        return (right_m + HALF_M) * GROUND_PX, (along_m - start_m) * GROUND_PX

    paint = (206, 205, 198)
    for along_m in np.arange(start_m - start_m % 13 - 13, start_m + CHUNK_M, 13.0):
        draw.rectangle((place(-0.06, along_m), place(0.06, along_m + 3)), paint)
    for right_m in (-LANE_M, LANE_M):
        draw.rectangle((place(right_m - 0.06, start_m), place(right_m + 0.06, start_m + CHUNK_M)), paint)
    for stop_m in street.stops_m:
        draw.rectangle((place(0.1, stop_m + STOP_LINE_M), place(LANE_M, stop_m + STOP_LINE_M + 0.4)), paint)
        for right_m in np.arange(-KERB_M + 0.3, KERB_M - 0.5, 1.0):
            draw.rectangle((place(right_m, stop_m + CROSSING_M[0]), place(right_m + 0.5, stop_m + CROSSING_M[1])), paint)
    for thing in street.on_road:
        if abs(thing.along_m - start_m - CHUNK_M / 2) < CHUNK_M:
            ON_ROAD[thing.label](draw, np.random.default_rng(thing.seed), *place(thing.right_m, thing.along_m))
    return np.asarray(sheet.filter(ImageFilter.GaussianBlur(0.8)))


def draw_frames(street: Street, seconds: float, width: int, height: int, fps: float) -> Iterator[tuple[float, Image.Image]]:
    """The drive's frames and when each was taken, in seconds from its beginning."""
    rng = np.random.default_rng((street.seed, 7))
    view = View(width, height, facades(rng, FACADES_M), facades(rng, FACADES_M), lambda number: ground_chunk(street, number))
    for n in range(round(seconds * fps)):
        at_s = n / fps
        yield at_s, view.draw(driven_at(at_s), street.boards(at_s), rng)


def fixes(seconds: float, seed: int) -> Iterator[dict[str, object]]:
    """What gpsd says each second, from one second before the drive to one after it."""
    rng = np.random.default_rng((seed, 11))
    device = "/dev/ttyACM0"
    yield {"class": "VERSION", "release": "3.22", "rev": "3.22", "proto_major": 3, "proto_minor": 14}
    yield {"class": "DEVICES", "devices": [{"class": "DEVICE", "path": device, "driver": "u-blox", "activated": _utc(-1.0)}]}
    error_m = rng.normal(0, RECEIVER_M, 2)
    for second in range(-1, math.ceil(seconds) + 2):
        north_m, east_m = (
            driven_at(second) * np.array([math.cos(math.radians(HEADING_DEG)), math.sin(math.radians(HEADING_DEG))]) + error_m
        )
        speed_mps = abs(speed_at(second) + rng.normal(0, 0.04))
        latitude_deg = START_LATITUDE_DEG + math.degrees(north_m / EARTH_M)
        longitude_deg = START_LONGITUDE_DEG + math.degrees(east_m / EARTH_M / math.cos(math.radians(START_LATITUDE_DEG)))
        tpv: dict[str, object] = {"class": "TPV", "device": device, "mode": 3, "time": _utc(second), "ept": 0.005}
        tpv |= {"lat": round(latitude_deg, 9), "lon": round(longitude_deg, 9), "altHAE": 58.2, "eph": EPH_M, "epv": 4.1}
        tpv |= {"speed": round(speed_mps, 3), "eps": 0.4}
        if speed_mps > 0.5:
            tpv["track"] = round(HEADING_DEG + float(rng.normal(0, 0.3)), 4)
        yield tpv
        error_m = error_m * RECEIVER_KEEPS + rng.normal(0, RECEIVER_M * math.sqrt(1 - RECEIVER_KEEPS**2), 2)


def _utc(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def draw_drive(folder: Path, seconds: float = 60, seed: int = 1, *, width: int = 640, height: int = 480, fps: float = 10) -> None:
    """Write a recorded drive into `folder`: drive.toml, frames.csv, frames/ and fixes.jsonl."""
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    geometry = {"width": width, "height": height, "height_m": HEIGHT_M, "pitch_deg": PITCH_DEG, "hfov_deg": HFOV_DEG}
    camera = "".join(f"{key} = {value}\n" for key, value in geometry.items())
    (folder / "drive.toml").write_text(f'note = "a street that ronde drew itself"\n\n[camera]\n{camera}', encoding="utf-8")
    (folder / "fixes.jsonl").write_text("".join(json.dumps(each) + "\n" for each in fixes(seconds, seed)), encoding="utf-8")
    with (folder / "frames.csv").open("w", encoding="utf-8", newline="") as table:
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(("file", "time"))
        for n, (at_s, frame) in enumerate(draw_frames(Street(seconds, seed), seconds, width, height, fps)):
            name = f"{n:06d}.jpg"
            frame.save(folder / "frames" / name, quality=JPEG_QUALITY)
            rows.writerow((name, _utc(at_s)))
