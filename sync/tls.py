"""TLS as every connection to a broker uses it: there is no switch to weaken it."""

import ssl
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from sync.refusal import BrokerRefused


class _Socket(ssl.SSLSocket):
    """A TLS socket that does not stay open when its handshake fails, and tells an orderly end from a broken line."""

    def do_handshake(self, block: bool = False) -> None:
        self.suppress_ragged_eofs = False
        try:
            super().do_handshake(block)
        except OSError:
            self.close()
            raise


def context(ca: Path, cert: Path, key: Path) -> ssl.SSLContext:
    """TLS 1.2 at least, nobody trusted but `ca`, host names checked, our own `cert` and `key` (PEM files) shown.

    The files are read at each call, so a renewed certificate is used from the next connection on.

    Raises:
        BrokerRefused: a file is missing, unreadable, or no certificate; or key and certificate do not belong together.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks names and requires a certificate
    made.hostname_checks_common_name = False  # else a certificate without a DNS name falls back to it
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # Else a broker that was killed looks like one that hung up in good order. Which Pythons set it by default differs by build.
    made.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    made.sslsocket_class = _Socket
    _read(ca, "the broker's CA", lambda: made.load_verify_locations(cafile=ca))
    _read(cert, f"the certificate, with the key {key},", lambda: made.load_cert_chain(cert, key))
    return made


def validity(cert: Path) -> tuple[datetime, datetime] | None:
    """From when and to when the first certificate in a PEM file is valid; None where that cannot be read."""
    try:
        certificate = x509.load_pem_x509_certificate(cert.read_bytes())
    except (OSError, ValueError):
        return None
    return certificate.not_valid_before_utc, certificate.not_valid_after_utc


def _read(file: Path, what: str, load: Any) -> None:
    try:
        load()
    except ssl.SSLError as error:
        raise BrokerRefused(f"{what} {file} is not usable: {error.reason or error}", "certificate_refused") from error
    except OSError as error:
        raise BrokerRefused(f"{what} {file} cannot be read: {error.strerror}", "certificate_refused") from error
