"""The other end of the line: a real mosquitto with mutual TLS and the contract's access list, and the receiver behind it."""

import socket
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sync.faults.authority import Authority
from sync.faults.child import Child, ronde
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
log_dest none
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

FINDING: Final = "ronde.finding.v1"
MINUTE_S: Final = 60.0


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listens at now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Mosquitto:
    """A broker on a port that stays the same, whatever happens to its process."""

    def __init__(self, ground: Ground, more: str = STOCK, name: str = "broker") -> None:
        self._ground = ground
        self.folder = ground.folder_of(name)
        self.authority = Authority(self.folder)
        self.authority.issue("localhost", "server")
        self.port = free_port()
        patterns = [f"pattern write ronde/v1/%u/{each}" for each in UNIT_WRITES]
        patterns += [f"pattern read ronde/v1/%u/{each}" for each in UNIT_READS]
        (self.folder / "access").write_text("\n".join((*patterns, *RECEIVER, "")), encoding="ascii")
        self._file = self.folder / "mosquitto.conf"
        self._file.write_text(CONFIGURATION.format(port=self.port, folder=self.folder, more=more), encoding="ascii")
        self._child: Child | None = None
        self.start()

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


ESTABLISHED: Final = "01"


def _tcp_lines() -> Sequence[list[str]]:
    return [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]


class Town:
    """A broker and `ronde receive` behind it, and what that has stored."""

    def __init__(self, ground: Ground, more: str = STOCK, name: str = "town") -> None:
        self._ground = ground
        self.broker = Mosquitto(ground, more, f"{name}-broker")
        self.file = ground.folder / f"{name}.db"
        self._paper = self.broker.authority.issue("receiver", "receiver")
        self._child: Child | None = None
        self.receive()

    def receive(self, *, before: Sequence[str] = (), patient: bool = True) -> Child:
        """Start the receiver, behind a command that runs it (strace), and wait until the broker has let it in."""
        self._child = Child(self._ground, [*before, *self.command()])
        if patient:
            until(lambda: self._heard("broker_connected"), "the receiver is connected", 2 * MINUTE_S)
        return self._child

    def command(self) -> list[str]:
        """The receiver's command line."""
        papers = ("--ca", self.broker.authority.ca, "--cert", self._paper.cert, "--key", self._paper.key)
        return ronde("receive", "--broker", self.broker.url, "--db", f"sqlite:///{self.file}", *papers)

    def receives(self) -> bool:
        """Whether the receiver runs."""
        return self._child is not None and self._child.alive()

    def kill_receiver(self) -> bool:
        """SIGKILL to the receiver; whether it was alive."""
        return self._child is not None and self._child.kill()

    def stored(self, kind: str = FINDING) -> list[str]:
        """The ids of the stored events of a kind."""
        return [id_ for (id_,) in rows(self.file, "SELECT id FROM event WHERE type = ?", kind)]

    def count(self) -> int:
        """How many findings are stored."""
        found = rows(self.file, "SELECT count(*) FROM event WHERE type = ?", FINDING)
        return int(found[0][0]) if found else 0

    def things(self) -> list[tuple[str, int]]:
        """Findings that are stored under more than one event."""
        return rows(self.file, "SELECT finding_id, count(*) FROM finding GROUP BY source, finding_id HAVING count(*) > 1")

    def _heard(self, word: str) -> bool:
        assert self._child is not None
        if not self._child.alive():
            raise TooLate(f"the receiver ended: {' '.join(self._child.stderr[-3:])}")
        return self._child.heard(word)


def rows(file: Path, sql: str, *values: Any) -> list[Any]:
    """What a look at a database shows that another process writes; nothing where there is none yet."""
    if not file.exists():
        return []
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=30)
    try:
        return db.execute(sql, values).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise
    finally:
        db.close()
