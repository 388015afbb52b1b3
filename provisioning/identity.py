"""Who this unit is, as its files say: its key, made here and never anywhere else, its certificate, and whom it trusts.

The folder (`tls` beside the configuration) holds, in the order in which they are written:

unit.key       the private key; its group, the service user, may read it
enrolment.json where to renew
ca.pem         the authority of the broker
command.pem    the public key of those who may command this unit
unit.pem       the certificate; when it is there, so is all the rest

The key stays when the certificate is renewed, so a renewal replaces one file: no cut leaves a key and a certificate that do not
belong together. A new card brings a new key.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.certificate import (
    CertificateRefused,
    UnitKey,
    check_issued,
    common_name,
    fingerprint,
    key_pem,
    make_key,
    make_request,
    read_certificate,
    read_key,
)
from provisioning.durable import write_durably
from provisioning.enrolment import is_due
from provisioning.offer import Answer, Application, Offer, read_paper, written

KEY_MODE: Final = 0o640
"""The folder's group is the service user's (systemd/tmpfiles.d): it reads the key and cannot change it."""
OPEN_MODE: Final = 0o644

Apply = Callable[[Application], Answer]


class IdentityRefused(Exception):
    """This unit's identity is not in order, or there is no way to get one: one sentence."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The folder of a unit's identity."""

    folder: Path

    @property
    def certificate_file(self) -> Path:
        """The certificate, there from the moment on in which the unit is enrolled."""
        return self.folder / "unit.pem"

    def certificate(self) -> x509.Certificate | None:
        """The unit's certificate; None before it is enrolled.

        Raises:
            IdentityRefused: the file is damaged.
        """
        try:
            return read_certificate(self.certificate_file.read_bytes(), str(self.certificate_file))
        except FileNotFoundError:
            return None
        except (OSError, CertificateRefused) as error:
            raise IdentityRefused(str(error)) from error

    def key(self) -> UnitKey:
        """The unit's key; made now where there is none.

        Raises:
            IdentityRefused: it cannot be read or written.
        """
        file = self.folder / "unit.key"
        try:
            if not file.exists():
                self.folder.mkdir(mode=0o750, exist_ok=True)
                write_durably(file, key_pem(make_key()), KEY_MODE)
            key = read_key(file.read_bytes(), str(file))
        except OSError as error:
            raise IdentityRefused(f"{file} cannot be read or written: {error.strerror}") from error
        except CertificateRefused as error:
            raise IdentityRefused(str(error)) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise IdentityRefused(f"{file} is no key on P-256")
        return key

    def application(self, offer: Offer) -> Application:
        """What this unit sends for its certificate."""
        return Application(offer.token, make_request(self.key(), offer.unit).decode())

    def take(self, answer: Answer, offer: Offer, now: datetime) -> x509.Certificate:
        """Keeps the certificate that came, if it is what `offer` promised and for this unit's key.

        Raises:
            IdentityRefused: it is not; nothing was changed.
        """
        try:
            made = read_certificate(answer.certificate.encode(), "the certificate in the answer")
            check_issued(made, _authority(answer, offer), offer.unit, self.key().public_key(), now)
        except CertificateRefused as error:
            raise IdentityRefused(str(error)) from error
        try:
            self._put("enrolment.json", written(offer.without_token()))
            self._put("ca.pem", answer.ca.encode())
            self._put("command.pem", answer.command_key.encode())
            self._put("unit.pem", answer.certificate.encode())
        except OSError as error:
            raise IdentityRefused(f"the certificate cannot be written below {self.folder}: {error.strerror}") from error
        return made

    def kept_offer(self) -> Offer:
        """Where to renew.

        Raises:
            IdentityRefused: this unit was never enrolled.
            PaperRefused: the file is damaged.
        """
        file = self.folder / "enrolment.json"
        try:
            return read_paper(Offer, file.read_bytes(), str(file))
        except OSError as error:
            raise IdentityRefused(f"this unit is not enrolled: {file} cannot be read: {error.strerror}") from error

    def _put(self, name: str, content: bytes) -> None:
        write_durably(self.folder / name, content, OPEN_MODE)


def _authority(answer: Answer, offer: Offer) -> x509.Certificate:
    """The authority in an answer, which is the one that the card named."""
    authority = read_certificate(answer.ca.encode(), "the authority in the answer")
    if fingerprint(authority) != fingerprint(read_certificate(offer.ca.encode(), "the authority in the offer")):
        raise CertificateRefused("the answer is of another authority than the offer on the card")
    return authority


def enrolled_as(identity: Identity) -> str | None:
    """Whose certificate this unit has; None where it has none yet.

    Raises:
        IdentityRefused: the file is damaged.
    """
    certificate = identity.certificate()
    return None if certificate is None else common_name(certificate.subject)


def renew_identity(identity: Identity, apply: Apply, now: datetime, *, always: bool = False) -> x509.Certificate | None:
    """Renews the certificate where it is due, or `always`; None where it is not due yet.

    Raises:
        IdentityRefused: there is none, it has run out, or what came is not in order.
    """
    certificate = identity.certificate()
    if certificate is None:
        raise IdentityRefused(f"this unit is not enrolled: there is no {identity.certificate_file}")
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now > end:
        raise IdentityRefused(f"the certificate ran out on {end:%Y-%m-%d}, too late to renew it; make a new card for this unit")
    if not always and not is_due(start, end, now):
        return None
    offer = identity.kept_offer()
    return identity.take(apply(identity.application(offer)), offer, now)
