"""`ronde demo`: the whole product on one machine: two rounds of a car through a street that ronde draws, a week apart.

Nothing is played: the line, the outbox, `ronde sync`, the broker, the receiver and the map are those of a town. Only the street
is drawn, and so its truth is known.
"""

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final, Protocol

from sqlite_utils import Database

from device.boot import boot_id, now_s
from device.street.drive import TownDrive
from device.street.furnish import make_scene
from device.street.seeds import Purpose
from provisioning.settings import Backend, Camera, Settings, Unit
from sync.condition import Condition, Teller
from sync.database import open_database
from sync.demo_options import LEAST_M, MOST_M, DemoRefused
from sync.demo_ride import Moment, Ride, town_drive
from sync.demo_town import RECEIVER_DB, broker, delivering, join_rounds, known_things, receiver, stored, town_map
from sync.demo_truth import Known, Told, changes, score
from sync.event import iso
from sync.export import export_findings
from sync.health import BYTES_KEY
from sync.outbox import Outbox
from sync.receiver.seen import ThingKnown
from sync.replay import load_models
from sync.rounds import only_one

PURPOSE: Final[Purpose] = "demo"
SEED = 1
APART: Final = timedelta(days=7)
"""Between the two rounds."""
CAMERA: Final = Camera(kind="simulated", width=640, height=480)
OVER: Final = ("repaired", "gone")
DELIVERED_S = 60.0
"""How long the end waits for the receiver to have it all."""
MARK, GEOJSON, UNIT = "demo.json", "findings.geojson", "unit"
OWN: Final = (UNIT, RECEIVER_DB, f"{RECEIVER_DB}-wal", f"{RECEIVER_DB}-shm", "broker.toml", GEOJSON)
"""What a demo that is driven anew removes of the last one; nothing else in its folder is touched."""


@dataclass(frozen=True, slots=True)
class Sent:
    """Events that the unit made, that still wait in its outbox, and bytes that it sent."""

    made: int
    waiting: int
    bytes: int


class Screen(Protocol):
    """What is told of a demo as it goes on."""

    def begin(self, folder: Path) -> None:
        """This folder is the demo's."""
        ...

    def opened(self, address: str) -> None:
        """The map is served there."""
        ...

    def show(self, moment: Moment, sent: Sent) -> None:
        """It has come so far: told at each fix and photo."""
        ...

    def stay(self, result: Mapping[str, Any], address: str, idle: Callable[[], None]) -> None:
        """It is done, and the map is served until this returns; `idle` is to be called every few seconds until then."""
        ...


def run_demo(out: Path, metres: float, stop: threading.Event, screen: Screen) -> dict[str, Any] | None:
    """Drive, deliver and receive into `out`; what came of it, or None where it was told to stop before the end.

    A folder that holds a finished demo is shown again; one that was cut off is driven anew.

    Raises:
        DemoRefused: `out` holds something else, or no such distance can be driven.
        AlreadyRunning: another demo uses the folder.
    """
    if not LEAST_M <= metres <= MOST_M:
        raise DemoRefused(f"--metres {metres:g} cannot be driven; allowed: {LEAST_M:g} to {MOST_M:g}")
    folder = out.resolve()
    _look_into(folder)
    with only_one(folder, "capture"), ExitStack() as stack:
        screen.begin(folder)
        result = _finished(folder, metres)
        if result is not None:
            address = stack.enter_context(town_map(folder / RECEIVER_DB))
            screen.opened(address)
            screen.stay(result, address, lambda: None)
            return result
        _begin(folder)
        scene = make_scene(PURPOSE, SEED)
        drives = [town_drive(scene, number, metres) for number in (1, 2)]
        url = stack.enter_context(broker(folder))
        stack.enter_context(receiver(url, folder / RECEIVER_DB))
        address = stack.enter_context(town_map(folder / RECEIVER_DB))
        screen.opened(address)
        unit = Unit("demo", "car-01", folder / UNIT)
        settings = Settings(unit, camera=CAMERA, backends=(Backend("roads", url, None, None, None),))
        db = stack.enter_context(closing(open_database(unit.state / "ronde.db")))
        stack.enter_context(delivering(settings))
        result = _drive(settings, db, drives, stop, screen)
        if result is not None:
            _finish(folder, metres, result)
            screen.stay(result, address, _standing(db))
    return result


