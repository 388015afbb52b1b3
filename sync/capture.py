"""`ronde capture`: the round on the unit. gpsd and the camera feed the line; SQLite is all that it speaks to.

Three threads: the camera's, which pushes exposures into the ring; one that reads gpsd; and the line's own, which looks, hides and
writes. A round begins with the first accepted fix and ends when the process does.
"""

import fcntl
import json
import queue
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from enum import Enum
from importlib.metadata import version
from pathlib import Path

from sqlite_utils import Database

from device.backoff import Backoff
from device.boot import boot_id, now_s
from device.camera import Camera, CameraStalled
from device.chooser import Chooser
from device.fix import Fix, FixSource, GpsLost
from device.frame import Exposure
from device.ring import Ring
from inference.look import Look
from provisioning.log import events
from provisioning.settings import Settings
from sync.database import transaction
from sync.event import iso
from sync.line import Line, Step
from sync.round_store import Recipients, RoundStore

FIX_STALE_S = 2.0
"""Without a fix for this long no frame is called good, and the state says so."""

CONDITION_EVERY_S = 5.0
"""How often the condition is written where nothing changes: often enough for a page, seldom enough for a card."""

CHECK_EVERY_S = 1.0
CAMERA_TRIES = 3
"""Starts of a stalled camera in a row before the process ends and systemd starts it anew."""

GPS_LONGEST_S = 10.0
"""Longest wait between two attempts to reach gpsd: it is on this machine."""


class AlreadyRunning(Exception):
    """Another capture has this state folder; the message names it."""


class Outcome(Enum):
    """What one step of the capture did."""

    WAITED = "waited"
    LOOKED = "looked"


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold the state folder for this process.

    Raises:
        AlreadyRunning: another process holds it.
    """
    state.mkdir(parents=True, exist_ok=True)
    with (state / "capture.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(f"{state} is in use by another ronde capture") from None
        yield


class FixReader:
    """Reads fixes in a thread of its own and puts them into a queue; goes on for ever through losses of gpsd."""

    def __init__(self, source: FixSource, stop: threading.Event) -> None:
        self.fixes: queue.SimpleQueue[Fix] = queue.SimpleQueue()
        self.lost: str | None = None
        self._source = source
        self._stop = stop
        self._backoff = Backoff(longest_s=GPS_LONGEST_S)
        self._thread = threading.Thread(target=self._run, name="fixes", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                fix = self._source.next_fix(CHECK_EVERY_S)
            except GpsLost as error:
                if self.lost != str(error):
                    log.warning("gpsd_lost", reason=str(error))
                self.lost = str(error)
                self._stop.wait(self._backoff.next_s())
                continue
            self.lost = None
            if fix is not None:
                self._backoff.reset()
                self.fixes.put(fix)


log = events("capture")


class Capture:
    """One round on the unit: `step` does what can be done now; `run` waits between."""

    def __init__(
        self, settings: Settings, source: FixSource, camera: Camera, look: Look, db: Database, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._camera = camera
        self._look = look
        self._db = db
        self._stop = stop
        self._wake = threading.Event()
        self._reader = FixReader(source, stop)
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
        roads, privacy = self._look.models()
        round_id = next_round_id(self._db, boot_id())
        recipients = Recipients(self._settings.unit, self._settings.backends)
        camera = self._settings.camera
        geometry = {key: getattr(camera, key) for key in ("width", "height", "height_m", "pitch_deg", "yaw_deg", "hfov_deg")}
        spacing_m = self._settings.trigger.spacing_m
        self._store = RoundStore(self._db, self._settings.unit.state, round_id, recipients, roads.sha256 if roads else "")
        models = {model.name: model.sha256 for model in (roads, privacy) if model is not None}
        self._store.begin(fix.taken_at, version("ronde"), models, {"spacing_m": spacing_m, "camera": geometry})
        log.info("round_began", round_id=round_id)
        return Line(Chooser(spacing_m, self._ring), self._look, self._store, spacing_m)

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
            if self._ring.newest_s is not None and now_s() - self._ring.newest_s < FIX_STALE_S:
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


def next_round_id(db: Database, boot: str) -> str:
    """First 8 hex digits of the boot id, a dash, and a counter of rounds since that boot."""
    prefix = f"{boot[:8]}-"
    taken = [
        int(round_id[len(prefix) :]) for (round_id,) in db.conn.execute("SELECT id FROM round WHERE id GLOB ?", [prefix + "*"])
    ]
    return f"{prefix}{max(taken, default=0) + 1}"


def close_rounds(db: Database) -> int:
    """End the rounds that a power cut left open, at their last frame. Returns how many."""
    with transaction(db):
        return db.conn.execute(
            "UPDATE round SET ended_at = coalesce((SELECT max(taken_at) FROM frame WHERE round_id = round.id), started_at) "
            "WHERE ended_at IS NULL"
        ).rowcount
