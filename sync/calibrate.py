"""`ronde calibrate`: where the camera looks, from a drive along a straight street.

Pitch and yaw come from the place at which the road's lines meet; the height above the road from a length on it that somebody has
measured. A picture with a metre grid shows what came of it; people are hidden in it as in every photo.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np

from device.drive import read_drive
from device.earth import bearing_deg, distance_m, turn_deg
from device.fix import Fix
from device.frame import Exposure, Frame, FrameUnreadable, Pixels
from inference.anonymise import AnonymousFrame
from inference.lens import Lens, lens_of
from inference.locate import road_of
from inference.look import HidingFailed, Look
from inference.manifest import locate
from inference.tflite import TfliteModel
from inference.vanishing import Floats, Vanishing, lines_of, vanishing_point
from provisioning.settings import Camera, Models, Settings

FRAMES = 60
"""So many frames of straight streets are used at most, evenly spread."""
LEAST_FRAMES = 8
BEFORE_S, AFTER_S = 1.0, 4.0
"""The street is straight where the car drives straight from so long before a frame to so long after."""
COURSE_DEG, BEARING_DEG = 1.0, 3.0
"""... where its course turns by less; by positions alone, which are noisier, by less than the second."""
SLOW_MPS, BEARING_M = 5.0, 5.0
MOST_UNSURE_DEG = 1.0
"""Standard error beyond which nothing is written: at 10 m it is 1.3 m along the road."""
GROUPS = 4
"""Parts of the frames that are asked separately, to tell how sure the answer is."""
LENGTH: Final = "X1,Y1,X2,Y2,METRES"


class CalibrationRefused(Exception):
    """It cannot be told from this; one sentence that says why."""


@dataclass(frozen=True, slots=True)
class Length:
    """Two pixels of the picture, and the metres between them on the road."""

    one: tuple[float, float]
    other: tuple[float, float]
    metres: float


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What came of it: the camera's geometry now and before, from so many frames, whose lines agree to a share.

    `unsure_deg` are standard errors of pitch and yaw, None where there are too few lines to tell them. `height_measured`: a
    length told it, else it is the one from before.
    """

    height_m: float
    pitch_deg: float
    yaw_deg: float
    hfov_deg: float
    k1: float
    before: Mapping[str, float]
    frames: int
    agreeing: float
    unsure_deg: tuple[float, float] | None
    height_measured: bool
    frame: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The result as one object."""
        return asdict(self)

    def in_words(self) -> str:
        """The result as a person reads it, with the lines for a configuration or drive.toml."""
        height = "measured" if self.height_measured else "as before: --length measures it"
        pitch, yaw = ("?", "?") if self.unsure_deg is None else (f"{each:.2f}" for each in self.unsure_deg)
        doubt = (
            ()
            if self.sure
            else (f"TOO UNSURE to be used: within {MOST_UNSURE_DEG:g} degree is wanted; drive more straight streets",)
        )
        return "\n".join(
            (
                f"{self.frames} frames of straight streets; {self.agreeing:.0%} of their lines meet in one place",
                f"pitch  {self.pitch_deg:6.2f} +- {pitch} degrees down (was {self.before['pitch_deg']:.2f})",
                f"yaw    {self.yaw_deg:6.2f} +- {yaw} degrees right (was {self.before['yaw_deg']:.2f})",
                f"height {self.height_m:6.2f} m ({height})",
                *doubt,
                "",
                "[camera]",
                *(f"{key} = {value:g}" for key, value in self.lines.items()),
            )
        )

    @property
    def sure(self) -> bool:
        """Whether it is worth writing down."""
        return self.unsure_deg is not None and max(self.unsure_deg) <= MOST_UNSURE_DEG

    @property
    def lines(self) -> dict[str, float]:
        """What belongs into the configuration."""
        told = {"height_m": self.height_m, "pitch_deg": self.pitch_deg, "yaw_deg": self.yaw_deg}
        return {key: round(value, 2) for key, value in told.items()}

    def lens(self, width: int, height: int) -> Lens:
        """The lens that it describes."""
        return Lens(width, height, self.height_m, self.pitch_deg, self.yaw_deg, self.hfov_deg, self.k1)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """The lines of a drive's straight frames, and one of these frames for the picture."""

    lines: Sequence[Floats]
    pixels: Pixels
    source: str | None


def calibrate(shown: Shown, geometry: Mapping[str, Any], length: Length | None = None) -> Calibrated:
    """The geometry from what a drive shows; `geometry` is the one from before, of which field of view and k1 are believed.

    Raises:
        CalibrationRefused: too few frames, lines that do not meet, or a length that is none.
    """
    if len(shown.lines) < LEAST_FRAMES:
        raise CalibrationRefused(
            f"{len(shown.lines)} frames of a straight street are too few: {LEAST_FRAMES} at least, driven straight at "
            f"{SLOW_MPS * 3.6:.0f} km/h or more"
        )
    found = _meet(shown.lines)
    if found is None:
        raise CalibrationRefused("the lines of these streets do not meet in one place: drive along kerbs or lane markings")
    before = lens_of(geometry, shown.pixels.shape[1], shown.pixels.shape[0])
    turned = replace(before, pitch_deg=found.pitch_deg, yaw_deg=found.yaw_deg)
    return Calibrated(
        height_m=before.height_m if length is None else height_of(turned, length),
        pitch_deg=found.pitch_deg,
        yaw_deg=found.yaw_deg,
        hfov_deg=before.hfov_deg,
        k1=before.k1,
        before={"height_m": before.height_m, "pitch_deg": before.pitch_deg, "yaw_deg": before.yaw_deg},
        frames=len(shown.lines),
        agreeing=round(found.agreeing, 3),
        unsure_deg=_unsure_deg(shown.lines),
        height_measured=length is not None,
        frame=shown.source,
    )


