import dataclasses
import itertools
import json
import os
import sqlite3
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from device.fix import Fix
from provisioning.settings import Backend, Camera, Gps, Keeping, Models, Panel, Settings, Unit
from sync import checks, doctor
from sync.ballast import Ballast
from sync.checks import Check, check_clock, check_database, check_model, check_packages, check_pins, check_runtime
from sync.custody import held
from sync.database import open_database, transaction
from sync.doctor import check_broker, check_camera, check_certificate, check_gps, check_unit
from sync.keeping_checks import check_aside, check_disk, check_outbox, check_settings
from sync.outbox import Outbox

NOW = datetime(2026, 11, 25, 12, tzinfo=timezone.utc)
OWNERS = {each: ["ronde", "ronde"] for each in checks.PACKAGES}


@pytest.fixture
def settings(tmp_path):
    return Settings(Unit("cannes", "car-07", tmp_path / "state"))


def failed(check):
    """The check failed, with a reason of one line and something to do."""
    assert check.state == "failed", check
    assert check.reason
    assert check.remedy
    assert "\n" not in check.reason + check.remedy
    return check


def test_pins_that_are_configured_and_not_there_are_said(monkeypatch):
    assert check_pins(Panel()).state == "does not apply"
    found = check_pins(Panel(green_pin=17))
    assert found.state == "failed"
    assert "gpiozero" in found.reason
    assert "the page serves alone" in found.reason
    mock = pytest.importorskip("gpiozero.pins.mock")
    monkeypatch.setattr("sync.checks.pin_factory", mock.MockFactory)
    assert check_pins(Panel(green_pin=17)).state == "ok"


def test_a_foreign_distribution_with_one_of_our_names_is_named():
    assert check_packages(OWNERS).state == "ok"
    check = failed(check_packages(OWNERS | {"inference": ["ronde", "inference-gpu"]}))
    assert check.reason == "the package inference also belongs to inference-gpu"
    assert "pip uninstall inference-gpu" in check.remedy
    assert (
        "no installed distribution holds the package sync"
        in failed(check_packages({key: value for key, value in OWNERS.items() if key != "sync"})).reason
    )


def test_a_package_that_is_found_elsewhere_is_named(tmp_path, monkeypatch):
    (tmp_path / "sync").mkdir()
    (tmp_path / "sync" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "sync")
    assert str(tmp_path) in failed(check_packages(OWNERS)).reason


def test_the_runtime_here_is_one_that_works():
    check = check_runtime()
    assert check.state == "ok"
    assert any(name in check.reason for name in checks.RUNTIMES)


def test_tflite_runtime_beside_numpy_2_is_refused(monkeypatch):
    monkeypatch.setattr(checks, "_version", {"ai-edge-litert": None, "tflite-runtime": "2.14.0"}.get)
    monkeypatch.setattr(checks.np, "__version__", "2.4.6")
    check = failed(check_runtime())
    assert "tflite-runtime 2.14.0 does not work with numpy 2.4.6" in check.reason
    assert "numpy<2" in check.remedy
    monkeypatch.setattr(checks.np, "__version__", "1.26.4")
    assert check_runtime().state == "ok"
    monkeypatch.setattr(checks, "_version", lambda _: None)
    assert "neither" in failed(check_runtime()).reason


@pytest.mark.parametrize("task", ["privacy", "roads"])
def test_the_shipped_models_look_at_a_picture(task):
    check = check_model(task, getattr(Models(), task))
    assert check.state == "ok", check
    assert f"{task}-1" in check.reason


