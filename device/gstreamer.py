"""A USB camera (v4l2src) or a Jetson's (nvarguscamerasrc), through GStreamer and PyGObject."""

import re
import threading
from collections.abc import Callable
from typing import Any

from device.boot import from_monotonic_s
from device.camera import CameraStalled, Pulse
from device.frame import Exposure
from device.planes import Layout, to_rgb

WAIT_S = 0.5
"""How long the thread waits for one picture, and so how long a stop can take to be seen."""

OPEN_S = 3.0
"""How long a device may take to say that it cannot be opened; one that says nothing is left to the pulse."""

CLOSE_S = 4 * WAIT_S
"""How long closing waits for the thread."""

MOST_WAITING = 4
"""Pictures that wait for the thread; older ones are dropped."""

LONGEST_EXPOSURE_NS = 2_000_000
SHORTEST_EXPOSURE_NS = 100_000
"""14 m/s times 2 ms are 28 mm of blur on the road."""

FULL_RANGE_BT601 = "1:4:0:0"
"""The colours of JPEG, in GStreamer's notation of range, matrix, transfer and primaries."""

TO_PLANES = f"videoconvert ! video/x-raw,format=I420,colorimetry={FULL_RANGE_BT601}" + ",width={width},height={height}"
SINK = f"appsink name=sink drop=true max-buffers={MOST_WAITING} sync=false"


def v4l2_source(device: str, width: int, height: int, fps: int) -> str:
    """The pipeline's beginning for a V4L2 device; a USB camera gives such sizes as JPEG only, so both are taken.

    Its exposure is the camera's own: the class of USB cameras has no limit to set, only a fixed time.
    """
    raw, jpeg = (f"{kind},width={width},height={height},framerate={fps}/1" for kind in ("video/x-raw", "image/jpeg"))
    return f'v4l2src device={_quoted(device)} ! capsfilter caps="{raw};{jpeg}" ! decodebin'


def argus_source(device: str, width: int, height: int, fps: int) -> str:
    """The pipeline's beginning for a Jetson's ribbon camera; the number in `device` (/dev/video0) is its sensor's."""
    number = re.search(r"\d+$", device)
    return (
        f"nvarguscamerasrc sensor-id={number.group() if number else 0} "
        f'exposuretimerange="{SHORTEST_EXPOSURE_NS} {LONGEST_EXPOSURE_NS}" ! '
        f"video/x-raw(memory:NVMM),format=NV12,width={width},height={height},framerate={fps}/1 ! "
        "nvvidconv ! video/x-raw,format=BGRx"
    )


class GstreamerCamera:
    """The pictures that a GStreamer source gives, in one size.

    `source` is the beginning of a pipeline in gst-launch's notation. `shutter_boot_s` is the source's own stamp: for v4l2src
    the kernel's, when the driver saw the frame begin, so the end of the first line's exposure. A source tells neither exposure
    nor readout, so this is half an exposure too late and, where the shutter rolls, half a readout too early.
    """

    def __init__(self, source: str, width: int, height: int) -> None:
        self._description = f"{source} ! {TO_PLANES.format(width=width, height=height)} ! {SINK}"
        self._pipeline: Any = None
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._pulse = Pulse()

    def start(self, deliver: Callable[[Exposure], None]) -> None:
        """Open the device and begin to deliver.

        Raises:
            CameraStalled: PyGObject or a plugin is missing, or the device cannot be opened; with GStreamer's own words.
        """
        gst = _gstreamer()
        self._pipeline = pipeline = _parsed(gst, self._description)
        pipeline.use_clock(_monotonic_clock(gst))
        change = pipeline.set_state(gst.State.PLAYING)
        if change == gst.StateChangeReturn.ASYNC:
            change, _, _ = pipeline.get_state(round(OPEN_S * 1e9))
        if change == gst.StateChangeReturn.FAILURE:
            words = _last_words(gst, pipeline)
            self.close()
            raise CameraStalled(f"the camera cannot be opened: {words or 'it gives no reason'}")
        self._pulse = Pulse()
        self._stopped = threading.Event()
        run = (gst, pipeline, self._stopped, self._pulse, deliver)
        self._thread = threading.Thread(target=_run, args=run, name="gstreamer", daemon=True)
        self._thread.start()

    def check(self, now_boot_s: float) -> None:
        """Say whether exposures still come.

        Raises:
            CameraStalled: none for `STALL_S`, or the stream has ended, with GStreamer's own words.
        """
        self._pulse.check(now_boot_s)

    def close(self) -> None:
        """Stop and release the device. Safe to call twice."""
        self._stopped.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(CLOSE_S)
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.set_state(_gstreamer().State.NULL)


