"""`ronde erase`: every photo, place, time and waiting event of a unit, and what is left of databases that were set aside.

Who the unit is and how it is configured stays, and so do the numbers that it has given: an event that is made afterwards is no
event that a backend has already.
"""

import argparse
import fcntl
import json
import os
import shutil
import sqlite3
import struct
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

from sqlite_utils import Database

from provisioning.durable import sync_folder, write_durably
from provisioning.settings import read_settings
from sync import erasing, numbers, renewal
from sync.audit import HEAD, LOG, Audit
from sync.authorised import FLOOR_FILE
from sync.erase_kept import kept_of
from sync.exit import DONE, UNDONE
from sync.failure import disk_failure
from sync.hold import hold_folder
from sync.owner import as_owner
from sync.rounds import AlreadyRunning, only_one

DATABASE: Final = "ronde.db"
FRAMES: Final = "frames"
KEPT: Final = (numbers.FILE, "ballast", "capture.lock", "sync.lock", LOG, HEAD, FLOOR_FILE, erasing.ASKED, renewal.ASKED)
"""What else lies in the folder and says nothing about anybody; and the last good copy of a configuration (`*.good`)."""
FITRIM: Final = 0xC0185879
"""linux/fs.h: tells the disk which blocks are free, so that it forgets what was in them."""
EVERYTHING: Final = struct.pack("QQQ", 0, 2**64 - 1, 0)


class EraseRefused(Exception):
    """Nothing is erased now: one sentence."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What there is to erase. Numbers of rows are None where the database cannot be read; it is erased all the same."""

    photos: int
    rounds: int | None
    places: int | None
    findings: int | None
    events_waiting: int | None
    events_refused: int | None
    databases_set_aside: int
    bytes: int

    def in_words(self) -> str:
        """One line for each."""
        rows = {
            "photos": self.photos,
            "rounds": self.rounds,
            "places and times of the car": self.places,
            "findings": self.findings,
            "events that no backend has confirmed": self.events_waiting,
            "events that a backend has refused": self.events_refused,
            "databases that were set aside": self.databases_set_aside,
        }
        lines = [f"{'?' if number is None else format(number, ','):>9}  {what}" for what, number in rows.items()]
        return "\n".join((*lines, f"{self.bytes:>9,}  bytes"))


@dataclass(frozen=True, slots=True)
class Erased:
    """What was erased. `left` names files that are not ronde's, `discarded` says whether the disk was told to forget it."""

    contents: Contents
    left: tuple[str, ...]
    discarded: bool = False

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {"erased": asdict(self.contents), "discarded": self.discarded, "left": list(self.left)}

    def in_words(self) -> str:
        """For a person."""
        told = (
            "The disk was told to forget it."
            if self.discarded
            else "The disk was not told to forget it: it needs root, or cannot."
        )
        left = f"\nNot touched, since not ronde's: {', '.join(self.left)}" if self.left else ""
        return f"Erased:\n{self.contents.in_words()}\n{told}{left}\nThe unit's identity and configuration are as they were."


def run_erase(args: argparse.Namespace) -> int:
    """`ronde erase`: says what there is, asks, erases, says what it has erased.

    Raises:
        SettingsError: there is no configuration.
        EraseRefused: a capture or a sync runs, or nobody is there to be asked.
        DatabaseFailed: another program has the database open, or the disk does not do it.
    """
    state = read_settings(args.config).unit.state
    if not state.is_dir():
        raise EraseRefused(f"there is no folder {state}: nothing to erase")
    with _alone(state):
        if not args.yes:
            print(f"{state} holds\n{contents_of(state).in_words()}", file=sys.stderr)
            if not sys.stdin.isatty():
                raise EraseRefused("nobody is there to be asked; --yes erases without asking")
            if input("Erase all of it? [y/N] ").strip().lower() not in {"y", "yes"}:
                return UNDONE
        erased = replace(erase(state), discarded=discard(state))
        note(state, erased.contents, "a person")
    print(json.dumps(erased.as_json()) if args.json else erased.in_words())
    return DONE