def test_a_model_that_is_missing_changed_or_the_other_one_fails(tmp_path):
    shipped = Path(checks.locate(Models().roads))
    assert "cannot be read" in failed(check_model("privacy", str(tmp_path / "none.tflite"))).reason
    changed = tmp_path / "changed.tflite"
    content = bytearray(shipped.read_bytes())
    content[len(content) // 2] ^= 0xFF
    changed.write_bytes(content)
    changed.with_suffix(".json").write_bytes(shipped.with_suffix(".json").read_bytes())
    assert "sha256 differs" in failed(check_model("roads", str(changed))).reason
    assert "is a roads model" in failed(check_model("privacy", Models().roads)).reason


@pytest.mark.parametrize(
    ("camera", "state", "words"),
    [
        (Camera("recorded"), "failed", "no recorded drive"),
        (Camera("recorded", drive=Path(__file__).parent), "does not apply", "is played"),
        (Camera("simulated"), "failed", "no simulated street"),
        (Camera("picamera2"), "failed", "module picamera2"),
    ],
)
def test_the_camera_is_checked_by_its_kind(settings, monkeypatch, camera, state, words):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda _: None)
    check = check_camera(dataclasses.replace(settings, camera=camera))
    assert (check.state, words in check.reason) == (state, True)


def test_a_v4l2_camera_needs_its_device(settings, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda _: object())
    (tmp_path / "video0").write_text("no device")
    for device in (tmp_path / "none", tmp_path / "video0"):
        camera = Camera("v4l2", device=str(device))
        assert f"no device {device}" in failed(check_camera(dataclasses.replace(settings, camera=camera))).reason
    assert check_camera(dataclasses.replace(settings, camera=Camera("v4l2", device=os.devnull))).state == "ok"


def test_a_receiver_with_a_fix_is_fine_and_its_time_is_the_clocks_measure(gpsd, nmea_straight, settings):
    host, port = gpsd(nmea_straight(60, 10.0, rate_hz=5), 0.1)
    check, fix = check_gps(dataclasses.replace(settings, gps=Gps(host, port)), wait_s=10)
    assert check.state == "ok", check
    assert fix is not None
    assert "doppler" in check.reason
    assert str(round(fix.latitude_deg, 2)) not in check.reason


def test_a_receiver_without_a_fix_and_a_gpsd_that_is_not_there_fail(gpsd, free_ports, settings):
    host, port = gpsd(itertools.repeat(b"$GPGGA,,,,,,0,00,99.99,,,,,,*48\r\n", 20), 0.1)
    check, fix = check_gps(dataclasses.replace(settings, gps=Gps(host, port)), wait_s=0.5)
    assert "no fix in 0.5 s" in failed(check).reason
    assert fix is None
    check, fix = check_gps(dataclasses.replace(settings, gps=Gps("127.0.0.1", free_ports())), wait_s=0.5)
    assert "127.0.0.1" in failed(check).reason
    assert fix is None


def fix_at(moment):
    return Fix(43.55, 7.01, 2.5, 10.0, 60.0, moment, 1000.0)


def test_the_clock_is_held_against_the_satellites():
    assert check_clock(NOW, fix_at(NOW - timedelta(seconds=1))).state == "ok"
    assert "120 s ahead of" in failed(check_clock(NOW, fix_at(NOW - timedelta(minutes=2)))).reason
    assert "60 s behind" in failed(check_clock(NOW, fix_at(NOW + timedelta(minutes=1)))).reason
    assert "not compared" in check_clock(NOW, None).reason
    assert "2019-01-01" in failed(check_clock(datetime(2019, 1, 1, tzinfo=timezone.utc), None)).reason


def test_a_disk_without_its_reserve_fails(tmp_path):
    check = check_disk(tmp_path / "not" / "yet", Keeping(reserve_mb=1))
    assert (check.state, "no ballast yet" in check.reason) == ("ok", True)
    Ballast(tmp_path).restore()
    assert "ballast" not in check_disk(tmp_path, Keeping(reserve_mb=1)).reason
    assert "less than the reserve of 1000.0 GB" in failed(check_disk(tmp_path, Keeping(reserve_mb=1_000_000))).reason


