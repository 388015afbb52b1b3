"""A round on the unit: gpsd and the camera feed the line.

Three threads: the camera's, which pushes exposures into the ring; one that reads gpsd; and the line's own, which looks, hides and
writes. A round begins with the first accepted fix, or with what was photographed on the way to it, and ends when it is told to
stop, or when its database fails.
"""

import math
import threading
from collections.abc import Callable, Mapping
from contextlib import closing, nullcontext
from dataclasses import dataclass
from enum import Enum
from importlib.metadata import version
from typing import Any

from sqlite_utils import Database

from device.boot import boot_id, now_s
from device.camera import STALL_S, Camera, CameraStalled
from device.chooser import Chooser
from device.fix import Fix, FixSource
from device.frame import Exposure
from device.ring import LONGEST_S, Ring
from inference.look import Look
from provisioning.log import events
from provisioning.settings import Settings
from sync.alert import Alerts, SafetyLookout
from sync.condition import Condition, Teller, state_of
from sync.fix_reader import FixReader
from sync.hazard import Seen, take_hazards
from sync.line import Line, Step
from sync.request import paused_since_s
from sync.round_store import Recipients, RoundStore
from sync.rounds import next_round_id
from sync.safety import SafetyWatch
from sync.satellite_time import Noting

CHECK_EVERY_S = 1.0
HANGS_S = 30.0
"""The reader of fixes has a fix, none, or an error at least every 11 s. One that has been silent for so long hangs."""

CAMERA_TRIES = 3
"""Starts of a stalled camera in a row before the process ends and systemd starts it anew."""

log = events("capture")


class Outcome(Enum):
    """What one step did."""

    WAITED = "waited"
    LOOKED = "looked"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Outside:
    """The outside world, chosen once at start. `models` maps the names of the loaded models to their sha256."""

    source: FixSource
    camera: Camera
    look: Look
    models: Mapping[str, str]
    roads_sha256: str
    safety: SafetyWatch | None = None


