"""Alerts in the line: written at once, sent first of all, with a picture and an end, whatever happens to the unit."""

import json
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from types import MappingProxyType, SimpleNamespace

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from device.earth import offset
from device.frame import Frame, Place
from inference.anonymise import hide
from inference.detect import Detection
from inference.look import Looked
from provisioning.settings import Backend, Unit
from sync.alert import Alerts, SafetyLookout
from sync.database import open_database, transaction
from sync.delivery import deliver_once
from sync.event import SCHEMAS, schema
from sync.evidence_wanted import Cutter
from sync.failure import DatabaseFailed
from sync.outbox import Outbox
from sync.round_store import Recipients, RoundStore
from sync.rounds import close_rounds

UNIT = Unit("cannes", "car-07")
ROADS = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None)
DESK = Backend("desk", "mqtt://127.0.0.1:1884", None, None, None, ("alert", "evidence", "health"))
QUIET = Backend("quiet", "mqtt://127.0.0.1:1885", None, None, None, ("alert",))
START = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)
ROUND = "aaaaaaaa-1"
FIRE = Detection("fire", 0.9, (700.0, 300.0, 800.0, 560.0))
PIXELS = np.full((1088, 1456, 3), 90, np.uint8)


class StandIn:
    """Sees what the test says; `sha256` is None while nobody looks."""

    def __init__(self):
        self.sha256 = "ab" * 32
        self.sees = ()

    def look(self, _frame):
        return self.sees


@contextmanager
def timed(_stage):
    yield


class Driven:
    """A round that is being driven, with a stand-in for the safety model."""

    def __init__(self, state, backends=(ROADS, DESK, QUIET)):
        self.state = state
        self.db = open_database(state / "ronde.db")
        self.recipients = Recipients(UNIT, backends)
        self.store = RoundStore(self.db, state, ROUND, self.recipients, "c" * 64)
        self.store.begin(START, "0", {}, {})
        self.lookout = StandIn()
        self.alerts = Alerts(self.db, ROUND, self.recipients, self.lookout)
        self.n = 0

    def frame(self, *seen):
        at = START + timedelta(seconds=0.3 * self.n)
        latitude, longitude = offset(43.55, 7.01, 0.0, 4.0 * self.n)
        place = Place(latitude, longitude, 2.0, 0.0, 14.0, 4.0 * self.n, "between_fixes", at, "gnss")
        anonymous = hide(Frame(PIXELS, 0.3 * self.n, place), [])
        kept = self.store.keep(Looked(anonymous, (), MappingProxyType({})), timed)
        self.lookout.sees = seen
        self.n += 1
        self.alerts.take(kept.frame_id, anonymous)

    def events(self, backend, stream="alert"):
        rows = self.db.conn.execute(
            "SELECT payload FROM outbox WHERE backend = ? AND stream = ? ORDER BY seq", [backend, stream]
        ).fetchall()
        return [row[0] if stream == "evidence" else json.loads(row[0]) for row in rows]


@pytest.fixture
def driven(tmp_path):
    made = Driven(tmp_path)
    yield made
    made.db.close()


@pytest.fixture(scope="module")
def valid():
    registry = Registry().with_resources(
        [(f"urn:ronde:schema:{name}:1", Resource.from_contents(schema(name))) for name in SCHEMAS]
    )
    return Draft202012Validator(schema("event"), registry=registry).validate


def test_two_of_three_frames_are_told_to_whom_it_concerns_with_the_place_of_the_fire(driven, valid):
    driven.frame(FIRE)
    assert driven.events("desk") == []
    driven.frame()
    driven.frame(FIRE)
    [event], [_] = driven.events("desk"), driven.events("quiet")
    assert driven.events("roads") == []
    valid(event)
    told = event["data"]["properties"]
    assert (told["state"], told["over"], told["label"], told["event"]) == ("began", None, "fire", "outbreak_of_fire")
    assert (told["alert_id"], event["subject"], told["rule"]) == (f"{ROUND}-a1", f"{ROUND}-a1", "two_of_three")
    assert event["time"] == told["first_seen_at"] == "2026-05-04T09:00:00.000Z"
    longitude, latitude = event["data"]["geometry"]["coordinates"]
    assert latitude > 43.55  # ahead of the car, not the car
    assert abs(longitude - 7.01) < 0.001


