"""A `Broker` by paho-mqtt: MQTT 5, QoS 1.

One object is one connection, so that nothing paho remembers (messages in flight, its own reconnecting) outlives it. paho's
callbacks run in its thread and only push what happened into a queue; `take` empties it in the caller's thread.
"""

import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from sync.broker import IN_FLIGHT, Address, Lost, Message, Outcome, Puback, Received, Session
from sync.refusal import BrokerRefused, broken, refused
from sync.tls import context

KEEPALIVE_S = 60
"""paho gives a connection up after twice this without a byte from the broker."""

CONNECT_S = 10.0
"""For each of: the TCP connection, the TLS handshake, the broker's answer."""

GOODBYE_S = 2.0
"""How long a wanted end of the connection may take before it is cut."""

LARGEST_PACKET = 256 * 1024 * 1024
"""The protocol's limit on a packet in bytes, where the broker states none."""

TAKEN_OVER: Final = 0x8E
BLAMES: Final = frozenset({0x81, 0x82, 0x90, 0x93, 0x95, 0x99})
"""Reasons of the broker's DISCONNECT that complain about what was sent; "server shutting down" and its like blame nobody."""


@dataclass(frozen=True, slots=True)
class Admitted:
    """The broker let us in."""

    largest_packet: int
    receive_maximum: int


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """The broker answered and did not let us in, or not to what was asked for."""

    reason: str


Happening = Outcome | Admitted | TurnedAway


class PahoBroker:
    """A `Broker` by paho-mqtt."""

    def __init__(self, where: Address, session: Session) -> None:
        """Connects.

        Raises:
            BrokerRefused: the broker is not reached, or does not let us in.
        """
        self._where = where
        self._happenings: queue.SimpleQueue[Happening] = queue.SimpleQueue()
        self._gone = threading.Event()
        self._last_error: list[str] = []
        self._client = _client(where, session)
        _listen(self._client, session, self._happenings, self._gone, self._last_error)
        try:
            self._client.connect(where.host, where.port, KEEPALIVE_S, clean_start=False, properties=_connect_properties(session))
        except (OSError, ValueError) as error:
            raise refused(str(where), error) from error
        self._client.loop_start()
        try:
            self.admitted = self._wait_for_admission()
        except BrokerRefused:
            self.close()
            raise

    @property
    def largest_packet(self) -> int:
        """In bytes, header included."""
        return self.admitted.largest_packet

    @property
    def receive_maximum(self) -> int:
        """How many messages the broker takes before it answers."""
        return self.admitted.receive_maximum

    def publish(self, message: Message) -> int | None:
        """Hands over a message; its `mid`, or None where the connection is gone."""
        info = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain)
        return info.mid if info.rc == mqtt.MQTT_ERR_SUCCESS else None

    def take(self, patience_s: float) -> list[Outcome]:
        """What has happened since; waits at most `patience_s` for the first."""
        outcomes: list[Outcome] = []
        try:
            happening = self._happenings.get(timeout=patience_s) if patience_s > 0 else self._happenings.get_nowait()
            while True:
                if isinstance(happening, TurnedAway):
                    outcomes.append(Lost(happening.reason))
                elif not isinstance(happening, Admitted):
                    outcomes.append(happening)
                happening = self._happenings.get_nowait()
        except queue.Empty:
            return outcomes

    def accept(self, mids: Sequence[int]) -> None:
        """Tells the broker that these received messages are stored."""
        for mid in mids:
            self._client.ack(mid, 1)

    def close(self) -> None:
        """Ends the connection with its will, or cuts it where that takes too long."""
        self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        if not self._gone.wait(GOODBYE_S) and (sock := self._client.socket()) is not None:
            _cut(sock)
        self._client.loop_stop()

    def _wait_for_admission(self) -> Admitted:
        deadline = time.monotonic() + CONNECT_S
        while (left_s := deadline - time.monotonic()) > 0:
            try:
                happening = self._happenings.get(timeout=left_s)
            except queue.Empty:
                break
            if isinstance(happening, Admitted):
                return happening
            if isinstance(happening, TurnedAway):
                raise BrokerRefused(f"the broker {self._where} {happening.reason}")
            if isinstance(happening, Lost):
                raise broken(str(self._where), self._last_error[-1] if self._last_error else happening.reason)
        raise BrokerRefused(f"the broker {self._where} did not answer in {CONNECT_S:g} s")


