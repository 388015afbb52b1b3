"""The end of `ronde sync` does not wait for a broker that never answers."""

import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sync import crew
from sync.crew import have_ended, started

PROJECT = Path(__file__).parents[2]
DEADLINE_S = 60.0


def test_work_that_ends_and_work_that_fails_say_so():
    future = started(lambda: None, "well")
    assert have_ended([future], at_once=False)
    assert future.result() is None
    failing = started(lambda: {}["missing"], "badly")
    assert have_ended([failing], at_once=False)
    with pytest.raises(KeyError):
        failing.result()


def test_work_that_hangs_is_not_waited_for_at_the_end(monkeypatch):
    monkeypatch.setattr(crew, "END_S", 0.05)
    release = threading.Event()
    future = started(release.wait, "hanging")
    assert not have_ended([future], at_once=True)
    release.set()
    assert have_ended([future], at_once=False)


def test_sync_ends_while_it_waits_for_a_broker_that_does_not_answer(tmp_path):
    """It would wait for ten seconds, and then say that the broker did not answer; systemd kills after five."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(DEADLINE_S)
        (tmp_path / "state").mkdir()
        file = tmp_path / "ronde.toml"
        file.write_text(
            f'[unit]\nfleet = "cannes"\nname = "car-07"\nstate = "{tmp_path}/state"\n'
            f'[[backend]]\nname = "roads"\nurl = "mqtt://127.0.0.1:{silent.getsockname()[1]}"\n'
        )
        command = [sys.executable, "-m", "sync.command", "sync", "--config", str(file)]
        environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as sync:
            try:
                caller, _ = silent.accept()
                with caller:
                    assert caller.recv(1)
                    sync.send_signal(signal.SIGTERM)
                    _, said = sync.communicate(timeout=DEADLINE_S)
            finally:
                sync.kill()
    assert sync.returncode == 0
    assert "broker_refused" not in said
