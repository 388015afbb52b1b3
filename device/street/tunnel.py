"""The tunnel's walls, ceiling and mouths, as flat pictures along the line."""

import itertools
import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from device.street.flats import Shown
from device.street.geometry import Floats, Pose
from device.street.moment import Instant, Placed
from device.street.quad import Flat
from device.street.scene import Scene, Thing
from device.street.sheet import Bytes, Sheet
from device.street.surface import tunnel_light

PART_M, HIGH_M, SEEN_M, PX = 6.0, 5.2, 110.0, 24.0
MOUTH_M, MOUTH_HIGH_M = 18.0, 9.0
WALL, TILES, CEILING, STONE = (126, 122, 112), (178, 176, 166), (92, 90, 86), (164, 152, 134)


def tunnel_flats(scene: Scene, now: Instant) -> list[Shown]:
    """All that is seen of tunnels, in parts of a few metres."""
    shown: list[Shown] = []
    for tunnel in scene.tunnels:
        parts = max(1, round((tunnel.to_m - tunnel.from_m) / PART_M))
        edges = np.linspace(tunnel.from_m, tunnel.to_m, parts + 1)
        stretch = scene.stretch_at((tunnel.from_m + tunnel.to_m) / 2)
        left_m, right_m = -stretch.left_m - stretch.pavement_m, stretch.right_m + stretch.pavement_m
        for start_m, end_m in itertools.pairwise(edges):
            gap_m = scene.path.gap(now.along_m, (float(start_m) + float(end_m)) / 2)
            if -PART_M < gap_m < SEEN_M:
                shown += _part(scene, now.pose, (float(start_m), float(end_m)), (left_m, right_m))
        gap_m = scene.path.gap(now.along_m, tunnel.from_m)
        if 0.5 < gap_m < SEEN_M + 20.0:
            shown.append(_mouth(scene, now.pose, tunnel.from_m, left_m, right_m))
    return shown


def _part(scene: Scene, pose: Pose, ends_m: tuple[float, float], sides_m: tuple[float, float]) -> list[Shown]:
    (start_m, end_m), (left_m, right_m) = ends_m, sides_m
    light = float(tunnel_light(scene, np.array([(start_m + end_m) / 2]))[0])
    corners: dict[tuple[float, float, float], Floats] = {}
    for along_m in (start_m, end_m):
        for off_m in (left_m, right_m):
            at = scene.path.at(along_m, off_m)
            for up_m in (0.0, HIGH_M):
                corners[along_m, off_m, up_m] = np.array((*pose.to_car(at.east_m, at.north_m), up_m))
    found = []
    for name, top_left, top_right, low_left in (
        ("left", (start_m, left_m, HIGH_M), (end_m, left_m, HIGH_M), (start_m, left_m, 0.0)),
        ("right", (end_m, right_m, HIGH_M), (start_m, right_m, HIGH_M), (end_m, right_m, 0.0)),
        ("ceiling", (start_m, left_m, HIGH_M), (start_m, right_m, HIGH_M), (end_m, left_m, HIGH_M)),
    ):
        sheet = _ceiling() if name == "ceiling" else _wall()
        corner = corners[top_left]
        flat = Flat(("tunnel", name == "ceiling"), sheet.rgba, corner, corners[top_right] - corner, corners[low_left] - corner)
        away_m = math.hypot(*corners[end_m, left_m, 0.0][:2])
        found.append(Shown(flat, _nothing(scene), sheet, away_m, 1.0 if name == "ceiling" else min(1.0, light * 1.15)))
    return found


def _mouth(scene: Scene, pose: Pose, along_m: float, left_m: float, right_m: float) -> Shown:
    sheet = _portal(round(left_m, 1), round(right_m, 1))
    at = scene.path.at(along_m)
    turned = math.radians(at.heading_deg - pose.heading_deg)
    across = np.array((math.cos(turned), -math.sin(turned), 0.0)) * sheet.width_m
    foot = np.array((*pose.to_car(*at.to_world((left_m + right_m) / 2, 0.0)), 0.0))
    corner = foot - across / 2 + np.array((0.0, 0.0, sheet.height_m))
    flat = Flat(("mouth", left_m, right_m), sheet.rgba, corner, across, np.array((0.0, 0.0, -sheet.height_m)))
    return Shown(flat, _nothing(scene), sheet, math.hypot(foot[0], foot[1]))


def _nothing(scene: Scene) -> Placed:
    """What the tunnel's pictures show is no thing of the scene."""
    piece = scene.line[0]
    thing = Thing("tunnel", "house", 0.0, 0.0, piece.east_m, piece.north_m, 0.0, 1.0, 1.0, 1.0, None, (1,), 0)
    return Placed(thing, Pose(piece.east_m, piece.north_m, 0.0))


@lru_cache(maxsize=1)
def _wall() -> Sheet:
    rng = np.random.default_rng(11)
    picture = Image.new("RGBA", (round(PART_M * PX), round(HIGH_M * PX)), WALL)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, round(HIGH_M * PX * 0.45), picture.width, picture.height), TILES)
    draw.rectangle((0, picture.height - 10, picture.width, picture.height), (88, 86, 80))
    draw.line((0, 0, 0, picture.height), (100, 98, 92))
    return Sheet(_grained(rng, picture), PX)


@lru_cache(maxsize=1)
def _ceiling() -> Sheet:
    """With two rows of lamps, which light themselves: brighter than what the exposure makes of the rest."""
    rng = np.random.default_rng(12)
    picture = Image.new("RGBA", (240, 144), tuple(round(each * 0.3) for each in CEILING))
    draw = ImageDraw.Draw(picture)
    for column in (70, 170):
        draw.rectangle((column - 5, 30, column + 5, 112), (255, 236, 190))
    return Sheet(_grained(rng, picture), PX)


@lru_cache(maxsize=4)
def _portal(left_m: float, right_m: float) -> Sheet:
    """A wall with an opening as wide as the tunnel."""
    rng = np.random.default_rng(13)
    wide_m = right_m - left_m
    picture = Image.new("RGBA", (round((wide_m + MOUTH_M) * PX), round(MOUTH_HIGH_M * PX)), STONE)
    draw = ImageDraw.Draw(picture)
    for row in range(0, picture.height, 14):
        draw.line((0, row, picture.width, row), (146, 134, 118))
        for column in range(row % 28, picture.width, 28):
            draw.line((column, row, column, row + 14), (146, 134, 118))
    left, top = MOUTH_M / 2 * PX, (MOUTH_HIGH_M - HIGH_M) * PX
    draw.rectangle((left - 8, top - 8, left + wide_m * PX + 8, picture.height), (120, 112, 100))
    draw.rectangle((left, top, left + wide_m * PX, picture.height), (0, 0, 0, 0))
    draw.rectangle((0, 0, picture.width, 8), (120, 110, 98))
    return Sheet(_grained(rng, picture), PX)


def _grained(rng: np.random.Generator, picture: Image.Image) -> Bytes:
    pixels = np.array(picture)
    grain = rng.normal(0, 4, pixels.shape[:2])[..., None]
    pixels[..., :3] = np.clip(pixels[..., :3] + grain, 0, 255).astype(np.uint8)
    return pixels