def height_of(lens: Lens, length: Length) -> float:
    """The lens' height above the road: all lengths on the road grow with it, so one that is known tells it.

    Raises:
        CalibrationRefused: one of the two pixels does not see the road, or they are one place.
    """
    places = [road_of(lens, *pixel) for pixel in (length.one, length.other)]
    if places[0] is None or places[1] is None:
        raise CalibrationRefused("--length: one of its pixels does not see the road within 40 m: choose two nearer ones")
    seen_m = math.dist(places[0], places[1])
    if seen_m < 1e-6 or length.metres <= 0.0:
        raise CalibrationRefused("--length: its pixels are one place, or its metres are not above 0")
    return lens.height_m * length.metres / seen_m


def length_of(text: str) -> Length:
    """`X1,Y1,X2,Y2,METRES` as a length.

    Raises:
        CalibrationRefused: it is not five numbers.
    """
    try:
        x1, y1, x2, y2, metres = (float(each) for each in text.split(","))
    except ValueError:
        raise CalibrationRefused(f"--length {text}: it is {LENGTH}, two pixels of the picture and their distance") from None
    return Length((x1, y1), (x2, y2), metres)


def geometry_of(settings: Settings | None, told: Mapping[str, float] | None) -> dict[str, Any]:
    """The geometry from before: the configuration's where there is one, else what the drive tells, else the defaults."""
    return asdict(settings.camera) if settings else dict(told or asdict(Camera()))


def shown_by_drive(folder: Path, settings: Settings | None) -> tuple[Shown, dict[str, Any]]:
    """What a recorded drive shows of straight streets, and the geometry from before.

    Raises:
        DriveRefused: the drive is not usable.
        CalibrationRefused: it has no straight street.
    """
    drive = read_drive(folder)
    geometry = geometry_of(settings, drive.geometry)
    fixes = [arrived.fix for arrived in drive.fixes]
    straight = [exposure for exposure in drive.exposures if is_straight(fixes, exposure.shutter_boot_s)]
    step = max(1, math.ceil(len(straight) / FRAMES))
    lines: list[Floats] = []
    last: tuple[Pixels, Exposure] | None = None
    for exposure in straight[::step]:
        try:
            pixels = exposure.read()
        except FrameUnreadable:
            continue
        lines.append(lines_of(pixels, lens_of(geometry, pixels.shape[1], pixels.shape[0])))
        last = pixels, exposure
    if last is None:
        raise CalibrationRefused(f"{folder}: the car nowhere drives straight for {BEFORE_S + AFTER_S:g} s")
    return Shown(lines, last[0], last[1].source), geometry


def is_straight(fixes: Sequence[Fix], at_s: float) -> bool:
    """Whether the car drives straight, and not slowly, around a moment."""
    near = [fix for fix in fixes if at_s - BEFORE_S <= fix.boot_s <= at_s + AFTER_S]
    if len(near) < 3 or near[-1].boot_s < at_s + AFTER_S / 2.0 or min(fix.speed_mps for fix in near) < SLOW_MPS:
        return False
    courses = [fix.course_deg for fix in near if fix.course_deg is not None]
    most_deg = COURSE_DEG
    if len(courses) < len(near):
        courses, most_deg = _bearings(near), BEARING_DEG
    return len(courses) > 1 and all(abs(turn_deg(course - courses[0])) <= most_deg for course in courses)


def hidden(pixels: Pixels, models: Models) -> AnonymousFrame:
    """The frame for the picture, with people hidden.

    Raises:
        ModelRefused: the privacy model is not usable.
        CalibrationRefused: people could not be hidden for certain.
    """
    look = Look(None, TfliteModel(locate(models.privacy), 1), deadline_s=math.inf)
    try:
        return look.look(Frame(pixels, 0.0, None)).frame
    except HidingFailed as error:
        raise CalibrationRefused(f"no picture is written, since people could not be hidden: {error}") from error


def _meet(lines: Sequence[Floats]) -> Vanishing | None:
    return vanishing_point(np.concatenate(lines), np.random.default_rng(0))


def _unsure_deg(lines: Sequence[Floats]) -> tuple[float, float] | None:
    """Standard errors: how differently parts of the frames answer, over the root of how many parts there are."""
    answers = [answer for first in range(GROUPS) if (answer := _meet(lines[first::GROUPS])) is not None]
    if len(answers) < 2:
        return None
    spread = np.std([(each.pitch_deg, each.yaw_deg) for each in answers], axis=0, ddof=1) / math.sqrt(len(answers))
    return round(float(spread[0]), 3), round(float(spread[1]), 3)


def _bearings(fixes: Sequence[Fix]) -> list[float]:
    """Directions between neighbours, where these are far enough apart to have one."""
    return [
        bearing_deg(here.latitude_deg, here.longitude_deg, there.latitude_deg, there.longitude_deg)
        for here, there in pairwise(fixes)
        if distance_m(here.latitude_deg, here.longitude_deg, there.latitude_deg, there.longitude_deg) > BEARING_M
    ]
