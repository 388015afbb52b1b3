"""The safety model is in memory while a permission holds, and not there otherwise; the audit log says when and why."""

import importlib.util
import json
import weakref
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from device.fix import Fix
from device.frame import Frame, Place
from inference.anonymise import hide
from inference.tflite import TfliteModel
from provisioning import authorisation
from provisioning.certificate import public_pem
from provisioning.settings import Models, Settings, Unit
from provisioning.signed import signed
from sync.audit import LOG, Audit
from sync.audit_check import examine
from sync.authorised import Allowed, Gate
from sync.safety import REST_S, STALE_S, SafetyWatch, watch_of

NOW = datetime(2026, 5, 14, 12, tzinfo=timezone.utc)
TOWN = ed25519.Ed25519PrivateKey.generate()
INSIDE, OUTSIDE = (43.55, 7.02), (43.55, 7.05)
SQUARE = [[7.00, 43.54], [7.04, 43.54], [7.04, 43.56], [7.00, 43.56], [7.00, 43.54]]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A tiny model that finds pure red as fire and pure green as smoke."""
    found = importlib.util.spec_from_file_location("tiny_models", Path(__file__).parents[1] / "inference" / "conftest.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    folder = tmp_path_factory.mktemp("models")
    return {task: module.write_model(folder, f"{task}-tiny", task) for task in ("safety", "roads")}


class Ride:
    """A watch, and the world around it at a moment of the boot clock."""

    def __init__(self, folder, model):
        self.etc, self.state = folder / "etc", folder / "state"
        self.etc.mkdir()
        self.state.mkdir()
        self.boot_s = 100.0
        (self.etc / "town.pem").write_bytes(public_pem(TOWN.public_key()))
        gate = Gate(Unit("cannes", "car-07", self.state), self.etc)
        self.loads = []
        self.watch = SafetyWatch(gate, model, Audit(self.state), load=self._load, clock=lambda: self.boot_s)

    def _load(self, file):
        model = TfliteModel(file)
        self.loads.append(weakref.ref(model))
        return model

    def permit(self, **changes):
        document = {
            "kind": authorisation.KIND,
            "number": 7,
            "authority": "le maire",
            "legal_reference": "arrêté 2026-114",
            "units": ["cannes/car-07"],
            "area": {"type": "Polygon", "coordinates": [SQUARE]},
            "from": authorisation.text_of(NOW - timedelta(hours=1)),
            "to": authorisation.text_of(NOW + timedelta(minutes=10)),
            "events": ["outbreak_of_fire"],
        }
        (self.etc / "authorisation.json").write_text(json.dumps(signed(document | changes, TOWN)))

    def fix(self, where=INSIDE, boot_s=None):
        boot_s = self.boot_s if boot_s is None else boot_s
        return Fix(*where, 3.0, 10.0, 0.0, NOW + timedelta(seconds=boot_s - 100.0), boot_s)

    def said(self):
        """(what, why or permission) of each line of the audit log."""
        if not (self.state / LOG).exists():
            return []
        entries = [json.loads(line) for line in (self.state / LOG).read_text().splitlines()]
        return [(each["what"], each["about"].get("why", each["about"].get("permission"))) for each in entries]

    def alive(self):
        """Models that are still in memory, whoever holds them."""
        return [each for each in self.loads if each() is not None]


@pytest.fixture
def ride(tmp_path, tiny):
    return Ride(tmp_path, tiny["safety"])


def frame(where=INSIDE, taken_at=NOW, colour=(255, 0, 0), clock="gnss"):
    place = Place(*where, 3.0, 0.0, 10.0, 5.0, "between_fixes", taken_at, clock)
    return hide(Frame(np.full((64, 96, 3), colour, np.uint8), 100.0, place), ())


def test_it_is_loaded_with_a_permission_and_finds_fire(ride):
    ride.permit()
    assert isinstance(ride.watch.turn(ride.fix()), Allowed)
    assert ride.watch.model.manifest.task == "safety"
    assert {each.label for each in ride.watch.look(frame())} == {"fire"}
    assert {each.label for each in ride.watch.look(frame(colour=(0, 255, 0)))} == {"smoke"}
    assert ride.watch.look(frame(colour=(0, 0, 255))) == ()
    assert ride.said() == [("model_loaded", 7)]
    assert examine(ride.state).wrong == ()
    told = json.loads((ride.state / LOG).read_text())
    assert told["clock"] == "gnss"
    assert told["at"] == "2026-05-14T12:00:00.000Z"
    assert told["about"]["legal_reference"] == "arrêté 2026-114"


def test_without_one_it_is_never_read(ride):
    for _ in range(5):
        ride.watch.turn(None)
        ride.watch.turn(ride.fix())
        ride.boot_s += 1.0
    assert ride.watch.model is None
    assert ride.loads == []
    assert ride.watch.look(frame()) == ()
    assert ride.said() == [("model_not_loaded", "missing")]


def test_before_the_satellites_have_told_the_time_it_is_not_loaded(ride):
    ride.permit()
    ride.watch.turn(None)
    assert ride.loads == []
    ride.watch.turn(ride.fix())
    assert ride.said() == [("model_not_loaded", "clock_unset"), ("model_loaded", 7)]


def test_it_ends_in_the_middle_of_a_round_to_the_second(ride):
    ride.permit()
    for second in range(700):
        ride.boot_s = 100.0 + second
        ride.watch.turn(ride.fix())
        assert (ride.watch.model is not None) == (second < 600), second
    assert ride.alive() == []
    assert ride.said() == [("model_loaded", 7), ("model_unloaded", "expired")]


def withdraw(ride):
    document = {"kind": authorisation.WITHDRAWAL_KIND, "fleet": "cannes", "up_to": 7, "reason": "over"}
    (ride.etc / "withdrawal.json").write_text(json.dumps(signed(document, TOWN)))


ENDS = {
    "withdrawn": withdraw,
    "missing": lambda ride: (ride.etc / "authorisation.json").unlink(),
    "no_key": lambda ride: (ride.etc / "town.pem").unlink(),
    "forged": lambda ride: (ride.etc / "authorisation.json").write_text("{}"),
    "other_unit": lambda ride: ride.permit(number=8, units=["cannes/car-08"]),
    "replayed": lambda ride: ride.permit(number=6),
}


@pytest.mark.parametrize("why", ENDS)
def test_whatever_becomes_of_the_permission_the_model_is_gone_at_the_next_turn(ride, why):
    ride.permit()
    ride.watch.turn(ride.fix())
    assert len(ride.alive()) == 1
    ENDS[why](ride)
    assert ride.watch.look(frame()) == (), "a frame of the very moment is not looked at any more"
    ride.boot_s += 0.1
    ride.watch.turn(ride.fix())
    assert ride.watch.model is None
    assert ride.watch.labels == ()
    assert ride.alive() == []
    assert ride.said()[-1] == ("model_unloaded", why)


def test_outside_the_area_it_is_gone_and_comes_back_only_after_a_rest(ride):
    ride.permit()
    ride.watch.turn(ride.fix())
    ride.watch.turn(ride.fix(OUTSIDE))
    assert ride.alive() == []
    for _ in range(20):  # along the edge
        ride.boot_s += REST_S / 21
        ride.watch.turn(ride.fix(INSIDE))
        ride.watch.turn(ride.fix(OUTSIDE))
    assert len(ride.loads) == 1
    ride.boot_s += REST_S
    ride.watch.turn(ride.fix())
    assert ride.watch.model is not None
    assert ride.said() == [("model_loaded", 7), ("model_unloaded", "outside"), ("model_loaded", 7)]


def test_where_it_is_not_known_where_the_car_is_it_is_gone(ride):
    ride.permit()
    fix = ride.fix()
    ride.watch.turn(fix)
    ride.boot_s += STALE_S
    ride.watch.turn(fix)
    assert ride.watch.model is not None
    ride.boot_s += 0.1
    ride.watch.turn(fix)
    assert ride.alive() == []
    assert ride.said()[-1] == ("model_unloaded", "no_place")


@pytest.mark.parametrize(
    "shot",
    [
        {"where": OUTSIDE},
        {"taken_at": NOW + timedelta(minutes=10)},
        {"taken_at": NOW - timedelta(hours=2)},
        {"taken_at": None, "clock": "unset"},
        {"clock": "system"},
    ],
)
def test_a_frame_is_looked_at_only_if_the_permission_holds_for_that_very_frame(ride, shot):
    ride.permit()
    ride.watch.turn(ride.fix())
    assert ride.watch.look(frame(**shot)) == ()
    assert ride.watch.look(frame()) != ()


def test_a_frame_without_a_place_is_not_looked_at(ride):
    ride.permit()
    ride.watch.turn(ride.fix())
    assert ride.watch.look(hide(Frame(np.full((64, 96, 3), (255, 0, 0), np.uint8), 100.0, None), ())) == ()


def test_between_rounds_nothing_is_loaded(ride):
    ride.permit()
    ride.watch.turn(ride.fix())
    ride.watch.close()
    assert ride.alive() == []
    ride.watch.turn(ride.fix())
    assert ride.watch.model is not None, "the next round does not wait"
    assert [what for what, _ in ride.said()] == ["model_loaded", "model_unloaded", "model_loaded"]


def test_another_permission_begins_anew(ride):
    ride.permit()
    ride.watch.turn(ride.fix())
    ride.permit(number=8)
    ride.watch.turn(ride.fix())
    assert ride.watch.model is None
    ride.boot_s += REST_S
    ride.watch.turn(ride.fix())
    assert ride.said()[-1] == ("model_loaded", 8)


def test_what_cannot_be_noted_is_not_loaded(ride):
    ride.permit()
    (ride.state / LOG).mkdir()
    ride.watch.turn(ride.fix())
    assert ride.watch.model is None
    assert ride.alive() == []
    (ride.state / LOG).rmdir()
    ride.boot_s += REST_S
    ride.watch.turn(ride.fix())
    assert ride.watch.model is not None


def test_a_model_for_something_else_is_not_loaded(tmp_path, tiny):
    ride = Ride(tmp_path, tiny["roads"])
    ride.permit()
    ride.watch.turn(ride.fix())
    assert ride.watch.model is None
    assert ride.alive() == []
    assert ride.said() == []


def test_the_same_reason_is_noted_seldom(ride):
    ride.permit(to=authorisation.text_of(NOW + timedelta(hours=2)))
    for second in range(1300):
        ride.boot_s = 100.0 + second
        ride.watch.turn(ride.fix(OUTSIDE) if second % 2 else None)
    said = [why for _, why in ride.said()]
    assert 2 <= said.count("outside") <= 3
    assert set(said) == {"outside", "clock_unset"}


def test_without_a_model_in_the_configuration_no_permission_is_ever_read(tmp_path):
    watch = watch_of(Settings(Unit("cannes", "car-07", tmp_path), models=Models()))
    watch.turn(None)
    assert watch.refusal.code == "missing"
    assert list(tmp_path.iterdir()) == []
