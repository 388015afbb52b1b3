"""The pictures of a recorded drive, played as if a camera took them now: a round at a desk."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from device.boot import now_s
from device.camera import CameraStalled
from device.frame import Exposure
from provisioning.log import events

log = events("camera")

CLOSE_S = 5.0
"""How long closing waits for the thread: one picture may be in the caller's hands."""

ALONE_S = 1.0
"""The distance in time at which a recording of a single moment repeats it."""


class RecordedCamera:
    """Plays recorded exposures at their own pace, again from the beginning at the end.

    `exposures` are in order of time; their times on the drive's own axis matter only by their differences, and each is
    stamped with the present boot clock. A gap in the recording is a gap here and no stall.
    """

    def __init__(self, exposures: Sequence[Exposure]) -> None:
        self._exposures = tuple(exposures)
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def start(self, deliver: Callable[[Exposure], None]) -> None:
        """Begin to play, from the first exposure.

        Raises:
            CameraStalled: the recording holds no picture.
        """
        if not self._exposures:
            raise CameraStalled("the recorded drive holds no picture")
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._play, args=(self._closed, deliver), name="recorded-camera", daemon=True)
        self._thread.start()

    def check(self, now_boot_s: float) -> None:  # noqa: ARG002 - the Protocol's; a recording has gaps of any length
        """Say whether it still plays.

        Raises:
            CameraStalled: the thread has ended.
        """
        if self._thread is not None and not self._thread.is_alive():
            raise CameraStalled("the recorded drive has stopped playing")

    def close(self) -> None:
        """Stop playing. Safe to call twice."""
        self._closed.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(CLOSE_S)

    def _play(self, closed: threading.Event, deliver: Callable[[Exposure], None]) -> None:
        length_s = self._length_s()
        begun_s = now_s()
        played = 0
        while True:
            for exposure in self._exposures:
                due_s = begun_s + exposure.shutter_boot_s - self._exposures[0].shutter_boot_s
                if closed.wait(max(0.0, due_s - now_s())):
                    return
                deliver(replace(exposure, shutter_boot_s=due_s))
            played += 1
            begun_s += length_s
            log.info("recording_restarted", played=played, pictures=len(self._exposures))

    def _length_s(self) -> float:
        """One round of the recording: to its last picture, and from there the mean step to the first again."""
        span_s = self._exposures[-1].shutter_boot_s - self._exposures[0].shutter_boot_s
        steps = len(self._exposures) - 1
        return span_s + span_s / steps if span_s > 0 else ALONE_S
