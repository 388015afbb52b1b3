"""The whole way by the commands a person types: a recorded drive, `ronde sync --once`, `ronde receive`, a broker that dies."""

import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from device.street.recording import draw_drive
from sync.database import open_database
from sync.evidence_wanted import Cutter

PROJECT = Path(__file__).parents[2]
DEADLINE_S = 180
ENTRY = ["-m", "sync.command"]
IMPATIENT = """
import functools, sys
import sync.command, sync.delivery
sync.delivery.deliver_once = functools.partial(sync.delivery.deliver_once, give_up_s=2.0)
sys.exit(sync.command.main())
"""
"""The command, with less patience than the minute of the contract."""


def ronde(*argv):
    return [sys.executable, *ENTRY, *map(str, argv)], {**os.environ, "PYTHONPATH": str(PROJECT)}


def run(*argv):
    command, environment = ronde(*argv)
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


@contextmanager
def running(*argv):
    command, environment = ronde(*argv)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def config(car, tmp_path):
    backend = car.backend
    file = tmp_path / "ronde.toml"
    file.write_text(
        f'[unit]\nfleet = "{car.unit.fleet}"\nname = "{car.unit.name}"\nstate = "{car.unit.state}"\n'
        f'[[backend]]\nname = "roads"\nurl = "{backend.url}"\n'
        f'ca = "{backend.ca}"\ncert = "{backend.cert}"\nkey = "{backend.key}"\n'
    )
    return file


@contextmanager
def receiving(town):
    options = town.options()
    with running(
        *("receive", "--broker", town.broker.url, "--db", options["db_url"]),
        *("--ca", options["ca"], "--cert", options["cert"], "--key", options["key"], "--name", "ronde-receiver"),
    ) as process:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


@pytest.mark.parametrize("kills", [(), (50, 250)])
def test_from_a_drive_to_the_receiver_each_event_once(car, town, mosquitto, config, tmp_path, until, rows, kills):
    drive = tmp_path / "drive"
    draw_drive(drive, seconds=6.0, fps=10)
    assert run("replay", drive, "--out", car.unit.state, "--config", config).returncode == 0
    with closing(open_database(car.file)) as db:  # as sync does first of all
        Cutter(db, car.unit.state, car.unit, car.settings.backends).cut_all()
    car.put(1_000_000, 500)
    sent = car.waiting()
    assert len(sent) > 500

    with receiving(town):
        until(town.subscribed, "the receiver has subscribed")
        with running("sync", "--once", "--config", config) as sync:
            for stored in kills:
                until(lambda stored=stored: len(town.findings()) >= stored, f"{stored} events are stored")
                assert car.waiting(), "the broker is to be killed while there is something to lose"
                mosquitto.kill()
                mosquitto.start()
            out, _ = sync.communicate(timeout=DEADLINE_S)
            assert sync.returncode == 0, out
        assert car.waiting() == []
        assert stored_ids(rows, town) == Counter(sent)

        assert run("replay", drive, "--out", car.unit.state, "--config", config).returncode == 0
        again = run("sync", "--once", "--config", config)
        assert (again.returncode, again.stdout) == (0, "roads: 0 delivered\n")
    before = town.subscriptions()  # after the last kill everything may have been stored already, and nobody came back
    with receiving(town):
        until(lambda: town.subscribed(before + 1), "the receiver has subscribed again")
        assert run("sync", "--once", "--config", config).returncode == 0
    assert stored_ids(rows, town) == Counter(sent)


def stored_ids(rows, town):
    """Ids of all that came from the outbox: a birth is said at each connection."""
    return Counter(id_ for (id_,) in rows(town.file, "SELECT id FROM event WHERE type != 'ronde.birth.v1'"))


def test_a_broker_that_refuses_the_certificate_is_one_sentence_and_loses_nothing(car, config, authority, tmp_path, monkeypatch):
    car.put(1, 3)
    stranger = authority(tmp_path / "strangers")
    certificate, key = stranger.issue("cannes/car-07", "forged")
    config.write_text(config.read_text().replace(str(car.backend.cert), str(certificate)).replace(str(car.backend.key), str(key)))
    monkeypatch.setattr(sys.modules[__name__], "ENTRY", ["-c", IMPATIENT])
    done = run("sync", "--once", "--config", config)
    assert done.returncode == 3
    assert len(done.stdout.splitlines()) == 1
    assert "certificate" in done.stdout
    assert len(car.waiting()) == 3
