"""The windscreen: ground, what lies and stands on it, sky and light, as one camera sees them at one moment.

A frame depends on the scene, the round, the moment and the camera alone: whatever was drawn before, its bytes are the same.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageChops

from device.frame import Pixels
from device.street.assets import Assets
from device.street.drive import TownDrive
from device.street.flats import Shown, Stage
from device.street.geometry import Pinhole, Pose
from device.street.moment import SEEN_M, Things, instant
from device.street.optics import Optics
from device.street.quad import WORDS, Laid, Layer
from device.street.scene import Weather
from device.street.shadows import Shadows
from device.street.sheet import OPAQUE, Bytes, Colour
from device.street.sky import Sky
from device.street.surface import Surface, tunnel_light
from device.street.tiles import GroundView
from device.street.tunnel import tunnel_flats

HAZE_M, RAIN_HAZE_M = 420.0, 130.0
HAZE: Colour = (200, 212, 224)
GREY_HAZE: Colour = (196, 202, 206)
WET_SKY = (188, 194, 200)
HAZED_FROM_M, GREY_WET, SUNNY, DIM = 12.0, 0.3, 0.8, 0.6
SHADOW = (22, 24, 30)
LEAST_VEIL = 0.02
BESIDE_M = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One thing's picture in a frame, in the order of drawing."""

    shown: Shown
    laid: Laid
    contrast: float = math.inf
    """By how much it changes what it lies on, of 255; only of what lies on the road."""


