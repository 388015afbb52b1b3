"""Which database an address names: `sqlite:///FILE` or `postgresql://...`."""

from pathlib import Path
from typing import Final

from sync.failure import DatabaseRefused
from sync.receiver.atlas import Atlas
from sync.receiver.postgres import shown
from sync.receiver.postgres_atlas import PostgresAtlas
from sync.receiver.postgres_store import PostgresStore
from sync.receiver.sqlite_atlas import SqliteAtlas
from sync.receiver.sqlite_store import SqliteStore
from sync.receiver.store import Store

SQLITE: Final = "sqlite:///"
POSTGRES: Final = ("postgresql://", "postgres://")


def open_store(url: str) -> Store:
    """The database at `url`, for a receiver; its tables are made or brought up to date.

    Raises:
        DatabaseRefused: it is no such address, or the database cannot serve.
        DatabaseFailed: it cannot be used now.
    """
    return PostgresStore(url) if url.startswith(POSTGRES) else SqliteStore(database_file(url))


def open_atlas(url: str) -> Atlas:
    """What a receiver has stored at `url`, read only; the receiver makes the tables.

    Raises:
        DatabaseRefused: it is no such address.
    """
    return PostgresAtlas(url) if url.startswith(POSTGRES) else SqliteAtlas(database_file(url))


def database_file(url: str) -> Path:
    """The file of `sqlite:///FILE` (with four slashes for an absolute path).

    Raises:
        DatabaseRefused: it is no such address.
    """
    if not url.startswith(SQLITE) or len(url) == len(SQLITE):
        raise DatabaseRefused(f"{shown(url)} is no database's address: it is sqlite:///FILE or postgresql://USER@HOST/DATABASE")
    return Path(url.removeprefix(SQLITE))
