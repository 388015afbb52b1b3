"""`ronde capture`: the round on the unit. gpsd and the camera feed the line; SQLite is all that it speaks to.

Three threads: the camera's, which pushes exposures into the ring; one that reads gpsd; and the line's own, which looks, hides and
writes. A round begins with the first accepted fix and ends when the process does.
"""

import json
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from importlib.metadata import version

from sqlite_utils import Database

from device.boot import boot_id, now_s
from device.camera import STALL_S, Camera, CameraStalled, camera_of
from device.chooser import Chooser
from device.fix import Fix, FixSource
from device.frame import Exposure
from device.gpsd import GpsdSource
from device.ring import Ring
from inference.look import Look
from inference.manifest import ModelRefused, locate
from inference.tflite import TfliteModel
from provisioning.log import events
from provisioning.settings import Settings
from sync.database import open_database, transaction
from sync.event import iso
from sync.fix_reader import FixReader
from sync.line import Line, Step
from sync.replay import THREADS
from sync.round_store import Recipients, RoundStore
from sync.rounds import close_rounds, next_round_id, only_one, sweep

FIX_STALE_S = 2.0
"""Without a fix for this long no frame is called good, and the state says so."""

CONDITION_EVERY_S = 5.0
"""How often the condition is written where nothing changes: often enough for a page, seldom enough for a card."""

CHECK_EVERY_S = 1.0
CAMERA_TRIES = 3
"""Starts of a stalled camera in a row before the process ends and systemd starts it anew."""

log = events("capture")


class Outcome(Enum):
    """What one step of the capture did."""

    WAITED = "waited"
    LOOKED = "looked"


@dataclass(frozen=True, slots=True)
class Outside:
    """The outside world, chosen once at start. `models` maps the names of the loaded models to their sha256."""

    source: FixSource
    camera: Camera
    look: Look
    models: Mapping[str, str]
    roads_sha256: str