def _alone(state: Path) -> ExitStack:
    """Nobody captures, nobody sends, and nobody else has the database open, as long as this is."""
    with ExitStack() as stack:
        try:
            with as_owner(state):
                stack.enter_context(only_one(state, "capture"))
                stack.enter_context(only_one(state, "sync"))
        except AlreadyRunning as error:
            raise EraseRefused(f"{error}; stop it first: systemctl stop ronde.target") from None
        hold = hold_folder(state, fcntl.LOCK_EX)
        assert hold is not None
        stack.callback(os.close, hold)
        return stack.pop_all()


def note(state: Path, contents: Contents, by: str) -> None:
    """Says in the audit log what was erased, and who wanted it.

    Raises:
        AuditNotWritten: the disk does not take it.
    """
    Audit(state).append("erased", {"by": by, **asdict(contents)})


def contents_of(state: Path) -> Contents:
    """What a state folder holds."""
    photos = [file for file in (state / FRAMES).rglob("*") if file.is_file()]
    databases = list(_databases(state))
    counts: dict[str, int | None] = {}
    for table in ("round", "frame", "finding", "outbox", "refused"):
        counts[table] = _count(state / DATABASE, table)
    asides = {file.name.removesuffix("-wal").removesuffix("-shm") for file in databases if ".aside-" in file.name}
    size = sum(file.stat().st_size for file in (*photos, *databases) if file.is_file())
    return Contents(
        photos=len(photos),
        rounds=counts["round"],
        places=counts["frame"],
        findings=counts["finding"],
        events_waiting=counts["outbox"],
        events_refused=counts["refused"],
        databases_set_aside=len(asides),
        bytes=size,
    )


def erase(state: Path) -> Erased:
    """Erases all that `contents_of` tells. Cut off at any point, it is called again, and the unit works meanwhile.

    Raises:
        DatabaseFailed: the disk does not do it; some of it may be gone.
    """
    contents, kept = contents_of(state), kept_of(state / DATABASE)
    try:
        with as_owner(state):
            write_durably(state / numbers.FILE, json.dumps(asdict(kept.given)).encode())
        # A log without its database would be salvaged, and a photo without its row is only swept: so logs first, photos last.
        for file in (*sorted(_databases(state), key=_log_first), state / FRAMES):
            if file.is_dir():
                shutil.rmtree(file)
            else:
                file.unlink(missing_ok=True)
        sync_folder(state)
    except OSError as error:
        raise disk_failure(f"{error.filename or state} cannot be erased", error) from error
    with as_owner(state):
        kept.begin(state / DATABASE)
    return Erased(contents, tuple(_strangers(state)))


def _databases(state: Path) -> Iterator[Path]:
    """The database, its logs and marks, and all that was set aside: files, or what somebody put in their place."""
    return (each for each in state.iterdir() if each.name == DATABASE or each.name.startswith((f"{DATABASE}-", f"{DATABASE}.")))


def _log_first(file: Path) -> tuple[int, str]:
    return (0 if file.name.endswith(("-wal", "-shm")) else 1, file.name)


def _strangers(state: Path) -> list[str]:
    ours = {*KEPT, *(each.name for each in _databases(state))}
    return sorted(each.name for each in state.iterdir() if each.name not in ours and not each.name.endswith(".good"))


def _count(file: Path, table: str) -> int | None:
    """The rows of a table; 0 where there is no database, None where it cannot be read."""
    if not file.exists():
        return 0
    with suppress(sqlite3.Error), closing(_look(file)) as db:
        return int(db.conn.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608 - our own names
    return None


def _look(file: Path) -> Database:
    return Database(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True))


def discard(state: Path) -> bool:
    """Tells the disk to forget what all its free blocks hold; whether it took it. Needs root; a large one takes a while."""
    folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.ioctl(folder, FITRIM, EVERYTHING)
    except OSError:
        return False
    finally:
        os.close(folder)
    return True
