"""Commands: none is obeyed that is not signed, addressed, new and good; those that are, once, whatever happens in between."""

import json
from collections import Counter
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from device.boot import boot_id, now_s
from device.fix import Fix
from provisioning.authorisation import text_of
from provisioning.certificate import public_pem
from provisioning.settings import Backend, Settings, Unit
from sync import commands_obeyed, erasing
from sync.audit_check import examine
from sync.commands import Command, CommandRefused, check, read_command, write_command
from sync.commands_book import Book, answers, refused
from sync.commands_obeyed import MOST_WAITING, WAITS_S, Leave, Obedience
from sync.custody import take_database
from sync.database import open_database, transaction
from sync.erase import erase
from sync.failure import DatabaseFailed
from sync.faults.commands_made import BY_HAND, LAST, Signer, at_random, by_hand
from sync.outbox import Outbox
from sync.request import paused_since_s, put_request
from sync.satellite_time import Noting, satellite_time

KEY = ed25519.Ed25519PrivateKey.generate()
ROADS = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None, ("finding", "health", "evidence"))
NOW = datetime.now(timezone.utc)
SIGNER = Signer(KEY, "faults/car-01", NOW)
UNIT = Unit("faults", "car-01")


def reason(payload, last=LAST, now=NOW):
    try:
        check(read_command(payload, KEY.public_key()), UNIT, last, now)
    except CommandRefused as refusal:
        return refusal.reason
    return None


@pytest.mark.parametrize("name", BY_HAND)
def test_none_of_those_made_by_hand_is_obeyed(name):
    assert reason(BY_HAND[name](SIGNER)) is not None


def test_none_of_a_thousand_made_at_random_is_obeyed_and_they_fail_for_all_reasons():
    found = Counter({name: reason(payload) for name, payload in at_random(SIGNER, np.random.default_rng(7), 1000)}.values())
    assert None not in found
    assert set(found) == {"unsigned", "malformed", "other_unit", "replayed", "expired", "too_far"}
    assert min(found.values()) >= 20, found


def test_what_all_of_them_are_made_from_would_be_obeyed():
    """Else the tests above would prove nothing."""
    assert reason(SIGNER.payload()) is None
    assert reason(SIGNER.payload(), now=None) == "clock_unset"
    assert len(by_hand(SIGNER, 1000)) >= 60


def test_what_is_written_is_what_is_read():
    command = Command(
        "faults/car-01", 3, NOW.replace(microsecond=0) + timedelta(hours=1), "send_evidence", {"finding_id": "a-f1"}
    )
    document = write_command(command, KEY)
    assert read_command(json.dumps(document, indent=3).encode(), KEY.public_key()) == command
    with pytest.raises(ValueError, match="args of pause are none"):
        write_command(replace(command, do="pause"), KEY)


class Car:
    """A unit whose sync obeys."""

    def __init__(self, folder):
        self.state = folder / "state"
        self.state.mkdir()
        (folder / "tls").mkdir()
        self.key_file = folder / "tls" / "command.pem"
        self.key_file.write_bytes(public_pem(KEY.public_key()))
        self.certificate = folder / "tls" / "unit.pem"
        self.certificate.write_text("one")
        backend = replace(ROADS, cert=self.certificate)
        self.settings = Settings(Unit("faults", "car-01", self.state), backends=(backend,), source=folder / "ronde.toml")
        self.at_s = 0.0
        self.open()
        self.fix()

    def open(self):
        """As after a start."""
        self.db = take_database(self.state / "ronde.db", look_over=True)
        self.leave = Leave()
        self.obedience = Obedience(self.settings, self.db, self.leave, clock=lambda: self.at_s)

    def fix(self):
        Noting(self.db, boot_id()).note(Fix(43.55, 7.01, 3.0, 0.0, None, datetime.now(timezone.utc), now_s()))

    def take(self, sequence=1, do="pause", **changes):
        return self.obedience.take(SIGNER.payload(sequence=sequence, do=do, **changes))

    def told(self):
        return [(each["sequence"], each["do"], each["outcome"]) for each in answers(self.db)]

    def health(self):
        newest = Outbox(self.db).parcels([Outbox(self.db).newest()])[0]
        return json.loads(newest.payload)

    def noted(self):
        return [(each["what"], each["about"]) for each in examine(self.state).entries]