def _run(gst: Any, pipeline: Any, stopped: threading.Event, pulse: Pulse, deliver: Callable[[Exposure], None]) -> None:
    sink = pipeline.get_by_name("sink")
    base_s = pipeline.get_base_time() / 1e9
    while not stopped.is_set():
        sample = sink.try_pull_sample(round(WAIT_S * 1e9))
        if sample is None:
            words = _last_words(gst, pipeline)
            if words is not None:
                pulse.end(words)
                return
            continue
        exposure = _exposure(gst, sample, base_s)
        if exposure is not None:
            deliver(exposure)
            pulse.beat()


def _exposure(gst: Any, sample: Any, base_s: float) -> Exposure | None:
    """A sample's picture and time; None where the source left its time out."""
    from gi.repository import GstVideo  # noqa: PLC0415 - a system package, checked when the camera started

    buffer = sample.get_buffer()
    running_ns = sample.get_segment().to_running_time(gst.Format.TIME, buffer.pts)
    if running_ns == gst.CLOCK_TIME_NONE:
        return None
    layout = GstVideo.buffer_get_video_meta(buffer) or GstVideo.VideoInfo.new_from_caps(sample.get_caps())
    strides, offsets = (tuple(values[:3]) for values in (layout.stride, layout.offset))
    planes, data = Layout(layout.width, layout.height, strides, offsets), buffer.extract_dup(0, buffer.get_size())
    return Exposure(from_monotonic_s(base_s + running_ns / 1e9), read=lambda: to_rgb(data, planes))


def _gstreamer() -> Any:
    """GStreamer's binding, ready for use.

    Raises:
        CameraStalled: it is not installed.
    """
    try:
        import gi  # noqa: PLC0415 - a system package, wanted by this camera alone

        for namespace in ("Gst", "GstApp", "GstVideo"):
            gi.require_version(namespace, "1.0")
        from gi.repository import Gst, GstApp, GstVideo  # noqa: F401, PLC0415 - GstApp gives appsink its methods
    except (ImportError, ValueError) as error:
        raise CameraStalled(
            f"GStreamer cannot be loaded ({error}): install python3-gi, gir1.2-gst-plugins-base-1.0 and "
            "gstreamer1.0-plugins-good, and make the venv with --system-site-packages"
        ) from error
    Gst.init(None)
    return Gst


def _parsed(gst: Any, description: str) -> Any:
    """The pipeline that `description` spells.

    Raises:
        CameraStalled: it needs an element that is not installed.
    """
    from gi.repository import GLib  # noqa: PLC0415 - a system package, checked before

    try:
        return gst.parse_launch(description)
    except GLib.Error as error:
        raise CameraStalled(f"the camera's pipeline cannot be made: {error.message}") from error


def _monotonic_clock(gst: Any) -> Any:
    """The clock whose times are CLOCK_MONOTONIC's: the kernel stamps frames on it."""
    clock = gst.SystemClock.obtain()
    clock.set_property("clock-type", gst.ClockType.MONOTONIC)
    return clock


def _last_words(gst: Any, pipeline: Any) -> str | None:
    """What the pipeline says ended it, in one sentence; None where it has not ended."""
    message = pipeline.get_bus().pop_filtered(gst.MessageType.ERROR | gst.MessageType.EOS)
    if message is None:
        return None
    if message.type == gst.MessageType.EOS:
        return "the camera's stream has ended"
    error, detail = message.parse_error()
    cause = (detail or "").strip().splitlines()[-1:]
    return " ".join([error.message, *(f"({line})" for line in cause)])


def _quoted(text: str) -> str:
    """A value in gst-launch's notation, whatever characters it holds."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
