"""What can still be read of a database that was set aside, into the one that was made anew; a few pages at a time.

How far it has come stands in the new database, in the same transaction as what it brought: whenever it is cut off, it goes on.
"""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlite_utils import Database

from provisioning.log import events
from sync.aside import SALVAGED
from sync.database import transaction
from sync.outbox import Outbox
from sync.pages import Pages
from sync.shapes import SHAPES, table_of

STEP_PAGES = 200
"""Pages in one transaction: about 0.8 MB."""

SEQUENCES = frozenset({"outbox", "request"})
"""Names that stand in SQLite's own table of numbers, which looks like `setting`."""

log = events("database")


@dataclass(frozen=True, slots=True)
class Salvaged:
    """How far it has come: the next page, and rows by table. `rows` counts what the new database took.

    `events_before` is how many events the old one says it had, None where it cannot be asked.
    """

    next_page: int = 1
    pages: int = 0
    done: bool = False
    rows: Mapping[str, int] = field(default_factory=dict)
    events_before: int | None = None

    @property
    def events(self) -> int:
        """Events that are on their way again."""
        return self.rows.get("outbox", 0)

    @property
    def ratio(self) -> float | None:
        """The share of the old one's events that are on their way again."""
        return None if self.events_before is None else min(1.0, self.events / self.events_before) if self.events_before else 1.0


class Salvage:
    """One set-aside file. `db` is a connection of its own: it is told not to ask for rows that refer to each other in order."""

    def __init__(self, db: Database, aside: Path, state: Path) -> None:
        self._db = db
        self._aside = aside
        self._state = state
        self._pages = Pages(aside)
        self._columns = {shape.table: self._names(shape.table) for shape in SHAPES}
        self._counts = {table: len(names) for table, names in self._columns.items()}
        db.conn.execute("PRAGMA foreign_keys = OFF")
        self.salvaged = salvaged_of(db, aside)
        if self.salvaged.events_before is None:
            self.salvaged = replace(self.salvaged, events_before=_events_in(aside))

    def close(self) -> None:
        """Closes the set-aside file."""
        self._pages.close()

    def run(self, seconds: float) -> Salvaged:
        """Steps until it is done or so much time has gone."""
        until_s = time.monotonic() + seconds
        while not self.step().done and time.monotonic() < until_s:
            pass
        return self.salvaged

    def step(self) -> Salvaged:
        """Brings over the rows of the next pages; at the end puts them in order and renames the file.

        Raises:
            DatabaseFailed, DatabaseDamaged: the new database did not take them; nothing of this step was done.
        """
        if self.salvaged.done:
            return self.salvaged
        first = self.salvaged.next_page
        last = min(first + STEP_PAGES - 1, self._pages.count)
        rows = Counter(self.salvaged.rows)
        with transaction(self._db):
            for number in range(first, last + 1):
                for rowid, values in self._pages.records(number):
                    rows.update(self._take(rowid, values))
            done = last >= self._pages.count
            if done:
                self._put_in_order()
            salvaged = replace(self.salvaged, next_page=last + 1, pages=self._pages.count, done=done, rows=dict(rows))
            self._db.conn.execute(
                "INSERT OR REPLACE INTO setting (key, value) VALUES (?, ?)", [_key(self._aside), json.dumps(asdict(salvaged))]
            )
        self.salvaged = salvaged
        if done:
            self._aside.rename(self._aside.with_name(self._aside.name + SALVAGED))
            log.warning(
                "database_salvaged", file=self._aside.name, rows=sum(rows.values()), events=salvaged.events, ratio=salvaged.ratio
            )
        return salvaged

    def _take(self, rowid: int, values: list[Any]) -> Iterable[str]:
        """Puts one row where it belongs; the name of its table where it was taken."""
        table = table_of(values, self._counts)
        if table is None:
            return ()
        if table == "setting" and values[0] in SEQUENCES:
            if values[0] == "outbox" and isinstance(values[1], int):
                Outbox(self._db).continue_above(values[1])
            return ()
        names = self._columns[table][: len(values)]
        if values[0] is None:
            values[0] = rowid
        if table == "frame":
            values = self._with_photo(values)
        columns, marks = ", ".join(f'"{name}"' for name in names), ", ".join("?" * len(values))
        sql = f"INSERT OR IGNORE INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - our own names
        if table == "round":  # only its name may be there (sync/custody.py)
            told = ", ".join(f'"{name}" = excluded."{name}"' for name in names[1:])
            sql = sql.replace(" OR IGNORE", "") + f" ON CONFLICT (id) DO UPDATE SET {told} WHERE round.software = ''"
        return (table,) if self._db.conn.execute(sql, values).rowcount == 1 else ()

    def _with_photo(self, frame: list[Any]) -> list[Any]:
        """A frame whose photo is not there stands without it."""
        file = frame[self._columns["frame"].index("file")]
        if isinstance(file, str) and not (self._state / file).is_file():
            frame[self._columns["frame"].index("file")] = None
        return frame

    def _put_in_order(self) -> None:
        """Rows whose round was lost get one of its name; detections without their frame go."""
        for table in ("frame", "finding", "gap", "track"):
            self._db.conn.execute(
                "INSERT OR IGNORE INTO round (id, software, models, settings) "  # noqa: S608 - our own names
                f"SELECT DISTINCT round_id, '', '{{}}', '{{}}' FROM {table} WHERE round_id NOT IN (SELECT id FROM round)"
            )
        self._db.conn.execute("DELETE FROM detection WHERE frame_id NOT IN (SELECT id FROM frame)")

    def _names(self, table: str) -> list[str]:
        return [name for _, name, *_ in self._db.conn.execute(f"PRAGMA table_info({table})")]


def salvaged_of(db: Database, aside: Path) -> Salvaged:
    """How far the salvage of a set-aside file has come; from the beginning where it has not begun."""
    row = db.conn.execute("SELECT value FROM setting WHERE key = ?", [_key(aside)]).fetchone()
    return Salvaged(**json.loads(row[0])) if row else Salvaged()


def _events_in(aside: Path) -> int | None:
    """How many events a set-aside file says it has: counted in an index, which may be whole where the table is not."""
    try:
        with closing(sqlite3.connect(f"{aside.resolve().as_uri()}?mode=ro", uri=True)) as db:
            (rows,) = db.execute("SELECT count(*) FROM outbox INDEXED BY outbox_by_priority").fetchone()
    except (sqlite3.Error, UnicodeDecodeError):
        return None
    finally:
        aside.with_name(aside.name + "-shm").unlink(missing_ok=True)
    return int(rows)


def _key(aside: Path) -> str:
    return f"salvage/{aside.name.removesuffix(SALVAGED)}"
