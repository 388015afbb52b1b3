"""A permission that is missing, forged, replayed, withdrawn, for others, out of time or out of place is none: a case of each."""

import base64
import json
import math
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning import authorisation
from provisioning.authorisation import EVENTS, FIRE
from provisioning.certificate import public_pem
from provisioning.settings import Unit
from provisioning.signed import signed
from sync.authorised import FLOOR_FILE, Allowed, Gate, Refused

NOW = datetime(2026, 5, 14, 12, tzinfo=timezone.utc)
DAY = timedelta(days=1)
TOWN = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STRANGER = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
SQUARE = [[7.00, 43.54], [7.04, 43.54], [7.04, 43.56], [7.00, 43.56], [7.00, 43.54]]
HOLE = [[7.01, 43.545], [7.02, 43.545], [7.02, 43.55], [7.01, 43.55], [7.01, 43.545]]
METRE_DEG = 1 / 111_195
UNCHANGED = object()


@dataclass(frozen=True)
class Spot:
    latitude_deg: float = 43.555
    longitude_deg: float = 7.03
    accuracy_m: float = 3.0


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


def permission(**changes):
    document = {
        "kind": authorisation.KIND,
        "number": 7,
        "authority": "Ville de Cannes, le maire",
        "legal_reference": "arrêté municipal 2026-114",
        "units": ["cannes/car-07"],
        "area": polygon(SQUARE, HOLE),
        "from": authorisation.text_of(NOW - DAY),
        "to": authorisation.text_of(NOW + DAY),
        "events": [FIRE],
    }
    return {name: value for name, value in {**document, **changes}.items() if value is not UNCHANGED}


class Box:
    """The unit's folders and its gate."""

    def __init__(self, folder):
        self.etc, self.state = folder / "etc", folder / "state"
        self.etc.mkdir()
        self.state.mkdir()
        self.trust(TOWN)
        self.gate = Gate(Unit("cannes", "car-07", self.state), self.etc)

    def trust(self, key):
        (self.etc / "town.pem").write_bytes(public_pem(key.public_key()))

    def put(self, document=None, key=TOWN, **changes):
        self.raw(json.dumps(signed(document or permission(**changes), key)).encode())

    def raw(self, content):
        (self.etc / "authorisation.json").write_bytes(content)

    def withdraw(self, up_to=7, key=TOWN, fleet="cannes"):
        document = {"kind": authorisation.WITHDRAWAL_KIND, "fleet": fleet, "up_to": up_to, "reason": "over"}
        (self.etc / "withdrawal.json").write_text(json.dumps(signed(document, key)))

    def says(self, place=Spot(), utc=NOW, clock="gnss"):
        answer = self.gate.allowed(place, utc, clock)
        return "allowed" if isinstance(answer, Allowed) else answer.code


@pytest.fixture
def box(tmp_path):
    return Box(tmp_path)


def test_one_that_is_in_order_holds_for_its_unit_here_and_now(box):
    box.put()
    assert box.says() == "allowed"
    assert box.gate.allowed(Spot(), NOW, "gnss").authorisation.legal_reference == "arrêté municipal 2026-114"


def tampered(**changes):
    """Signed, and changed afterwards."""
    return json.dumps(signed(permission(), TOWN) | changes).encode()


def resigned(change):
    return lambda: json.dumps(signed(permission(**change), TOWN)).encode()


