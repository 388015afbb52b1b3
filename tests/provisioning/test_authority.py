import datetime as dt
import ssl
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from provisioning.authority import domain_of, make_authority, read_authority
from provisioning.certificate import CertificateRefused, certificate_pem, common_name, key_pem, make_key, named

DAY = dt.timedelta(days=1)


@pytest.fixture
def authority(now):
    return make_authority("cannes", ("mqtt.cannes.example", "192.0.2.7"), now)


def extension(certificate, kind):
    return certificate.extensions.get_extension_for_class(kind)


def verified(tmp_path, authority, certificate, *, purpose, crl=None):
    """Whether OpenSSL takes a certificate; its own words where it does not."""
    (tmp_path / "ca.pem").write_bytes(certificate_pem(authority.certificate))
    (tmp_path / "one.pem").write_bytes(certificate_pem(certificate))
    command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", tmp_path / "ca.pem"]
    if crl is not None:
        (tmp_path / "crl.pem").write_bytes(crl.public_bytes(serialization.Encoding.PEM))
        command += ["-crl_check", "-CRLfile", tmp_path / "crl.pem"]
    done = subprocess.run([*command, tmp_path / "one.pem"], capture_output=True, text=True, check=False)
    return True if done.returncode == 0 else done.stderr


def test_the_authority_signs_certificates_and_lists_and_no_further_authority(authority, now):
    basic = extension(authority.certificate, x509.BasicConstraints)
    assert basic.critical
    assert (basic.value.ca, basic.value.path_length) == (True, 0)
    usage = extension(authority.certificate, x509.KeyUsage).value
    assert usage.key_cert_sign
    assert usage.crl_sign
    assert not usage.digital_signature
    assert authority.certificate.not_valid_after_utc > now + 15 * 365 * DAY


def test_a_unit_is_a_client_and_no_server(authority, now, tmp_path):
    made = authority.issue("cannes/car-07", make_key().public_key(), "client", now, days=365)
    assert common_name(made.subject) == "cannes/car-07"
    assert verified(tmp_path, authority, made, purpose="sslclient") is True
    assert "unsuitable certificate purpose" in verified(tmp_path, authority, made, purpose="sslserver")


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("mqtt.cannes.example", True),
        ("other.cannes.example", True),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("bank.example", False),
        ("2001:db8::1", False),
    ],
)
def test_who_steals_the_key_can_play_the_broker_and_no_bank(authority, now, tmp_path, host, allowed):
    made = authority.issue("server", make_key().public_key(), "server", now, days=30, hosts=[host])
    found = verified(tmp_path, authority, made, purpose="sslserver")
    assert found is True if allowed else "permitted subtree violation" in found


def test_an_authority_of_addresses_alone_allows_no_name(now, tmp_path):
    authority = make_authority("cannes", ("192.0.2.7",), now)
    made = authority.issue("server", make_key().public_key(), "server", now, days=30, hosts=["mqtt.cannes.example"])
    assert "subtree violation" in verified(tmp_path, authority, made, purpose="sslserver")


def test_the_domain_of_a_broker_is_never_a_whole_top_level_domain():
    assert domain_of("mqtt.cannes.fr") == "cannes.fr"
    assert domain_of("cannes.fr") == "cannes.fr"
    assert domain_of("localhost") == "localhost"


def test_no_certificate_outlives_its_authority(authority, now):
    made = authority.issue("cannes/car-07", make_key().public_key(), "client", now, days=100_000)
    assert made.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_a_revoked_certificate_is_refused_and_the_next_list_is_always_newer(authority, now, tmp_path):
    made = authority.issue("cannes/car-07", make_key().public_key(), "client", now, days=365)
    first = authority.list_of((), now, None)
    assert verified(tmp_path, authority, made, purpose="sslclient", crl=first) is True
    second = authority.list_of([(made.serial_number, now)], now, first)
    assert second.last_update_utc == first.last_update_utc + dt.timedelta(seconds=1)
    assert [each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for each in (first, second)] == [1, 2]
    assert second.next_update_utc == authority.certificate.not_valid_after_utc
    later = authority.list_of([(made.serial_number, now)], now + DAY, second)
    # A list that says "from tomorrow on" would not be looked at today.
    assert later.last_update_utc == now + DAY
    again = authority.list_of([(made.serial_number, now)], now, first)
    done = verified(tmp_path, authority, made, purpose="sslclient", crl=again)
    assert "certificate revoked" in done or "CRL is not yet valid" in done


def existing(now, key=None, *, issuer=None, ca=True, signs=True, days=(-1, 30)):
    """An authority of the town's own, good or not."""
    key = key or ec.generate_private_key(ec.SECP384R1())
    usage = dict.fromkeys(
        ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False
    )
    made = x509.CertificateBuilder(
        named(issuer or "town"), named("town"), key.public_key(), 17, now + days[0] * DAY, now + days[1] * DAY
    )
    made = made.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    made = made.add_extension(
        x509.KeyUsage(**usage, key_cert_sign=signs, crl_sign=signs, encipher_only=False, decipher_only=False), critical=True
    )
    signed = made.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return certificate_pem(signed), key_pem(key)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256R1()),
        ed25519.Ed25519PrivateKey.generate,
        lambda: rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-256", "Ed25519", "RSA"],
)
def test_an_authority_of_the_town_signs_units(now, tmp_path, make):
    authority = read_authority(*existing(now, make()), now)
    made = authority.issue("cannes/car-07", make_key().public_key(), "client", now, days=365)
    listed = authority.list_of([(99, now)], now, None)
    (tmp_path / "crl.pem").write_bytes(listed.public_bytes(serialization.Encoding.PEM))
    assert listed.is_signature_valid(authority.certificate.public_key())
    assert made.not_valid_after_utc == authority.certificate.not_valid_after_utc
    made.verify_directly_issued_by(authority.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_verify_locations(cadata=certificate_pem(authority.certificate).decode())


def test_an_authority_that_is_unsafe_or_unusable_is_refused_with_the_reason(now):
    certificate, key = existing(now)
    other = existing(now)
    for wrong, why in (
        ((other[0], key), "does not belong to its certificate"),
        ((certificate * 2, key), "several certificates"),
        (existing(now, issuer="root"), "signed by another authority"),
        (existing(now, ca=False), "does not allow it to sign"),
        (existing(now, signs=False), "does not allow it to sign"),
        (existing(now, days=(-30, -1)), "not now"),
        (existing(now, rsa.generate_private_key(65537, 1024)), "RSA with 2048 bits"),
        ((b"", key), "no certificate"),
        ((certificate, b"-"), "no private key"),
    ):
        with pytest.raises(CertificateRefused, match=why):
            read_authority(*wrong, now)
    loaded = serialization.load_pem_private_key(key, None)
    locked = loaded.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"word")
    )
    with pytest.raises(CertificateRefused, match="encrypted"):
        read_authority(certificate, locked, now)