@pytest.fixture
def car(tmp_path):
    made = Car(tmp_path)
    yield made
    made.db.close()


def test_a_drivers_pause_is_ended_by_the_driver_alone(car):
    put_request(car.db, "pause")
    assert car.take(1, "resume")
    assert car.take(2, "pause")
    assert car.take(3, "resume")
    assert paused_since_s(car.db, boot_id()) is not None
    assert [outcome for _, _, outcome in car.told()] == ["driver_paused", "done", "driver_paused"]
    put_request(car.db, "resume")
    assert paused_since_s(car.db, boot_id()) is None


def test_a_driver_who_pauses_a_paused_unit_makes_that_pause_theirs(car):
    assert car.take(1, "pause")
    put_request(car.db, "pause")
    assert car.take(2, "resume")
    assert paused_since_s(car.db, boot_id()) is not None
    put_request(car.db, "resume")
    assert paused_since_s(car.db, boot_id()) is None


def test_pause_and_resume_go_the_drivers_way_and_are_answered_in_health_at_once(car, validate):
    assert car.take(5, "pause")
    assert paused_since_s(car.db, boot_id()) is not None
    document = car.health()
    validate("event", document)
    assert document["data"]["commands"] == [{"sequence": 5, "do": "pause", "outcome": "done"}]
    assert document["data"]["audit"]["lines"] == 1
    assert car.take(6, "resume")
    assert paused_since_s(car.db, boot_id()) is None
    assert car.told() == [(5, "pause", "done"), (6, "resume", "done")]
    assert car.noted() == [
        ("command_obeyed", {"sequence": 5, "do": "pause", "outcome": "done"}),
        ("command_obeyed", {"sequence": 6, "do": "resume", "outcome": "done"}),
    ]
    assert not car.leave.over.is_set()


def test_each_is_obeyed_once_and_those_before_it_never(car):
    assert car.take(5)
    assert not car.take(5)
    assert not car.take(4)
    assert car.told() == [(5, "pause", "done")]
    other = Obedience(car.settings, car.db, Leave())
    assert not other.take(SIGNER.payload(sequence=5, do="pause")), "another backend brings it too"


def test_what_was_refused_is_counted_and_said_seldom(car, validate):
    for _ in range(40):
        assert not car.obedience.take(b"{}")
    assert not car.take(5, unit="faults/car-02")
    car.obedience.turn()
    assert refused(car.db) == {"other_unit": 1, "unsigned": 40}
    car.at_s += 2.0
    car.obedience.take(b"")
    car.obedience.turn()
    assert refused(car.db) == {"other_unit": 1, "unsigned": 41}
    assert car.noted() == [("commands_refused", {"other_unit": 1, "unsigned": 40})]
    car.at_s += 60.0
    car.obedience.turn()
    assert car.noted()[1:] == [("commands_refused", {"unsigned": 1})]
    assert car.take(6)
    validate("event", car.health())
    assert car.health()["data"]["commands_refused"] == {"other_unit": 1, "unsigned": 41}


def test_without_a_key_nobody_is_obeyed(car):
    car.key_file.unlink()
    assert not car.take()
    car.obedience.turn()
    assert refused(car.db) == {"no_key": 1}
    car.key_file.write_bytes(public_pem(KEY.public_key()))
    assert car.take(), "a key that is brought later is used"


def test_before_the_first_fix_a_command_waits_and_is_obeyed_with_it(car):
    car.db.conn.execute("DELETE FROM setting WHERE key = 'clock'")
    assert satellite_time(car.db) is None
    assert car.take(5)
    car.obedience.turn()
    assert car.told() == []
    car.fix()
    car.obedience.turn()
    assert car.told() == [(5, "pause", "done")]


