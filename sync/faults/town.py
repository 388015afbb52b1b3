"""The other end of the line: a broker, the receiver behind it, and what that has stored."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from sync.faults.child import Child, ronde
from sync.faults.ground import Ground, TooLate, until
from sync.faults.mosquitto import STOCK, Mosquitto

FINDING: Final = "ronde.finding.v1"
MINUTE_S: Final = 60.0


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

    def newest(self) -> int:
        """How many events of every kind are stored, read in no time however many there are."""
        try:
            found = rows(self.file, "SELECT max(rowid) FROM event")
        except sqlite3.OperationalError:  # it is held at this moment
            return 0
        return int(found[0][0] or 0) if found else 0

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
