"""What the demo's car talks to, all on this machine: a real MQTT broker, the reference receiver with its database, the map.

The car's own `ronde sync` runs beside it, as on the unit: it empties the outbox while the line fills it.
"""

import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from provisioning.settings import Settings
from sync.delivery import run_sync
from sync.map.options import MapRefused
from sync.map.server import map_place, serving_map
from sync.receiver import run_receiver
from sync.receiver.asking import MOST
from sync.receiver.databases import open_atlas
from sync.receiver.joiner import Joiner, Outcome
from sync.receiver.joins import open_joins
from sync.receiver.seen import ThingKnown

BROKER: Final = """\
id = 0

[router]
id = 0
max_connections = 100
max_outgoing_packet_count = 200
max_segment_size = 104857600
max_segment_count = 10

[v5.1]
name = "v5-1"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
    [v5.1.connections]
    connection_timeout_ms = 60000
    max_payload_size = 262144
    max_inflight_count = 100
    dynamic_filters = true
"""
"""A broker of MQTT 5 for this machine alone."""

RECEIVER_DB: Final = "receiver.db"
LISTENING_S, HEALTH_S = 30.0, 5.0
MAP_PORT: Final = 8640
"""Where the map is looked for first; any other where this one is taken."""


@contextmanager
def broker(folder: Path) -> Iterator[str]:
    """A real MQTT broker on loopback for the length of the block; its address."""
    from iotcore import Broker  # noqa: PLC0415 - of the extra [backend]; a unit has no broker

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "broker.toml"
    config.write_text(BROKER.format(port=port), encoding="utf-8")
    with Broker(config_path=str(config)):
        yield f"mqtt://127.0.0.1:{port}"


@contextmanager
def receiver(url: str, file: Path) -> Iterator[None]:
    """The reference receiver, listening, for the length of the block."""
    listening = threading.Event()

    def receive(stop: threading.Event) -> None:
        run_receiver(url, db_url=f"sqlite:///{file}", stop=stop, listening=listening.set)

    with _beside(receive, "receiver"):
        if not listening.wait(LISTENING_S):
            raise RuntimeError(f"the receiver does not reach the broker at {url}")
        yield


@contextmanager
def delivering(settings: Settings) -> Iterator[None]:
    """The unit's `ronde sync`, for the length of the block."""
    with _beside(lambda stop: run_sync(settings, stop, health_s=HEALTH_S), "sync"):
        yield


@contextmanager
def town_map(file: Path) -> Iterator[str]:
    """The map of the receiver's database, for the length of the block; its address."""
    with ExitStack() as stack:
        try:
            address = stack.enter_context(serving_map(f"sqlite:///{file}", map_place(MAP_PORT)))
        except MapRefused:
            address = stack.enter_context(serving_map(f"sqlite:///{file}", map_place(0)))
        yield address


def join_rounds(file: Path) -> None:
    """Joins what has been received to what is known; the receiver does so too, once a round has been silent for two minutes."""
    joiner = Joiner(partial(open_joins, f"sqlite:///{file}"), quiet_s=0.0)
    try:
        while joiner.step() in (Outcome.JOINED, Outcome.OVERTAKEN):
            pass
    finally:
        joiner.close()


def known_things(file: Path) -> Sequence[ThingKnown]:
    """What the town knows by now."""
    with closing(open_atlas(f"sqlite:///{file}")) as atlas:
        return atlas.things(limit=MOST)


def stored(file: Path) -> dict[str, int]:
    """What the receiver holds: events per stream."""
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        rows = db.execute("SELECT type, count(*) FROM event GROUP BY type ORDER BY type").fetchall()
    finally:
        db.close()
    return {kind.removeprefix("ronde.").removesuffix(".v1"): count for kind, count in rows}


@contextmanager
def _beside(work: Callable[[threading.Event], None], name: str) -> Iterator[None]:
    """Work in a thread of its own for the length of the block; what it raises is raised at its end."""
    stop = threading.Event()
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work(stop)
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits for it
            failures.append(error)

    thread = threading.Thread(target=run, name=name)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failures:
        raise failures[0]