class LiveRound:
    """`step` does what can be done now; `run` waits between.

    `alive` is called once a second while all of it works: frames are looked at, or there are none; fixes come, or it is known
    that they do not.
    """

    def __init__(
        self,
        settings: Settings,
        outside: Outside,
        db: Database,
        stop: threading.Event,
        alive: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._outside = outside
        self._camera = outside.camera
        self._db = db
        self._stop = stop
        self._alive = alive
        self._wake = threading.Event()
        self._reader = FixReader(outside.source)
        self._ring = Ring.for_camera(settings.camera.width, settings.camera.height)
        self._boot = boot_id()
        self._round_id = next_round_id(db, self._boot)
        self._recipients = Recipients(settings.unit, settings.backends)
        self._store = RoundStore(db, settings.unit.state, self._round_id, self._recipients, outside.roads_sha256)
        self._line = Line(Chooser(settings.trigger.spacing_m, self._ring), outside.look, self._store, alerts=self._alerts())
        self._fix: Fix | None = None
        self._camera_reason: str | None = None
        self._stalls = 0
        self._checked_s = now_s()
        self._teller = Teller(db, self._boot)
        self._time = Noting(db, self._boot)

    def run(self) -> None:
        """Photograph until told to stop or to pause.

        Raises:
            CameraStalled: the camera did not come back after `CAMERA_TRIES` starts. The round is closed.
            DatabaseFailed, DatabaseDamaged: what is open is closed by `sync.rounds.close_rounds`, as after a power cut.
        """
        with closing(self._outside.safety) if self._outside.safety else nullcontext():
            with closing(self._camera), closing(self._reader):
                try:
                    self._begin()
                    self._reader.start()
                    self._start_camera()
                    self._go_on()
                except CameraStalled:
                    self._end()
                    raise
            self._end()

    def _go_on(self) -> None:
        while not self._stop.is_set():
            match self.step():
                case Outcome.PAUSED:
                    return
                case Outcome.WAITED:
                    self._wake.wait(CHECK_EVERY_S / 5)
                    self._wake.clear()

    def step(self) -> Outcome:
        """Take the fixes that have come, look at one frame, and once a second see whether all is well."""
        self._reader.check()
        paused_s = paused_since_s(self._db, self._boot)
        if paused_s is not None:
            self._ring.drop_after(paused_s)
            return Outcome.PAUSED
        while not self._reader.fixes.empty():
            self._take_fix(self._reader.fixes.get())
            self._turn_safety()
        stepped = self._line.step()
        if stepped is Step.IDLE and self._fix is not None:
            self._take_hazards(self._fix.boot_s)
        if now_s() - self._checked_s >= CHECK_EVERY_S:
            self._checked_s = now_s()
            self._turn_safety()
            self._check_camera()
            self._tell()
            if self._fix is not None:  # a line that is never idle has decided on all that the ring has let go
                self._take_hazards(min(self._fix.boot_s, now_s() - LONGEST_S))
            if now_s() - self._reader.turned_s < HANGS_S:
                self._alive()
        return Outcome.WAITED if stepped is Step.IDLE else Outcome.LOOKED

    def _alerts(self) -> Alerts | None:
        safety = self._outside.safety
        return None if safety is None else Alerts(self._db, self._round_id, self._recipients, SafetyLookout(safety))

    def _turn_safety(self) -> None:
        """Loads or unloads the safety model, as the permission says of now and here."""
        if self._outside.safety is not None:
            self._outside.safety.turn(self._fix)

    def _take_exposure(self, exposure: Exposure) -> None:
        """Called by the camera's thread."""
        self._ring.push(exposure)
        self._wake.set()

    def _take_fix(self, fix: Fix) -> None:
        if self._fix is None:
            self._store.start(fix.taken_at)
            log.info("round_began", round_id=self._round_id)
        self._fix = fix
        self._time.note(fix)
        self._line.take_fix(fix)

    def _begin(self) -> None:
        """The round's row: photos may be kept before the first fix says when and where it began."""
        camera = self._settings.camera
        keys = ("width", "height", "height_m", "pitch_deg", "yaw_deg", "hfov_deg", "k1")
        geometry = {key: getattr(camera, key) for key in keys}
        told = {"spacing_m": self._settings.trigger.spacing_m, "camera": geometry, "roads": self._outside.roads_sha256}
        told["grade"] = dict(self._settings.grade.told())
        self._store.begin(None, version("ronde"), self._outside.models, told)

    def _end(self) -> None:
        """Decide on what is in the ring and close the round; one without a fix never was."""
        self._line.end()
        if self._fix is None:
            self._store.discard()
        else:
            self._store.end(self._fix.taken_at)
            log.info("round_ended", frames=self._line.spacing.frames, length_m=round(self._line.chooser.odometer_m))
        self._take_hazards(math.inf)
        if self._stop.is_set():
            self._teller.tell(Condition("waiting", ("stopped",), self._counters()), now_s())

    def _take_hazards(self, upto_boot_s: float) -> None:
        """What the driver has marked up to here becomes findings."""
        take_hazards(self._db, self._recipients, Seen(self._round_id, upto_boot_s, self._line.chooser.odometer_m))

    def _start_camera(self) -> None:
        """Start the camera; several failures in a row end the process."""
        try:
            self._camera.start(self._take_exposure)
        except CameraStalled as error:
            self._count_stall(error)

    def _check_camera(self) -> None:
        try:
            self._camera.check(now_s())
        except CameraStalled as error:
            self._count_stall(error)
            self._camera.close()
            self._start_camera()
        else:
            if self._ring.newest_s is not None and now_s() - self._ring.newest_s < STALL_S:
                self._camera_reason, self._stalls = None, 0

    def _count_stall(self, error: CameraStalled) -> None:
        self._stalls += 1
        self._camera_reason = str(error)
        log.error("camera_stalled", reason=str(error), stalls=self._stalls)
        if self._stalls >= CAMERA_TRIES:
            self._tell()
            raise error

    def _tell(self) -> None:
        now = now_s()
        state, reasons = state_of(
            camera_stalled=self._camera_reason is not None,
            gpsd_lost=self._reader.lost is not None,
            fix_age_s=self._fix_age_s(now),
            troubles=self._outside.source.troubles(now),
        )
        self._teller.tell(Condition(state, (*reasons, *self._store.windscreen.reasons()), self._counters()), now)

    def _fix_age_s(self, now: float) -> float | None:
        return now - self._fix.boot_s if self._fix is not None else None

    def _counters(self) -> dict[str, Any]:
        age_s = self._fix_age_s(now_s())
        return {
            "frames": self._line.spacing.frames,
            "dropped": dict(self._line.tally.dropped),
            "rejected": dict(self._outside.source.rejected),
            "fix_age_s": None if age_s is None else round(age_s, 1),
            "odometer_m": round(self._line.chooser.odometer_m, 1),
            "time_source": "unset" if self._fix is None else "gnss",
            "safety": None if self._outside.safety is None else self._outside.safety.state,
        }