FORGED = {
    "empty": lambda: b"",
    "torn": lambda: tampered()[:200],
    "no json": lambda: b"allowed",
    "a list": lambda: b"[]",
    "no signature": lambda: json.dumps(permission()).encode(),
    "signature of zeros": lambda: tampered(signature=base64.b64encode(bytes(64)).decode()),
    "signature no text": lambda: tampered(signature=17),
    "another key": lambda: json.dumps(signed(permission(), STRANGER)).encode(),
    "another unit written in": lambda: tampered(units=["cannes/car-07", "cannes/car-08"]),
    "a later end written in": lambda: tampered(to="2027-01-01T00:00:00.000Z"),
    "a larger area written in": lambda: tampered(area=polygon(SQUARE)),
    "a higher number written in": lambda: tampered(number=8),
    "a field added": lambda: tampered(note="x"),
    "a key twice": lambda: tampered().replace(b'"number": 7', b'"number": 7, "number": 7'),
    "larger than allowed": lambda: tampered() + b" " * authorisation.MOST_BYTES,
    "a withdrawal in its place": resigned({"kind": authorisation.WITHDRAWAL_KIND}),
    "a field missing": resigned({"authority": UNCHANGED}),
    "a field too many": resigned({"note": "x"}),
    "no authority": resigned({"authority": " "}),
    "no legal reference": resigned({"legal_reference": ""}),
    "number 0": resigned({"number": 0}),
    "number true": resigned({"number": True}),
    "no units": resigned({"units": []}),
    "units no names": resigned({"units": ["*"]}),
    "ends before it begins": resigned({"from": "2026-05-20T00:00:00.000Z"}),
    "longer than a year": resigned({"to": "2027-05-20T00:00:00.000Z"}),
    "a time without its zone": resigned({"from": "2026-05-12T00:00:00"}),
    "an area that is a point": resigned({"area": {"type": "Point", "coordinates": [7.0, 43.5]}}),
    "an area that is open": resigned({"area": polygon(SQUARE[:-1])}),
    "an area without an inside": resigned({"area": polygon([SQUARE[0], SQUARE[1], SQUARE[1], SQUARE[0]])}),
    "an area of half the country": resigned({"area": polygon([[0, 43], [7, 43], [7, 49], [0, 49], [0, 43]])}),
    "an area that is latitude first": resigned({"area": polygon([[each[1], each[0] + 90] for each in SQUARE])}),
    "no events": resigned({"events": []}),
    "an event of no list": resigned({"events": ["face_recognition"]}),
    **{f"{event}": resigned({"events": [FIRE, event]}) for event, reason in EVENTS.items() if reason is not None},
}


@pytest.mark.parametrize("content", FORGED.values(), ids=FORGED)
def test_what_is_forged_damaged_or_asks_for_too_much_is_refused(box, content):
    box.raw(content())
    answer = box.gate.standing()
    assert isinstance(answer, Refused)
    assert answer.code == "forged"
    assert "authorisation.json: " in answer.reason


def test_the_events_are_the_decrees_eight_and_only_fire_has_no_reason_against_it(box):
    assert len(EVENTS) == 8
    assert [event for event, reason in EVENTS.items() if reason is None] == [FIRE]
    box.put(events=["crowd_density"])
    assert "crowd_density is not looked for: it is about persons" in box.gate.standing().reason


NOT_NOW_AND_HERE = {
    "clock not yet trusted": ({"clock": "unset"}, "clock_unset"),
    "the computer's own clock": ({"clock": "system"}, "clock_unset"),
    "no time": ({"utc": None}, "clock_unset"),
    "before it begins": ({"utc": NOW - DAY - timedelta(milliseconds=1)}, "not_yet"),
    "as it begins": ({"utc": NOW - DAY}, "allowed"),
    "just before its end": ({"utc": NOW + DAY - timedelta(milliseconds=1)}, "allowed"),
    "at its end": ({"utc": NOW + DAY}, "expired"),
    "long after": ({"utc": NOW + 400 * DAY}, "expired"),
    "1024 weeks early": ({"utc": NOW - timedelta(weeks=1024)}, "not_yet"),
    "nowhere": ({"place": None}, "no_place"),
    "another town": ({"place": Spot(48.85, 2.35)}, "outside"),
    "one metre outside": ({"place": Spot(43.56 + METRE_DEG, 7.03, 0.0)}, "outside"),
    "on the edge": ({"place": Spot(43.56, 7.03, 0.0)}, "outside"),
    "on a corner": ({"place": Spot(43.54, 7.0, 0.0)}, "outside"),
    "five metres inside, known to three": ({"place": Spot(43.56 - 5 * METRE_DEG, 7.03, 3.0)}, "allowed"),
    "five metres inside, known to six": ({"place": Spot(43.56 - 5 * METRE_DEG, 7.03, 6.0)}, "outside"),
    "in the hole": ({"place": Spot(43.5475, 7.015)}, "outside"),
    "five metres from the hole, known to six": ({"place": Spot(43.55 + 5 * METRE_DEG, 7.015, 6.0)}, "outside"),
    "no number for a place": ({"place": Spot(float("nan"), 7.03)}, "outside"),
    "known to nothing": ({"place": Spot(accuracy_m=float("inf"))}, "outside"),
}


@pytest.mark.parametrize(("asked", "answer"), NOT_NOW_AND_HERE.values(), ids=NOT_NOW_AND_HERE)
def test_it_holds_between_its_dates_and_inside_its_area_alone(box, asked, answer):
    box.put()
    assert box.says(**asked) == answer


