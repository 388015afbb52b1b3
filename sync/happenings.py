"""What paho-mqtt tells of one connection, put into a queue in its thread: a raise there would end the thread in silence."""

import queue
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, Final, ParamSpec

import paho.mqtt.client as mqtt
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from sync.broker import Lost, Outcome, Puback, Received, Session

LARGEST_PACKET = 256 * 1024 * 1024
"""The protocol's limit on a packet in bytes, where the broker states none."""

TAKEN_OVER: Final = 0x8E
BLAMES: Final = frozenset({0x81, 0x82, 0x90, 0x93, 0x95, 0x99})
"""Reasons of the broker's DISCONNECT that complain about what was sent; "server shutting down" and its like blame nobody."""

UNSPECIFIED: Final = "Unspecified error"
PROTOCOL: Final = "Protocol error"
"""What paho calls the end of a connection by its socket, and by a packet that it cannot read."""

Arguments = ParamSpec("Arguments")


@dataclass(frozen=True, slots=True)
class Admitted:
    """The broker let us in."""

    largest_packet: int
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """The broker answered and did not let us in, or not to what was asked for."""

    reason: str


@dataclass(frozen=True, slots=True)
class Bug:
    """A callback raised."""

    error: Exception


Happening = Outcome | Admitted | TurnedAway | Bug


def _queued(
    callback: Callable[Concatenate["Happenings", Arguments], None],
) -> Callable[Concatenate["Happenings", Arguments], None]:
    """What a callback raises is raised again where the queue is emptied."""

    @wraps(callback)
    def call(self: "Happenings", /, *args: Arguments.args, **named: Arguments.kwargs) -> None:
        try:
            callback(self, *args, **named)
        except Exception as error:  # noqa: BLE001 - it is raised again, in the caller's thread
            self.queue.put(Bug(error))

    return call


class Happenings:
    """The callbacks of one client. `gone` is set when its connection has ended; `errors` is what paho told its log."""

    def __init__(self, session: Session, *, secure: bool) -> None:
        self._session = session
        self._secure = secure
        self.queue: queue.SimpleQueue[Happening] = queue.SimpleQueue()
        self.gone = threading.Event()
        self.errors: deque[str] = deque(maxlen=4)

    def listen(self, client: mqtt.Client) -> None:
        """Become `client`'s callbacks."""
        client.on_log = self._log
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_publish = self._published
        client.on_message = self._arrived
        client.on_disconnect = self._ended

    def _log(self, _client: mqtt.Client, _data: object, level: int, text: str) -> None:
        # Why a socket failed, a refused certificate included, paho tells to its log alone.
        if level == mqtt.MQTT_LOG_ERR and len(self.errors) < 4:
            self.errors.append(text)

    @_queued
    def _connected(
        self,
        client: mqtt.Client,
        _data: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self.queue.put(TurnedAway(f"refused {self._session.client_id}: {reason.getName()}"))
            return
        # No Local on a shared subscription is a protocol error.
        topics = self._session.subscriptions
        if topics:
            client.subscribe([(topic, SubscribeOptions(qos=1, noLocal=not topic.startswith("$share/"))) for topic in topics])
        largest = int(getattr(properties, "MaximumPacketSize", LARGEST_PACKET))
        self.queue.put(Admitted(largest, int(getattr(properties, "ReceiveMaximum", 65535))))

    @_queued
    def _subscribed(
        self, _client: mqtt.Client, _data: object, _mid: int, reasons: list[ReasonCode], _properties: Properties | None
    ) -> None:
        for reason in reasons:
            if reason.is_failure:
                self.queue.put(TurnedAway(f"does not allow a subscription: {reason.getName()}"))

    @_queued
    def _published(self, _client: mqtt.Client, _data: object, mid: int, reason: ReasonCode, _properties: Properties) -> None:
        self.queue.put(Puback(mid, reason.value, reason.getName()))

    @_queued
    def _arrived(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        properties = message.properties
        user = dict(getattr(properties, "UserProperty", ()))
        kind = getattr(properties, "ContentType", None)
        self.queue.put(Received(message.topic, bytes(message.payload), message.mid, user, kind))

    @_queued
    def _ended(
        self,
        _client: mqtt.Client,
        _data: object,
        flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        name, by_packet = reason.getName(), flags.is_disconnect_packet_from_server
        blamed = reason.value in BLAMES if by_packet else name == PROTOCOL
        # mosquitto 2.0 hangs up on the elder of two clients with one identity in good order and without a word; a broker that
        # dies, or a line that breaks, ends TLS in disorder, which paho logs as an error.
        hung_up = name == UNSPECIFIED and self._secure and not self.errors
        taken_over = reason.value == TAKEN_OVER if by_packet else hung_up
        text = name if by_packet or name != UNSPECIFIED else "it hung up" if hung_up else "the line broke"
        self.queue.put(Lost(text, blamed, taken_over))
        self.gone.set()
