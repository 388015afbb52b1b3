"""What the unit's own camera and receiver show of straight streets while somebody drives: for `ronde calibrate --live`.

Pictures stay in memory, and of each but the newest only the lines are kept.
"""

import threading
from dataclasses import dataclass, field

from device.boot import now_s
from device.camera import Camera, camera_of
from device.fix import Fix, FixSource, GpsLost
from device.frame import Exposure, FrameUnreadable, Pixels
from inference.lens import lens_of
from inference.vanishing import Floats, lines_of
from provisioning.settings import Settings
from sync.calibrate import AFTER_S, FRAMES, CalibrationRefused, Shown, geometry_of, is_straight
from sync.capture import fixes_of
from sync.rounds import only_one

EVERY_S = 1.0
"""Between two pictures that are looked at: farther on, other lines are seen."""
WAIT_S = 0.2
SECONDS = 300.0
"""So long is waited for enough straight street."""


@dataclass
class Gatherer:
    """Takes fixes and exposures as they come; a picture counts once the fixes after it say that the car drove straight on."""

    settings: Settings
    fixes: list[Fix] = field(default_factory=list)
    lines: list[Floats] = field(default_factory=list)
    newest: Pixels | None = None
    _waiting: list[tuple[float, Floats, Pixels]] = field(default_factory=list)
    _looked_s: float | None = None

    def take_fix(self, fix: Fix) -> None:
        """The next fix; it may settle what pictures before it are worth."""
        self.fixes = [each for each in self.fixes if each.boot_s > fix.boot_s - 60.0] + [fix]
        while self._waiting and self._waiting[0][0] + AFTER_S < fix.boot_s:
            at_s, lines, pixels = self._waiting.pop(0)
            if is_straight(self.fixes, at_s):
                self.lines.append(lines)
                self.newest = pixels

    def take_exposure(self, exposure: Exposure) -> None:
        """The newest exposure; looked at where the last one is long enough ago."""
        if self._looked_s is not None and exposure.shutter_boot_s - self._looked_s < EVERY_S:
            return
        self._looked_s = exposure.shutter_boot_s
        try:
            pixels = exposure.read()
        except FrameUnreadable:
            return
        lens = lens_of(geometry_of(self.settings, None), pixels.shape[1], pixels.shape[0])
        self._waiting.append((exposure.shutter_boot_s, lines_of(pixels, lens), pixels))

    @property
    def done(self) -> bool:
        """Whether it is enough."""
        return len(self.lines) >= FRAMES


def shown_live(settings: Settings, seconds: float, stop: threading.Event) -> Shown:
    """Drive straight streets until there are enough frames, `seconds` have passed, or somebody stops it.

    Raises:
        AlreadyRunning: the capture has the camera.
        CameraStalled: the camera cannot be opened.
        CalibrationRefused: gpsd is not there, or there was no straight street.
    """
    with only_one(settings.unit.state, "capture"):
        return _gathered(Gatherer(settings), camera_of(settings.camera), fixes_of(settings), seconds, stop)


def _gathered(gatherer: Gatherer, camera: Camera, source: FixSource, seconds: float, stop: threading.Event) -> Shown:
    newest: list[Exposure] = []
    camera.start(lambda exposure: newest.__setitem__(slice(None), [exposure]))
    until_s = now_s() + seconds
    try:
        while not gatherer.done and now_s() < until_s and not stop.is_set():
            fix = source.next_fix(WAIT_S)
            if fix is not None:
                gatherer.take_fix(fix)
            if newest:
                gatherer.take_exposure(newest[0])
            camera.check(now_s())
    except GpsLost as error:
        raise CalibrationRefused(f"a straight street cannot be told without positions: {error}") from error
    finally:
        camera.close()
    if gatherer.newest is None:
        raise CalibrationRefused(f"in {seconds:.0f} s the car nowhere drove straight for long enough with a fix")
    return Shown(gatherer.lines, gatherer.newest, None)
