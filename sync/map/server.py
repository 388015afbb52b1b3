"""Serves the map in a thread of its own, beside the receiver."""

import errno
import ipaddress
import re
import socket
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from provisioning.log import events
from sync.map.guard import LEAST_TOKEN, Guard, Guarded
from sync.map.options import MapRefused
from sync.map.pages import Pages
from sync.receiver.databases import open_atlas
from sync.receiver.judging import open_judge
from sync.web_server import PATIENCE_S, WebServer

LOOPBACK: Final = "127.0.0.1"
MOST_CONNECTIONS: Final = 500
TOKEN: Final = re.compile(r"[!-~]+")

log = events("map")


@dataclass(frozen=True, slots=True)
class MapPlace:
    """Where the map is served, and to whom."""

    port: int
    host: str = LOOPBACK
    token: str | None = None
    names: Sequence[str] = ()
    tiles: str | None = None
    credit: str = ""

    @property
    def tile_host(self) -> str | None:
        """The origin that tiles come from."""
        if self.tiles is None:
            return None
        parts = urlsplit(self.tiles)
        return f"{parts.scheme}://{parts.netloc}"


def map_place(
    port: int,
    *,
    host: str = LOOPBACK,
    token_file: Path | None = None,
    names: Sequence[str] = (),
    tiles: str | None = None,
    credit: str = "",
) -> MapPlace:
    """Where to serve the map: on this machine alone, unless told otherwise, and then with a token.

    Raises:
        MapRefused: the port is none; others could come and no token is asked of them; the token or the tiles are no good.
    """
    if not 0 <= port <= 65535:
        raise MapRefused(f"--map {port} is no port: 1 to 65535, or 0 for any that is free")
    token = None if token_file is None else read_token(token_file)
    if token is None and not _is_loopback(host):
        raise MapRefused(
            f"--map-host {host} lets others see where cars were, so it needs --map-token FILE: "
            f"a file with one word of at least {LEAST_TOKEN} characters (openssl rand -hex 24 > FILE)"
        )
    if tiles is not None:
        _check_tiles(tiles)
    return MapPlace(port, host, token, (*names, host, socket.gethostname()), tiles, credit)


def read_token(file: Path) -> str:
    """The word in a file that only its owner can read.

    Raises:
        MapRefused: there is none, it is too short to be a secret, or others can read it.
    """
    try:
        mode, text = file.stat().st_mode, file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise MapRefused(
            f"the token cannot be read from {file}: {getattr(error, 'strerror', None) or 'it is no text'}"
        ) from error
    if stat.S_IMODE(mode) & 0o007:
        raise MapRefused(f"the token in {file} can be read by everybody on this machine: chmod 600 {file}")
    if len(text) < LEAST_TOKEN or not TOKEN.fullmatch(text):
        raise MapRefused(f"the token in {file} is no word of at least {LEAST_TOKEN} characters (openssl rand -hex 24 > {file})")
    return text


@contextmanager
def serving_map(db_url: str, place: MapPlace) -> Iterator[str]:
    """The map of the database at `db_url`, served for the length of the block; its address, without the token.

    Raises:
        MapRefused: the place cannot be had.
        DatabaseRefused: `db_url` is no database's address.
    """
    door = _door(place)
    try:
        atlas, judge = open_atlas(db_url), open_judge(db_url)
    except BaseException:
        door.close()
        raise
    pages = Pages(atlas, place.tiles, place.credit, judge)
    app = Guarded(pages.app(), Guard(place.token, place.names), place.tile_host)
    server = WebServer(app, pages.news, MOST_CONNECTIONS)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [door]}, name="map")
    thread.start()
    try:
        if not server.up.wait(PATIENCE_S):
            raise RuntimeError("the map's server does not start")
        address = _address(place, door)
        log.info("map_opened", address=address)
        yield address
    finally:
        server.should_exit = True
        thread.join()
        atlas.close()
        judge.close()
        door.close()


def _door(place: MapPlace) -> socket.socket:
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)[0]
        door = socket.socket(family, kind, protocol)
    except OSError as error:
        raise MapRefused(f"the map cannot be served at {place.host}: {error.strerror}") from error
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind(where)
    except OSError as error:
        door.close()
        why = "another program is there already" if error.errno == errno.EADDRINUSE else error.strerror
        raise MapRefused(f"the map cannot be served at {place.host}, port {place.port}: {why}") from error
    return door


def _address(place: MapPlace, door: socket.socket) -> str:
    host = f"[{place.host}]" if ":" in place.host else place.host
    return f"http://{host}:{door.getsockname()[1]}/"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _check_tiles(tiles: str) -> None:
    try:
        parts = urlsplit(tiles)
        named = parts.scheme in ("http", "https") and re.fullmatch(r"[\w.\-:\[\]]+", parts.netloc, re.ASCII)
    except ValueError:
        named = None
    if not named or any(part not in tiles for part in ("{z}", "{x}", "{y}")):
        raise MapRefused(f"--map-tiles {tiles} is no template such as https://tiles.example.org/{{z}}/{{x}}/{{y}}.png")
