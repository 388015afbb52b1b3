"""How a unit gets its certificate from its fleet: once for its token, again before it runs out, never after it is revoked.

Every function here reads and writes the fleet's folder under its lock; no answer leaves before what it says is durable.
"""

import secrets
from dataclasses import replace
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from provisioning.certificate import UNIT, CertificateRefused, certificate_pem, common_name, key_print, read_request
from provisioning.fleet import Fleet
from provisioning.offer import Answer, Application, Offer, hash_of, make_token
from provisioning.register import Issued, Record, Token, moment_of, text_of

UNIT_DAYS: Final = 365.0
RENEW_SHARE: Final = 1 / 3
"""A certificate is renewed when less than this share of its time is left: four months, in which a car may stand in a garage."""
TOKEN_DAYS: Final = 14.0
READABLE: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what is mistaken for something else when it is read from a label."""
PASSWORD_LENGTH: Final = 12
NOBODY: Final = hash_of("")


class EnrolmentRefused(Exception):
    """A unit gets no certificate: one sentence that says why."""


def offer_token(fleet: Fleet, name: str, now: datetime, days: float = TOKEN_DAYS) -> Offer:
    """A new token for a unit, which it is new to the fleet or not; an earlier token is worth nothing any more.

    What the unit has now stays good until the token is used.
    """
    token, expires_at = make_token(), text_of(now + timedelta(days=days))
    unit = f"{fleet.plan.fleet}/{name}"
    with fleet.locked():
        record = fleet.register.get(name) or Record(unit, text_of(now), _password())
        fleet.register.put(name, replace(record, token=Token(hash_of(token), expires_at)))
    return Offer(unit, fleet.plan.enrolment_url, token, expires_at, fleet.ca_pem.decode())


def enrol(fleet: Fleet, application: Application, now: datetime) -> Answer:
    """A unit's first certificate, for its token; the same again for the same key until the token's time is over.

    Certificates that the unit had before are revoked by it: this is a new box, or an old one with a new card.

    Raises:
        EnrolmentRefused: the token is none, used, or expired; or the request is not in order.
    """
    unit, key = _request(application)
    name = unit.partition("/")[2]
    with fleet.locked():
        record = fleet.register.get(name) if _is_ours(fleet, unit) else None
        token = record.token if record else None
        # One comparison, whoever asks for whatever: how long it takes says nothing about which units there are.
        known = compare_digest(token.sha256 if token else NOBODY, hash_of(application.token))
        if record is None or token is None or not known:
            raise EnrolmentRefused(f"the token is not one of {unit}")
        if now > moment_of(token.expires_at):
            raise EnrolmentRefused(f"the token of {unit} ran out on {token.expires_at[:10]}; make a new card")
        if token.burnt_at is not None:
            return _again(fleet, record, token, key)
        issued = _issue(fleet, unit, key, now)
        burnt = replace(token, burnt_at=text_of(now), key=key_print(key))
        kept = record.with_revoked(now, "replaced by a new enrolment")
        fleet.register.put(name, replace(kept, token=burnt, issued=(*kept.issued, issued)))
        if len(kept.issued):
            fleet.publish_revoked(now)
    return _answer(fleet, issued)


def renew(fleet: Fleet, application: Application, shown: x509.Certificate, now: datetime) -> Answer:
    """A unit's next certificate, for the key of the one it has shown (TLS has proven that it holds that key).

    The one it has stays good until it runs out. Where that is far, the newest that it was given is the answer: a unit that did
    not get the answer asks again.

    Raises:
        EnrolmentRefused: what it has shown is revoked, or not of this fleet's units; or the request is not in order.
    """
    unit, key = _request(application)
    name = unit.partition("/")[2]
    if unit != common_name(shown.subject) or not _is_ours(fleet, unit):
        raise EnrolmentRefused(f"the certificate shown is for {common_name(shown.subject) or 'nobody'}, not for {unit}")
    if key_print(key) != key_print(shown.public_key()):
        raise EnrolmentRefused("a certificate is renewed for the key that it has; a new key needs a new token")
    with fleet.locked():
        record = fleet.register.get(name)
        had = next((each for each in record.issued if int(each.serial, 16) == shown.serial_number), None) if record else None
        if record is None or had is None:
            raise EnrolmentRefused(f"the certificate shown was not given to {unit} by this fleet")
        if had.revoked_at is not None:
            raise EnrolmentRefused(f"the certificate of {unit} was revoked on {had.revoked_at[:10]}: {had.reason}")
        newest = [each for each in record.issued if each.key == had.key and each.revoked_at is None][-1]
        if not is_due(moment_of(newest.issued_at), moment_of(newest.expires_at), now):
            return _answer(fleet, newest)
        issued = _issue(fleet, unit, key, now)
        fleet.register.put(name, replace(record, issued=(*record.issued, issued)))
    return _answer(fleet, issued)


def revoke(fleet: Fleet, name: str, now: datetime, reason: str) -> int:
    """Takes back every certificate of a unit and its token; returns how many certificates were good until now.

    Raises:
        EnrolmentRefused: the fleet has no such unit.
    """
    with fleet.locked():
        record = fleet.register.get(name)
        if record is None:
            raise EnrolmentRefused(f"the fleet {fleet.plan.fleet} has no unit {name}")
        good = sum(each.revoked_at is None and now <= moment_of(each.expires_at) for each in record.issued)
        fleet.register.put(name, replace(record.with_revoked(now, reason), token=None))
        fleet.publish_revoked(now)
    return good


def is_good(record: Record, token: str, now: datetime) -> bool:
    """Whether a token would give its unit a certificate."""
    kept = record.token
    good = kept is not None and kept.burnt_at is None and now <= moment_of(kept.expires_at)
    return kept is not None and good and compare_digest(kept.sha256, hash_of(token))


def is_due(start: datetime, end: datetime, now: datetime) -> bool:
    """Whether a certificate with these dates is to be renewed."""
    return end - now < (end - start) * RENEW_SHARE


def _request(application: Application) -> tuple[str, ec.EllipticCurvePublicKey]:
    try:
        return read_request(application.request.encode())
    except CertificateRefused as error:
        raise EnrolmentRefused(str(error)) from error


def _is_ours(fleet: Fleet, unit: str) -> bool:
    """Whether a name may be looked for in the register: nothing else becomes a file's name."""
    found = UNIT.fullmatch(unit)
    return found is not None and found[1] == fleet.plan.fleet


def _again(fleet: Fleet, record: Record, token: Token, key: ec.EllipticCurvePublicKey) -> Answer:
    if token.key is None or not compare_digest(token.key, key_print(key)):
        raise EnrolmentRefused(
            f"the token of {record.unit} was used on {(token.burnt_at or '')[:10]} by another box; make a new card for this one"
        )
    issued = next((each for each in reversed(record.issued) if each.key == token.key and each.revoked_at is None), None)
    if issued is None:
        raise EnrolmentRefused(f"the certificate of {record.unit} was revoked")
    return _answer(fleet, issued)


def _issue(fleet: Fleet, unit: str, key: ec.EllipticCurvePublicKey, now: datetime) -> Issued:
    made = fleet.authority(now).issue(unit, key, "client", now, days=UNIT_DAYS)
    return Issued(
        f"{made.serial_number:x}",
        key_print(key),
        text_of(now),
        text_of(made.not_valid_after_utc),
        certificate_pem(made).decode(),
    )


def _answer(fleet: Fleet, issued: Issued) -> Answer:
    return Answer(issued.pem, fleet.ca_pem.decode(), fleet.command_pem.decode())


def _password() -> str:
    return "".join(secrets.choice(READABLE) for _ in range(PASSWORD_LENGTH))
