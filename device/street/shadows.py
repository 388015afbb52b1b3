"""The shadows that lie on the ground: those of the sun, and the dark below everything that stands.

Places are (right, ahead) in metres, in plain numbers: a frame has a hundred polygons of four corners.
"""

import math
from collections.abc import Iterable

from PIL import Image, ImageDraw, ImageFilter

from device.earth import turn_deg
from device.street.flats import Shown
from device.street.geometry import Pinhole, Pose
from device.street.optics import sun

CONTACT, CAST = 120, 96
"""How dark, of 255."""
CONTACT_M = (-0.06, 0.3)
NEAR_M, LONGEST_M = 0.7, 26.0
LOWEST_SUN_DEG = 4.0
SEEN_M = 70.0
"""What stands farther away has no shadow that could be seen."""
SHRINK = 2
"""The layer is so much smaller than the picture: shadows are soft."""
CROWN = [(math.cos(math.tau * n / 14), math.sin(math.tau * n / 14)) for n in range(14)]
"""A tree's shadow, in units of its radius."""
SLIM = {"person": 0.34, "tree": 0.5, "traffic_light": 0.5}
"""The share of its picture's width that throws a shadow."""

Spot = tuple[float, float]


class Shadows:
    """Draws them for one camera."""

    def __init__(self, camera: Pinhole) -> None:
        self._camera = camera
        self._focal_px = camera.focal_px
        self._axes: list[list[float]] = camera.axes.tolist()

    def layer(self, standing: Iterable[Shown], pose: Pose, hour: float | None) -> Image.Image:
        """How dark each pixel of the ground is; without an hour the sun is hidden."""
        size = self._camera.width, self._camera.height
        layer = Image.new("L", (size[0] // SHRINK, size[1] // SHRINK))
        draw = ImageDraw.Draw(layer)
        away = self._away(hour, pose) if hour is not None else None
        feet = [_Foot(each) for each in standing if each.casts and each.order_m < SEEN_M]
        if away is not None:
            for foot in feet:
                self._cast(draw, foot, away)
        for foot in feet:
            if foot.kind != "house":
                slim = 0.12 if foot.kind == "tree" else 1.0
                (left, ahead), (right, beyond) = foot.ends(slim)
                near, far = CONTACT_M
                self._polygon(
                    draw, [(left, ahead + near), (right, beyond + near), (right, beyond + far), (left, ahead + far)], CONTACT
                )
        soft = layer.filter(ImageFilter.BoxBlur(max(1, round(size[0] / 640))))
        return soft.resize(size, Image.Resampling.BILINEAR)

    @staticmethod
    def _away(hour: float, pose: Pose) -> Spot | None:
        """Where the shadow of one metre of height ends."""
        direction_deg, height_deg = sun(hour)
        if height_deg < LOWEST_SUN_DEG:
            return None
        turned = math.radians(turn_deg(direction_deg + 180.0 - pose.heading_deg))
        length = 1.0 / math.tan(math.radians(height_deg))
        return math.sin(turned) * length, math.cos(turned) * length

    def _cast(self, draw: ImageDraw.ImageDraw, foot: "_Foot", away: Spot) -> None:
        high_m = min(foot.height_m, LONGEST_M / max(0.1, math.hypot(*away)))
        tip = (away[0] * high_m, away[1] * high_m)
        if foot.kind == "tree":
            crown = (foot.middle[0] + tip[0] * 0.72, foot.middle[1] + tip[1] * 0.72)
            reach_m = foot.wide_m * SLIM["tree"] * 0.75
            self._polygon(draw, [(crown[0] + x * reach_m, crown[1] + y * reach_m) for x, y in CROWN], CAST)
            self._band(draw, *foot.ends(0.05), (tip[0] * 0.72, tip[1] * 0.72))
            return
        left, right = foot.ends()
        if foot.kind.startswith("sign"):
            (x, y) = foot.middle
            self._band(draw, (x - 0.03, y - 0.03), (x + 0.03, y + 0.03), tip)
            left, right = ((x + tip[0] * 0.72, y + tip[1] * 0.72) for x, y in (left, right))
            tip = (tip[0] * 0.28, tip[1] * 0.28)
        self._band(draw, left, right, tip)

    def _band(self, draw: ImageDraw.ImageDraw, left: Spot, right: Spot, tip: Spot) -> None:
        """What a line on the ground sweeps towards `tip`."""
        far = [(right[0] + tip[0], right[1] + tip[1]), (left[0] + tip[0], left[1] + tip[1])]
        self._polygon(draw, [left, right, *far], CAST)

    def _polygon(self, draw: ImageDraw.ImageDraw, corners: list[Spot], dark: int) -> None:
        """A polygon on the ground, of which the part before the lens is drawn."""
        if all(ahead < NEAR_M for _, ahead in corners):
            return
        kept: list[Spot] = []
        for number, here in enumerate(corners):
            after = corners[(number + 1) % len(corners)]
            if here[1] >= NEAR_M:
                kept.append(here)
            if (here[1] >= NEAR_M) != (after[1] >= NEAR_M):
                share = (NEAR_M - here[1]) / (after[1] - here[1])
                kept.append((here[0] + (after[0] - here[0]) * share, NEAR_M))
        pixels = [pixel for spot in kept if (pixel := self._pixel(*spot)) is not None]
        if len(pixels) == len(kept) > 2:
            draw.polygon(pixels, dark)

    def _pixel(self, right_m: float, ahead_m: float) -> Spot | None:
        """`Pinhole.project` of one place on the ground, in the layer's pixels."""
        camera = self._camera
        across, down, axis = self._axes
        depth = axis[0] * right_m + axis[1] * ahead_m - axis[2] * camera.height_m
        if depth <= 0.0:
            return None
        scale = self._focal_px / depth
        u = across[0] * right_m + across[1] * ahead_m - across[2] * camera.height_m
        v = down[0] * right_m + down[1] * ahead_m - down[2] * camera.height_m
        return (camera.width / 2.0 + scale * u) / SHRINK, (camera.height / 2.0 + scale * v) / SHRINK


class _Foot:
    """Where a standing picture meets the ground."""

    def __init__(self, shown: Shown) -> None:
        corner, across, down = (each.tolist() for each in (shown.flat.corner, shown.flat.across, shown.flat.down))
        self.kind = shown.placed.thing.kind
        self.height_m = shown.placed.thing.height_m
        self.half = (across[0] / 2.0, across[1] / 2.0)
        self.middle = (corner[0] + down[0] + self.half[0], corner[1] + down[1] + self.half[1])
        self.wide_m = 2.0 * math.hypot(*self.half)

    def ends(self, share: float = 1.0) -> tuple[Spot, Spot]:
        """Its left and its right end, or those of a share of what throws a shadow."""
        slim = SLIM.get(self.kind, 1.0) * share
        (x, y), (dx, dy) = self.middle, self.half
        return (x - dx * slim, y - dy * slim), (x + dx * slim, y + dy * slim)