def test_a_read_only_disk_fails(tmp_path, monkeypatch):
    real = os.statvfs(tmp_path)

    class Disk:
        f_frsize, f_blocks, f_bavail, f_flag = real.f_frsize, real.f_blocks, real.f_bavail, os.ST_RDONLY

    monkeypatch.setattr("sync.keeping_checks.os.statvfs", lambda _: Disk())
    assert "read-only" in failed(check_disk(tmp_path, Keeping())).reason


def test_a_configuration_that_fell_back_fails(settings):
    assert check_settings(settings).state == "ok"
    check = failed(check_settings(dataclasses.replace(settings, fallback="ronde.toml: the file is empty")))
    assert check.reason == "its last good copy is used: ronde.toml: the file is empty"


def test_what_waits_is_told_and_what_was_refused_fails(tmp_path, finding_event):
    file = tmp_path / "ronde.db"
    assert check_outbox(file).state == "does not apply"
    unit = Unit("cannes", "car-07", tmp_path)
    backend = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None)
    db = open_database(file)
    with transaction(db):
        for n in (1, 2, 3):
            Outbox(db).put(finding_event(unit, n), (backend,))
    assert check_outbox(file).reason == "waiting: 3 for roads, the oldest for 0.0 h; none was refused"
    (made_at,) = db.conn.execute("SELECT max(created_at) FROM outbox").fetchone()
    made = datetime.fromisoformat(made_at.replace("Z", "+00:00"))
    assert check_outbox(file, made + timedelta(hours=47)).state == "ok"
    assert "journalctl -u ronde-sync" in failed(check_outbox(file, made + timedelta(hours=49))).remedy
    with transaction(db):
        Outbox(db).refuse(1, "no such street")
    check = failed(check_outbox(file))
    assert "1 events were set aside in the table refused (1 finding by roads: no such street)" in check.reason
    assert "2 for roads" in check.reason
    db.close()


def test_a_database_that_was_set_aside_is_told_with_what_was_salvaged(tmp_path, finding_event):
    file = tmp_path / "ronde.db"
    assert check_aside(file).state == "ok"
    unit = Unit("cannes", "car-07", tmp_path)
    backend = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None)
    db = open_database(file)
    with transaction(db):
        Outbox(db).put(finding_event(unit, 1), (backend,))
    db.close()
    content = file.read_bytes()
    file.write_bytes(b"x" * 100 + content[100:])
    with held(file):
        pass
    check = failed(check_aside(file))
    assert "ronde.db.aside-1.salvaged (" in check.reason
    assert "file is not a database; 1 of an unknown number of events salvaged)" in check.reason


def test_the_database_is_whole_and_ours(tmp_path):
    file = tmp_path / "ronde.db"
    assert check_database(file).state == "does not apply"
    open_database(file).close()
    check = check_database(file)
    assert (check.state, "of this version" in check.reason) == ("ok", True)


def test_a_foreign_newer_or_damaged_database_fails_and_stays_as_it_is(tmp_path):
    text, foreign, newer, damaged = (tmp_path / f"{name}.db" for name in ("text", "foreign", "newer", "damaged"))
    text.write_text("no database, but long enough to be taken for one. " * 50)
    with sqlite3.connect(foreign) as db:
        db.execute("CREATE TABLE photo (id)")
    db.close()
    made = open_database(newer)
    made.conn.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('ronde', 'm999_tomorrow', '')")
    made.close()
    made = open_database(damaged)
    made.conn.execute("INSERT INTO round (id, software, models, settings) VALUES ('r', '', '', ?)", ["x" * 40_000])
    made.close()
    content = bytearray(damaged.read_bytes())
    content[5000:-100] = os.urandom(len(content) - 5100)
    damaged.write_bytes(content)
    for file, words in (
        (text, "not a database"),
        (foreign, "no database of ronde"),
        (newer, "m999_tomorrow"),
        (damaged, str(damaged)),
    ):
        before = file.read_bytes()
        check = failed(check_database(file))
        assert words in check.reason
        assert "ronde sync" in check.remedy
        assert file.read_bytes() == before


