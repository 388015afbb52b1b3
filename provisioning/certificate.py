"""Keys, certificates and requests as files hold them (PEM), and the few questions that are asked of them.

Keys are ECDSA on P-256: every broker, TLS library and security chip takes them, in TLS 1.2 as well. Ed25519 does not get that
far: several hosted brokers and most chips refuse it in certificates.
"""

import hashlib
import re
from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.x509.oid import NameOID

from provisioning.backend import NAME

UNIT: Final = re.compile(rf"({NAME.pattern})/({NAME.pattern})")
"""A unit's full name, `<fleet>/<unit>`: the common name of its certificate."""

UnitKey = ec.EllipticCurvePrivateKey


class CertificateRefused(Exception):
    """A key, a certificate or a request is not what it has to be: one sentence."""


def make_key() -> UnitKey:
    """A new P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: PrivateKeyTypes) -> bytes:
    """A private key, PKCS 8, unencrypted: nobody is there to type a password when a unit starts."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def read_key(pem: bytes, what: str) -> PrivateKeyTypes:
    """The private key in `pem`; `what` names it in the sentence of an error.

    Raises:
        CertificateRefused: it is none, or it is encrypted.
    """
    try:
        return serialization.load_pem_private_key(pem, None)
    except TypeError:
        raise CertificateRefused(f"{what} is encrypted; take the password off (openssl pkey)") from None
    except ValueError:
        raise CertificateRefused(f"{what} is no private key (PEM)") from None


def public_pem(key: ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey) -> bytes:
    """A public key."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """A certificate."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def read_certificate(pem: bytes, what: str) -> x509.Certificate:
    """The first certificate in `pem`; `what` names it in the sentence of an error.

    Raises:
        CertificateRefused: there is none.
    """
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise CertificateRefused(f"{what} is no certificate (PEM)") from None


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of a certificate, as hex digits."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def key_print(key: PublicKeyTypes) -> str:
    """SHA-256 of a public key, as hex digits: the same for a key, its request and its certificates."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).hexdigest()


def common_name(name: x509.Name) -> str:
    """The one common name in a subject; empty where there is none or more than one."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if len(found) == 1 else ""


def named(common: str) -> x509.Name:
    """A subject with this common name and nothing else."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def make_request(key: UnitKey, unit: str) -> bytes:
    """A request (PKCS 10, PEM) for a certificate for `unit`, signed by its key."""
    request = x509.CertificateSigningRequestBuilder().subject_name(named(unit)).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def read_request(pem: bytes) -> tuple[str, ec.EllipticCurvePublicKey]:
    """Whom a request is for, and the key that signed it.

    Raises:
        CertificateRefused: it is no request, it is not signed by its own key, or the key is not P-256.
    """
    try:
        request = x509.load_pem_x509_csr(pem)
        key, signed = request.public_key(), request.is_signature_valid
    except (ValueError, TypeError):
        raise CertificateRefused("the request is no certificate request (PKCS 10, PEM)") from None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise CertificateRefused("the request's key is not on P-256")
    if not signed:
        raise CertificateRefused("the request is not signed by its own key")
    return common_name(request.subject), key


def check_issued(
    certificate: x509.Certificate, authority: x509.Certificate, unit: str, key: PublicKeyTypes, now: datetime
) -> None:
    """Raises `CertificateRefused` unless `certificate` is what `authority` made for `unit` and its `key`, and good now."""
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        raise CertificateRefused("the certificate is not signed by the fleet's authority") from None
    if common_name(certificate.subject) != unit:
        raise CertificateRefused(f"the certificate is for {common_name(certificate.subject) or 'nobody'}, not for {unit}")
    if key_print(certificate.public_key()) != key_print(key):
        raise CertificateRefused("the certificate is for another key than this unit's")
    if now > certificate.not_valid_after_utc:
        raise CertificateRefused(f"the certificate ran out on {certificate.not_valid_after_utc:%Y-%m-%d}")
