"""A round of the demo: the street is driven, and what camera and receiver say goes through the line of the car.

Pictures are drawn when the line reads them, and never written. What each shows is known, so a `Witness` stands beside the line.
"""

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from sqlite_utils import Database

from device.boot import boot_id, now_s
from device.chooser import Chooser
from device.fix import Fix
from device.frame import Exposure, Frame, Pixels
from device.gate import FixGate
from device.ring import Ring
from device.simulated_round import judged
from device.simulated_senses import BOOT_S, Arrival, Camera, Receiver, senses
from device.speeds import STEP_S
from device.street.drive import TownDrive, drive_town
from device.street.geometry import Pinhole
from device.street.scene import Scene
from device.street.seeds import rng_of
from device.street.truth import true_frame
from device.street.view import View
from inference.look import Look, Looked
from inference.tflite import TfliteModel
from provisioning.settings import Settings
from sync.condition import Condition, Teller, state_of
from sync.demo_truth import Witness
from sync.line import Line, Step
from sync.report import report_of
from sync.round_store import Recipients, RoundStore
from sync.rounds import next_round_id

FROM_M = 0.0
"""Where on the loop it begins. For 1.2 km the sun shines; then it rains, and a tunnel comes."""
ROLLS_MPS, SLOWEST_MPS = 8.0, 2.0
"""The car's speed when a round begins, and what it makes on average at the least, red lights with it."""
GOES_ON_S = 2.5
"""The receiver goes on so long after the last metre: the last photo needs the fix behind it."""
RECEIVER: Final = Receiver()
"""A cheap one: positions are 2 m off on each axis, and keep their error for a minute."""
GEOMETRY: Final = ("width", "height", "height_m", "pitch_deg", "yaw_deg", "hfov_deg", "k1")


@dataclass(frozen=True, slots=True)
class Moment:
    """How far a round has come."""

    number: int
    driven_m: float
    speed_mps: float
    fix: Fix | None
    line: Line


Tell = Callable[[Moment], None]


def town_drive(scene: Scene, number: int, metres: float) -> TownDrive:
    """So many metres of the town's loop, in one of its rounds."""
    drive = drive_town(scene, metres / SLOWEST_MPS + GOES_ON_S, from_m=FROM_M, start_mps=ROLLS_MPS, number=number)
    last = int(np.searchsorted(drive.odometers_m, metres)) + round(GOES_ON_S / STEP_S)
    return replace(drive, speeds_mps=drive.speeds_mps[: last + 1])


class WitnessedLook(Look):
    """The look of the line, and the witness is told what it hid."""

    def __init__(self, roads: TfliteModel, privacy: TfliteModel, witness: Witness) -> None:
        super().__init__(roads, privacy, deadline_s=math.inf)  # the street waits for the line, however slow the machine
        self._witness = witness

    def look(self, frame: Frame) -> Looked:
        """As the line's."""
        looked = super().look(frame)
        self._witness.hid(looked.frame.hidden)
        return looked


class Ride:
    """One round through the line, into the unit's database."""

    def __init__(self, settings: Settings, db: Database, models: tuple[TfliteModel, TfliteModel], drive: TownDrive) -> None:
        unit, spacing_m = settings.unit, settings.trigger.spacing_m
        self.drive, self.witness = drive, Witness()
        self.round_id = next_round_id(db, boot_id())
        self._camera = settings.camera
        self._models = {model.manifest.name: model.manifest.sha256 for model in models}
        self._roads = models[0].manifest.sha256
        self._store = RoundStore(db, unit.state, self.round_id, Recipients(unit, settings.backends), self._roads)
        self._line = Line(Chooser(spacing_m, Ring()), WitnessedLook(*models, self.witness), self._store)
        self._gate = FixGate()
        self._teller = Teller(db, boot_id())
        self._fix: Fix | None = None

    def go(self, started_at: datetime, tell: Tell, stop: threading.Event) -> dict[str, Any] | None:
        """Drive it; the round's report, None where it was told to stop before the end. `tell` is called at each fix and photo."""
        geometry = {name: getattr(self._camera, name) for name in GEOMETRY}
        told = {"spacing_m": self._line.chooser.spacing_m, "camera": geometry, "roads": self._roads}
        self._store.begin(started_at, version("ronde"), self._models, told)
        for arrived in judged(self._arrivals(started_at), self._gate):
            if stop.is_set():
                break
            now_boot_s = self._take(arrived)
            if self._step() or arrived is self._fix:
                self._teller.tell(self._condition(now_boot_s), now_s())
                at_s = now_boot_s - BOOT_S
                tell(Moment(self.drive.round, self.drive.odometer_m(at_s), self.drive.speed_mps(at_s), self._fix, self._line))
        self._line.end()
        self._store.end(self._fix.taken_at if self._fix is not None else started_at)
        source = {"frames_unreadable": 0, "speed_source": self._gate.speed_source, "geometry": "configured"}
        return None if stop.is_set() else report_of(self._line, self.round_id, self._models, source)

    def _arrivals(self, started_at: datetime) -> Iterator[Arrival]:
        """What the receiver and the camera say, in order; a picture is drawn when it is read."""
        scene = self.drive.scene
        rng = rng_of(scene.purpose, scene.seed, "receiver", self.drive.round)
        view = View(self.drive, Pinhole(*(getattr(self._camera, name) for name in GEOMETRY[:-1])))

        def read(at_s: float) -> Pixels:
            frame = true_frame(view, at_s)
            self.witness.drew(frame)
            return frame.pixels

        return senses(self.drive, RECEIVER, Camera(fps=self._camera.fps), rng, read, started_at=started_at)

    def _take(self, arrived: Fix | Exposure) -> float:
        """Feed what has arrived; its moment."""
        if isinstance(arrived, Exposure):
            self._line.take_exposure(arrived)
            return arrived.shutter_boot_s
        self._fix = arrived
        self._line.take_fix(arrived)
        return arrived.boot_s

    def _step(self) -> bool:
        """Let the line do what it can; whether it kept a photo."""
        kept = False
        while (stepped := self._line.step()) is not Step.IDLE:
            kept = kept or stepped is Step.KEPT
        return kept

    def _condition(self, now_boot_s: float) -> Condition:
        """What the unit says of itself."""
        fix_age_s = None if self._fix is None else max(0.0, now_boot_s - self._fix.boot_s)
        troubles = self._gate.troubles(now_boot_s)
        state, reasons = state_of(camera_stalled=False, gpsd_lost=False, fix_age_s=fix_age_s, troubles=troubles)
        counters = {
            "frames": self._line.spacing.frames,
            "dropped": dict(self._line.tally.dropped),
            "rejected": dict(self._gate.rejected),
            "fix_age_s": None if fix_age_s is None else round(fix_age_s, 1),
            "time_source": "unset" if self._fix is None else "gnss",
        }
        return Condition(state, reasons, counters)
