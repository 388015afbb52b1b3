"""The message broker, behind a Protocol of a few methods; sync/mqtt.py is the one that speaks MQTT 5.

One object is one connection: it ends, and a new one is made. The truth about what is delivered stands in SQLite.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import urlsplit

from provisioning.settings import Backend

IN_FLIGHT = 20
"""How many messages may be on their way to the broker at most."""

SUCCESS: Final = 0x00
NO_SUBSCRIBERS: Final = 0x10
FAILURES: Final = 0x80
"""PUBACK codes: taken over; taken, but nobody stored it; and from here up, not taken."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a broker is and with what to be let in. `ca`, `cert` and `key` are None only for mqtt:// on loopback."""

    host: str
    port: int
    ca: Path | None
    cert: Path | None
    key: Path | None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


def address(url: str, ca: Path | None, cert: Path | None, key: Path | None) -> Address:
    """The address in a checked `url` (`provisioning.settings.check_broker_url`)."""
    parts = urlsplit(url)
    return Address(parts.hostname or "", parts.port or (8883 if parts.scheme == "mqtts" else 1883), ca, cert, key)


def address_of(backend: Backend) -> Address:
    """The broker of a backend."""
    return address(backend.url, backend.ca, backend.cert, backend.key)


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish with QoS 1; `properties` are its MQTT user properties."""

    topic: str
    payload: bytes
    retain: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """Who connects and for what. The broker keeps a session `expiry_s` after the connection ends.

    `client_id` names the session; it holds no slash, since some brokers fall over one. `user` is the name in the certificate.
    With `manual` a message counts as taken only when `Broker.accept` says so, after it was stored; the broker sends at most
    `unaccepted` before.
    """

    client_id: str
    subscriptions: tuple[str, ...]
    expiry_s: int
    user: str | None = None
    will: Message | None = None
    manual: bool = False
    unaccepted: int = 500


@dataclass(frozen=True, slots=True)
class Puback:
    """The broker's answer to message `mid`: `SUCCESS`, `NO_SUBSCRIBERS` (nobody stored it) or a failure from `FAILURES` up."""

    mid: int
    code: int
    text: str


@dataclass(frozen=True, slots=True)
class Received:
    """A message from the broker; `properties` are its MQTT user properties."""

    topic: str
    payload: bytes
    mid: int
    properties: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection has ended. `blamed`: the broker or the protocol complained about what was sent, the link did not just break.

    `taken_over`: somebody else connected with the same identity.
    """

    reason: str
    blamed: bool = False
    taken_over: bool = False


Outcome = Puback | Received | Lost


class Broker(Protocol):
    """One connection to a broker. After a `Lost` it is good for nothing but `close`."""

    @property
    def largest_packet(self) -> int:
        """In bytes, header included."""
        ...

    @property
    def receive_maximum(self) -> int:
        """How many messages the broker takes before it answers."""
        ...

    def publish(self, message: Message) -> int | None:
        """Hands over a message; returns its `mid`, which a `Puback` will name, or None where the connection is gone."""
        ...

    def take(self, patience_s: float) -> list[Outcome]:
        """What has happened since; waits at most `patience_s` for the first."""
        ...

    def accept(self, mids: Sequence[int]) -> None:
        """Tells the broker that these received messages are stored (sessions with `manual`)."""
        ...

    def close(self) -> None:
        """Ends the connection; the will is published."""
        ...
