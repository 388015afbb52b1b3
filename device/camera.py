"""What a camera is to the rest of ronde, and which one the configuration asks for."""

from collections.abc import Callable
from typing import Protocol

from device.boot import now_s
from device.frame import Exposure
from provisioning import settings as configured
from provisioning.table import SettingsError

STALL_S = 2.0
"""Seconds without an exposure after which a camera counts as stalled: libcamera just blocks, without an error."""


class CameraStalled(Exception):
    """The camera delivers nothing, or cannot be opened; the message says what was seen."""


class Camera(Protocol):
    """A camera that runs freely: it pushes each exposure into `deliver`, from its own thread, until it is closed."""

    def start(self, deliver: Callable[[Exposure], None]) -> None:
        """Open the camera and begin to deliver.

        Raises:
            CameraStalled: it cannot be opened.
        """
        ...

    def check(self, now_boot_s: float) -> None:
        """Say whether it is alive at `now_boot_s`; called each second.

        Raises:
            CameraStalled: no exposure for `STALL_S`; the caller closes it and starts it again.
        """
        ...

    def close(self) -> None:
        """Stop and release the device. Safe to call twice."""
        ...


class Pulse:
    """Whether exposures still come: the camera's thread beats, the caller's checks."""

    def __init__(self) -> None:
        self._last_boot_s = now_s()
        self._ended: str | None = None

    def beat(self) -> None:
        """An exposure came just now."""
        self._last_boot_s = now_s()

    def end(self, words: str) -> None:
        """No more will come, and why."""
        self._ended = words

    def check(self, now_boot_s: float) -> None:
        """Say whether it beats.

        Raises:
            CameraStalled: it has ended, or the last beat is older than `STALL_S`.
        """
        if self._ended is not None:
            raise CameraStalled(self._ended)
        silent_s = now_boot_s - self._last_boot_s
        if silent_s > STALL_S:
            raise CameraStalled(f"no exposure for {silent_s:.1f} s")


# The cameras import this module, so it imports them where they are chosen: only the chosen one is loaded.
def camera_of(settings: configured.Camera) -> Camera:
    """The camera that `settings` ask for, not yet started.

    Raises:
        SettingsError: the kind has nothing to play.
        DriveRefused: the recorded drive cannot be used (`device.drive`).
    """
    width, height, fps = settings.width, settings.height, settings.fps
    match settings.kind:
        case "picamera2":
            from device.picamera import PiCamera  # noqa: PLC0415 - see above

            return PiCamera(width, height, fps)
        case "v4l2":
            from device.gstreamer import GstreamerCamera, v4l2_source  # noqa: PLC0415 - see above

            return GstreamerCamera(v4l2_source(settings.device, width, height, fps), width, height)
        case "argus":
            from device.gstreamer import GstreamerCamera, argus_source  # noqa: PLC0415 - see above

            return GstreamerCamera(argus_source(settings.device, width, height, fps), width, height)
        case "recorded":
            if settings.drive is None:
                raise SettingsError('[camera] drive is missing: the folder of a recorded drive, wanted by kind = "recorded"')
            from device.drive import read_drive  # noqa: PLC0415 - see above
            from device.recorded_camera import RecordedCamera  # noqa: PLC0415 - see above

            return RecordedCamera(read_drive(settings.drive).exposures)
        case "simulated":
            from device.street.live import StreetCamera  # noqa: PLC0415 - see above

            return StreetCamera(settings)