def test_it_ends_once_with_what_was_seen_and_the_ids_differ(driven, valid):
    for _ in range(4):
        driven.frame(FIRE)
    driven.alerts.end()
    began, ended = driven.events("desk")
    valid(ended)
    assert (ended["data"]["properties"]["over"], ended["data"]["properties"]["frames"]) == ("round_ended", 4)
    assert began["id"] != ended["id"]
    assert (began["subject"], began["sequence"]) < (ended["subject"], ended["sequence"])
    driven.alerts.end()
    assert len(driven.events("desk")) == 2


def test_when_the_permission_ends_so_does_the_alert(driven):
    driven.frame(FIRE)
    driven.frame(FIRE)
    driven.lookout.sha256 = None
    driven.frame(FIRE)
    driven.frame(FIRE)
    assert [each["data"]["properties"]["over"] for each in driven.events("desk")] == [None, "not_allowed"]


def test_its_picture_goes_to_whom_the_alert_went_and_before_other_pictures(driven):
    driven.frame(FIRE)
    driven.frame(FIRE)
    assert Cutter(driven.db, driven.state, UNIT, driven.recipients.backends).cut() == 1
    [picture] = driven.events("desk", "evidence")
    assert picture.startswith(b"\xff\xd8")
    assert (driven.events("roads", "evidence"), driven.events("quiet", "evidence")) == ([], [])
    priorities = dict(driven.db.conn.execute("SELECT stream, priority FROM outbox WHERE backend = 'desk'").fetchall())
    assert (priorities["alert"], priorities["evidence"]) == (0, 1)


def test_a_database_that_fails_tells_it_at_the_next_frame_and_once(driven):
    driven.frame(FIRE)
    driven.db.conn.execute(
        "CREATE TEMP TRIGGER full BEFORE INSERT ON alert BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    )
    with pytest.raises(DatabaseFailed):
        driven.frame(FIRE)
    assert driven.events("desk") == []
    driven.db.conn.execute("DROP TRIGGER full")
    driven.frame(FIRE)
    driven.frame(FIRE)
    assert [each["data"]["properties"]["state"] for each in driven.events("desk")] == ["began"]


def test_what_a_power_cut_leaves_open_is_ended_at_the_next_start(driven, valid):
    driven.frame(FIRE)
    driven.frame(FIRE)
    close_rounds(driven.db, driven.state, driven.recipients)
    _, ended = driven.events("desk")
    valid(ended)
    assert ended["data"]["properties"]["over"] == "unit_stopped"
    close_rounds(driven.db, driven.state, driven.recipients)
    assert len(driven.events("desk")) == 2


def test_a_frame_without_a_place_tells_nothing(driven):
    driven.lookout.sees = (FIRE,)
    for n in range(3):
        driven.alerts.take(f"{ROUND}-{n:06d}", hide(Frame(PIXELS, 0.0, None), []))
    assert driven.events("desk") == []


def test_the_lookout_of_a_unit_is_its_safety_model_as_long_as_it_is_there():
    model = SimpleNamespace(manifest=SimpleNamespace(sha256="cd" * 32))
    watch = SimpleNamespace(model=model, look=lambda _frame: (FIRE,))
    lookout = SafetyLookout(watch)
    assert (lookout.sha256, lookout.look(None)) == ("cd" * 32, (FIRE,))
    watch.model = None
    assert lookout.sha256 is None


def test_an_alert_overtakes_a_backlog_and_its_picture_overtakes_other_pictures(car, town, rows, finding_event):
    car.settings = replace(car.settings, backends=(replace(car.backend, streams=("finding", "alert", "evidence")),))
    car.put(1, 300)
    driven = Driven(car.unit.state, car.settings.backends)
    with closing(driven.db):
        driven.recipients = Recipients(car.unit, car.settings.backends)
        driven.alerts = Alerts(driven.db, ROUND, driven.recipients, driven.lookout)
        driven.frame(FIRE)
        driven.frame(FIRE)
        with transaction(driven.db):
            Outbox(driven.db).put(finding_event(car.unit, 301), car.settings.backends)
    with town.open():
        assert deliver_once(car.settings).done
    stored = [type_ for (type_,) in rows(town.file, "SELECT type FROM event ORDER BY seq") if type_ != "ronde.birth.v1"]
    assert stored[0] == "ronde.alert.v1"
    assert stored.count("ronde.evidence.v1") == 1
