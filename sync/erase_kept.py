"""What outlives an erasure inside the database, so that the unit goes on as itself: numbers, names, and who has told it to pause.

None of it says where the car was. Kept are the highest numbers that were given (an event made later is no event that a backend
has), the name of the last round of this boot, the number and the outcomes of commands, the satellites' clock, and a pause that
holds: an erasure must not make a car record that its driver has told not to.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

from device.boot import boot_id, now_s
from sync import numbers
from sync.commands_book import REFUSED_KEY
from sync.custody import LONG_AGO
from sync.database import open_tables, transaction
from sync.event import now
from sync.numbers import Numbers
from sync.outbox import Outbox
from sync.request import LAST_WORD
from sync.satellite_time import CLOCK
from sync.tables import MIGRATIONS

Rows = Sequence[tuple[Any, ...]]
COMMANDS: Final = "sequence, do, outcome, at"


@dataclass(frozen=True, slots=True)
class Kept:
    """What was read of the old database, as far as it could be read."""

    given: Numbers
    last_round: str | None = None
    commands: Rows = field(default=())
    settings: Rows = field(default=())
    paused: bool = False

    def begin(self, file: Path) -> None:
        """A new, empty database that goes on with it.

        Raises:
            DatabaseFailed: the disk does not do it.
        """
        with closing(open_tables(file, MIGRATIONS)) as db, transaction(db):
            Outbox(db).continue_above(self.given.sequence)
            settings = [("health", self.given.health), *self.settings]
            if self.given.command:
                settings.append(("command", self.given.command))
            db.conn.executemany("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", settings)
            if self.last_round is not None:
                db.conn.execute(
                    "INSERT INTO round (id, ended_at, software, models, settings) VALUES (?, ?, '', '{}', '{}')",
                    [self.last_round, LONG_AGO],
                )
            db.conn.executemany(f"INSERT INTO command ({COMMANDS}) VALUES (?, ?, ?, ?)", self.commands)  # noqa: S608 - our own names
            if self.paused:
                db.conn.execute(
                    "INSERT INTO request (kind, made_at, boot, made_boot_s) VALUES ('pause', ?, ?, ?)",
                    [now(), boot_id(), now_s()],
                )


def kept_of(file: Path) -> Kept:
    """What is to outlive the database `file`; of one that cannot be read, what was noted beside it."""
    given, last_round = _given(file), _last_round(file)
    with suppress(sqlite3.Error), closing(_look(file)) as db:
        word = db.conn.execute(LAST_WORD).fetchone()
        return Kept(
            given,
            last_round,
            commands=db.conn.execute(f"SELECT {COMMANDS} FROM command").fetchall(),  # noqa: S608 - our own names
            settings=db.conn.execute(
                "SELECT key, value FROM setting WHERE key = ? OR key GLOB ?", [CLOCK, f"{REFUSED_KEY}*"]
            ).fetchall(),
            paused=word is not None and word[0] == "pause",
        )
    return Kept(given, last_round)


def _given(file: Path) -> Numbers:
    """The highest numbers ever given, by the database and by what was noted beside it."""
    noted = numbers.noted(file.parent)
    with suppress(sqlite3.Error), closing(_look(file)) as db:
        now = numbers.given(db)
        return Numbers(max(now.sequence, noted.sequence), max(now.health, noted.health), max(now.command, noted.command))
    return noted


def _last_round(file: Path) -> str | None:
    """The last round since this start of the computer: the next one must not have its name, nor its events their ids."""
    prefix = f"{boot_id()[:8]}-"
    names = [each.name for each in (file.parent / "frames").glob(f"{prefix}*")]
    with suppress(sqlite3.Error), closing(_look(file)) as db:
        names += [name for (name,) in db.conn.execute("SELECT id FROM round WHERE id GLOB ?", [f"{prefix}*"])]
    counted = [int(number) for name in names if (number := name.removeprefix(prefix)).isdigit()]
    return f"{prefix}{max(counted)}" if counted else None


def _look(file: Path) -> Database:
    return Database(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True))
