"""The ways in which a database is damaged: each does one thing to the bytes of the file or of its log, drawn from a source."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from sync.pages import PAGE


def _flip(file: Path, source: random.Random, pages: int, bytes_: int) -> None:
    content = bytearray(file.read_bytes())
    for _ in range(pages):
        start = source.randrange(len(content) // PAGE) * PAGE
        for _ in range(bytes_):
            content[start + source.randrange(PAGE)] ^= source.randrange(1, 256)
    file.write_bytes(content)


def _flip_one(file: Path, source: random.Random) -> None:
    _flip(file, source, 1, 1)


def _flip_fifty(file: Path, source: random.Random) -> None:
    _flip(file, source, 50, 8)


def _wipe_page(file: Path, source: random.Random) -> None:
    content = bytearray(file.read_bytes())
    start = source.randrange(len(content) // PAGE) * PAGE
    content[start : start + PAGE] = bytes(PAGE)
    file.write_bytes(content)


def _wipe_begin(file: Path, source: random.Random) -> None:
    content = bytearray(file.read_bytes())
    end = source.choice([16, 100, PAGE])
    content[:end] = source.randbytes(end)
    file.write_bytes(content)


def _cut(file: Path, source: random.Random) -> None:
    with file.open("r+b") as out:
        out.truncate(source.randrange(1, file.stat().st_size))


def _cut_page(file: Path, source: random.Random) -> None:
    with file.open("r+b") as out:
        out.truncate(source.randrange(1, file.stat().st_size // PAGE) * PAGE)


def _empty(file: Path, _source: random.Random) -> None:
    file.write_bytes(b"")


def _lose_log(file: Path, _source: random.Random) -> None:
    file.with_name(file.name + "-wal").unlink()


def _flip_log(file: Path, source: random.Random) -> None:
    _flip(file.with_name(file.name + "-wal"), source, 3, 3)


def _be_foreign(file: Path, _source: random.Random) -> None:
    _lose_log(file, _source)
    file.unlink()
    with closing(sqlite3.connect(file)) as db:
        db.execute("CREATE TABLE album (name TEXT)")


def _be_newer(file: Path, _source: random.Random) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('ronde', 'm900_future', '')")


def _be_a_folder(file: Path, _source: random.Random) -> None:
    _lose_log(file, _source)
    file.unlink()
    file.mkdir()


DAMAGES: Final[dict[str, Callable[[Path, random.Random], None]]] = {
    "one byte flipped": _flip_one,
    "8 bytes flipped in each of 50 pages": _flip_fifty,
    "a page wiped": _wipe_page,
    "its beginning overwritten": _wipe_begin,
    "cut anywhere": _cut,
    "cut between pages": _cut_page,
    "zero length": _empty,
    "log lost": _lose_log,
    "bytes flipped in its log": _flip_log,
    "another program's": _be_foreign,
    "of a newer ronde": _be_newer,
    "a folder": _be_a_folder,
}
"""What is done to a database, by its name in the table."""
