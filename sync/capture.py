"""`ronde capture`: one round after the other on the unit. SQLite is all that it speaks to, beside gpsd and the camera.

A database that fails ends the round, never the process: the camera rests, the database is opened again, and another round begins.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from device.boot import boot_id, now_s
from device.camera import camera_of
from device.fix import FixSource
from device.gpsd import GpsdSource
from inference.look import Look
from inference.manifest import ModelRefused, locate
from inference.tflite import TfliteModel
from provisioning.log import events
from provisioning.settings import Settings
from sync.audit_notes import obey_pauses
from sync.ballast import Ballast
from sync.condition import Condition, Teller
from sync.custody import held
from sync.database import Held
from sync.failure import DatabaseDamaged, DatabaseFailed, named
from sync.hazard import take_hazards
from sync.live_round import LiveRound, Outside
from sync.replay import THREADS
from sync.request import paused_since_s
from sync.rest import Rest
from sync.round_store import Recipients
from sync.rounds import close_rounds, only_one, sweep
from sync.safety import watch_of

STEADY_S = 30.0
"""A database that has worked for so long has recovered: the next failure rests shortly again."""

PAUSE_LOOK_S = 0.2
"""How soon it goes on after a pause."""

log = events("capture")


def run_capture(settings: Settings, stop: threading.Event, alive: Callable[[], None] = lambda: None) -> None:
    """Drive rounds until told to stop; `alive` is called while it goes on, at least every few seconds.

    Raises:
        AlreadyRunning: another capture has the state folder.
        ModelRefused: the privacy model is not usable: nothing may be photographed.
        DatabaseFailed: the state folder cannot be made, or locked.
        CameraStalled: the camera is gone for good.
    """
    state = settings.unit.state
    with only_one(state, "capture"):
        outside = _outside(settings)
        rest = Rest("capture", log, time.monotonic)
        while not stop.is_set():
            try:
                with held(state / "ronde.db", look_over=True) as db, named():
                    _drive(settings, outside, db, stop, _evidence(rest, alive))
            except (DatabaseFailed, DatabaseDamaged) as error:
                if error.code == "disk_full":
                    Ballast(state).drop()
                rest.begin(error)
            while not stop.is_set() and rest.left_s() > 0:
                alive()
                stop.wait(min(1.0, rest.left_s()))


def _drive(settings: Settings, outside: Outside, db: Held, stop: threading.Event, alive: Callable[[], None]) -> None:
    """Put in order what the last round left, and drive the next ones: a pause ends a round."""
    recipients = Recipients(settings.unit, settings.backends)
    closed = close_rounds(db, settings.unit.state, recipients)
    take_hazards(db, recipients)
    swept = sweep(db, settings.unit.state)
    log.info("capture_started", photos_swept=swept, rounds_closed=closed)
    while not stop.is_set():
        _wait_while_paused(db, settings.unit.state, stop, alive)
        if not stop.is_set():
            LiveRound(settings, outside, db, stop, alive).run()


def _wait_while_paused(db: Held, state: Path, stop: threading.Event, alive: Callable[[], None]) -> None:
    """Nothing is photographed, and no fix is read."""
    boot = boot_id()
    teller = Teller(db, boot)
    obey_pauses(db, state)
    while paused_since_s(db, boot) is not None and not stop.is_set():
        teller.tell(Condition("paused", ()), now_s())
        alive()
        stop.wait(PAUSE_LOOK_S)
    obey_pauses(db, state)


def _evidence(rest: Rest, alive: Callable[[], None]) -> Callable[[], None]:
    """Says that a round goes on, and ends the rest once it has gone on for long enough."""
    steady_s = time.monotonic() + STEADY_S

    def going_on() -> None:
        alive()
        if time.monotonic() >= steady_s:
            rest.over()

    return going_on


def _outside(settings: Settings) -> Outside:
    """Receiver, camera and models, loaded once.

    Raises:
        ModelRefused: the privacy model is not usable.
    """
    privacy = TfliteModel(locate(settings.models.privacy), THREADS)
    roads = _roads(settings)
    return Outside(
        source=fixes_of(settings),
        camera=camera_of(settings.camera),
        look=Look(roads, privacy),
        models={model.manifest.name: model.manifest.sha256 for model in (roads, privacy) if model is not None},
        roads_sha256=roads.manifest.sha256 if roads else "",
        safety=watch_of(settings),
    )


def fixes_of(settings: Settings) -> FixSource:
    """gpsd; a simulated camera has its own receiver, since both see the same drive."""
    if settings.camera.kind == "simulated":
        from device.street.live import StreetFixes  # noqa: PLC0415 - a car, which drives on a real one, starts sooner without

        return StreetFixes()
    return GpsdSource(settings.gps.host, settings.gps.port)


def _roads(settings: Settings) -> TfliteModel | None:
    """The roads model; without it photos are still taken, and each says so."""
    try:
        return TfliteModel(locate(settings.models.roads), THREADS)
    except ModelRefused as error:
        log.error("model_refused", reason=str(error))
        return None
