"""A real mosquitto with mutual TLS and the contract's access list, for the rows of the programme and the tests of delivery."""

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from sync.faults.authority import Authority
from sync.faults.child import Child
from sync.faults.ground import Ground, TooLate, until

CONFIGURATION: Final = """\
user root
listener {port} 127.0.0.1
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {folder}/access
persistence_location {folder}/
{log}
{more}
"""
"""Started by root, mosquitto gives its rights up where it is not told `user root`, and cannot read these files."""

STOCK: Final = ""
"""mosquitto's own settings: nothing is kept over a kill."""
AUTOSAVE: Final = "persistence true\nautosave_interval 1\nautosave_on_changes true\n"

UNIT_WRITES: Final = ("state", "birth", "finding", "grade", "track", "evidence", "alert", "health", "batch")
UNIT_READS: Final = ("ack", "command")
RECEIVER: Final = (
    "user receiver",
    "topic read ronde/v1/+/+/+",
    "topic write ronde/v1/+/+/ack",
    "topic write ronde/v1/+/+/command",
)
ACCESS: Final = "\n".join(
    (
        *(f"pattern write ronde/v1/%u/{each}" for each in UNIT_WRITES),
        *(f"pattern read ronde/v1/%u/{each}" for each in UNIT_READS),
        *RECEIVER,
        "",
    )
)
"""The access list: a unit writes its own streams and reads its own answers, the receiver reads everything."""

NO_LOG: Final = "log_dest none"
LOG: Final = "log_dest file {file}\nlog_type all"
ESTABLISHED: Final = "01"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Mosquitto:
    """A broker on a port that stays the same, whatever happens to its process."""

    def __init__(self, ground: Ground, more: str = STOCK, name: str = "broker", *, logged: bool = False) -> None:
        self._ground = ground
        self._logged = logged
        self.folder = ground.folder_of(name)
        self.authority = Authority(self.folder)
        self.authority.issue("localhost", "server")
        self.port = free_port()
        self._file = self.folder / "mosquitto.conf"
        (self.folder / "access").write_text(ACCESS, encoding="ascii")
        self.configure(more)
        self._child: Child | None = None
        self.start()

    @property
    def log(self) -> Path:
        """All that it does, where it is `logged`."""
        return self.folder / "mosquitto.log"

    def configure(self, more: str = STOCK) -> None:
        """Write its configuration, with `more` lines; it is read at the next start."""
        log = LOG.format(file=self.log) if self._logged else NO_LOG
        text = CONFIGURATION.format(port=self.port, folder=self.folder, log=log, more=more)
        self._file.write_text(text, encoding="ascii")

    @property
    def url(self) -> str:
        """As a configuration names it."""
        return f"mqtts://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and wait until it listens."""
        self._child = Child(self._ground, ["mosquitto", "-c", str(self._file)])
        until(self._listens, "mosquitto listens")

    def kill(self) -> bool:
        """SIGKILL; whether it was alive."""
        return self._child is not None and self._child.kill()

    def connected(self) -> int:
        """How many connections the broker has now, by the kernel's table."""
        return sum(1 for line in _tcp_lines() if line[1].endswith(f":{self.port:04X}") and line[3] == ESTABLISHED)

    def _listens(self) -> bool:
        if self._child is not None and not self._child.alive():
            raise TooLate(f"mosquitto ended: {' '.join(self._child.stderr)}")
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _tcp_lines() -> Sequence[list[str]]:
    return [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
