"""When a backend last confirmed anything: the panel shows it to the driver."""

from typing import Final

from sqlite_utils import Database

from sync.event import now

CONTACT_KEY: Final = "contact_at"


def note_contact(db: Database) -> None:
    """A backend has just answered; called inside a transaction."""
    db.conn.execute("INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", [CONTACT_KEY, now()])
