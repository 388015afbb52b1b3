"""Which commands a unit has had, and what became of them: in `ronde.db`, so that none is obeyed twice, whatever happens.

The number of a command is written down before it is obeyed. A power cut between the two leaves a command that was not obeyed and
never will be: its outcome stays `begun`, and whoever sent it sees that.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

from sqlite_utils import Database

from sync import numbers
from sync.commands import Command, CommandRefused, Reason
from sync.database import transaction
from sync.event import now
from sync.failure import disk_failure

Outcome = Literal[
    "begun",
    "done",
    "asked",
    "unknown_finding",
    "no_photo",
    "no_backend",
    "no_certificate",
    "driver_paused",
    "not_renewed",
    "not_let_go",
    "not_erased",
]
"""What health says of a command. `begun`: cut off in the middle; `asked`: somebody else is doing it."""

ANSWERS: Final = 10
"""So many of the latest stand in each health event."""
KEPT: Final = 1000
REFUSED_KEY: Final = "command_refused/"


class Book:
    """The commands of a unit. `state` is where the highest number is noted beside the database as well."""

    def __init__(self, db: Database, state: Path) -> None:
        self._db = db
        self._state = state

    def last(self) -> int:
        """The highest number so far; 0 before the first."""
        return numbers.given(self._db).command

    def begin(self, command: Command) -> None:
        """Writes down that this command is obeyed now.

        Raises:
            CommandRefused: another backend has brought it, or a later one, meanwhile.
            DatabaseFailed, DatabaseDamaged: it is not written down, and must not be obeyed.
        """
        with transaction(self._db):
            last = self.last()
            if command.sequence <= last:
                raise CommandRefused("replayed", f"its number is {command.sequence}, and {last} was here before")
            self._db.conn.execute("INSERT OR REPLACE INTO setting (key, value) VALUES ('command', ?)", [command.sequence])
            self._db.conn.execute(
                "INSERT INTO command (sequence, do, outcome, at) VALUES (?, ?, 'begun', ?)", [command.sequence, command.do, now()]
            )
            self._db.conn.execute(
                "DELETE FROM command WHERE sequence NOT IN (SELECT sequence FROM command ORDER BY sequence DESC LIMIT ?)", [KEPT]
            )
        try:
            numbers.note(self._db, self._state)
        except OSError as error:
            raise disk_failure(f"{self._state / numbers.FILE} cannot be written", error) from error

    def answer(self, sequence: int, outcome: Outcome) -> None:
        """What became of it.

        Raises:
            DatabaseFailed, DatabaseDamaged: as any transaction.
        """
        with transaction(self._db):
            self._db.conn.execute("UPDATE command SET outcome = ? WHERE sequence = ?", [outcome, sequence])

    def count(self, refused: Mapping[Reason, int]) -> None:
        """So many more were refused, by reason."""
        with transaction(self._db):
            self._db.conn.executemany(
                "INSERT INTO setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = value + excluded.value",
                [(f"{REFUSED_KEY}{reason}", number) for reason, number in refused.items()],
            )


def told_of_commands(db: Database) -> dict[str, Any]:
    """What health says of commands, nothing where there was none."""
    obeyed, not_obeyed = answers(db), refused(db)
    return ({"commands": obeyed} if obeyed else {}) | ({"commands_refused": not_obeyed} if not_obeyed else {})


def answers(db: Database) -> list[dict[str, Any]]:
    """The latest commands and what became of them, as health tells it; the newest last."""
    rows = db.conn.execute("SELECT sequence, do, outcome FROM command ORDER BY sequence DESC LIMIT ?", [ANSWERS]).fetchall()
    return [{"sequence": sequence, "do": do, "outcome": outcome} for sequence, do, outcome in reversed(rows)]


def refused(db: Database) -> dict[str, int]:
    """How many were refused since the unit was made, by reason."""
    rows = db.conn.execute("SELECT key, value FROM setting WHERE key GLOB ?", [f"{REFUSED_KEY}*"]).fetchall()
    return {key.removeprefix(REFUSED_KEY): int(value) for key, value in sorted(rows)}
