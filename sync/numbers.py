"""The highest numbers that were given, beside the database: when it is lost, or goes back in time, none is given twice.

An event's number and what its id is made of (the count of health events) must never be used again, or a backend takes a new event
for one that it has. The number of the last command neither: or an old one would be obeyed once more.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from provisioning.durable import write_durably
from sync.outbox import Outbox

FILE: Final = "numbers.json"
SEQUENCE_MARGIN = 1_000_000
"""What may have been given since the file was written: more than a day at nine events a second."""
HEALTH_MARGIN = 100_000


@dataclass(frozen=True, slots=True)
class Numbers:
    """The highest event number, the count of health events, and the number of the last command."""

    sequence: int = 0
    health: int = 0
    command: int = 0


def given(db: Database) -> Numbers:
    """What this database has given."""
    sequence = db.conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    return Numbers(int(sequence[0]) if sequence else 0, _setting(db, "health"), _setting(db, "command"))


def _setting(db: Database, key: str) -> int:
    row = db.conn.execute("SELECT value FROM setting WHERE key = ?", [key]).fetchone()
    return int(row[0]) if row else 0


def noted(state: Path) -> Numbers:
    """What was noted last; zeros where nothing was, or it cannot be read."""
    try:
        document = json.loads((state / FILE).read_text(encoding="utf-8"))
        return Numbers(int(document["sequence"]), int(document["health"]), int(document.get("command", 0)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Numbers()


def note(db: Database, state: Path) -> bool:
    """Notes what this database has given, where that is more than was noted; whether it was.

    Raises:
        OSError: the disk does not take it.
    """
    now, before = given(db), noted(state)
    if now.sequence <= before.sequence and now.health <= before.health and now.command <= before.command:
        return False
    write_durably(state / FILE, json.dumps(asdict(now)).encode())
    return True


def is_behind(db: Database, state: Path) -> bool:
    """Whether this database has given less than was noted: a newer one was lost, or its log."""
    now, before = given(db), noted(state)
    return now.sequence < before.sequence or now.health < before.health or now.command < before.command


def go_on(db: Database, state: Path) -> None:
    """Lets a database go on well above what was ever given. Called inside a transaction."""
    now, before = given(db), noted(state)
    Outbox(db).continue_above(max(now.sequence, before.sequence) + SEQUENCE_MARGIN)
    health = max(now.health, before.health) + HEALTH_MARGIN
    command = max(now.command, before.command)
    db.conn.executemany(
        "INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)",
        [("health", health), *([("command", command)] if command else [])],
    )
