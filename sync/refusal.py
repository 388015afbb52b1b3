"""Why a broker cannot be used, in one sentence for the person who has to do something about it."""

import re
import socket
import ssl
from datetime import datetime, timezone
from typing import Final, Literal

SSL_REASON: Final = re.compile(r"\[SSL: (\w+)\]")

ALERTS: Final = {
    "CERTIFICATE_EXPIRED": "it has expired",
    "CERTIFICATE_REQUIRED": "it wants one and got none",
    "CERTIFICATE_REVOKED": "it is revoked",
    "CERTIFICATE_UNKNOWN": "it is not accepted",
    "BAD_CERTIFICATE": "it is not accepted",
    "UNKNOWN_CA": "it is not signed by the broker's CA",
    "UNSUPPORTED_CERTIFICATE": "it is of a kind that the broker does not take",
    "HANDSHAKE_FAILURE": "the handshake failed",
    "ACCESS_DENIED": "access denied",
}
"""The TLS alerts by which a broker refuses a client's certificate."""


Alarm = Literal["broker_unreachable", "certificate_refused", "certificate_expired", "identity_in_use"]
"""Why a broker is not had, as a code of health."""


class BrokerRefused(Exception):
    """The broker is not reached or does not let us in: one sentence with its address and the reason; `alarm` is its code."""

    def __init__(self, sentence: str, alarm: Alarm = "broker_unreachable") -> None:
        super().__init__(sentence)
        self.alarm: Alarm = alarm


def refused(where: str, error: Exception) -> BrokerRefused:
    """The sentence for what a connection attempt to `where` raised."""
    if isinstance(error, ssl.SSLCertVerificationError):
        sentence = f"the certificate of the broker {where} is not accepted: {error.verify_message}{_clock(error.verify_message)}"
        return BrokerRefused(sentence, "certificate_refused")
    if isinstance(error, ssl.SSLError):
        return broken(where, str(error))
    if isinstance(error, socket.gaierror):
        sentence = f"the broker {where} is not found: its name does not resolve ({error.strerror})"
    elif isinstance(error, ConnectionRefusedError):
        sentence = f"nothing answers at the broker's address {where}: connection refused"
    elif isinstance(error, TimeoutError):
        sentence = f"the broker {where} does not answer"
    else:
        reason = error.strerror if isinstance(error, OSError) else None
        sentence = f"the broker {where} cannot be reached: {reason or str(error) or type(error).__name__}"
    return BrokerRefused(sentence)


def _clock(verify_message: str) -> str:
    """A certificate's dates are judged by our clock, which may be what is wrong."""
    if "not yet valid" in verify_message or "expired" in verify_message:
        return f" (the clock here says {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC)"
    return ""


def broken(where: str, text: str) -> BrokerRefused:
    """The sentence for a connection to `where` that broke before the broker let us in; `text` is what the library said."""
    found = SSL_REASON.search(text)
    if not found:
        return BrokerRefused(f"the broker {where} closed the connection before it let us in")
    for alert, meaning in ALERTS.items():
        if found[1].endswith(alert) and "ALERT" in found[1]:
            expired = alert == "CERTIFICATE_EXPIRED"
            return BrokerRefused(
                f"the broker {where} refused our certificate: {meaning}",
                "certificate_expired" if expired else "certificate_refused",
            )
    return BrokerRefused(f"no TLS with the broker {where}: {found[1].replace('_', ' ').lower()}")


def out_of_date(ours: tuple[datetime, datetime] | None, now: datetime) -> str | None:
    """What is wrong with the dates of our certificate; None where nothing is, or they cannot be read."""
    if ours is not None and now > ours[1]:
        return f"our certificate has expired ({ours[1]:%Y-%m-%d %H:%M} UTC)"
    if ours is not None and now < ours[0]:
        return f"our certificate is not yet valid (before {ours[0]:%Y-%m-%d %H:%M} UTC)"
    return None