class View:
    """Draws frames of one drive through one camera."""

    def __init__(self, drive: TownDrive, camera: Pinhole) -> None:
        scene = drive.scene
        self.drive, self.camera = drive, camera
        self._scene = scene
        self._ground = GroundView(Surface(scene), camera)
        self._sky = Sky(scene, camera)
        self._things = Things(scene, drive.round)
        self._stage = Stage(Assets(), camera.height_m)
        self._layer = Layer(camera)
        self._optics = Optics(camera)
        self._shadows = Shadows(camera)

    def frame(self, at_s: float, weather: Weather | None = None) -> Pixels:
        """What the camera sees `at_s` into the drive: (height, width, 3) RGB. `weather` takes the place of the scene's own."""
        return self.drawn(at_s, weather)[0]

    def drawn(self, at_s: float, weather: Weather | None = None, *, keep: bool = False) -> tuple[Pixels, list[Drawn]]:
        """The frame, and with `keep` each thing's picture in the order of drawing."""
        now = instant(self.drive, at_s)
        weather = weather or self._scene.weather_at(now.along_m)
        light = float(tunnel_light(self._scene, np.array([now.along_m]))[0])
        if light < SUNNY:
            weather = replace(weather, rain=0.0, wet=0.0)
        grey = weather.rain > 0 or weather.wet > GREY_WET
        haze = GREY_HAZE if grey else HAZE
        haze_m = RAIN_HAZE_M if weather.rain > 0 else HAZE_M
        picture = self._backdrop(now.pose, haze, haze_m, weather, dim=light < DIM)
        placed = list(self._things.seen_from(now))
        kept: list[Drawn] | None = [] if keep else None
        standing = self._stage.standing(placed, now.pose)
        for shown in self._lit(self._stage.lying(placed, now.pose), now.along_m):
            self._paste(picture, shown, haze, haze_m, kept)
        shadows = self._shadows.layer(standing, now.pose, weather.hour if light > SUNNY and not grey else None)
        picture.paste((*SHADOW, 255), (0, 0), shadows)
        lit = [*self._lit(standing, now.along_m), *tunnel_flats(self._scene, now)]
        for shown in sorted(lit, key=lambda each: -each.order_m):
            self._paste(picture, shown, haze, haze_m, kept)
        moved_m = now.speed_mps * weather.exposure_ms / 1000.0
        picture = self._optics.expose(picture.convert("RGB"), weather, now.pose, at_s, moved_m=moved_m, light=light)
        return np.asarray(picture), kept or []

    def _lit(self, shown: list[Shown], along_m: float) -> list[Shown]:
        """With the tunnel's light on what is in the tunnel."""
        gaps_m = [self._scene.path.gap(along_m, each.from_m) for each in self._scene.tunnels]
        lengths_m = [each.to_m - each.from_m for each in self._scene.tunnels]
        if not any(-length_m - 10.0 < gap_m < SEEN_M for gap_m, length_m in zip(gaps_m, lengths_m, strict=True)):
            return shown
        places = [each.placed.pose for each in shown]
        east_m, north_m = np.array([each.east_m for each in places]), np.array([each.north_m for each in places])
        along, right = self._scene.path.beside(east_m, north_m)
        light = np.where(np.abs(right) < BESIDE_M, tunnel_light(self._scene, np.nan_to_num(along, nan=-1e4)), 1.0)
        return [replace(each, tone=float(tone)) for each, tone in zip(shown, light, strict=True)]

    def _backdrop(self, pose: Pose, haze: Colour, haze_m: float, weather: Weather, *, dim: bool) -> Image.Image:
        camera, ground = self.camera, self._ground
        words = np.empty((camera.height, camera.width), np.uint32)
        self._sky.draw(pose, words, ground.top, grey=haze == GREY_HAZE)
        ground.draw(pose, words, dim=dim)
        pixels = words.view(np.uint8).reshape(camera.height, camera.width, 4)
        far = int(np.searchsorted(-ground.distances_m, -HAZED_FROM_M))
        share = (1.0 - np.exp((HAZED_FROM_M - ground.distances_m[:far]) / haze_m))[:, None, None]
        rows = pixels[ground.top : ground.top + far, :, :3]
        rows[:] = rows * (1.0 - share) + np.array(haze, np.float32) * share
        if weather.wet > 0:
            _wetten(pixels[ground.top :], ground.distances_m, camera.height_m, weather.wet)
        return Image.frombuffer(WORDS, (camera.width, camera.height), words.tobytes(), "raw", WORDS, 0, 1)

    def _paste(self, picture: Image.Image, shown: Shown, haze: Colour, haze_m: float, kept: list[Drawn] | None) -> None:
        laid = self._layer.lay(shown.flat)
        if laid is None:
            return
        # Less light and more haze are one veil over it.
        share = 1.0 - math.exp(-max(0.0, shown.order_m) / haze_m)
        veil = 1.0 - shown.tone * (1.0 - share)
        patch = laid.patch
        if veil > LEAST_VEIL:
            colour = tuple(round(each * share / veil) for each in haze)
            patch = Image.blend(patch, Image.new(WORDS, patch.size, (*colour, 255)), veil)
        under = picture.crop(laid.box) if kept is not None and shown.placed.thing.lies else None
        picture.paste(patch, laid.box[:2], laid.alpha)
        if kept is not None:
            kept.append(Drawn(shown, laid, math.inf if under is None else _contrast(under, picture.crop(laid.box), laid.alpha)))


def _contrast(before: Image.Image, after: Image.Image, alpha: Image.Image) -> float:
    """The mean change of its opaque pixels; 0 where there are none."""
    changed = np.asarray(ImageChops.difference(before, after))[..., :3][np.asarray(alpha) >= OPAQUE]
    return float(changed.mean()) if len(changed) else 0.0


def _wetten(rows: Bytes, ahead_m: npt.NDArray[np.float32], height_m: float, wet: float) -> None:
    """Water darkens the road, and mirrors the sky the more the flatter it is seen (Schlick's approximation)."""
    sine = height_m / np.hypot(ahead_m, np.float32(height_m))
    mirror = (0.03 + 0.97 * (1.0 - sine) ** 4).astype(np.float32)[:, None]
    held = rows[..., 3].astype(np.float32) * np.float32(wet / 255.0)
    share = (held * mirror)[..., None]
    dark = (1.0 - 0.45 * wet * (0.4 + held))[..., None]
    rows[..., :3] = rows[..., :3] * dark * (1.0 - share) + np.array(WET_SKY, np.float32) * share
