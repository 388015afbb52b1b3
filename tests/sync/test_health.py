import json

import pytest

from provisioning.settings import Backend, Unit
from sync.database import open_database, transaction
from sync.health import count_bytes, put_health, temperature_c
from sync.outbox import Outbox

BOOT = "0123456789abcdef0123456789abcdef"
ROADS = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None, ("finding", "health"))
DESK = Backend("desk", "mqtt://localhost:1884", None, None, None, ("alert",))


@pytest.fixture
def unit(tmp_path):
    return Unit("cannes", "car-07", tmp_path)


@pytest.fixture
def db(unit):
    opened = open_database(unit.state / "ronde.db")
    yield opened
    opened.close()


def told(db, *, name="capture", state="recording", reasons=(), counters=None, at_s=100.0, boot=BOOT):
    db.conn.execute(
        "INSERT OR REPLACE INTO condition (name, boot, at_boot_s, state, reasons, counters) VALUES (?, ?, ?, ?, ?, ?)",
        [name, boot, at_s, state, json.dumps(reasons), json.dumps(counters or {})],
    )


def health(db, unit, validate, boot_s=101.0):
    put_health(db, unit, (ROADS, DESK), boot=BOOT, clock=lambda: boot_s)
    newest = Outbox(db).parcels([Outbox(db).newest()])[0]
    document = json.loads(newest.payload)
    validate("event", document)
    return document["data"]


def test_what_the_capture_tells_is_passed_on(db, unit, validate):
    counters = {"frames": 12, "dropped": {"ring_full": 3}, "fix_age_s": 0.4, "time_source": "gnss", "odometer_m": 55.1}
    told(db, counters=counters)
    data = health(db, unit, validate)
    assert (data["state"], data["reasons"], data["frames"], data["dropped"]) == ("recording", [], 12, {"ring_full": 3})
    assert (data["fix_age_s"], data["time_source"], data["uptime_s"]) == (0.4, "gnss", 101.0)
    assert data["disk_free_bytes"] > 0


def test_a_capture_that_tells_nothing_is_a_fault(db, unit, validate):
    data = health(db, unit, validate)
    assert (data["state"], data["reasons"]) == ("fault", ["capture_not_running"])
    told(db, boot="f" * 32)
    assert health(db, unit, validate)["reasons"] == ["capture_not_running"]
    told(db)
    assert health(db, unit, validate, 131.0)["reasons"] == ["capture_silent"]
    assert health(db, unit, validate, 129.0)["reasons"] == []


def test_what_sync_finds_wrong_is_told_beside_the_reasons_of_the_capture(db, unit, validate):
    told(db, state="waiting", reasons=["no_fix"])
    told(db, name="sync", state="fault", reasons=["disk_low", "broker_unreachable"])
    data = health(db, unit, validate)
    assert (data["state"], data["reasons"]) == ("waiting", ["no_fix", "disk_low", "broker_unreachable"])
    told(db, name="sync", state="fault", reasons=["disk_low"], boot="f" * 32)
    assert health(db, unit, validate)["reasons"] == ["no_fix"]


def test_the_outbox_and_the_bytes_are_counted(db, unit, validate, finding_event):
    told(db)
    with transaction(db):
        for n in (1, 2, 3):
            Outbox(db).put(finding_event(unit, n), (ROADS,))
        Outbox(db).refuse(3, "no")
        count_bytes(db, 700)
        count_bytes(db, 0)
        count_bytes(db, 50)
    db.conn.execute("INSERT INTO setting (key, value) VALUES ('bytes/2001-01-01', 9999)")
    data = health(db, unit, validate)
    assert data["outbox"]["rows"] == 2
    assert data["outbox"]["oldest_s"] >= 0
    assert (data["refused"], data["bytes_day"], data["bytes_month"]) == (1, 750, 750)


def test_each_health_event_is_another_and_goes_where_it_is_wanted(db, unit):
    first, second = (put_health(db, unit, (ROADS, DESK), boot=BOOT, clock=lambda: 1.0) for _ in range(2))
    assert first.id != second.id
    assert (Outbox(db).size("roads").rows, Outbox(db).size("desk").rows) == (2, 0)


def test_a_temperature_is_read_or_is_none(tmp_path):
    file = tmp_path / "temp"
    assert temperature_c(file) is None
    file.write_text("48312\n")
    assert temperature_c(file) == 48.312
    file.write_text("hot")
    assert temperature_c(file) is None
