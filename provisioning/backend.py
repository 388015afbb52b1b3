"""Who gets the events: the `[[backend]]` tables of the configuration."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args
from urllib.parse import urlsplit

from provisioning.table import Table

Stream = Literal["finding", "grade", "track", "evidence", "health", "alert"]
Confirm = Literal["backend", "broker"]

STREAMS: tuple[Stream, ...] = get_args(Stream)
CONFIRMS: tuple[Confirm, ...] = get_args(Confirm)
DEFAULT_STREAMS: tuple[Stream, ...] = ("finding", "grade", "track", "evidence", "health")

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")
"""Fleet, unit and backend names: they go into topics, certificates and file names."""

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class Backend:
    """One receiver of events, with its broker. `ca`, `cert` and `key` are None only for mqtt:// on loopback."""

    name: str
    url: str
    ca: Path | None
    cert: Path | None
    key: Path | None
    streams: tuple[Stream, ...] = DEFAULT_STREAMS
    confirm: Confirm = "backend"


def backends_of(whole: Table) -> tuple[Backend, ...]:
    """The `[[backend]]` tables of a whole configuration."""
    backends: list[Backend] = []
    for table in whole.tables("backend"):
        backend = _backend(table)
        if any(backend.name == other.name for other in backends):
            raise table.refused("name", f"is used twice: {backend.name}")
        if any(urlsplit(backend.url).netloc == urlsplit(other.url).netloc for other in backends):
            raise table.refused("url", "is used twice: two backends do not share a broker")
        backends.append(backend)
    return tuple(backends)


def _backend(table: Table) -> Backend:
    name = table.text("name", matches=NAME)
    url = table.text("url")
    check_broker_url(url, lambda sentence: table.refused("url", sentence))
    secure = url.startswith("mqtts:")
    ca, cert, key = (table.path(each, None) for each in ("ca", "cert", "key"))
    for each, path in (("ca", ca), ("cert", cert), ("key", key)):
        if secure and path is None:
            raise table.refused(each, "is missing: mqtts:// needs ca, cert and key")
        if not secure and path is not None:
            raise table.refused(each, "does not go with mqtt://, which is for loopback and has no certificates")
    streams = table.choices("streams", STREAMS, DEFAULT_STREAMS)
    backend = Backend(name, url, ca, cert, key, streams, table.choice("confirm", CONFIRMS, "backend"))
    table.done()
    return backend


def check_broker_url(url: str, refused: Callable[[str], Exception]) -> None:
    """Refuse a broker's address that is neither mqtts:// nor mqtt:// on loopback; `refused` makes the error of a sentence."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise refused(f"has no valid port: {url}") from None
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path not in ("", "/") or port == 0:
        raise refused(f"is no broker's address: {url}; it is mqtts://HOST:PORT")
    if parts.username or parts.password:
        raise refused("holds a password; the unit's certificate is its identity")
    if parts.scheme == "mqtt" and parts.hostname not in LOOPBACK:
        raise refused(f"is not encrypted: {url}; mqtt:// is accepted for 127.0.0.1, ::1 and localhost alone")
