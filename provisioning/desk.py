"""The enrolment desk as units reach it: HTTPS, a few kilobytes each way, nobody trusted but the fleet's own authority."""

import http.client
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from provisioning.offer import MOST_BYTES, Answer, Application, Offer, PaperRefused, read_paper, written

PATIENCE_S: Final = 15.0
"""For the connection, and for each read and write."""

ENROL: Final = "/v1/enrol"
RENEW: Final = "/v1/renew"


class DeskClosed(Exception):
    """The desk is not reached, or cannot work now: try again later. One sentence."""


class DeskRefused(Exception):
    """The desk says no; trying again does not help. One sentence."""


def apply(offer: Offer, application: Application) -> Answer:
    """Hands in an application for the token of `offer`.

    Raises:
        DeskClosed, DeskRefused: there is no answer; the answer is no.
    """
    return _post(offer, ENROL, application, _trusting(offer))


def apply_again(offer: Offer, application: Application, certificate: Path, key: Path) -> Answer:
    """Hands in an application to renew `certificate`, which is shown with its `key` (PEM files).

    Raises:
        DeskClosed, DeskRefused: as `apply`.
    """
    context = _trusting(offer)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:  # ssl.SSLError is one
        raise DeskRefused(f"{certificate} and {key} are not usable: {error}") from error
    return _post(offer, RENEW, application, context)


def _trusting(offer: Offer) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks names and requires a certificate
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cadata=offer.ca)
    except ssl.SSLError as error:
        raise DeskRefused(f"the authority in the offer is not usable: {error.reason or error}") from error
    return context


def _post(offer: Offer, path: str, application: Application, context: ssl.SSLContext) -> Answer:
    parts = urlsplit(offer.url)
    if parts.scheme != "https" or not parts.hostname:
        raise DeskRefused(f"the offer names no desk: {offer.url}")
    connection = http.client.HTTPSConnection(parts.hostname, parts.port or 443, timeout=PATIENCE_S, context=context)
    try:
        connection.request("POST", path, written(application), {"Content-Type": "application/json"})
        response = connection.getresponse()
        status, content = response.status, response.read(MOST_BYTES + 1)
    except ssl.SSLCertVerificationError as error:
        raise DeskClosed(f"{offer.url} is not the fleet's desk, or a clock is wrong: {error.verify_message}") from error
    except (OSError, http.client.HTTPException) as error:
        raise DeskClosed(f"{offer.url} is not reached: {error or type(error).__name__}") from error
    finally:
        connection.close()
    if status == http.client.FORBIDDEN:
        raise DeskRefused(content.decode("utf-8", "replace").strip())
    if status != http.client.OK:
        raise DeskClosed(f"{offer.url} cannot work now ({status} {response.reason})")
    try:
        return read_paper(Answer, content, f"the answer of {offer.url}")
    except PaperRefused as error:
        raise DeskClosed(str(error)) from error
