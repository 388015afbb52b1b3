"""A camera on a Raspberry Pi's ribbon, through picamera2 (written against 0.3.38)."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as JobTimeoutError  # before Python 3.11 not the built-in one
from typing import Any

from device.boot import from_monotonic_s
from device.camera import CameraStalled, Pulse
from device.frame import Exposure
from device.planes import Layout, to_rgb

WAIT_S = 0.5
"""How long the thread waits for one request, and so how long a stop can take to be seen."""

CLOSE_S = 4 * WAIT_S
"""How long closing waits for the thread."""

BUFFERS = 6
"""Frames that libcamera fills ahead; each costs its size in contiguous memory."""

LONGEST_EXPOSURE_US = 2000
"""14 m/s times 2 ms are 28 mm of blur on the road."""

SHORTEST_EXPOSURE_US = 100
MOST_GAIN = 16.0

PLANES = "YUV420"
"""Half the bytes of RGB: see device/planes.py."""

AF_MANUAL = 0
"""libcamera's AfModeManual: the lens stays where it is put."""

INFINITY_DIOPTRE = 0.0

GLOBAL_SHUTTERS = frozenset({"imx296", "ov7251", "ov9281", "ov9282", "ov2311"})
"""Sensors whose lines are all exposed at once, by the name libcamera gives; every other one rolls."""


def middle_of_exposure_s(sensor_timestamp_ns: int, exposure_us: int, readout_us: int) -> float:
    """The middle of the exposure of the middle line, on the boot clock, in seconds.

    `SensorTimestamp` is the frame-start interrupt: the sensor sends its first line when that line's exposure has ended
    (raspberrypi/picamera2#821; picamera2's own flush takes timestamp minus exposure as the beginning). So the first line's
    middle is half an exposure earlier, and the middle line's is half a readout later than that; a global shutter has
    `readout_us` 0. The stamp is the kernel's CLOCK_MONOTONIC, although libcamera's reference says boot time (libcamera bug
    254); they differ where a machine has slept.
    """
    return from_monotonic_s(sensor_timestamp_ns / 1e9) - exposure_us / 2e6 + readout_us / 2e6


