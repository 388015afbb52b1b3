"""One look at the unit: whatever is wrong, it says so, and nothing is raised."""

import fcntl
import os
import re
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest

from device.boot import now_s
from sync.contact import note_contact
from sync.database import transaction
from sync.event import iso
from sync.panel.glance import SILENT_S, Glance, look
from sync.panel.shown import shown
from sync.panel.watch import HANGS_S, Watch, midnight
from sync.panel.words import all_words
from sync.request import put_request

EN, FR = all_words()["en"], all_words()["fr"]


@pytest.fixture
def glance(car):
    return lambda: look(car.state / "ronde.db", midnight())


def says(seen, words=EN, at=None):
    return shown(seen, words, at or datetime.now(timezone.utc))


@pytest.mark.parametrize(
    ("state", "reasons", "sentence"),
    [
        ("recording", [], "Roulez, c\N{RIGHT SINGLE QUOTATION MARK}est tout."),
        ("waiting", ["no_fix"], "Attend le GPS."),
        ("fault", ["camera_stalled", "no_fix"], "La caméra ne donne pas d\N{RIGHT SINGLE QUOTATION MARK}image."),
        ("waiting", ["of_a_later_version"], "Cause inconnue (of_a_later_version)."),
    ],
)
def test_what_the_capture_tells_is_shown(car, glance, state, reasons, sentence):
    car.tell(state, *reasons)
    seen = glance()
    assert (seen.state, list(seen.reasons)) == (state, reasons)
    assert says(seen, FR)["why"] == sentence


def test_what_the_capture_told_long_ago_is_no_news(car, glance):
    car.tell("recording", age_s=SILENT_S + 30)
    seen = glance()
    assert (seen.state, seen.reasons) == ("fault", ("capture_silent",))
    assert "42 s ago" in says(seen)["advice"]
    car.tell("recording", boot="f" * 32)
    assert glance().reasons == ("capture_not_running",), "that was before the car was started"


def test_a_unit_that_has_just_been_started_is_waited_for(glance, monkeypatch):
    monkeypatch.setattr("sync.panel.glance.now_s", lambda: 20.0)
    assert (glance().state, glance().reasons) == ("waiting", ("capture_not_running",))
    monkeypatch.setattr("sync.panel.glance.now_s", lambda: 90.0)
    assert glance().state == "fault"


def test_what_is_wrong_beside_it_is_said_too(car, glance):
    car.tell("recording", "second_device")
    car.tell("fault", "broker_unreachable", "disk_low", name="sync")
    seen = glance()
    assert says(seen, FR)["also"] == (
        "Aussi\N{NO-BREAK SPACE}: un second GPS gêne le premier, pas de liaison avec la ville, carte presque pleine"
    )
    assert says(seen)["word"] == "Recording"


def test_a_dirty_lens_is_said_while_it_records_with_what_to_do(car, glance):
    car.tell("recording", "dirty_lens")
    told = says(glance(), FR)
    assert (told["word"], told["also"]) == ("Enregistre", "Aussi\N{NO-BREAK SPACE}: objectif sale")
    assert "pare-brise" in told["advice"]


def test_today_is_what_was_driven_since_midnight(car, glance):
    car.drive(frames=5, findings=("pothole", "drain", "hazard"))
    with car.open() as db, transaction(db):
        old = iso(midnight() - timedelta(hours=3))
        db.conn.execute(
            "INSERT INTO round (id, started_at, ended_at, software, models, settings) "
            "VALUES ('00000000-9', ?1, ?1, '1', '{}', '{}')",
            [old],
        )
        db.conn.execute(
            "INSERT INTO finding (id, round_id, label, score, latitude_deg, longitude_deg, uncertainty_m, frames, best_frame_id) "
            "VALUES ('00000000-9-f1', '00000000-9', 'pothole', 0.9, 43.5, 7.0, 1, 1, 'x')"
        )
    seen = glance()
    assert (seen.today.distance_m, seen.today.frames, seen.today.findings, seen.today.hazards) == (16.0, 5, 2, 1)
    assert [says(seen, FR)[each] for each in ("distance", "frames", "findings", "hazards", "outbox", "contact")] == [
        "0,0 km",
        "5",
        "2",
        "1",
        "0",
        "aucun",
    ]


def test_last_contact_is_when_a_backend_has_answered(car, glance):
    with car.open() as db, transaction(db):
        note_contact(db)
    seen = glance()
    assert says(seen)["contact"] == "now"
    assert says(seen, at=datetime.now(timezone.utc) + timedelta(minutes=12))["contact"] == "12 min ago"


def test_a_pause_says_since_when_and_one_that_is_not_obeyed_yet_is_only_asked_for(car, glance):
    car.tell("recording")
    with car.open() as db:
        put_request(db, "pause")
    asked = says(glance())
    assert (asked["word"], asked["asked"]) == ("Recording", "Pause asked for…")
    car.obey()
    car.tell("paused")
    told = says(glance())
    assert (told["word"], told["asked"]) == ("Paused", "")
    assert re.search(r"Since \d\d:\d\d\.$", told["why"])


def test_a_unit_without_a_database_has_not_started(tmp_path):
    assert look(tmp_path / "ronde.db", midnight()).reasons == ("capture_not_running",)
    sqlite3.connect(tmp_path / "ronde.db").close()
    assert look(tmp_path / "ronde.db", midnight()).reasons == ("capture_not_running",)


def test_a_database_that_is_being_made_anew_is_said_to_be_busy(car, glance):
    car.tell("recording")
    with closing(_Folder(car.state)):
        assert glance().reasons == ("database_locked",)
    assert glance().state == "recording"


class _Folder:
    def __init__(self, folder):
        self._hold = os.open(folder, os.O_RDONLY)
        fcntl.flock(self._hold, fcntl.LOCK_EX)

    def close(self):
        os.close(self._hold)


def test_a_database_that_is_written_without_end_can_still_be_read(car, glance):
    car.tell("recording")
    with car.open() as other:
        other.conn.execute("BEGIN IMMEDIATE")
        assert glance().state == "recording"
        other.conn.execute("ROLLBACK")


@pytest.mark.parametrize("damage", [b"", b"not a database at all, " * 400])
def test_a_damaged_database_is_a_fault(car, glance, damage):
    file = car.state / "ronde.db"
    for each in car.state.glob("ronde.db-*"):
        each.unlink()
    file.write_bytes(damage)
    assert glance().state == "fault"
    assert glance().reasons == (("database_damaged",) if damage else ("capture_not_running",))


def test_a_look_that_hangs_is_no_news(car, monkeypatch):
    car.tell("recording")
    watch = Watch(car.state / "ronde.db")
    assert watch.step().state == "recording"
    assert watch.latest().state == "recording"
    later = now_s() + HANGS_S + 1.0
    monkeypatch.setattr("sync.panel.watch.now_s", lambda: later)
    assert (watch.latest().state, watch.latest().reasons) == ("fault", ("database_locked",))
    assert isinstance(watch.latest(), Glance)
