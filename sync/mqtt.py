"""A `Broker` by paho-mqtt: MQTT 5, QoS 1.

One object is one connection, so that nothing paho remembers (messages in flight, its own reconnecting) outlives it. paho's
thread only pushes what happened into a queue; `take` empties it in the caller's thread.
"""

import queue
import socket
import time
from collections.abc import Sequence
from datetime import datetime, timezone

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from sync.broker import IN_FLIGHT, Address, Lost, Message, Outcome, Session
from sync.happenings import Admitted, Bug, Happening, Happenings, TurnedAway
from sync.refusal import BrokerRefused, broken, out_of_date, refused
from sync.tls import context, validity

KEEPALIVE_S = 60
"""paho gives a connection up after twice this without a byte from the broker."""

CONNECT_S = 10.0
"""For each of: the TCP connection, the TLS handshake, the broker's answer."""

GOODBYE_S = 2.0
"""How long a wanted end of the connection may take before it is cut."""


class PahoBroker:
    """A `Broker` by paho-mqtt."""

    def __init__(self, where: Address, session: Session) -> None:
        """Connects.

        Raises:
            BrokerRefused: the broker is not reached, or does not let us in.
        """
        self._where = where
        self._happenings = Happenings(session, secure=where.ca is not None)
        self._client = _client(where, session)
        self._happenings.listen(self._client)
        try:
            self._client.connect(where.host, where.port, KEEPALIVE_S, clean_start=False, properties=_connect_properties(session))
        except (OSError, ValueError) as error:
            raise refused(str(where), error) from error
        if isinstance(sock := self._client.socket(), socket.socket):
            # Else a small message waits up to 40 ms for the broker's delayed acknowledgement of the one before.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client.loop_start()
        try:
            self._admitted = self._wait_for_admission()
        except BaseException:
            self.close()
            raise

    @property
    def largest_packet(self) -> int:
        """In bytes, header included."""
        return self._admitted.largest_packet

    @property
    def receive_maximum(self) -> int:
        """How many messages the broker takes before it answers."""
        return self._admitted.receive_maximum

    def publish(self, message: Message) -> int | None:
        """Hands over a message; its `mid`, or None where the connection is gone."""
        properties = _message_properties(message)
        info = self._client.publish(message.topic, message.payload, qos=1, retain=message.retain, properties=properties)
        return info.mid if info.rc == mqtt.MQTT_ERR_SUCCESS else None

    def take(self, patience_s: float) -> list[Outcome]:
        """What has happened since; waits at most `patience_s` for the first."""
        outcomes: list[Outcome] = []
        happening = self._next(patience_s)
        while happening is not None:
            if isinstance(happening, TurnedAway):
                outcomes.append(Lost(happening.reason))
            elif not isinstance(happening, Admitted):
                outcomes.append(happening)
            happening = self._next(0.0)
        return outcomes

    def accept(self, mids: Sequence[int]) -> None:
        """Tells the broker that these received messages are stored."""
        for mid in mids:
            self._client.ack(mid, 1)

    def close(self) -> None:
        """Ends the connection with its will, or cuts it where that takes too long."""
        self._client.disconnect(ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        if not self._happenings.gone.wait(GOODBYE_S) and (sock := self._client.socket()) is not None:
            _cut(sock)
        self._client.loop_stop()

    def _next(self, patience_s: float) -> Outcome | Admitted | TurnedAway | None:
        """The next happening; None where there is none in time. A bug in a callback is raised here."""
        try:
            happening: Happening = self._happenings.queue.get(block=patience_s > 0, timeout=patience_s)
        except queue.Empty:
            return None
        if isinstance(happening, Bug):
            raise happening.error
        return happening

    def _wait_for_admission(self) -> Admitted:
        deadline_s = time.monotonic() + CONNECT_S
        while (left_s := deadline_s - time.monotonic()) > 0:
            happening = self._next(left_s)
            if isinstance(happening, Admitted):
                return happening
            if isinstance(happening, TurnedAway):
                raise BrokerRefused(f"the broker {self._where} {happening.reason}")
            if isinstance(happening, Lost):
                raise self._broken()
        raise BrokerRefused(f"the broker {self._where} did not answer in {CONNECT_S:g} s")

    def _broken(self) -> BrokerRefused:
        """Why the connection ended before the broker let us in: the first error is the cause of the others."""
        errors = self._happenings.errors
        refusal = broken(str(self._where), errors[0] if errors else "")
        if self._where.cert is None:
            return refusal
        dates = out_of_date(validity(self._where.cert), datetime.now(timezone.utc))
        if dates is not None:
            return BrokerRefused(f"the broker {self._where} does not let us in: {dates}", "certificate_expired")
        # Many a broker hangs up without saying that this is why.
        return (
            refusal
            if "certificate" in str(refusal)
            else BrokerRefused(f"{refusal}; it may not accept our certificate", "certificate_refused")
        )


def _cut(sock: object) -> None:
    if isinstance(sock, socket.socket):
        try:
            sock.shutdown(socket.SHUT_RDWR)
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
    client.max_inflight_messages = IN_FLIGHT
    client.username = session.user
    if where.ca is not None and where.cert is not None and where.key is not None:
        client.tls_set_context(context(where.ca, where.cert, where.key))
    if session.will is not None:
        client.will_set(session.will.topic, session.will.payload, qos=1, retain=session.will.retain)
    return client


def _message_properties(message: Message) -> Properties | None:
    if not message.properties and message.content_type is None:
        return None
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    properties.UserProperty = list(message.properties.items())
    if message.content_type is not None:
        properties.ContentType = message.content_type
    return properties


def _connect_properties(session: Session) -> Properties:
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
    properties.SessionExpiryInterval = session.expiry_s
    properties.ReceiveMaximum = session.unaccepted
    return properties
