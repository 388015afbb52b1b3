"""The street as a camera and a receiver of the unit: `camera.kind = "simulated"`. Nothing outside is needed.

The town is a function of the boot clock: the car drives its loop again and again, and where it is at a moment is known from that
moment alone. So the camera and the receiver, each made by itself, show one drive. Pictures are drawn when they are read.
"""

import random as random_source
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import numpy as np

from device.boot import now_s
from device.camera import Pulse
from device.fix import Fix, SpeedSource
from device.frame import Exposure, Pixels
from device.gate import FixGate
from device.refusal import Reason
from device.simulated_senses import Receiver, reports
from device.street.drive import TownDrive, drive_loop
from device.street.furnish import make_scene
from device.street.geometry import Pinhole
from device.street.seeds import Purpose
from device.street.view import View
from device.tpv import report_of
from provisioning.settings import Camera as CameraSettings

PURPOSE: Purpose = "demo"
SEED = 1
CLOSE_S = 5.0
"""How long closing waits for the thread."""


def live_drive() -> TownDrive:
    """The drive that camera and receiver share."""
    return drive_loop(make_scene(PURPOSE, SEED))


class StreetCamera:
    """A `Camera` that runs at `fps` of the settings; its exposures draw themselves when they are read."""

    def __init__(self, settings: CameraSettings) -> None:
        self._fps = float(settings.fps)
        geometry = (settings.height_m, settings.pitch_deg, settings.yaw_deg, settings.hfov_deg)
        self._drive = live_drive()
        self._view = View(self._drive, Pinhole(settings.width, settings.height, *geometry))
        self._drawing = threading.Lock()
        self._pulse = Pulse()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, deliver: Callable[[Exposure], None]) -> None:
        """Begin to deliver."""
        self._pulse, self._closed = Pulse(), threading.Event()
        self._thread = threading.Thread(target=self._run, args=(self._closed, deliver), name="street-camera", daemon=True)
        self._thread.start()

    def check(self, now_boot_s: float) -> None:
        """Say whether it is alive.

        Raises:
            CameraStalled: its thread delivers nothing.
        """
        self._pulse.check(now_boot_s)

    def close(self) -> None:
        """Stop. Safe to call twice."""
        self._closed.set()
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join(CLOSE_S)

    def _run(self, closed: threading.Event, deliver: Callable[[Exposure], None]) -> None:
        due_s = now_s()
        while not closed.wait(max(0.0, due_s - now_s())):
            deliver(Exposure(due_s, partial(self._read, due_s)))
            self._pulse.beat()
            due_s += 1.0 / self._fps

    def _read(self, boot_s: float) -> Pixels:
        with self._drawing:
            return self._view.frame(boot_s % self._drive.seconds)


class StreetFixes:
    """A `FixSource` for the same drive: a receiver with its noise, its latency and its missing reports."""

    def __init__(self, receiver: Receiver | None = None, random: Callable[[], float] = random_source.random) -> None:
        self._drive = live_drive()
        self._receiver = receiver or Receiver()
        self._gate = FixGate()
        self._random = random
        # Wall time is read once, as satellites would tell it; from there on the boot clock goes on.
        self._utc_at_boot = datetime.now(timezone.utc) - timedelta(seconds=now_s())
        self._lap = int(now_s() // self._drive.seconds)
        self._waiting = self._said_in(self._lap)
        self._ready: list[Fix] = []
        self._closed = threading.Event()

    @property
    def speed_source(self) -> SpeedSource:
        """`doppler`."""
        return self._gate.speed_source

    @property
    def rejected(self) -> Mapping[str, int]:
        """Refused reports by reason."""
        return self._gate.rejected

    def troubles(self, now_boot_s: float) -> tuple[Reason, ...]:
        """What keeps reports from being fixes now."""
        return self._gate.troubles(now_boot_s)

    def next_fix(self, timeout_s: float) -> Fix | None:
        """Wait at most `timeout_s` for the next accepted fix; None if there was none."""
        deadline_s = now_s() + timeout_s
        while not self._ready:
            arrival_s, report = self._next()
            if arrival_s > deadline_s:
                self._closed.wait(max(0.0, deadline_s - now_s()))
                return None
            if self._closed.wait(max(0.0, arrival_s - now_s())):
                return None
            self._waiting.pop(0)
            said = report_of(report)
            if said is not None:
                self._ready += self._gate.accept(said, arrival_s)
        return self._ready.pop(0)

    def close(self) -> None:
        """End a wait."""
        self._closed.set()

    def _next(self) -> tuple[float, dict[str, Any]]:
        while not self._waiting:
            self._lap += 1
            self._waiting = self._said_in(self._lap)
        return self._waiting[0]

    def _said_in(self, lap: int) -> list[tuple[float, dict[str, Any]]]:
        """What the receiver says in a lap, from now on, each with its arrival on the boot clock."""
        begun_s = lap * self._drive.seconds
        rng = np.random.default_rng(int(self._random() * 2**48))
        started_at = self._utc_at_boot + timedelta(seconds=begun_s)
        heard = reports(self._drive, self._receiver, rng, started_at)
        return [(begun_s + late_s, report) for late_s, report in heard if begun_s + late_s >= now_s()]
