"""A unit's database in which a capture has told something, and its panel served on loopback."""

import http.client
import json
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from device.boot import boot_id, now_s
from provisioning.settings import Panel, Settings, Unit
from sync.database import open_database, transaction
from sync.event import iso
from sync.panel.server import serving_panel

DEADLINE_S = 30.0


@dataclass
class Answer:
    status: int
    headers: dict
    text: str

    @property
    def json(self):
        return json.loads(self.text)


@dataclass
class Car:
    """The state folder of a unit, and what its capture and sync tell."""

    state: Path

    def open(self):
        return closing(open_database(self.state / "ronde.db"))

    def tell(self, state, *reasons, age_s=0.0, name="capture", boot=None, **counters):
        with self.open() as db, transaction(db):
            db.conn.execute(
                "INSERT OR REPLACE INTO condition (name, boot, at_boot_s, at, state, reasons, counters) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                [name, boot or boot_id(), now_s() - age_s, iso(now()), state, json.dumps(reasons), json.dumps(counters)],
            )

    def drive(self, *, frames=3, findings=("pothole",), number=1):
        """A round of today."""
        round_id = f"{boot_id()[:8]}-{number}"
        with self.open() as db, transaction(db):
            db.conn.execute(
                "INSERT INTO round (id, started_at, ended_at, software, models, settings) VALUES (?, ?, NULL, '1', '{}', '{}')",
                [round_id, iso(now())],
            )
            for n in range(frames):
                db.conn.execute(
                    "INSERT INTO frame (id, round_id, taken_at, time_source, latitude_deg, longitude_deg, accuracy_m, "
                    "odometer_m, position_source, hidden, shutter_boot_s) "
                    "VALUES (?, ?, ?, 'gnss', 43.55, 7.01, 3.0, ?, 'between_fixes', 0, ?)",
                    [f"{round_id}-{n:06d}", round_id, iso(now()), 4.0 * n, now_s()],
                )
            for n, label in enumerate(findings, 1):
                db.conn.execute(
                    "INSERT INTO finding (id, round_id, label, score, latitude_deg, longitude_deg, uncertainty_m, frames, "
                    "best_frame_id) VALUES (?, ?, ?, 0.9, 43.55, 7.01, 1.0, 3, ?)",
                    [f"{round_id}-f{n}", round_id, label, f"{round_id}-{0:06d}"],
                )

    def requests(self):
        with self.open() as db:
            return db.conn.execute("SELECT kind, note FROM request ORDER BY id").fetchall()

    def obey(self):
        """What the capture does with a pause."""
        with self.open() as db, transaction(db):
            db.conn.execute("UPDATE request SET taken_at = made_at WHERE kind != 'hazard'")


def now():
    return datetime.now(timezone.utc)


@dataclass
class Served:
    """The panel of a car. `press` sends what the page's own form does, unless other headers are named."""

    address: str
    car: Car

    def ask(self, path="/", method="GET", body=None, **headers):
        sent = {name.replace("_", "-"): value for name, value in headers.items() if value is not None}
        with closing(http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=DEADLINE_S)) as line:
            line.request(method, path, body=body, headers=sent)
            answer = line.getresponse()
            known = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, known, answer.read().decode())

    def press(self, what, origin="same", accept="application/json", host=None, form=None, **headers):
        origin = self.address.rstrip("/") if origin == "same" else origin
        kind = "application/x-www-form-urlencoded"
        body = urlencode({"lang": "en", **(form or {})})
        return self.ask(f"/{what}", "POST", body, origin=origin, accept=accept, host=host, content_type=kind, **headers)


@pytest.fixture
def car(tmp_path):
    made = Car(tmp_path)
    with made.open():
        return made


@pytest.fixture
def serve(tmp_path, free_ports):
    """Serves the panel of a state folder; options of [panel] by name."""
    with ExitStack() as stack:

        def served(car=None, factory=None, **options):
            panel = Panel(address=options.pop("address", "127.0.0.1"), port=options.pop("port", free_ports()), **options)
            settings = Settings(Unit("cannes", "car-07", tmp_path if car is None else car.state), panel=panel)
            return Served(stack.enter_context(serving_panel(settings, factory)), car)

        yield served


@pytest.fixture
def as_served():
    """A panel that another process serves."""
    return Served
