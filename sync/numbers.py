"""The highest numbers that were given, beside the database: when it is lost, or goes back in time, none is given twice.

An event's number and what its id is made of (the count of health events) must never be used again, or a backend takes a new event
for one that it has.
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
    """The highest event number and the count of health events."""

    sequence: int = 0
    health: int = 0


def given(db: Database) -> Numbers:
    """What this database has given."""
    sequence = db.conn.execute("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'").fetchone()
    health = db.conn.execute("SELECT value FROM setting WHERE key = 'health'").fetchone()
    return Numbers(int(sequence[0]) if sequence else 0, int(health[0]) if health else 0)


def noted(state: Path) -> Numbers:
    """What was noted last; zeros where nothing was, or it cannot be read."""
    try:
        document = json.loads((state / FILE).read_text(encoding="utf-8"))
        return Numbers(int(document["sequence"]), int(document["health"]))
    except (OSError, ValueError, KeyError, TypeError):
        return Numbers()


def note(db: Database, state: Path) -> bool:
    """Notes what this database has given, where that is more than was noted; whether it was.

    Raises:
        OSError: the disk does not take it.
    """
    now, before = given(db), noted(state)
    if now.sequence <= before.sequence and now.health <= before.health:
        return False
    write_durably(state / FILE, json.dumps(asdict(now)).encode())
    return True


def is_behind(db: Database, state: Path) -> bool:
    """Whether this database has given less than was noted: a newer one was lost, or its log."""
    now, before = given(db), noted(state)
    return now.sequence < before.sequence or now.health < before.health


def go_on(db: Database, state: Path) -> None:
    """Lets a database go on well above what was ever given. Called inside a transaction."""
    now, before = given(db), noted(state)
    Outbox(db).continue_above(max(now.sequence, before.sequence) + SEQUENCE_MARGIN)
    health = max(now.health, before.health) + HEALTH_MARGIN
    db.conn.execute("INSERT OR REPLACE INTO setting (key, value) VALUES ('health', ?)", [health])
