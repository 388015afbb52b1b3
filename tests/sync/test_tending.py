"""`ronde sync` through what disks and databases do: it says so, goes on by itself, and loses nothing."""

import json
import logging
import os
import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest

from device.boot import boot_id
from provisioning import good
from sync import numbers
from sync.aside import aside_files
from sync.ballast import Ballast
from sync.database import open_database, transaction
from sync.delivery import run_sync
from sync.rows import insert
from sync.storage import Storage


@pytest.fixture
def serving(serving):
    """With health told often."""
    return partial(serving, health_s=0.2)


@pytest.fixture(autouse=True)
def _hear_everything(caplog):
    caplog.set_level(logging.INFO, "ronde")


def events_of(caplog, name):
    return [record.ronde_fields for record in list(caplog.records) if record.getMessage() == name]


def test_a_database_locked_for_longer_than_anybody_waits_ends_nothing(car, town, until, caplog, monkeypatch, serving):
    monkeypatch.setattr("sync.database.BUSY_S", 0.3)
    with town.open(), serving(car.settings):
        until(lambda: (car.unit.state / "ronde.db").exists() and numbers.noted(car.unit.state).health, "it runs")
        with closing(sqlite3.connect(car.file, isolation_level=None, timeout=10)) as other:
            other.execute("BEGIN IMMEDIATE")
            until(lambda: len(events_of(caplog, "database_failed")) >= 3, "it says so")
            other.execute("ROLLBACK")
        ids = car.put(1, 30)
        until(lambda: len(town.findings()) == 30, "it delivers")
        until(lambda: events_of(caplog, "database_recovered"), "it says that all is well again")
    assert sorted(town.findings()) == sorted(ids)
    assert all("does not let go" in each["reason"] for each in events_of(caplog, "database_failed"))


def test_a_database_damaged_while_it_delivers_is_made_anew_and_everything_arrives(car, town, until, rows, serving):
    ids = car.put(1, 300)
    with serving(car.settings):
        until(lambda: numbers.noted(car.unit.state).health, "it runs")
        page = rows(car.file, "SELECT rootpage FROM sqlite_master WHERE name = 'outbox_by_priority'")[0][0]
        with car.file.open("r+b") as out:
            out.seek((page - 1) * 4096)
            out.write(os.urandom(4096))
        until(lambda: aside_files(car.file), "the old one is set aside")
        until(lambda: "database_renewed" in reasons(rows, car), "health is told")
        with town.open():
            until(lambda: len(town.findings()) == 300, "all events arrive")
    assert sorted(town.findings()) == sorted(ids)
    assert [each.name for each in aside_files(car.file)] == ["ronde.db.aside-1.salvaged"]


def reasons(rows, car):
    try:
        found = rows(car.file, "SELECT reasons, boot FROM condition WHERE name = 'sync'")
    except sqlite3.DatabaseError:
        return []
    return json.loads(found[0][0]) if found and found[0][1] == boot_id() else []


def test_what_is_wrong_stands_in_the_condition(car, town, until, rows, free_port, caplog, serving):
    car.broker.authority.issue("cannes/car-07", "car-07", days=(-1, 3))
    settings = replace(car.settings, fallback="ronde.toml: the file is empty")
    desk = replace(car.backend, name="desk", url=f"mqtts://127.0.0.1:{free_port}")
    with town.open(), serving(replace(settings, backends=(car.backend, desk))):
        expected = {"broker_unreachable", "certificate_expires", "settings_fallback"}
        until(lambda: set(reasons(rows, car)) == expected, "what is wrong is told")
    assert events_of(caplog, "settings_fell_back") == [{"reason": "ronde.toml: the file is empty"}]
    assert any(set(each["reasons"]) == expected for each in events_of(caplog, "alarms_changed"))


def test_the_configuration_that_was_good_is_kept(car, tmp_path, monkeypatch, until, serving):
    monkeypatch.setattr(good, "ELSEWHERE", tmp_path)
    source = tmp_path / "ronde.toml"
    source.write_text("text")
    with serving(replace(car.settings, source=source, backends=())):
        until(lambda: good.read_good(source) == b"text", "the copy")


def test_an_expired_certificate_is_an_alarm_and_the_new_one_is_used_without_a_restart(car, town, until, rows, serving):
    """The capture has no part in it; its events wait."""
    ids = car.put(1, 20)
    car.broker.authority.issue("cannes/car-07", "car-07", days=(-2, -1))
    with town.open(), serving(car.settings):
        until(lambda: "certificate_expired" in reasons(rows, car), "the alarm")
        assert set(ids) <= set(car.waiting())
        car.broker.authority.issue("cannes/car-07", "car-07")
        until(lambda: len(town.findings()) == 20, "all events arrive")
        until(lambda: reasons(rows, car) == [], "the alarm is over")


def test_a_bug_in_a_backends_thread_ends_everything(car, monkeypatch):
    def bug(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("sync.delivery.knock", bug)
    with pytest.raises(ZeroDivisionError):
        run_sync(car.settings, threading.Event())


def moved(car, folder):
    """The same car with its state on another disk."""
    state = folder / "state"
    state.mkdir()
    return replace(car, settings=replace(car.settings, unit=replace(car.unit, state=state)))


def test_a_read_only_disk_is_an_alarm_and_it_goes_on_when_it_can(car, town, until, caplog, own_disk, serving):
    car = moved(car, own_disk.mount_point)
    ids = car.put(1, 10)
    own_disk.remount("ro")
    with town.open(), serving(car.settings):
        until(lambda: len(events_of(caplog, "database_failed")) >= 4, "it says so")
        assert all("read-only" in each["reason"] for each in events_of(caplog, "database_failed"))
        own_disk.remount("rw")
        until(lambda: len(town.findings()) == 10, "it delivers")
    assert sorted(town.findings()) == sorted(ids)


def test_a_disk_filled_to_the_last_block_comes_back_by_itself(car, town, until, own_disk, fill, caplog, serving):
    car = moved(car, own_disk.mount_point)
    frames = car.unit.state / "frames" / "r"
    frames.mkdir(parents=True)
    with closing(open_database(car.file)) as db, transaction(db):
        insert(db, "round", id="r", software="", models="{}", settings="{}", ended_at="then")
        for n in range(80):
            (frames / f"{n}.jpg").write_bytes(os.urandom(100_000))
            insert(
                db, "frame", id=f"r-{n}", round_id="r", time_source="gnss", odometer_m=4 * n, hidden=0,
                position_source="filled", file=f"frames/r/{n}.jpg", sha256="a",
            )  # fmt: skip
    ids = car.put(1, 50)
    with serving(car.settings):
        until(Ballast(car.unit.state).is_there, "the ballast is there")
        fill(own_disk.mount_point)
        until(lambda: events_of(caplog, "photos_evicted"), "photos go", 30)
        with town.open():
            until(lambda: len(town.findings()) == 50, "all events arrive")
        (own_disk.mount_point / "foreign").unlink()
        until(Ballast(car.unit.state).is_there, "the ballast is there again")
    assert sorted(town.findings()) == sorted(ids)
    assert events_of(caplog, "ballast_dropped")


def test_storage_is_looked_after_without_any_backend(car, until, monkeypatch, serving):
    steps = []
    step = Storage.step
    monkeypatch.setattr(Storage, "step", lambda self: steps.append(1) or step(self))
    with serving(replace(car.settings, backends=())):
        until(lambda: steps, "the storage is looked after")
