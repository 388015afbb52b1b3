"""Many units, in one thread: each with a connection of its own and an outbox in memory, by the rules of the contract.

A unit has at most `OUTSTANDING` events on their way. An event leaves when its `ack` comes, and is published again where none has
come after a while. What a real unit does beside it (SQLite, lanes, wills) is measured by `ronde bench outbox`.
"""

import json
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from provisioning.settings import Backend, Unit
from sync.broker import address_of
from sync.event import Event, payload, topic
from sync.publisher import AGAIN_S
from sync.tls import context

OUTSTANDING: Final = 20
MISC_S: Final = 1.0
ADMITTED_S: Final = 60.0
READY_S: Final = 0.01


@dataclass(slots=True)
class Sent:
    """An event on its way: when it was published first, and last."""

    payload: bytes
    first_s: float
    last_s: float


@dataclass(slots=True)
class Tally:
    """What has become of the events so far. `lags_s`: from the first publish of each to its ack."""

    lags_s: list[float] = field(default_factory=list)
    acked: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    again: int = 0
    unknown: int = 0


class SimulatedUnit:
    """One unit; `tally` is the fleet's."""

    def __init__(self, unit: Unit, backend: Backend, tally: Tally, again_s: float) -> None:
        self.unit = unit
        self._tally = tally
        self._again_s = again_s
        self._waiting: deque[tuple[float, str, bytes]] = deque()
        self._outstanding: dict[str, Sent] = {}
        self.subscribed = False
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, f"{unit.fleet}.{unit.name}", protocol=mqtt.MQTTv5)
        self.client.on_connect = self._connected
        self.client.on_subscribe = self._admitted
        self.client.on_message = self._heard
        if backend.ca is not None and backend.cert is not None and backend.key is not None:
            self.client.tls_set_context(context(backend.ca, backend.cert, backend.key))
        where = address_of(backend)
        self.client.connect(where.host, where.port)
        sock = self.client.socket()
        assert isinstance(sock, socket.socket)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = sock

    @property
    def left(self) -> int:
        """Events that are not acknowledged."""
        return len(self._waiting) + len(self._outstanding)

    def put(self, event: Event, seq: int, due_s: float) -> None:
        """Has an event to tell, not before a moment of the monotonic clock (0: as soon as it can)."""
        self._waiting.append((due_s, event.id, payload(event, seq)))

    def step(self, now_s: float) -> None:
        """Publishes what is due."""
        while self._waiting and len(self._outstanding) < OUTSTANDING and self._waiting[0][0] <= now_s:
            due_s, id_, content = self._waiting.popleft()
            # One that had a moment of its own and had to wait for others is late from that moment on.
            self._outstanding[id_] = Sent(content, due_s or now_s, now_s)
            self._publish(content)

    def repeat(self, now_s: float) -> None:
        """Publishes again what was not acknowledged."""
        for sent in self._outstanding.values():
            if now_s - sent.last_s >= self._again_s:
                sent.last_s = now_s
                self._tally.again += 1
                self._publish(sent.payload)

    def _publish(self, content: bytes) -> None:
        self.client.publish(topic(self.unit, "finding"), content, qos=1)

    def _connected(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(topic(self.unit, "ack"), qos=1)

    def _admitted(self, *_: Any) -> None:
        self.subscribed = True

    def _heard(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        answer, now_s = json.loads(message.payload), time.monotonic()
        for id_ in answer["acked"]:
            sent = self._outstanding.pop(id_, None)
            if sent is None:
                self._tally.unknown += 1
            else:
                self._tally.acked.add(id_)
                self._tally.lags_s.append(now_s - sent.first_s)
        self._tally.refused += [f"{each['id']}: {each['reason']}" for each in answer["refused"]]


class SimulatedFleet:
    """Units that share a thread: `serve` gives them their turns."""

    def __init__(self, units: Iterable[tuple[Unit, Backend]], again_s: float = AGAIN_S) -> None:
        self.tally = Tally()
        self.units: Sequence[SimulatedUnit] = []
        self._selector = selectors.DefaultSelector()
        self._misc_s = 0.0
        try:
            for unit, backend in units:
                made = SimulatedUnit(unit, backend, self.tally, again_s)
                self.units = [*self.units, made]
                self._selector.register(made.socket, selectors.EVENT_READ, made)
            self.serve(lambda: all(each.subscribed for each in self.units), ADMITTED_S)
        except BaseException:
            self.close()
            raise

    @property
    def left(self) -> int:
        """Events that are not acknowledged."""
        return sum(each.left for each in self.units)

    def serve(self, done: Callable[[], bool], within_s: float) -> float:
        """Until it is done; the seconds it took. Whoever calls asks again whether it was done."""
        began_s = time.monotonic()
        while not done() and time.monotonic() - began_s < within_s:
            ready = self._selector.select(READY_S)
            for key, _ in ready:
                self._read(key.data)
            now_s = time.monotonic()
            for unit in self.units:
                unit.step(now_s)
                if unit.client.want_write():
                    unit.client.loop_write()
            if now_s - self._misc_s > MISC_S:
                self._misc_s = now_s
                for unit in self.units:
                    unit.repeat(now_s)
                    unit.client.loop_misc()
        return time.monotonic() - began_s

    def close(self) -> None:
        """Ends all connections."""
        for unit in self.units:
            unit.client.disconnect()
        self._selector.close()

    def _read(self, unit: SimulatedUnit) -> None:
        unit.client.loop_read()
        # What TLS has read already no selector tells of.
        while (pending := getattr(unit.client.socket(), "pending", None)) is not None and pending() > 0:
            unit.client.loop_read()
