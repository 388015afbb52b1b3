"""`ronde panel` as systemd starts it: it serves, what was pressed outlives a kill, and it ends in good order when told to."""

import signal
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress

import pytest

from device.boot import now_s
from sync.command import main

DEADLINE_S = 60.0


@pytest.fixture
def config(car, free_port):
    file = car.state / "ronde.toml"
    file.write_text(
        f'[unit]\nfleet = "cannes"\nname = "car-07"\nstate = "{car.state}"\n[panel]\naddress = "127.0.0.1"\nport = {free_port}\n'
    )
    return file


@contextmanager
def running(config):
    process = subprocess.Popen(
        [sys.executable, "-m", "sync.command", "panel", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def answers(panel):
    with suppress(ConnectionError):
        return panel.ask("/").status == 200
    return False


def wait_for(panel, process):
    tick, deadline_s = threading.Event(), now_s() + DEADLINE_S
    while not answers(panel):
        assert process.poll() is None
        assert now_s() < deadline_s
        tick.wait(0.05)


def test_a_press_outlives_a_kill(car, config, free_port, as_served):
    panel = as_served(f"http://127.0.0.1:{free_port}/", car)
    with running(config) as process:
        wait_for(panel, process)
        assert panel.press("hazard", form={"note": "trou"}).status == 200
        assert main(["panel", "--config", str(config)]) == 2, "the port is taken"
        process.kill()
    assert car.requests() == [("hazard", "trou")]


def test_it_ends_in_good_order_when_told(config, car, free_port, as_served):
    with running(config) as process:
        wait_for(as_served(f"http://127.0.0.1:{free_port}/", car), process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
