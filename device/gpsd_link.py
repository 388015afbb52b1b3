"""The connection to gpsd that the library gpsd-py3 makes, as a stream of lines that can be waited for.

The library connects, checks the greeting and asks for reports. It sets no time-out, never reconnects, and keeps its connection
in module globals: all that is confined to `open_gpsd`.
"""

import contextlib
import socket
import threading
from types import SimpleNamespace

import gpsd

from device.boot import now_s
from device.fix import GpsLost
from device.lines import LineSplitter

PIECE = 65_536
"""Bytes asked of the socket at once."""

REPORT_ALL = '?WATCH={"enable":true,"json":true};\n'
"""The library enables the receiver only, which is enough to poll; without `json` gpsd sends no report by itself."""

_library = threading.Lock()
"""Held while the library connects: its globals are the process's."""


class GpsdStream:
    """The text stream that the library is given: lines out of a socket, each with its own deadline.

    A file made by `socket.makefile` is of no use with time-outs: after the first one it refuses to be read again, and what it has
    buffered cannot be waited for with select.
    """

    def __init__(self, connection: socket.socket, greeted_by_s: float) -> None:
        self._connection = connection
        self._splitter = LineSplitter()
        self._lines: list[bytes] = []
        self._greeted_by_s = greeted_by_s
        self._asked = b""

    def take_dropped(self) -> int:
        """How many lines were too long since this was last asked."""
        dropped, self._splitter.dropped = self._splitter.dropped, 0
        return dropped

    def next_line(self, until_s: float) -> bytes | None:
        """The next whole line, None where there is none by `until_s` on the boot clock.

        Raises:
            GpsLost: the connection is closed or broken.
        """
        while not self._lines:
            wait_s = until_s - now_s()
            if wait_s <= 0.0:
                return None
            try:
                self._connection.settimeout(wait_s)
                piece = self._connection.recv(PIECE)
            except TimeoutError:
                return None
            except OSError as error:
                raise GpsLost(f"the connection broke: {error}") from error
            if not piece:
                raise GpsLost("gpsd closed the connection")
            self._lines = self._splitter.feed(piece)[::-1]
        return self._lines.pop()

    def readline(self) -> str:
        """For the library, while it connects: the next line, within the patience of the whole greeting."""
        line = self.next_line(self._greeted_by_s)
        if line is None:
            raise GpsLost("it accepts and says nothing")
        return line.decode("utf-8", errors="replace")

    def write(self, text: str) -> int:
        """For the library: put a request."""
        self._asked += text.encode("ascii")
        return len(text)

    def flush(self) -> None:
        """For the library: send what was put."""
        self._connection.settimeout(max(0.001, self._greeted_by_s - now_s()))
        self._connection.sendall(self._asked)
        self._asked = b""

    def close(self) -> None:
        """Close the connection; whoever waits for a line on another thread is told that it is closed."""
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def open_gpsd(host: str, port: int, patience_s: float) -> GpsdStream:
    """Let the library connect, and take from it the stream it then reads from.

    The library asks the module `socket` for its connection, so for as long as it connects it finds one there whose file is a
    `GpsdStream`: with a deadline, and without a buffer of its own in which lines could get lost. Its globals are emptied
    afterwards, so a second source does not share the first one's connection.

    Raises:
        GpsLost: no connection, or not the greeting of a gpsd.
    """
    opened: list[socket.socket] = []
    greeted_by_s = now_s() + patience_s

    class Connection(socket.socket):
        def makefile(self, *_: object, **__: object) -> GpsdStream:  # type: ignore[override]
            return GpsdStream(self, greeted_by_s)

    def connection(family: int, kind: int) -> Connection:
        # The library knows IPv4 alone.
        made = Connection(socket.AF_INET6 if ":" in host else family, kind)
        made.settimeout(patience_s)
        opened.append(made)
        return made

    with _library:
        try:
            gpsd.socket = SimpleNamespace(AF_INET=socket.AF_INET, SOCK_STREAM=socket.SOCK_STREAM, socket=connection)
            # Its `logger.warn` is deprecated and would turn a gpsd without a receiver into an error where warnings are errors.
            gpsd.logger.warn = gpsd.logger.warning
            gpsd.connect(host, port)
            gpsd.gpsd_stream.write(REPORT_ALL)
            gpsd.gpsd_stream.flush()
        except Exception as error:
            # The library raises bare Exception, KeyError, TypeError and ValueError for a greeting that it does not like.
            for made in opened:
                made.close()
            raise GpsLost(f"no connection: {_sentence(error)}") from error
        else:
            stream = gpsd.gpsd_stream
            assert isinstance(stream, GpsdStream)
            return stream
        finally:
            gpsd.socket = socket
            gpsd.gpsd_socket = gpsd.gpsd_stream = None
            gpsd.state = {}


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, GpsLost | OSError) else f"its greeting is not gpsd's ({error!r})"
