import socket

import pytest

from provisioning.supervisor import Supervisor


@pytest.fixture(params=["path", "abstract"])
def systemd(request, tmp_path):
    """What systemd hears, and how it calls its socket."""
    name = str(tmp_path / "notify") if request.param == "path" else f"@ronde-test-{tmp_path.name}-{id(request)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + name[1:] if name.startswith("@") else name)
        heard.settimeout(5)
        yield heard, {"NOTIFY_SOCKET": name}


def test_ready_once_then_the_watchdog(systemd):
    heard, environment = systemd
    supervisor = Supervisor(environment)
    supervisor.alive()
    supervisor.alive()
    supervisor.alive()
    assert [heard.recv(100) for _ in range(3)] == [b"READY=1\nWATCHDOG=1", b"WATCHDOG=1", b"WATCHDOG=1"]


def test_without_systemd_nothing_is_said():
    Supervisor({}).alive()
