"""Fixes from the gpsd daemon, through the library gpsd-py3.

The library connects (device/gpsd_link.py); it is not asked for positions. It polls, so it gives the last report again and again
and loses those between, and it turns what is absent into 0.0. So every report is read here, line by line, from the stream that it
opened.
"""

import random as random_source
import threading
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import datetime

from device.backoff import Backoff
from device.boot import now_s
from device.fix import Fix, GpsLost, SpeedSource
from device.gate import FixGate
from device.gpsd_link import GpsdStream, open_gpsd
from device.refusal import Reason
from device.sound import BUILT_AT
from device.tpv import LineUnreadable, parse_line, report_of

CONNECT_S = 5.0
"""For the connection and the greeting together."""

SILENT_S = 10.0
"""No whole line for so long: gpsd hangs, or its receiver is unplugged. A receiver without a fix still reports each second."""

LONGEST_BACKOFF_S = 15.0
"""gpsd is on loopback: to try four times a minute costs nothing, and two minutes without positions would cost 1.7 km."""


class GpsdSource:
    """A `FixSource` on a gpsd. One thread asks for fixes; all else is for any thread."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 2947,
        *,
        connect_s: float = CONNECT_S,
        silent_s: float = SILENT_S,
        oldest: datetime = BUILT_AT,
        random: Callable[[], float] = random_source.random,
    ) -> None:
        self._host, self._port = host, port
        self._connect_s, self._silent_s = connect_s, silent_s
        self._backoff = Backoff(longest_s=LONGEST_BACKOFF_S, random=random)
        self._gate = FixGate(oldest)
        self._gate_lock = threading.Lock()
        self._certain: deque[Fix] = deque()
        self._unreadable: Counter[str] = Counter()
        self._stream: GpsdStream | None = None
        self._heard_s = 0.0
        self._retry_s = 0.0
        self._lost = ""
        self._newest: Fix | None = None
        self._closed = threading.Event()

    @property
    def speed_source(self) -> SpeedSource:
        """`doppler`, unless the receiver gives no speed."""
        return self._gate.speed_source

    @property
    def rejected(self) -> Mapping[str, int]:
        """Refused reports by reason (device/refusal.py), lines that were no JSON (`bad_line`) or too long (`long_line`)."""
        with self._gate_lock:
            return {**self._gate.rejected, **self._unreadable}

    def troubles(self, now_boot_s: float) -> tuple[Reason, ...]:
        """What keeps the receiver's reports from being fixes now, the commonest first (device/refusal.py)."""
        with self._gate_lock:
            return self._gate.troubles(now_boot_s)

    def fix_age_s(self, now_boot_s: float) -> float | None:
        """Seconds since the last accepted fix was true; None before the first."""
        newest = self._newest
        return None if newest is None else now_boot_s - newest.boot_s

    def next_fix(self, timeout_s: float) -> Fix | None:
        """Wait at most `timeout_s` (and `connect_s` where it has to connect) for the next accepted fix; None if there was none.

        Raises:
            GpsLost: gpsd cannot be reached, closed the connection, or sent no line for `silent_s`. The next call connects again,
                at the earliest when this source's own back-off is over; until then a call waits its `timeout_s` and raises.
        """
        if self._certain:
            return self._certain.popleft()
        until_s = now_s() + timeout_s
        stream = self._stream or self._reconnect(until_s)
        try:
            return self._read(stream, until_s)
        except GpsLost as error:
            raise self._lose(str(error)) from error

    def close(self) -> None:
        """Close the connection. Safe to call twice."""
        self._closed.set()
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    def _read(self, stream: GpsdStream, until_s: float) -> Fix | None:
        while True:
            silent_s = self._heard_s + self._silent_s
            line = stream.next_line(min(until_s, silent_s))
            self._count_long(stream)
            if line is None:
                if now_s() >= silent_s:
                    raise GpsLost(f"no line for {self._silent_s:g} s")
                return None
            self._heard_s = now_s()
            self._certain.extend(self._fixes(line))
            if self._certain:
                self._newest = self._certain[-1]
                return self._certain.popleft()
            if self._heard_s >= until_s:
                return None

    def _fixes(self, line: bytes) -> tuple[Fix, ...]:
        try:
            report = report_of(parse_line(line))
        except LineUnreadable:
            self._count("bad_line", 1)
            return ()
        if report is None:
            return ()
        self._backoff.reset()
        with self._gate_lock:
            return self._gate.accept(report, self._heard_s)

    def _count(self, reason: str, lines: int) -> None:
        with self._gate_lock:
            self._unreadable[reason] += lines

    def _count_long(self, stream: GpsdStream) -> None:
        dropped = stream.take_dropped()
        if dropped:
            self._count("long_line", dropped)

    def _reconnect(self, until_s: float) -> GpsdStream:
        wait_s = min(self._retry_s, until_s) - now_s()
        if wait_s > 0.0:
            self._closed.wait(wait_s)
        if self._closed.is_set():
            raise GpsLost("the source was closed")
        if now_s() < self._retry_s:
            raise GpsLost(self._lost)
        try:
            stream = open_gpsd(self._host, self._port, self._connect_s)
        except GpsLost as error:
            raise self._lose(str(error)) from error
        self._stream = stream
        self._heard_s = now_s()
        return stream

    def _lose(self, reason: str) -> GpsLost:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()
        self._retry_s = now_s() + self._backoff.next_s()
        self._lost = f"gpsd at {self._host}:{self._port}: {reason}"
        return GpsLost(self._lost)