def _cut(sock: Any) -> None:
    try:
        sock.shutdown(2)
    except OSError:
        return  # it was gone already


def _client(where: Address, session: Session) -> mqtt.Client:
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=session.client_id,
        protocol=mqtt.MQTTv5,
        reconnect_on_failure=False,
        manual_ack=session.manual,
    )
    client.connect_timeout = CONNECT_S
    client.username = session.client_id
    if where.ca is not None and where.cert is not None and where.key is not None:
        client.tls_set_context(context(where.ca, where.cert, where.key))
    if session.will is not None:
        client.will_set(session.will.topic, session.will.payload, qos=1, retain=session.will.retain)
    return client


def _connect_properties(session: Session) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    properties.SessionExpiryInterval = session.expiry_s
    properties.ReceiveMaximum = session.unaccepted
    return properties


def _listen(
    client: mqtt.Client,
    session: Session,
    happenings: queue.SimpleQueue[Happening],
    gone: threading.Event,
    last_error: list[str],
) -> None:
    """Give `client` its callbacks. They run in paho's thread, where a raise would end it in silence: they only push."""
    client.suppress_exceptions = True
    client.on_log = partial(_on_log, last_error)
    client.on_connect = partial(_on_connect, session, happenings)
    client.on_subscribe = partial(_on_subscribe, happenings)
    client.on_publish = partial(_on_publish, happenings)
    client.on_message = partial(_on_message, happenings)
    client.on_disconnect = partial(_on_disconnect, happenings, gone)


def _on_log(last_error: list[str], _client: mqtt.Client, _data: object, level: int, text: str) -> None:
    # With TLS 1.3 the broker's refusal of a certificate comes after the handshake, and paho tells it to its log alone.
    if level == mqtt.MQTT_LOG_ERR:
        last_error.append(text)


def _on_connect(
    session: Session,
    happenings: queue.SimpleQueue[Happening],
    client: mqtt.Client,
    _data: object,
    _flags: mqtt.ConnectFlags,
    reason: ReasonCode,
    properties: Properties | None,
) -> None:
    if reason.is_failure:
        happenings.put(TurnedAway(f"refused {session.client_id}: {reason.getName()}"))
        return
    client.on_log = None  # only for the way in: it costs a formatted line for each packet
    receive_maximum = int(getattr(properties, "ReceiveMaximum", 65535))
    client.max_inflight_messages_set(min(IN_FLIGHT, receive_maximum))
    options = SubscribeOptions(qos=1, noLocal=True)
    client.subscribe([(topic, options) for topic in session.subscriptions])
    happenings.put(Admitted(int(getattr(properties, "MaximumPacketSize", LARGEST_PACKET)), receive_maximum))


def _on_subscribe(
    happenings: queue.SimpleQueue[Happening],
    _client: mqtt.Client,
    _data: object,
    _mid: int,
    reasons: list[ReasonCode],
    _properties: object,
) -> None:
    for reason in reasons:
        if reason.is_failure:
            happenings.put(TurnedAway(f"does not allow a subscription: {reason.getName()}"))


def _on_publish(
    happenings: queue.SimpleQueue[Happening],
    _client: mqtt.Client,
    _data: object,
    mid: int,
    reason: ReasonCode,
    _properties: object,
) -> None:
    happenings.put(Puback(mid, reason.value, reason.getName()))


def _on_message(happenings: queue.SimpleQueue[Happening], _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
    properties = message.properties
    happenings.put(
        Received(
            message.topic,
            bytes(message.payload),
            message.mid,
            dict(getattr(properties, "UserProperty", ())),
            getattr(properties, "ContentType", None),
        )
    )


def _on_disconnect(
    happenings: queue.SimpleQueue[Happening],
    gone: threading.Event,
    _client: mqtt.Client,
    _data: object,
    flags: mqtt.DisconnectFlags,
    reason: ReasonCode,
    _properties: object,
) -> None:
    from_broker = flags.is_disconnect_packet_from_server
    protocol_error = reason == ReasonCode(PacketTypes.DISCONNECT, "Protocol error")
    blamed = protocol_error or (from_broker and reason.value in BLAMES)
    text = reason.getName() if from_broker or protocol_error else "the connection broke"
    happenings.put(Lost(text, blamed, from_broker and reason.value == TAKEN_OVER))
    gone.set()