def test_without_files_nothing_is_allowed(box):
    assert box.says() == "missing"
    box.put()
    (box.etc / "town.pem").unlink()
    assert box.says() == "no_key"
    (box.etc / "town.pem").write_bytes(public_pem(ec.generate_private_key(ec.SECP256R1()).public_key()))
    assert box.says() == "no_key"
    (box.etc / "town.pem").write_text("town")
    assert box.says() == "no_key"
    box.trust(STRANGER)
    assert box.says() == "forged"
    box.trust(TOWN)
    assert box.says() == "allowed"
    (box.etc / "authorisation.json").unlink()
    assert box.says() == "missing"
    (box.etc / "authorisation.json").mkdir()
    assert box.says() == "missing"


@pytest.mark.parametrize(
    ("units", "answer"),
    [
        (["cannes/car-08"], "other_unit"),
        (["nice/car-07"], "other_unit"),
        (["nice/*"], "other_unit"),
        (["cannes/car-070"], "other_unit"),
        (["cannes/*"], "allowed"),
        (["cannes/car-01", "cannes/car-07"], "allowed"),
    ],
)
def test_it_is_for_the_units_that_it_names(box, units, answer):
    box.put(units=units)
    assert box.says() == answer


def test_one_of_another_unit_does_not_raise_the_number(box):
    box.put(units=["cannes/car-08"], number=900)
    assert box.says() == "other_unit"
    box.put()
    assert box.says() == "allowed"


def test_an_older_one_is_not_accepted_again(box):
    box.put()
    assert box.says() == "allowed"
    old = (box.etc / "authorisation.json").read_bytes()
    box.put(number=8)
    assert box.says() == "allowed"
    box.raw(old)
    assert box.says() == "replayed"
    assert Box.says(restarted(box)) == "replayed"
    box.put(number=8, to=authorisation.text_of(NOW + 2 * DAY))
    assert box.says() == "replayed", "another one with its number"


def restarted(box):
    """The same unit after a restart."""
    again = object.__new__(Box)
    again.etc, again.state = box.etc, box.state
    again.gate = Gate(Unit("cannes", "car-07", box.state), box.etc)
    return again


def test_what_was_withdrawn_stays_so(box):
    box.put()
    assert box.says() == "allowed"
    box.withdraw()
    assert box.says() == "withdrawn"
    (box.etc / "withdrawal.json").unlink()
    assert box.says() == "withdrawn"
    assert restarted(box).says() == "withdrawn"
    box.put(number=6)
    assert box.says() == "replayed"
    box.put(number=8)
    assert box.says() == "allowed"
    box.withdraw(7)
    assert box.says() == "allowed", "it takes back up to 7"


def test_a_withdrawal_before_its_time_counts_too(box):
    box.withdraw(up_to=9)
    assert box.says() == "missing"
    box.put()
    assert box.says() == "replayed"
    box.put(number=10)
    assert box.says() == "allowed"


def test_a_withdrawal_of_another_fleet_takes_nothing_back(box):
    box.put()
    box.withdraw(fleet="nice")
    assert box.says() == "allowed"


def test_a_withdrawal_that_is_forged_stops_everything_and_says_so(box):
    box.put()
    box.withdraw(key=STRANGER)
    assert box.says() == "forged"
    assert "withdrawal.json" in box.gate.standing().reason
    (box.etc / "withdrawal.json").unlink()
    assert box.says() == "allowed"


def test_where_it_is_not_known_what_was_before_nothing_is_allowed(box):
    box.put()
    assert box.says() == "allowed"
    for damage in (b"", b"{}x", b'{"number": "7", "sha256": null}', b'{"number": 7, "more": 1}'):
        (box.state / FLOOR_FILE).write_bytes(damage)
        assert box.says() == "unknown_floor"


def test_where_the_number_cannot_be_kept_nothing_is_allowed(box):
    box.put()
    shutil.rmtree(box.state)
    assert box.says() == "not_noted"
    box.withdraw()
    assert box.says() == "not_noted"
    box.state.mkdir()
    assert box.says() == "withdrawn"
    assert restarted(box).says() == "withdrawn"


@settings(max_examples=60, deadline=None)
@given(st.floats(7.0, 7.04), st.floats(43.54, 43.56), st.floats(0, 2000))
def test_the_area_holds_a_circle_as_the_formula_of_the_square_says(longitude_deg, latitude_deg, radius_m):
    """Of an upright square without a hole the distance to the nearest side is known by itself."""
    area = authorisation.area_of(polygon(SQUARE))
    east = 111_195 * math.cos(math.radians(latitude_deg))
    inside_m = min(
        (longitude_deg - 7.0) * east,
        (7.04 - longitude_deg) * east,
        (latitude_deg - 43.54) * 111_195,
        (43.56 - latitude_deg) * 111_195,
    )
    if abs(inside_m - radius_m) > 1e-3:
        assert area.holds(latitude_deg, longitude_deg, radius_m) == (inside_m > radius_m)
