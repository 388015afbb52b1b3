"""The shadows that lie on the ground: those of the sun, and the dark below everything that stands."""

import math
from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from device.earth import turn_deg
from device.street.flats import Shown
from device.street.geometry import Floats, Pinhole, Pose
from device.street.optics import sun

CONTACT, CAST = 120, 96
"""How dark, of 255."""
CONTACT_M = (-0.06, 0.3)
NEAR_M, LONGEST_M = 0.7, 26.0
LOWEST_SUN_DEG = 4.0
SHRINK = 2
"""The layer is so much smaller than the picture: shadows are soft."""
SLIM = {"person": 0.34, "tree": 0.5, "traffic_light": 0.5}
"""The share of its picture's width that throws a shadow."""


class Shadows:
    """Draws them for one camera."""

    def __init__(self, camera: Pinhole) -> None:
        self._camera = camera

    def layer(self, standing: Iterable[Shown], pose: Pose, hour: float | None) -> Image.Image:
        """How dark each pixel of the ground is; without an hour the sun is hidden."""
        size = self._camera.width, self._camera.height
        layer = Image.new("L", (size[0] // SHRINK, size[1] // SHRINK))
        draw = ImageDraw.Draw(layer)
        away = self._away(hour, pose) if hour is not None else None
        shown = list(standing)
        if away is not None:
            for each in shown:
                self._cast(draw, each, away)
        for each in shown:
            if each.placed.thing.kind != "house":
                self._contact(draw, each)
        soft = layer.filter(ImageFilter.BoxBlur(max(1, round(size[0] / 640))))
        return soft.resize(size, Image.Resampling.BILINEAR)

    @staticmethod
    def _away(hour: float, pose: Pose) -> Floats | None:
        """Where the shadow of one metre of height ends, in the car's axes."""
        direction_deg, height_deg = sun(hour)
        if height_deg < LOWEST_SUN_DEG:
            return None
        turned = math.radians(turn_deg(direction_deg + 180.0 - pose.heading_deg))
        length = 1.0 / math.tan(math.radians(height_deg))
        return np.array((math.sin(turned), math.cos(turned), 0.0)) * length

    def _cast(self, draw: ImageDraw.ImageDraw, shown: Shown, away: Floats) -> None:
        kind = shown.placed.thing.kind
        left = shown.flat.corner + shown.flat.down
        right = left + shown.flat.across
        slim = SLIM.get(kind, 1.0)
        middle = (left + right) / 2
        left, right = middle + (left - middle) * slim, middle + (right - middle) * slim
        height_m = shown.sheet.height_m
        tip = away * min(height_m, LONGEST_M / max(0.1, float(np.hypot(away[0], away[1]))))
        if kind == "tree":
            crown = tip * 0.72
            spread = np.hypot(*(right - left)[:2]) * 0.75
            angles = np.linspace(0, 2 * math.pi, 14, endpoint=False)
            ring = [middle + crown + np.array((math.cos(a), math.sin(a), 0.0)) * spread for a in angles]
            self._polygon(draw, np.array(ring), CAST)
            slim_foot = (right - left) * 0.05
            self._polygon(
                draw,
                np.array((middle - slim_foot, middle + slim_foot, middle + slim_foot + crown, middle - slim_foot + crown)),
                CAST,
            )
            return
        if kind.startswith("sign"):
            self._polygon(
                draw, np.array((middle - 0.03, middle + 0.03, middle + 0.03 + tip, middle - 0.03 + tip)) * (1, 1, 0), CAST
            )
            left, right = left + tip * 0.72, right + tip * 0.72
            tip = tip * 0.28
        self._polygon(draw, np.array((left, right, right + tip, left + tip)), CAST)

    def _contact(self, draw: ImageDraw.ImageDraw, shown: Shown) -> None:
        left = shown.flat.corner + shown.flat.down
        right = left + shown.flat.across
        slim = SLIM.get(shown.placed.thing.kind, 1.0) * (0.12 if shown.placed.thing.kind == "tree" else 1.0)
        middle = (left + right) / 2
        left, right = middle + (left - middle) * slim, middle + (right - middle) * slim
        near, far = (np.array((0.0, each, 0.0)) for each in CONTACT_M)
        self._polygon(draw, np.array((left + near, right + near, right + far, left + far)), CONTACT)

    def _polygon(self, draw: ImageDraw.ImageDraw, corners: Floats, dark: int) -> None:
        """A polygon on the ground, of which the part before the lens is drawn."""
        corners = corners * (1.0, 1.0, 0.0)
        ahead = corners[:, 1]
        if (ahead < NEAR_M).all():
            return
        kept: list[Floats] = []
        for number, here in enumerate(corners):
            after = corners[(number + 1) % len(corners)]
            if here[1] >= NEAR_M:
                kept.append(here)
            if (here[1] >= NEAR_M) != (after[1] >= NEAR_M):
                kept.append(here + (after - here) * ((NEAR_M - here[1]) / (after[1] - here[1])))
        columns, rows, _ = self._camera.project(*np.array(kept).T)
        if np.isfinite(columns).all() and len(kept) > 2:
            draw.polygon([(float(x) / SHRINK, float(y) / SHRINK) for x, y in zip(columns, rows, strict=True)], dark)
