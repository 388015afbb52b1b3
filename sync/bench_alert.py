"""`ronde bench alert`: from the first frame that shows a fire to the broker, with everything else in the way.

A car drives at 50 km/h past fires that a stand-in for the safety model sees. Its outbox holds a backlog, the line answers 0.1 s
later than on the spot, and alerts, their pictures and the backlog have one broker. Everything else is as on a unit: fixes once a
second, the ring, the choice, the hiding, the photo on disk, the database, `ronde sync` as a process of its own.
"""

import argparse
import json
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from device.boot import now_s
from device.chooser import Chooser
from device.earth import offset
from device.fix import Fix
from device.frame import Exposure, Pixels
from device.ring import Ring
from inference.anonymise import AnonymousFrame
from inference.detect import Detection
from inference.look import Look
from inference.manifest import locate
from inference.tflite import TfliteModel
from provisioning.settings import Models
from sync.alert import Alerts
from sync.bar import Bar
from sync.broker import Received, Session, address
from sync.database import open_database
from sync.exit import DONE, UNDONE
from sync.faults.car import Car
from sync.faults.ground import ground
from sync.faults.need import MOSQUITTO
from sync.faults.proxy import Line as BadLine
from sync.faults.proxy import Proxy
from sync.faults.town import Town
from sync.line import Line, Step
from sync.mqtt import PahoBroker
from sync.replay import Progress
from sync.round_store import Recipients, RoundStore

BEHIND: Final = 100_000
ALERTS: Final = 12
LATEST_S: Final = 5.0
"""The goal, for each alert."""
ROUND_TRIP_S: Final = 0.1

SPEED_MPS: Final = 50.0 / 3.6
FPS: Final = 15
EVERY_M: Final = 70.0
SEEN_FROM_M: Final = 40.0
SEEN_TO_M: Final = 12.0
"""A fire each so many metres, seen from so far to so near."""
MORE_S: Final = 10.0


class BenchRefused(Exception):
    """This machine cannot run it; one sentence."""


class _StandIn:
    """Sees a fire ahead where there is one, as a safety model would; `looks` counts."""

    sha256: str | None = "0" * 64

    def __init__(self) -> None:
        self.looks = 0

    def look(self, frame: AnonymousFrame) -> Sequence[Detection]:
        """A box on the road ahead, from `SEEN_FROM_M` to `SEEN_TO_M` before each fire."""
        self.looks += 1
        place = frame.place
        if place is None:
            return ()
        ahead_m = EVERY_M - place.odometer_m % EVERY_M
        if not SEEN_TO_M <= ahead_m <= SEEN_FROM_M:
            return ()
        height, width = frame.pixels.shape[:2]
        foot = min(height - 1.0, height * (0.42 + 1.1 / ahead_m))
        return (Detection("fire", 0.9, (width * 0.55, foot - height * 2.0 / ahead_m, width * 0.62, foot)),)