def test_without_a_fix_it_is_refused_in_the_end_and_a_crowd_at_once(car):
    car.db.conn.execute("DELETE FROM setting WHERE key = 'clock'")
    for sequence in range(1, MOST_WAITING + 1):
        assert car.take(sequence)
    assert not car.take(MOST_WAITING + 1)
    car.at_s = WAITS_S
    car.obedience.turn()
    assert refused(car.db) == {"clock_unset": MOST_WAITING, "crowded": 1}
    car.fix()
    car.obedience.turn()
    assert car.told() == []


def test_a_fix_of_an_earlier_boot_tells_no_time(car, monkeypatch):
    monkeypatch.setattr("sync.satellite_time.boot_id", lambda: "f" * 32)
    assert satellite_time(car.db) is None


def test_the_satellites_time_goes_on_with_the_boot_clock(car):
    car.db.conn.execute(
        "UPDATE setting SET value = json_set(value, '$.boot_s', json_extract(value, '$.boot_s') - 3600) WHERE key = 'clock'"
    )
    late = satellite_time(car.db) - datetime.now(timezone.utc)
    assert abs(late.total_seconds() - 3600) < 2
    assert not car.take(expires_at=text_of(NOW + timedelta(minutes=30)))


def test_a_command_whose_number_was_written_down_is_not_obeyed_after_a_power_cut(car, monkeypatch):
    class Cut(BaseException):
        pass

    def cut(*_):
        raise Cut

    with monkeypatch.context() as patched:
        patched.setattr(commands_obeyed, "put_request", cut)
        with pytest.raises(Cut):
            car.take(5)
    car.db.close()
    car.open()
    assert car.told() == [(5, "pause", "begun")]
    assert not car.take(5)
    assert paused_since_s(car.db, boot_id()) is None


def test_a_number_that_cannot_be_written_down_is_obeyed_when_it_can(car, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Book, "begin", lambda *_: (_ for _ in ()).throw(DatabaseFailed("disk_full", "full")))
        with pytest.raises(DatabaseFailed):
            car.take(5)
    assert car.take(5)
    assert car.told() == [(5, "pause", "done")]


def test_the_number_outlives_an_erasure_and_a_damaged_database(car):
    assert car.take(5)
    car.db.close()
    erase(car.state)
    car.open()
    assert car.told() == [(5, "pause", "done")]
    assert paused_since_s(car.db, boot_id()) is not None, "the pause holds"
    assert not car.take(5), "and the satellites' time is known"
    assert car.take(6)
    car.db.close()
    for file in car.state.glob("ronde.db*"):
        file.unlink()
    (car.state / "ronde.db").write_bytes(b"\xff" * 9000)
    car.open()
    car.fix()
    assert car.told() == []
    assert not car.take(6)
    assert car.take(7)


def test_restart_ends_the_process_and_erase_the_delivery(car):
    assert car.take(5, "restart_sync")
    assert car.leave.restart.is_set()
    assert car.leave.over.is_set()
    assert car.told() == [(5, "restart_sync", "done")]
    car.leave = Leave()
    car.obedience = Obedience(car.settings, car.db, car.leave)
    assert car.take(6, "erase")
    assert (car.leave.over.is_set(), car.leave.restart.is_set()) == (True, False)
    assert car.told()[-1] == (6, "erase", "begun")
    assert erasing.asked(car.state).sequence == 6
    erasing.done(car.state)


def test_a_certificate_is_renewed_by_somebody_else(car):
    assert car.take(5, "renew_certificate")
    assert car.told() == [(5, "renew_certificate", "asked")]
    assert (car.state / "renew.asked").read_text() == "5\n"
    car.obedience.turn()
    assert car.told()[-1][2] == "asked"
    car.certificate.write_text("two")
    car.obedience.turn()
    assert car.told() == [(5, "renew_certificate", "done")]