class PiCamera:
    """The first camera that libcamera finds, at a fixed frame rate, short exposures and focus at infinity."""

    def __init__(self, width: int, height: int, fps: int) -> None:
        self._size = (width, height)
        self._frame_us = round(1e6 / fps)
        self._readout_us = 0
        self._layout = Layout.packed(width, height, width)
        self._camera: Any = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._pulse = Pulse()

    def start(self, deliver: Callable[[Exposure], None]) -> None:
        """Open the camera and begin to deliver.

        Raises:
            CameraStalled: it cannot be opened, or gives another size than wanted.
        """
        try:
            from libcamera import ColorSpace  # noqa: PLC0415 - only a Pi has it
            from picamera2 import Picamera2  # noqa: PLC0415 - the same
        except ImportError as error:
            raise CameraStalled(
                f"picamera2 cannot be loaded ({error}): install python3-picamera2 and make the venv with --system-site-packages"
            ) from error
        try:
            self._open(Picamera2, ColorSpace.Sycc())
        except (RuntimeError, OSError) as error:
            self.close()
            raise CameraStalled(f"the camera cannot be opened: {_first_cause(error)}") from error
        self._pulse = Pulse()
        self._stopped = threading.Event()
        run = (self._camera, self._stopped, self._pulse, deliver)
        self._thread = threading.Thread(target=self._run, args=run, name="picamera2", daemon=True)
        self._thread.start()

    def check(self, now_boot_s: float) -> None:
        """Say whether exposures still come.

        Raises:
            CameraStalled: none for `STALL_S`, or the camera failed.
        """
        self._pulse.check(now_boot_s)

    def close(self) -> None:
        """Stop and release the camera. Safe to call twice."""
        self._stopped.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(CLOSE_S)
        camera, self._camera = self._camera, None
        if camera is not None:
            camera.close()

    def _open(self, picamera2: Any, colours: Any) -> None:
        found = picamera2.global_camera_info()
        if not found:
            raise RuntimeError("libcamera finds none; is its ribbon in place?")
        model = found[0]["Model"]
        self._camera = camera = picamera2(tuning=_short_exposures(picamera2, model))
        controls: dict[str, Any] = {"FrameDurationLimits": (self._frame_us, self._frame_us)}
        if "AfMode" in camera.camera_controls:
            controls |= {"AfMode": AF_MANUAL, "LensPosition": INFINITY_DIOPTRE}
        camera.configure(
            camera.create_video_configuration(
                main={"format": PLANES, "size": self._size},
                raw=None,
                colour_space=colours,
                buffer_count=BUFFERS,
                controls=controls,
                display=None,
                encode=None,
            )
        )
        given = camera.stream_configuration("main")
        if given["size"] != self._size or given["format"] != PLANES:
            raise RuntimeError(f"it gives {given['size']} {given['format']} where {self._size} {PLANES} is wanted")
        self._layout = Layout.packed(*self._size, given["stride"])
        # The shortest frame of the sensor's mode is its readout with the least blanking; known once a mode is chosen.
        self._readout_us = 0 if model in GLOBAL_SHUTTERS else camera.camera_controls["FrameDurationLimits"][0]
        camera.start()

    def _run(self, camera: Any, stopped: threading.Event, pulse: Pulse, deliver: Callable[[Exposure], None]) -> None:
        try:
            while not stopped.is_set():
                request = _next_request(camera)
                exposure = None if request is None else self._take(request)
                if exposure is not None:
                    deliver(exposure)
                    pulse.beat()
        except RuntimeError as error:
            pulse.end(f"the camera failed: {_first_cause(error)}")

    def _take(self, request: Any) -> Exposure | None:
        """Copy a request's picture, give the request back; None where the driver left its time out."""
        try:
            metadata = request.get_metadata()
            planes: memoryview = request.make_buffer("main").data
        finally:
            request.release()
        stamp_ns = metadata.get("SensorTimestamp", 0)
        if not stamp_ns:
            return None
        shutter_boot_s = middle_of_exposure_s(stamp_ns, metadata.get("ExposureTime", 0), self._readout_us)
        layout = self._layout
        return Exposure(shutter_boot_s, read=lambda: to_rgb(planes, layout))


def _next_request(camera: Any) -> Any:
    """The next completed request, which the caller releases; None where none came in time.

    After a timeout the job would still take a request that nobody releases: it is cancelled. Where it was just being
    finished instead, its request is at hand in a moment.
    """
    job = camera.capture_request(wait=False)
    try:
        return camera.wait(job, timeout=WAIT_S)
    except JobTimeoutError:
        camera.cancel_all_and_flush()
    try:
        return camera.wait(job, timeout=WAIT_S)
    except (CancelledError, JobTimeoutError):
        return None


def _short_exposures(picamera2: Any, model: str) -> Any:
    """The sensor's tuning with exposures of at most `LONGEST_EXPOSURE_US`: in the dark the gain rises instead.

    No control does that: a fixed `ExposureTime` would be far too long in the sun (raspberrypi/picamera2#634).
    """
    tuning = picamera2.load_tuning_file(f"{model}.json")
    agc = picamera2.find_tuning_algo(tuning, "rpi.agc")
    for channel in agc.get("channels", [agc]):
        channel["exposure_modes"]["normal"] = {
            "shutter": [SHORTEST_EXPOSURE_US, LONGEST_EXPOSURE_US],
            "gain": [1.0, MOST_GAIN],
        }
    return tuning


def _first_cause(error: BaseException) -> BaseException:
    """picamera2 wraps what went wrong in "sequence did not complete"; this is what went wrong."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error
