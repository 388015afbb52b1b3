"""Brokers that are not the one: twelve servers that record what they are sent. Not one byte of MQTT may reach any of them."""

import contextlib
import socket
import ssl
import threading
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.x509.oid import ExtendedKeyUsageOID

from sync.faults.authority import Authority, Paper
from sync.faults.car import Car
from sync.faults.child import Child
from sync.faults.ground import until
from sync.faults.need import MOSQUITTO
from sync.faults.row import Plan, Row, Tally
from sync.faults.town import Town

EVENTS = 5
SEEN_S = 60.0
ANSWER_S = 5.0
MQTT_CONNECT: Final = b"MQTT"
"""Stands in each CONNECT, so in the first bytes that a unit would say to a broker that it trusts."""


@dataclass(frozen=True, slots=True)
class Case:
    """How a server is not the unit's broker. `paper` makes its certificate, None where it speaks no TLS at all."""

    paper: Callable[[Authority, Authority], Paper] | None
    versions: tuple[ssl.TLSVersion, ssl.TLSVersion] = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.MAXIMUM_SUPPORTED)
    ciphers: str | None = None
    answer: bytes = b""


OLD: Final = "ALL:@SECLEVEL=0"
CONNACK: Final = bytes((0x20, 0x03, 0x00, 0x00, 0x00))

CASES: Final[Mapping[str, Case]] = {
    "any name at all": Case(lambda ours, _: ours.issue("localhost", "any-name", host="*")),
    "another authority of the same name": Case(lambda _ours, other: other.issue("localhost", "same-name")),
    "self-signed": Case(lambda ours, _: ours.issue("localhost", "self-signed", self_signed=True)),
    "expired": Case(lambda ours, _: ours.issue("localhost", "expired", days=(-30, -1))),
    "not yet valid": Case(lambda ours, _: ours.issue("localhost", "not-yet", days=(1, 30))),
    "another name": Case(lambda ours, _: ours.issue("localhost", "other-name", host="broker.example.org")),
    "another address": Case(lambda ours, _: ours.issue("localhost", "other-address", host="127.0.0.2")),
    "the name in CN alone": Case(lambda ours, _: ours.issue("127.0.0.1", "cn-alone", host=None)),
    "a unit's certificate": Case(lambda ours, _: ours.issue("faults/car-99", "client", usage=(ExtendedKeyUsageOID.CLIENT_AUTH,))),
    "TLS 1.0": Case(lambda ours, _: ours.issue("localhost", "tls10"), (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1), OLD),
    "TLS 1.1": Case(lambda ours, _: ours.issue("localhost", "tls11"), (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_1), OLD),
    "no TLS, and a CONNACK": Case(None, answer=CONNACK),
}


def run(plan: Plan, tally: Tally) -> None:
    """A unit for each case, all at once, and one more whose broker is right: else the row would prove nothing."""
    town = Town(plan.ground)
    other = Authority(plan.ground.folder_of("other"), "ca")
    servers = {}
    for number, (name, case) in enumerate(list(CASES.items())[: plan.load], 1):
        server = _Server(case, _context(case, town, other))
        plan.ground.at_end(server.close)
        car = Car(plan.ground, town, f"car-{number:02d}", url=f"mqtts://127.0.0.1:{server.port}")
        car.fill(EVENTS)
        servers[name] = (server, car, car.sync())
    right = Car(plan.ground, town, "right")
    right.fill(EVENTS)
    right.sync()
    right.drained(SEEN_S)
    for name, (server, car, sync) in servers.items():
        _wait(name, server, sync)
        tally.injected += 1
        tally.check(not server.told, f"{name}: {len(server.told)} bytes of MQTT were sent")
        tally.check(car.waiting() == EVENTS, f"{name}: {car.waiting()} of {EVENTS} events wait")
        sync.kill()
    tally.committed = EVENTS * len(servers)


def _wait(name: str, server: "_Server", sync: Child) -> None:
    until(lambda: server.attempts > 0, f"{name}: the unit tries", SEEN_S)
    until(lambda: sync.heard("broker_refused"), f"{name}: the unit says why it does not", SEEN_S)


class _Server:
    """Accepts, shakes hands as its case says, and keeps every byte of what is said to it beyond the handshake."""

    def __init__(self, case: Case, context: ssl.SSLContext | None) -> None:
        self._case, self._context = case, context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.attempts = 0
        self.told = b""
        threading.Thread(target=self._serve, name="recorder", daemon=True).start()

    def close(self) -> None:
        """No more connections."""
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            connection.settimeout(ANSWER_S)
            with contextlib.suppress(OSError), connection:
                self._record(connection)
            self.attempts += 1

    def _record(self, connection: socket.socket) -> None:
        if self._context is None:
            said = connection.recv(65536)
            connection.sendall(self._case.answer)
            # A TLS greeting is no application byte; a CONNECT in the clear is.
            self.told += said if MQTT_CONNECT in said else b""
            self.told += connection.recv(65536) if MQTT_CONNECT in said else b""
            return
        with self._context.wrap_socket(connection, server_side=True) as secured:
            self.told += secured.recv(65536)


def _context(case: Case, town: Town, other: Authority) -> ssl.SSLContext | None:
    if case.paper is None:
        return None
    paper = case.paper(town.broker.authority, other)
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the old versions, which is what they are here for
        if case.ciphers is not None:
            made.set_ciphers(case.ciphers)
        made.minimum_version, made.maximum_version = case.versions
    made.load_cert_chain(paper.cert, paper.key)
    return made


ROW = Row(
    "tls",
    "brokers with a wrong certificate, an old TLS or none",
    short=12,
    full=12,
    needs=(MOSQUITTO,),
    run=run,
)
