"""Serves the panel: on loopback and at the address of the unit's own Wi-Fi, and nowhere else."""

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from typing import Any, Final

from provisioning.log import events
from provisioning.settings import Settings
from sync.panel.desk import Desk
from sync.panel.fittings import fittings_of
from sync.panel.guard import Guard, Guarded
from sync.panel.news import News
from sync.panel.pages import Pages
from sync.panel.refusal import PanelRefused
from sync.panel.rounds import routes_of
from sync.panel.watch import Watch
from sync.patrol_command import day_log
from sync.web_server import PATIENCE_S, WebServer

LOOPBACK: Final = "127.0.0.1"
MOST_CONNECTIONS: Final = 60
IP_FREEBIND: Final = 15
"""linux/in.h: an address may be taken before the Wi-Fi is up."""

log = events("panel")


@contextmanager
def serving_panel(settings: Settings, factory: Any = None) -> Iterator[str]:
    """The panel of a unit, for the length of the block; its address on this machine. `factory` is gpiozero's.

    Raises:
        PanelRefused: another program has the port, or the address cannot be had.
    """
    panel, state = settings.panel, settings.unit.state
    doors = _doors(panel.address, panel.port)
    news, desk = News(), Desk(state)
    watch = Watch(state / "ronde.db", news.tell)
    try:
        watch.start()
        with closing(watch):
            fittings = fittings_of(panel, watch.latest, desk, factory)
            more = routes_of(partial(day_log, settings))
            pages = Pages(settings.unit.name, Guard({panel.address}), desk, watch.latest, watch.step, more=more, news=news)
            server = WebServer(Guarded(pages.app(), Guard({panel.address})), news, MOST_CONNECTIONS)
            thread = threading.Thread(target=server.run, kwargs={"sockets": doors}, name="panel")
            thread.start()
            try:
                if fittings is not None:
                    fittings.start()
                if not server.up.wait(PATIENCE_S):
                    raise RuntimeError("the panel's server does not start")
                address = f"http://{LOOPBACK}:{doors[0].getsockname()[1]}/"
                log.info("panel_opened", address=panel.address, port=doors[0].getsockname()[1])
                yield address
            finally:
                server.should_exit = True
                thread.join()
                if fittings is not None:
                    fittings.close()
    finally:
        for door in doors:
            door.close()


def _doors(address: str, port: int) -> list[socket.socket]:
    """A socket on loopback, and one at the address, on the same port."""
    doors = [_door(LOOPBACK, port)]
    if address != LOOPBACK:
        try:
            doors.append(_door(address, doors[0].getsockname()[1]))
        except PanelRefused:
            doors[0].close()
            raise
    return doors


def _door(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET:
        door.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
    try:
        door.bind((address, port))
    except OSError as error:
        door.close()
        why = "another program is there already" if error.errno == errno.EADDRINUSE else error.strerror
        raise PanelRefused(f"the panel cannot be served at {address}, port {port}: {why}") from error
    return door