class Capture:
    """One round on the unit: `step` does what can be done now; `run` waits between."""

    def __init__(self, settings: Settings, outside: Outside, db: Database, stop: threading.Event) -> None:
        self._settings = settings
        self._outside = outside
        self._camera = outside.camera
        self._db = db
        self._stop = stop
        self._wake = threading.Event()
        self._reader = FixReader(outside.source, stop)
        self._ring = Ring.for_camera(settings.camera.width, settings.camera.height)
        self._line: Line | None = None
        self._store: RoundStore | None = None
        self._fix: Fix | None = None
        self._camera_reason: str | None = None
        self._stalls = 0
        self._checked_s = self._told_s = now_s()
        self._told: tuple[str, tuple[str, ...]] | None = None

    def run(self) -> None:
        """Drive rounds until told to stop.

        Raises:
            CameraStalled: the camera did not come back after `CAMERA_TRIES` starts.
        """
        self._reader.start()
        self._start_camera()
        try:
            while not self._stop.is_set():
                if self.step() is Outcome.WAITED:
                    self._wake.wait(CHECK_EVERY_S / 5)
                    self._wake.clear()
        finally:
            self._camera.close()
            self._end()

    def step(self) -> Outcome:
        """Take the fixes that have come, look at one frame, and once a second see whether all is well."""
        self._reader.check()
        while not self._reader.fixes.empty():
            self._take_fix(self._reader.fixes.get())
        stepped = self._line.step() if self._line is not None else Step.IDLE
        if now_s() - self._checked_s >= CHECK_EVERY_S:
            self._checked_s = now_s()
            self._check_camera()
            self._tell()
        return Outcome.WAITED if stepped is Step.IDLE else Outcome.LOOKED

    def _take_exposure(self, exposure: Exposure) -> None:
        """Called by the camera's thread."""
        self._ring.push(exposure)
        self._wake.set()

    def _take_fix(self, fix: Fix) -> None:
        self._fix = fix
        if self._line is None:
            self._line = self._begin(fix)
        self._line.take_fix(fix)

    def _begin(self, fix: Fix) -> Line:
        """A new round."""
        round_id = next_round_id(self._db, boot_id())
        recipients = Recipients(self._settings.unit, self._settings.backends)
        camera = self._settings.camera
        geometry = {key: getattr(camera, key) for key in ("width", "height", "height_m", "pitch_deg", "yaw_deg", "hfov_deg")}
        spacing_m = self._settings.trigger.spacing_m
        self._store = RoundStore(self._db, self._settings.unit.state, round_id, recipients, self._outside.roads_sha256)
        self._store.begin(fix.taken_at, version("ronde"), self._outside.models, {"spacing_m": spacing_m, "camera": geometry})
        log.info("round_began", round_id=round_id)
        return Line(Chooser(spacing_m, self._ring), self._outside.look, self._store)

    def _end(self) -> None:
        """Decide on what is in the ring and close the round."""
        if self._line is not None and self._store is not None and self._fix is not None:
            self._line.end()
            self._store.end(self._fix.taken_at)
            log.info("round_ended", frames=self._line.spacing.frames, length_m=round(self._line.chooser.odometer_m))
        self._told = None
        self._tell(ended=True)

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

    def _state(self, *, ended: bool) -> tuple[str, tuple[str, ...]]:
        """State and reason codes, as health gives them."""
        reasons = []
        if self._camera_reason is not None:
            reasons.append("camera_stalled")
        if self._reader.lost is not None:
            reasons.append("gpsd_lost")
        elif self._fix is None or now_s() - self._fix.boot_s > FIX_STALE_S:
            reasons.append("no_fix")
        if ended:
            reasons = ["stopped"]
        return ("fault" if "camera_stalled" in reasons else "waiting" if reasons else "recording"), tuple(reasons)

    def _tell(self, *, ended: bool = False) -> None:
        """Write the condition where it has changed or is old."""
        told = self._state(ended=ended)
        now = now_s()
        if told == self._told and now - self._told_s < CONDITION_EVERY_S:
            return
        if told != self._told:
            log.info("state_changed", state=told[0], reasons=list(told[1]))
        self._told, self._told_s = told, now
        line = self._line
        counters = {
            "frames": line.spacing.frames if line else 0,
            "dropped": dict(line.tally.dropped if line else Counter[str]()),
            "fix_age_s": round(now - self._fix.boot_s, 1) if self._fix else None,
            "odometer_m": round(line.chooser.odometer_m, 1) if line else 0.0,
            "time_source": "gnss" if self._fix else "unset",
        }
        with transaction(self._db):
            self._db.conn.execute(
                "INSERT OR REPLACE INTO condition (name, boot, at_boot_s, at, state, reasons, counters) "
                "VALUES ('capture', ?, ?, ?, ?, ?, ?)",
                [boot_id(), now, iso(datetime.now(timezone.utc)), told[0], json.dumps(told[1]), json.dumps(counters)],
            )


def run_capture(settings: Settings, stop: threading.Event) -> None:
    """Capture until told to stop.

    Raises:
        AlreadyRunning: another capture has the state folder.
        ModelRefused: the privacy model is not usable: nothing may be photographed.
        DatabaseRefused: the database is not usable.
        CameraStalled: the camera is gone for good.
    """
    with only_one(settings.unit.state, "capture"):
        privacy = TfliteModel(locate(settings.models.privacy), THREADS)
        roads = _roads(settings)
        models = {model.manifest.name: model.manifest.sha256 for model in (roads, privacy) if model is not None}
        outside = Outside(
            source=GpsdSource(settings.gps.host, settings.gps.port),
            camera=camera_of(settings.camera),
            look=Look(roads, privacy),
            models=models,
            roads_sha256=roads.manifest.sha256 if roads else "",
        )
        db = open_database(settings.unit.state / "ronde.db")
        try:
            swept, closed = sweep(db, settings.unit.state), close_rounds(db)
            log.info("capture_started", photos_swept=swept, rounds_closed=closed)
            Capture(settings, outside, db, stop).run()
        finally:
            db.close()


def _roads(settings: Settings) -> TfliteModel | None:
    """The roads model; without it photos are still taken, and each says so."""
    try:
        return TfliteModel(locate(settings.models.roads), THREADS)
    except ModelRefused as error:
        log.error("model_refused", reason=str(error))
        return None
