"""A TCP proxy that is a bad line: it stands between a unit and its broker, and does to the bytes what its profile says."""

import contextlib
import math
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

PIECE = 16_384
TICK_S = 0.02
ACCEPT_S = 0.2
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends RST."""


class Way(Enum):
    """Which way bytes go."""

    UP = "from the unit"
    DOWN = "to the unit"


@dataclass(frozen=True, slots=True)
class Line:
    """What a line does while it is bad. Seconds are of the proxy's own clock, from the moment the line went bad.

    `refuses`: nothing listens. `mute`: connections are taken and nothing is ever passed on. `answer` is said to whoever connects,
    and then the end. `bytes_s` is the most that passes a second; `open_at` tells whether bytes pass at a moment; `reset_after`
    breaks the connection after so many bytes from the unit, `dead_after_s` lets nothing pass any more on a connection that is so
    old, or nothing of the way that it `swallows`; `delay_s` is added each way; `piece` cuts what passes into so many bytes.
    """

    refuses: bool = False
    mute: bool = False
    answer: bytes | None = None
    bytes_s: float | None = None
    open_at: Callable[[float], bool] = lambda _: True
    cuts: bool = False
    reset_after: int | None = None
    dead_after_s: float = math.inf
    swallows: Way | None = None
    delay_s: float = 0.0
    piece: int = PIECE


GOOD = Line()


class Proxy:
    """Listens at `port`; `line` may be changed at any time. `connects` counts the unit's attempts that reached it."""

    def __init__(self, to_port: int, line: Line) -> None:
        self._to_port = to_port
        self._line, self._bad_since_s = line, time.monotonic()
        self._closed = threading.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(ACCEPT_S)
        self.port: int = self._socket.getsockname()[1]
        self.connects: list[float] = []
        self.hurt = 0
        self._pairs: list[_Pair] = []
        threading.Thread(target=self._serve, name="proxy", daemon=True).start()

    @property
    def line(self) -> Line:
        """What the line does now."""
        return self._line

    def heal(self) -> None:
        """The line is good again; connections that were hurt stay as they are."""
        self._line = GOOD

    def at_s(self) -> float:
        """Seconds since the line went bad."""
        return time.monotonic() - self._bad_since_s

    def close(self) -> None:
        """End all connections."""
        self._closed.set()
        self._socket.close()
        for pair in self._pairs:
            pair.end()

    def count_hurt(self) -> None:
        """Something was done to the bytes of a connection, or to the connection."""
        self.hurt += 1

    def _serve(self) -> None:
        while not self._closed.is_set():
            try:
                unit, _ = self._socket.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self.connects.append(time.monotonic())
            self._take(unit)

    def _take(self, unit: socket.socket) -> None:
        line = self._line
        if line.refuses:
            self.count_hurt()
            _reset(unit)
        elif line.answer is not None:
            self.count_hurt()
            with contextlib.suppress(OSError), unit:
                unit.settimeout(1.0)
                unit.recv(PIECE)
                unit.sendall(line.answer)
        else:
            with contextlib.suppress(OSError):
                self._pairs.append(_Pair(self, unit, None if line.mute else self._to_port))


def _reset(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        sock.close()


class _Pair:
    """One connection of the unit, and the one to the broker behind it."""

    def __init__(self, proxy: Proxy, unit: socket.socket, to_port: int | None) -> None:
        self._proxy, self._unit = proxy, unit
        self._passed = 0
        self._began_s = time.monotonic()
        self._dead: set[Way] = set()
        self._ended = threading.Event()
        self._broker = None if to_port is None else socket.create_connection(("127.0.0.1", to_port))
        if self._broker is None:
            proxy.count_hurt()  # it is held open and never answered
            return
        for way, source, sink in ((Way.UP, unit, self._broker), (Way.DOWN, self._broker, unit)):
            threading.Thread(target=self._pump, args=(way, source, sink), name=f"proxy-{way.name}", daemon=True).start()

    def end(self, *, reset: bool = False) -> None:
        """Close both ends."""
        self._ended.set()
        for sock in (self._unit, self._broker):
            if sock is not None:
                with contextlib.suppress(OSError):
                    if reset:
                        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                    sock.shutdown(socket.SHUT_RDWR)
                sock.close()

    def _pump(self, way: Way, source: socket.socket, sink: socket.socket) -> None:
        try:
            while not self._ended.is_set() and (piece := source.recv(self._proxy.line.piece)):
                self._pass(way, piece, sink)
        except OSError:
            pass  # one of the two ends is gone: so is the other, below
        self.end()

    def _pass(self, way: Way, piece: bytes, sink: socket.socket) -> None:
        """One piece, as the line is at this moment."""
        line, pause = self._proxy.line, threading.Event()
        if line is not GOOD:
            self._proxy.count_hurt()
        if time.monotonic() - self._began_s > line.dead_after_s and line.swallows in (None, way):
            self._dead.add(way)
        if way in self._dead:  # healing the line does not bring such a connection back
            return
        while not line.open_at(self._proxy.at_s()) and line is self._proxy.line:
            if line.cuts:
                self.end(reset=True)
                raise ConnectionResetError
            pause.wait(TICK_S)
        if line.delay_s or line.bytes_s:
            pause.wait(line.delay_s + (len(piece) / line.bytes_s if line.bytes_s else 0.0))
        sink.sendall(piece)
        if way is Way.UP:
            self._passed += len(piece)
            if line.reset_after is not None and self._passed >= line.reset_after:
                self.end(reset=True)
                raise ConnectionResetError
