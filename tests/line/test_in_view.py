"""What is in view when the power goes becomes a finding all the same, once, under an id of its round."""

import json
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from types import MappingProxyType

import numpy as np
import pytest

from device.earth import offset
from device.frame import Frame, Place
from inference.anonymise import hide
from inference.detect import Detection
from inference.lens import Lens
from inference.look import Looked
from inference.merge import Merge, View
from provisioning.settings import Backend, Unit
from sync.database import open_database
from sync.in_view import read_in_view, write_in_view
from sync.round_store import Recipients, RoundStore
from sync.rounds import close_rounds

ROUND = "aaaaaaaa-1"
LENS = Lens(640, 480, 1.35, 6.0, 0.0, 63.0)
GEOMETRY = {"width": 640, "height": 480, "height_m": 1.35, "pitch_deg": 6.0, "yaw_deg": 0.0, "hfov_deg": 63.0}
AT = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)
HOLES_M = (30.0, 46.0)
SIGN_M = 60.0
PIXELS = np.full((480, 640, 3), 90, np.uint8)


def place(odometer_m):
    where = offset(43.55, 7.01, 0.0, odometer_m)
    return Place(*where, 4.9, 0.0, 10.0, odometer_m, "between_fixes", AT + timedelta(seconds=odometer_m / 10), "gnss")


def detections(odometer_m):
    found = []
    for along_m in HOLES_M:
        ahead_m = along_m - odometer_m
        if 3.5 < ahead_m < 16.0:
            (left, bottom), (right, top) = LENS.project(-0.2, ahead_m - 0.2), LENS.project(0.2, ahead_m + 0.2)
            found.append(Detection("pothole", 0.6, (left, top, right, bottom)))
    ahead_m = SIGN_M - odometer_m
    if 8.0 < ahead_m < 40.0:
        (left, top), (right, bottom) = LENS.project(2.7, ahead_m, 2.7), LENS.project(3.4, ahead_m, 2.0)
        found.append(Detection("sign_stop", 0.7, (left, top, right, bottom)))
    return tuple(found)


def looked(odometer_m):
    return Looked(hide(Frame(PIXELS, odometer_m, place(odometer_m)), []), detections(odometer_m), MappingProxyType({}))


@contextmanager
def timed(_stage):
    yield


@pytest.fixture
def unit(tmp_path):
    """A database, and whom its events are for."""
    db = open_database(tmp_path / "ronde.db")
    backend = Backend("roads", "mqtt://127.0.0.1", None, None, None)
    yield db, tmp_path, Recipients(Unit("cannes", "car-07", tmp_path), (backend,))
    db.close()


def begun(db, state, recipients):
    store = RoundStore(db, state, ROUND, recipients, "c" * 64)
    store.begin(AT, "0", {}, {"camera": GEOMETRY, "roads": "c" * 64})
    return store


def findings(db):
    return db.conn.execute(
        "SELECT id, label, frames, round(odometer_m), round(right_m), best_frame_id FROM finding ORDER BY id"
    ).fetchall()


def drive(store, metres):
    return [finding for metre in metres for finding in store.keep(looked(float(metre)), timed).findings]


WHOLE = [("pothole", 30.0, 0.0), ("pothole", 46.0, 0.0), ("sign_stop", 60.0, 3.0)]


def test_findings_are_told_when_the_car_has_passed_and_at_the_end(unit, validate):
    db, state, recipients = unit
    store = begun(db, state, recipients)
    assert drive(store, range(0, 32, 4)) == []
    assert [finding.id for finding in drive(store, range(32, 50, 4))] == [f"{ROUND}-f1", f"{ROUND}-f2"]
    assert [finding.label for finding in store.finish()] == ["sign_stop"]
    assert [(row[1], row[3], row[4]) for row in findings(db)] == WHOLE
    assert db.conn.execute("SELECT count(*) FROM in_view").fetchone() == (0,)
    photos = dict(db.conn.execute("SELECT id, sha256 FROM frame").fetchall())
    events = [
        json.loads(payload)["data"]
        for (payload,) in db.conn.execute("SELECT payload FROM outbox WHERE stream = 'finding' ORDER BY seq")
    ]
    for row, event in zip(findings(db), events, strict=True):
        validate("finding", event)
        assert event["properties"]["photo_sha256"] == photos[row[5]]
        assert event["properties"]["frames"] == row[2] >= 2


@pytest.mark.parametrize("cut_m", [16, 24, 32, 44, 56])
def test_what_was_in_view_when_the_power_went_is_told_at_the_next_start(unit, cut_m):
    db, state, recipients = unit
    told = drive(begun(db, state, recipients), range(0, cut_m, 4))
    assert close_rounds(db, state, recipients) == 1
    rows = findings(db)
    assert [row[0] for row in rows] == [f"{ROUND}-f{number}" for number in range(1, len(rows) + 1)]
    assert len({(row[1], row[3]) for row in rows}) == len(rows)
    assert len(rows) >= len(told)
    if cut_m >= 24:
        assert ("pothole", 30.0, 0.0) in [(row[1], row[3], row[4]) for row in rows]
    assert db.conn.execute("SELECT count(*) FROM in_view").fetchone() == (0,)
    assert close_rounds(db, state, recipients) == 0


def test_the_state_is_the_same_after_it_was_written_and_read(unit):
    db, state, recipients = unit
    begun(db, state, recipients)
    merge = Merge()
    for number, metre in enumerate(range(0, 48, 4)):
        after = merge.take(View(f"{number:03d}", place(float(metre)), LENS, detections(float(metre)))).merge
        write_in_view(db, ROUND, merge, after)
        merge = after
        again = read_in_view(db, ROUND)
        assert (again.at, again.place, again.numbered) == (merge.at, merge.place, merge.numbered)
        assert again.things.keys() == merge.things.keys()
        assert [each.number for each in again.told] == [each.number for each in merge.told]
        for thing, same in zip(merge.things.values(), again.things.values(), strict=True):
            assert (same.best, same.seen, same.label, same.score) == (thing.best, thing.seen, thing.label, thing.score)
            assert (same.shape.east_m, same.shape.north_m) == pytest.approx((thing.shape.east_m, thing.shape.north_m), abs=0.05)


def test_a_transaction_that_fails_leaves_what_is_in_view_as_it_was(unit, monkeypatch):
    db, state, recipients = unit
    store = begun(db, state, recipients)
    drive(store, range(0, 28, 4))
    before = store._finder._merge

    def broken(*_):
        raise OSError("no")

    with monkeypatch.context() as patched:
        patched.setattr(store._finder, "write", broken)
        with pytest.raises(OSError, match="no"):
            store.keep(looked(28.0), timed)
    assert store._finder._merge is before
    assert [row[:2] for row in db.conn.execute("SELECT id, odometer_m FROM frame ORDER BY id DESC LIMIT 1")] == [
        (f"{ROUND}-000007", 24.0)
    ]