def test_a_certificate_that_does_not_come_is_said(car, monkeypatch):
    assert car.take(5, "renew_certificate")
    monkeypatch.setattr("sync.renewal.PATIENCE_S", -1.0)
    car.obedience.turn()
    assert car.told() == [(5, "renew_certificate", "not_renewed")]
    assert car.noted()[-1][0] == "command_failed"
    bare = replace(car.settings, backends=(ROADS,))
    car.obedience = Obedience(bare, car.db, car.leave)
    assert car.take(6, "renew_certificate")
    assert car.told()[-1] == (6, "renew_certificate", "no_certificate")


def finding(db, id_, photo):
    frame = "'gnss', 43.55, 7.01, 2.0, 90.0, 10.0, 0.0, 'between_fixes', ?, 1"
    with transaction(db):
        db.conn.execute("INSERT OR IGNORE INTO round (id, software, models, settings) VALUES ('r-1', '', '{}', '{}')")
        db.conn.execute(
            "INSERT INTO frame (id, round_id, taken_at, time_source, latitude_deg, longitude_deg, accuracy_m, heading_deg, "
            f"speed_mps, odometer_m, position_source, file, hidden) VALUES (?, 'r-1', '2026-05-04T09:00:00.000Z', {frame})",
            [f"frame-{id_}", photo],
        )
        db.conn.execute(
            'INSERT INTO detection (frame_id, label, score, "left", "top", "right", "bottom") VALUES (?, ?, 0.9, 1, 2, 30, 40)',
            [f"frame-{id_}", "pothole"],
        )
        db.conn.execute(
            "INSERT INTO finding (id, round_id, label, score, latitude_deg, longitude_deg, uncertainty_m, frames, best_frame_id, "
            "seen_at) VALUES (?, 'r-1', 'pothole', 0.9, 43.55, 7.01, 2.0, 3, ?, '2026-05-04T09:00:00.000Z')",
            [id_, f"frame-{id_}"],
        )


def test_the_picture_of_a_finding_is_wanted_once_more(car):
    finding(car.db, "r-1-f3", "frames/r-1/3.jpg")
    finding(car.db, "r-1-f4", None)
    for sequence, id_ in enumerate(["r-1-f3", "r-1-f3", "r-1-f4", "r-1-f5", "r-1"], 1):
        assert car.take(sequence, "send_evidence", args={"finding_id": id_})
    assert [outcome for *_, outcome in car.told()] == ["asked", "asked", "no_photo", "unknown_finding", "unknown_finding"]
    assert car.db.conn.execute("SELECT subject, round_id, n, frame_id FROM evidence").fetchall() == [
        ("r-1-f3", "r-1", 3, "frame-r-1-f3")
    ]
    deaf = replace(car.settings, backends=(replace(ROADS, streams=("health",)),))
    car.obedience = Obedience(deaf, car.db, car.leave)
    assert car.take(9, "send_evidence", args={"finding_id": "r-1-f3"})
    assert car.told()[-1][2] == "no_backend"


def test_while_a_unit_is_to_be_erased_everybody_lets_go_of_the_database(car):
    erasing.ask(car.state, 5)
    with pytest.raises(Exception, match="is to be erased"), transaction(car.db):
        pass
    with pytest.raises(DatabaseFailed, match="is being erased"):
        open_database(car.state / "ronde.db")
    erasing.done(car.state)
    with closing(open_database(car.state / "ronde.db")):
        pass


def test_a_mark_that_nobody_comes_back_to_holds_nobody_up(car, monkeypatch):
    erasing.ask(car.state, 5)
    monkeypatch.setattr("sync.erasing.LONGEST_S", 0.0)
    with closing(open_database(car.state / "ronde.db")):
        pass
    monkeypatch.undo()
    monkeypatch.setattr("sync.erasing.boot_id", lambda: "f" * 32)
    with closing(open_database(car.state / "ronde.db")):
        pass
    (car.state / erasing.ASKED).write_bytes(b"torn")
    assert erasing.asked(car.state) is not None
    with closing(open_database(car.state / "ronde.db")):
        pass