class _Drive:
    """A straight road northwards, in real time, on a thread of its own."""

    def __init__(self, car: Car, over: threading.Event) -> None:
        self._car = car
        self._over = over
        self.lookout = _StandIn()
        self.failure: BaseException | None = None

    def run(self) -> None:
        """Drive until it is over."""
        try:
            self._run()
        except BaseException as error:  # noqa: BLE001 - raised again by the bench
            self.failure = error
            self._over.set()

    def _run(self) -> None:
        settings = self._car.settings
        db = open_database(self._car.state / "ronde.db")
        try:
            recipients = Recipients(settings.unit, settings.backends)
            store = RoundStore(db, self._car.state, "00000002-1", recipients, "0" * 64)
            store.begin(datetime.now(timezone.utc), version("ronde"), {}, {})
            alerts = Alerts(db, "00000002-1", recipients, self.lookout)
            look = Look(None, TfliteModel(locate(Models().privacy), 1), deadline_s=10.0)
            line = Line(Chooser(4.0, Ring.for_camera(640, 480)), look, store, alerts=alerts)
            self._feed(line)
            line.end()
        finally:
            db.close()

    def _feed(self, line: Line) -> None:
        pixels: Pixels = np.random.default_rng(1).integers(60, 120, (60, 80, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        began_s, began_at = now_s(), datetime.now(timezone.utc)
        exposures = fixes = 0
        while not self._over.is_set():
            at_s = now_s() - began_s
            while exposures / FPS <= at_s:
                line.take_exposure(Exposure(began_s + exposures / FPS, lambda: pixels))
                exposures += 1
            while fixes <= at_s - 0.1:  # a receiver's report comes a moment after its time
                line.take_fix(_fix(fixes, began_s, began_at))
                fixes += 1
            if line.step() is Step.IDLE:
                self._over.wait(1.0 / FPS / 2.0)


def _fix(second: int, began_s: float, began_at: datetime) -> Fix:
    latitude, longitude = offset(43.55, 7.01, 0.0, SPEED_MPS * second)
    return Fix(latitude, longitude, 2.0, SPEED_MPS, 0.0, began_at + timedelta(seconds=second), began_s + second)


def bench_alert(behind: int, alerts: int, progress: Progress = lambda _done, _of: None) -> dict[str, Any]:
    """Drive past so many fires with so many events behind; when each alert reached the broker.

    Raises:
        BenchRefused: there is no mosquitto.
    """
    if (missing := MOSQUITTO.missing()) is not None:
        raise BenchRefused(missing)
    with ground() as place:
        town = Town(place)
        proxy = Proxy(town.broker.port, BadLine(delay_s=ROUND_TRIP_S / 2.0))
        place.at_end(proxy.close)
        car = Car(place, town, url=f"mqtts://127.0.0.1:{proxy.port}")
        car.streams = ("finding", "track", "alert", "evidence", "health")
        car.configure(f"mqtts://127.0.0.1:{proxy.port}")
        car.fill(behind)
        paper = town.broker.authority.issue("receiver", "observer")
        where = address(town.broker.url, town.broker.authority.ca, paper.cert, paper.key)
        observer = PahoBroker(where, Session("observer", ("ronde/v1/+/+/alert",), 0))
        place.at_end(observer.close)
        over = threading.Event()
        place.at_end(over.set)
        drive = _Drive(car, over)
        sync = car.sync()
        thread = threading.Thread(target=drive.run, name="drive")
        thread.start()
        try:
            late_s = _observe(observer, alerts, over, progress)
            left = car.waiting()
        finally:
            over.set()
            thread.join()
        sync.stop()
    if drive.failure is not None:
        raise drive.failure
    return _result(behind, left, late_s, alerts)


def _observe(observer: PahoBroker, alerts: int, over: threading.Event, progress: Progress) -> list[float]:
    """Seconds from the first frame of each alert to its arrival at the broker; both by this machine's clock."""
    late_s: list[float] = []
    until_s = time.monotonic() + MORE_S + (alerts + 1) * EVERY_M / SPEED_MPS + LATEST_S
    while len(late_s) < alerts and time.monotonic() < until_s and not over.is_set():
        for outcome in observer.take(0.2):
            if not isinstance(outcome, Received):
                continue
            told = json.loads(outcome.payload)["data"]["properties"]
            if told["state"] == "began":
                first = datetime.fromisoformat(told["first_seen_at"].replace("Z", "+00:00"))
                late_s.append((datetime.now(timezone.utc) - first).total_seconds())
                progress(len(late_s), alerts)
    return late_s


def _result(behind: int, left: int, late_s: Sequence[float], alerts: int) -> dict[str, Any]:
    missed = [] if len(late_s) >= alerts else ["every fire is told"]
    missed += [] if late_s and max(late_s) <= LATEST_S else ["latest"]
    return {
        "software": version("ronde"),
        "behind": behind,
        "left": left,
        "round_trip_s": ROUND_TRIP_S,
        "fires": alerts,
        "alerts": len(late_s),
        "median_s": round(float(np.median(late_s)), 2) if late_s else None,
        "latest_s": round(max(late_s), 2) if late_s else None,
        "goals_missed": missed,
    }


def in_words(result: Mapping[str, Any]) -> str:
    """The result for a person."""
    return (
        f"{result['alerts']} alerts of {result['fires']} fires, over a line that answers after {result['round_trip_s']:g} s, "
        f"with {result['behind']:,} events behind ({result['left']:,} were left at the end):\n"
        f"from the first frame to the broker {result['median_s']} s in the median, {result['latest_s']} s at most "
        f"(goal {LATEST_S:g} s)\ngoals missed: {', '.join(result['goals_missed']) or 'none'}"
    )


def run(args: argparse.Namespace) -> int:
    """Runs the bench for the command line; 3 where a goal is missed."""
    with Bar("bench alert") as progress:
        result = bench_alert(BEHIND if args.behind is None else args.behind, ALERTS, progress)
    print(json.dumps(result) if args.json else in_words(result))
    return UNDONE if result["goals_missed"] else DONE