def test_the_broker_lets_the_unit_in_and_its_certificate_is_good(car):
    check = check_certificate(car.settings, car.backend)
    assert check.state == "ok", check
    assert "cannes/car-07, good for 30 days" in check.reason
    assert check_broker(car.settings, car.backend).state == "ok"


def test_the_doctor_does_not_expel_the_unit(car, make_observer, until):
    observer = make_observer()
    assert check_broker(car.settings, car.backend).state == "ok"
    until(lambda: "cannes.car-07.doctor" in car.broker.log.read_text(), "the broker has seen the doctor")
    assert observer.on("state") == []
    assert "cannes.car-07 " not in car.broker.log.read_text()


def test_a_broker_that_is_gone_or_refuses_is_one_sentence(car, authority, tmp_path):
    stranger = authority(tmp_path / "stranger").issue("cannes/car-07", "unit")
    backend = dataclasses.replace(car.backend, cert=stranger[0], key=stranger[1])
    failed(check_broker(car.settings, backend))
    car.broker.kill()
    assert "connection refused" in failed(check_broker(car.settings, car.backend)).reason


def test_a_certificate_that_is_missing_old_or_somebody_elses_fails(car):
    missing = dataclasses.replace(car.backend, cert=car.unit.state / "none.pem")
    assert "none.pem cannot be read" in failed(check_certificate(car.settings, missing)).reason
    for days, words in (((-30, -1), "ran out on"), ((-1, 5), "runs out on")):
        cert, key = car.broker.authority.issue("cannes/car-07", f"car{days[1]}", days=days)
        assert words in failed(check_certificate(car.settings, dataclasses.replace(car.backend, cert=cert, key=key))).reason
    cert, key = car.broker.authority.issue("cannes/car-08", "other")
    check = failed(check_certificate(car.settings, dataclasses.replace(car.backend, cert=cert, key=key)))
    assert "is for cannes/car-08, not for cannes/car-07" in check.reason


def test_a_laptop_hears_what_does_not_apply(settings, free_ports):
    laptop = dataclasses.replace(
        settings, gps=Gps("127.0.0.1", free_ports()), camera=Camera("recorded", drive=settings.unit.state.parent)
    )
    found = {check.name: check for check in check_unit(laptop)}
    names = [
        "configuration",
        "package names",
        "runtime",
        "privacy model",
        "roads model",
        "camera",
        "lamp and buttons",
        "positions",
        "clock",
        "clock's source",
        "power",
        "temperature",
        "disk",
        "card wear",
        "database",
        "old databases",
        "outbox",
        "safety profile",
        "commands",
        "audit log",
        "broker",
    ]
    assert list(found) == names
    of_the_computer = {"clock's source", "power", "temperature", "card wear"}  # what this one tells is this one's
    assert {name for name, check in found.items() if check.state == "does not apply"} - of_the_computer == {
        "camera",
        "lamp and buttons",
        "database",
        "outbox",
        "safety profile",
        "commands",
        "audit log",
        "broker",
    }
    assert {name for name, check in found.items() if check.state == "failed"} - of_the_computer == {"positions"}
    local = dataclasses.replace(laptop, backends=(Backend("roads", f"mqtt://127.0.0.1:{free_ports()}", None, None, None),))
    found = {check.name: check.state for check in check_unit(local)}
    assert (found["certificate for roads"], found["broker of roads"]) == ("does not apply", "failed")
    assert not settings.unit.state.exists()


def test_a_check_is_one_line_and_what_to_do_another():
    check = Check("disk", "failed", "it is full", "remove something")
    assert check.in_words().splitlines() == ["failed          disk: it is full", "                -> remove something"]
    assert json.loads(json.dumps(check.as_json())) == {
        "name": "disk",
        "state": "failed",
        "reason": "it is full",
        "remedy": "remove something",
    }
    assert "\n" not in Check("disk", "ok", "12 GB free").in_words()
