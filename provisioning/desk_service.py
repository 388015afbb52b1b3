"""`ronde provision serve`: the enrolment desk. HTTPS with the fleet's own certificate; units show theirs when they renew.

POST /v1/enrol and /v1/renew take an application and give an answer; 403 says why not. GET /v1/crl.pem is the revocation list,
for a broker on another machine. No request is logged with what it holds.
"""

import http.server
import socket
import ssl
import sys
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from http import HTTPStatus
from typing import Any, Final

from cryptography import x509

from provisioning.certificate import CertificateRefused
from provisioning.desk import ENROL, RENEW
from provisioning.enrolment import EnrolmentRefused, enrol, renew
from provisioning.fleet import Fleet, FleetRefused
from provisioning.gate import Gate
from provisioning.log import events
from provisioning.offer import MOST_BYTES, Answer, Application, PaperRefused, read_paper, written
from provisioning.register import RegisterTorn

PATIENCE_S: Final = 15.0
"""For a handshake, and for each read and write."""
MOST_CONNECTIONS: Final = 32
POLL_S: Final = 0.5
TEND_S: Final = 30.0
"""How often the revocation list is compared with the register: another command may have revoked somebody."""
LIST: Final = "/v1/crl.pem"

log = events("desk")


class DeskFailed(Exception):
    """The desk cannot be opened: one sentence."""


class _Request(http.server.BaseHTTPRequestHandler):
    """One request on one connection."""

    server: "_Desk"
    server_version = "ronde"
    sys_version = ""

    def do_POST(self) -> None:
        """An application. It is read in any case: a connection that ends with something unread takes the answer with it."""
        address, body = self.client_address[0], self._body()
        wait_s = self.server.gate.wait_s(address)
        if wait_s > 0:
            self._say(HTTPStatus.TOO_MANY_REQUESTS, b"too many requests\n", {"Retry-After": str(round(wait_s) + 1)})
            return
        try:
            answer = self._answer(body)
        except (EnrolmentRefused, PaperRefused) as error:
            self.server.gate.was_refused(address)
            log.warning("application_refused", address=address, reason=str(error))
            self._say(HTTPStatus.FORBIDDEN, f"{error}\n".encode())
        except (FleetRefused, CertificateRefused, RegisterTorn, OSError) as error:
            log.error("desk_failed", reason=str(error))
            self._say(HTTPStatus.SERVICE_UNAVAILABLE, b"the desk cannot work now\n")
        else:
            self._say(HTTPStatus.OK, written(answer), {"Content-Type": "application/json"})

    def do_GET(self) -> None:
        """The revocation list."""
        if self.path != LIST:
            self._say(HTTPStatus.NOT_FOUND, b"there is nothing here\n")
            return
        self._say(HTTPStatus.OK, (self.server.fleet.folder / "broker" / "crl.pem").read_bytes())

    def _answer(self, body: bytes | None) -> Answer:
        if body is None:
            raise PaperRefused(f"the application has no length, or more than {MOST_BYTES} bytes")
        application = read_paper(Application, body, "the application")
        now = datetime.now(timezone.utc)
        if self.path == ENROL:
            answer = enrol(self.server.fleet, application, now)
        elif self.path == RENEW:
            answer = renew(self.server.fleet, application, self._shown(), now)
        else:
            raise EnrolmentRefused(f"there is no desk at {self.path[:100]}")
        log.info("certificate_given", how=self.path.rpartition("/")[2], address=self.client_address[0])
        return answer

    def _body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "")
        right = length.isascii() and length.isdigit() and int(length) <= MOST_BYTES
        return self.rfile.read(int(length)) if right else None

    def _shown(self) -> x509.Certificate:
        der = self.connection.getpeercert(binary_form=True) if isinstance(self.connection, ssl.SSLSocket) else None
        if der is None:
            raise EnrolmentRefused("no certificate was shown; it is renewed by showing it")
        return x509.load_der_x509_certificate(der)

    def _say(self, status: HTTPStatus, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class has
        """Nothing: what is worth a line has one of its own."""


class _Desk(http.server.ThreadingHTTPServer):
    """The socket and its threads."""

    daemon_threads = True  # an answer that was cut off is asked for again

    def __init__(self, fleet: Fleet, where: tuple[str, int]) -> None:
        self.fleet = fleet
        self.gate = Gate(time.monotonic)
        self.timeout = POLL_S
        self._context = _context(fleet)
        self._free = threading.BoundedSemaphore(MOST_CONNECTIONS)
        if ":" in where[0]:
            self.address_family = socket.AF_INET6
        super().__init__(where, _Request)

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, if one is free."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """And free it again."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The handshake is made here, in the connection's thread: nobody waits for somebody else's."""
        request.settimeout(PATIENCE_S)
        with self._context.wrap_socket(request, server_side=True) as secure:
            super().finish_request(secure, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the base class has it
        """A scanner, a cut line, a unit that does not trust us; or a bug, which ends its own connection alone."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            log.debug("connection_failed", address=client_address[0])
        else:
            log.error("desk_failed", reason=repr(error))


def serve(
    fleet: Fleet, where: tuple[str, int], stop: threading.Event, *, listening: Callable[[int], None] = lambda _: None
) -> None:
    """Serves until told to stop; `listening` is called with the port.

    Raises:
        DeskFailed: the port cannot be had, or the certificate is not usable.
    """
    try:
        desk = _Desk(fleet, where)
    except OSError as error:  # ssl.SSLError is one
        raise DeskFailed(f"the desk cannot be opened at {where[0] or 'every address'}, port {where[1]}: {error}") from error
    with desk:
        listening(desk.server_port)
        log.info("desk_opened", port=desk.server_port, fleet=fleet.plan.fleet)
        tended_s = -TEND_S
        while not stop.is_set():
            if time.monotonic() - tended_s >= TEND_S:
                _tend(fleet)
                tended_s = time.monotonic()
            desk.handle_request()


def _tend(fleet: Fleet) -> None:
    try:
        with fleet.locked():
            changed = fleet.publish_revoked(datetime.now(timezone.utc))
    except (FleetRefused, CertificateRefused, RegisterTorn, OSError) as error:
        log.error("desk_failed", reason=str(error))
        return
    if changed:
        log.info("list_published")


def _context(fleet: Fleet) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(fleet.folder / "enrolment" / "server.pem", fleet.folder / "enrolment" / "server.key")
    context.load_verify_locations(cafile=fleet.folder / "ca.pem")
    context.verify_mode = ssl.CERT_OPTIONAL  # shown by who renews; who enrols has none yet
    return context
