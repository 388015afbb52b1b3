"""A fleet's certificate authority: what it signs, and what it takes back.

Its own certificate allows it to sign no further authority (path length 0), and hosts only within the domains of the fleet's own
broker (name constraints): who steals its key can play a unit or the broker, and no bank. Units are named by their common name,
which name constraints do not reach.
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from provisioning.certificate import CertificateRefused, common_name, key_print, make_key, named, read_certificate, read_key

AUTHORITY_DAYS: Final = 20 * 365
"""Longer than a box lasts: units cannot be given a new authority from afar."""
BACKDATED: Final = timedelta(days=1)
"""A certificate is good from a day before it is made, for clocks that are a little behind."""
LEAST_RSA_BITS: Final = 2048

SigningKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Use = Literal["client", "server"]
USES: Final[Mapping[Use, x509.ObjectIdentifier]] = {
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
}


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate and the key that signs for it."""

    certificate: x509.Certificate
    key: SigningKey

    def issue(
        self, subject: str, key: ec.EllipticCurvePublicKey, use: Use, now: datetime, *, days: float, hosts: Sequence[str] = ()
    ) -> x509.Certificate:
        """A certificate for `key` with the common name `subject`, good for `days` or as long as the authority is.

        A client's is for TLS clients alone, a server's for servers of these `hosts` alone.
        """
        made = _draft(self.certificate.subject, subject, key, now - BACKDATED, self._until(now, days))
        made = made.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        made = made.add_extension(_key_usage(digital_signature=True), critical=True)
        made = made.add_extension(x509.ExtendedKeyUsage([USES[use]]), critical=False)
        made = made.add_extension(self._authority_id(), critical=False)
        if hosts:
            made = made.add_extension(x509.SubjectAlternativeName([_host(each) for each in hosts]), critical=False)
        return made.sign(self.key, _hash_for(self.key))

    def list_of(
        self, revoked: Iterable[tuple[int, datetime]], now: datetime, before: x509.CertificateRevocationList | None
    ) -> x509.CertificateRevocationList:
        """The list of revoked serial numbers, each with its time; `before` is the list that this one follows.

        It is newer than `before` by a second at least: of two lists of the same second OpenSSL goes on using the first. It is
        good as long as the authority: one that ran out would lock out every unit, and nobody fetches it, it is put where the
        broker reads it.
        """
        at = now.replace(microsecond=0)
        number = 1
        if before is not None:
            at = max(at, before.last_update_utc + timedelta(seconds=1))
            number = before.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number + 1
        made = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        made = made.last_update(at).next_update(self.certificate.not_valid_after_utc)
        made = made.add_extension(x509.CRLNumber(number), critical=False).add_extension(self._authority_id(), critical=False)
        for serial, revoked_at in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(revoked_at)
            made = made.add_revoked_certificate(entry.build())
        return made.sign(self.key, _hash_for(self.key))

    def _until(self, now: datetime, days: float) -> datetime:
        return min(now + timedelta(days=days), self.certificate.not_valid_after_utc)

    def _authority_id(self) -> x509.AuthorityKeyIdentifier:
        # From the certificate where it says one: OpenSSL compares the two.
        try:
            own = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        except x509.ExtensionNotFound:
            return x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def make_authority(fleet: str, hosts: Sequence[str], now: datetime) -> Authority:
    """A new authority for a fleet whose broker and enrolment are reached under `hosts`."""
    key = make_key()
    name = f"ronde authority of {fleet}"
    made = _draft(named(name), name, key.public_key(), now - BACKDATED, now + timedelta(days=AUTHORITY_DAYS))
    made = made.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    made = made.add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
    made = made.add_extension(_constraints(hosts), critical=True)
    made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return Authority(made.sign(key, hashes.SHA256()), key)


def read_authority(certificate: bytes, key: bytes, now: datetime) -> Authority:
    """An authority that exists, from its PEM files.

    Raises:
        CertificateRefused: they are unusable, or unsafe as the only authority that the broker trusts.
    """
    made, signs = read_certificate(certificate, "the authority's certificate"), read_key(key, "the authority's key")
    if certificate.count(b"-----BEGIN CERTIFICATE-----") != 1:
        raise CertificateRefused("the authority's file holds several certificates; the broker would trust each of them: give one")
    if made.subject != made.issuer:
        raise CertificateRefused(
            f"{common_name(made.subject) or 'the authority'} is signed by another authority, and the broker would have to trust "
            "everything below that one; give one that signed itself"
        )
    if not isinstance(signs, SigningKey) or (isinstance(signs, rsa.RSAPrivateKey) and signs.key_size < LEAST_RSA_BITS):
        raise CertificateRefused(f"the authority's key is none of ECDSA, Ed25519 and RSA with {LEAST_RSA_BITS} bits at least")
    if key_print(signs.public_key()) != key_print(made.public_key()):
        raise CertificateRefused("the authority's key does not belong to its certificate")
    if not _may_sign(made):
        raise CertificateRefused("the authority's certificate does not allow it to sign certificates and revocation lists")
    if not made.not_valid_before_utc <= now <= made.not_valid_after_utc:
        raise CertificateRefused(
            f"the authority's certificate is good from {made.not_valid_before_utc:%Y-%m-%d} to "
            f"{made.not_valid_after_utc:%Y-%m-%d}, not now"
        )
    return Authority(made, signs)


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return basic.ca and usage.key_cert_sign and usage.crl_sign


def _draft(
    issuer: x509.Name, subject: str, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(
        issuer_name=issuer,
        subject_name=named(subject),
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=start,
        not_valid_after=end,
    )


def _key_usage(*, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _hash_for(key: SigningKey) -> hashes.SHA256 | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _constraints(hosts: Sequence[str]) -> x509.NameConstraints:
    """These addresses, and all hosts in the domains of these names: a broker may move within its domain."""
    permitted: set[x509.GeneralName] = set()
    for each in map(_host, hosts):
        permitted.add(
            x509.IPAddress(ipaddress.ip_network(each.value))
            if isinstance(each, x509.IPAddress)
            else x509.DNSName(domain_of(str(each.value)))
        )
    excluded: list[x509.GeneralName] = []
    if not any(isinstance(each, x509.DNSName) for each in permitted):
        excluded.append(x509.DNSName(""))
    if not any(isinstance(each, x509.IPAddress) for each in permitted):
        excluded += [x509.IPAddress(ipaddress.ip_network(each)) for each in ("0.0.0.0/0", "::/0")]
    return x509.NameConstraints(sorted(permitted, key=repr), excluded or None)


def domain_of(host: str) -> str:
    """What a broker's name is constrained to: its parent domain, or itself where that would be a whole top-level domain."""
    parent = host.partition(".")[2]
    return parent if "." in parent else host