def _drive(
    settings: Settings, db: Database, drives: Sequence[TownDrive], stop: threading.Event, screen: Screen
) -> dict[str, Any] | None:
    """Both rounds and their delivery."""
    began_s, cpu_s = time.monotonic(), time.process_time()
    models, scene = load_models(settings.models), drives[0].scene
    ended_at = datetime.now(timezone.utc).replace(microsecond=0)
    state, town = settings.unit.state, settings.unit.state.parent / RECEIVER_DB
    rounds, scores = [], []
    for drive in drives:
        ride = Ride(settings, db, models, drive)
        started_at = ended_at - timedelta(seconds=round(drive.seconds)) - APART * (len(drives) - drive.round)
        report = ride.go(started_at, lambda moment: screen.show(moment, _sent(db)), stop)
        if report is None:
            return None
        delivered = _delivered(db, stop)
        join_rounds(town)
        scores.append(score(scene, drive.round, ride.witness, _told(db, ride.round_id)))
        rounds.append({"report": report, "findings": scores[-1].labels, "hiding": ride.witness.hiding()})
    things = known_things(town)
    return {
        "done": delivered,
        "folder": str(state.parent),
        "rounds": rounds,
        "changes": changes(scene, scores[0], scores[1], [_known(each, iso(started_at)) for each in things]),
        "things": dict(sorted(Counter(each.state for each in things).items())),
        "stored": stored(town),
        "sent_bytes": _sent(db).bytes,
        "photo_bytes": sum(file.stat().st_size for file in state.rglob("*.jpg")),
        "took_s": round(time.monotonic() - began_s, 1),
        "cpu_s": round(time.process_time() - cpu_s, 1),
    }


def _told(db: Database, round_id: str) -> list[Told]:
    rows = db.conn.execute("SELECT label, latitude_deg, longitude_deg, uncertainty_m FROM finding WHERE round_id = ?", [round_id])
    return [Told(*row) for row in rows]


def _known(thing: ThingKnown, second_began_at: str) -> Known:
    told = Told(thing.label, thing.latitude_deg, thing.longitude_deg, thing.uncertainty_m or 0.0)
    return Known(told, thing.state in OVER, thing.first_seen_at >= second_began_at)


def _sent(db: Database) -> Sent:
    waiting = Outbox(db).size().rows
    (sent,) = db.conn.execute("SELECT coalesce(sum(value), 0) FROM setting WHERE key GLOB ?", [f"{BYTES_KEY}*"]).fetchone()
    made = db.conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return Sent(made[0] if made else 0, waiting, int(sent))


def _delivered(db: Database, stop: threading.Event) -> bool:
    """Waits until the receiver has confirmed everything; whether it has."""
    outbox, until_s = Outbox(db), time.monotonic() + DELIVERED_S
    while outbox.size().rows and time.monotonic() < until_s and not stop.is_set():
        stop.wait(0.1)
    return not outbox.size().rows and not outbox.refused()


def _standing(db: Database) -> Callable[[], None]:
    """Says again and again that the car stands: who is silent is taken for broken."""
    teller = Teller(db, boot_id())
    return lambda: teller.tell(Condition("waiting", ("stopped",), {"time_source": "gnss"}), now_s())


def _look_into(folder: Path) -> None:
    """See that nobody else's things are there."""
    if folder.exists() and not (folder / MARK).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DemoRefused(f"{folder} is there and holds no demo: name a new folder with --out")


def _finished(folder: Path, metres: float) -> dict[str, Any] | None:
    """The result of a demo of this length that went to its end here."""
    if not (folder / MARK).exists():
        return None
    held = json.loads((folder / MARK).read_text(encoding="utf-8"))
    result: dict[str, Any] | None = held["result"] if held["metres"] == metres else None
    return result


def _begin(folder: Path) -> None:
    """An empty unit and an empty town."""
    _write(folder, 0.0, None)
    for name in OWN:
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        else:
            (folder / name).unlink(missing_ok=True)
    (folder / UNIT).mkdir()


def _finish(folder: Path, metres: float, result: Mapping[str, Any]) -> None:
    (folder / GEOJSON).write_text(json.dumps(export_findings(folder / UNIT / "ronde.db")) + "\n", encoding="utf-8")
    _write(folder, metres, result)


def _write(folder: Path, metres: float, result: Mapping[str, Any] | None) -> None:
    partial = folder / f"{MARK}.part"
    partial.write_text(json.dumps({"metres": metres, "result": result}) + "\n", encoding="utf-8")
    partial.replace(folder / MARK)
