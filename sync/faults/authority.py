"""Certificates for a row: an authority in a folder, and what it issues, right or wrong on purpose."""

import ipaddress
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Final, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

BOTH: Final = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH)
VALID_DAYS: Final = (-1.0, 30.0)


class Paper(NamedTuple):
    """A certificate and its key, as PEM files."""

    cert: Path
    key: Path


class Authority:
    """Issues certificates below `folder`; `ca` is its own."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"authority {name}")])
        made = self._draft(self._name, self._key.public_key(), VALID_DAYS)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.ca = folder / f"{name}.pem"
        self.ca.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))

    def issue(
        self,
        common_name: str,
        file: str,
        *,
        days: tuple[float, float] = VALID_DAYS,
        host: str | None = "127.0.0.1",
        usage: tuple[x509.ObjectIdentifier, ...] = BOTH,
        self_signed: bool = False,
    ) -> Paper:
        """A certificate, valid from and to so many days from now, for `host` (none where None)."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        made = self._draft(subject, key.public_key(), days, subject if self_signed else None)
        if host is not None:
            made = made.add_extension(x509.SubjectAlternativeName([_general(host)]), critical=False)
        made = made.add_extension(x509.ExtendedKeyUsage(list(usage)), critical=False)
        paper = Paper(self._folder / f"{file}.pem", self._folder / f"{file}.key")
        signed = made.sign(key if self_signed else self._key, hashes.SHA256())
        paper.cert.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        plain = serialization.NoEncryption()
        paper.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
        return paper

    def _draft(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: tuple[float, float], issuer: x509.Name | None = None
    ) -> x509.CertificateBuilder:
        now = datetime.now(timezone.utc)
        return x509.CertificateBuilder(
            issuer_name=issuer or self._name,
            subject_name=subject,
            public_key=key,
            serial_number=x509.random_serial_number(),
            not_valid_before=now + timedelta(days=days[0]),
            not_valid_after=now + timedelta(days=days[1]),
        )


def _general(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
