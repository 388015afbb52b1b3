import datetime as dt
import json
from dataclasses import replace

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from provisioning import fleet as fleets
from provisioning import register
from provisioning.certificate import common_name, make_key, make_request
from provisioning.enrolment import EnrolmentRefused, enrol, offer_token, renew, revoke
from provisioning.fleet import Fleet
from provisioning.offer import Application, Offer, PaperRefused, hash_of, read_paper, written
from provisioning.register import RegisterTorn
from provisioning.standing import standing_of

DAY = dt.timedelta(days=1)


def application(offer, key, unit=None):
    return Application(offer.token, make_request(key, unit or offer.unit).decode())


def certificate(answer):
    return x509.load_pem_x509_certificate(answer.certificate.encode())


def listed(fleet):
    """The serial numbers in the broker's revocation list."""
    return {each.serial_number for each in x509.load_pem_x509_crl((fleet.folder / "broker" / "crl.pem").read_bytes())}


def state(fleet, now, name="car-07"):
    return standing_of(fleet.register.get(name), now).state


def test_a_token_gives_one_certificate_to_one_key(fleet, now):
    offer, key = offer_token(fleet, "car-07", now), make_key()
    assert state(fleet, now) == "waiting"
    answer = enrol(fleet, application(offer, key), now)
    assert common_name(certificate(answer).subject) == "cannes/car-07"
    assert state(fleet, now) == "enrolled"
    assert enrol(fleet, application(offer, key), now + DAY) == answer  # it was lost on the way
    with pytest.raises(EnrolmentRefused, match=r"used on .* by another box"):
        enrol(fleet, application(offer, make_key()), now)
    assert len(fleet.register.get("car-07").issued) == 1


def test_a_forged_and_an_expired_token_are_refused_and_say_why(fleet, now):
    offer = offer_token(fleet, "car-07", now)
    forged = Application(offer.token[:-1] + ("A" if offer.token[-1] != "A" else "B"), application(offer, make_key()).request)
    with pytest.raises(EnrolmentRefused, match="not one of cannes/car-07"):
        enrol(fleet, forged, now)
    with pytest.raises(EnrolmentRefused, match="ran out on"):
        enrol(fleet, application(offer, make_key()), now + 15 * DAY)
    assert fleet.register.get("car-07").issued == ()
    key = make_key()
    enrol(fleet, application(offer, key), now)
    with pytest.raises(EnrolmentRefused, match="ran out on"):
        enrol(fleet, application(offer, key), now + 15 * DAY)


def test_a_token_is_one_units_alone(fleet, now):
    offer = offer_token(fleet, "car-07", now)
    offer_token(fleet, "car-08", now)
    for other in ("cannes/car-08", "cannes/car-09", "nice/car-07", "cannes/../ca", "cannes/car-07/x", "", "+/+"):
        with pytest.raises(EnrolmentRefused, match="the token is not one of"):
            enrol(fleet, application(offer, make_key(), other or " "), now)


def test_a_new_token_makes_the_one_before_worthless(fleet, now):
    first, second = offer_token(fleet, "car-07", now), offer_token(fleet, "car-07", now)
    with pytest.raises(EnrolmentRefused, match="not one of"):
        enrol(fleet, application(first, make_key()), now)
    enrol(fleet, application(second, make_key()), now)


def test_a_new_card_takes_the_old_boxs_certificate_back_when_it_is_used_and_not_before(fleet, now):
    old = certificate(enrol(fleet, application(offer_token(fleet, "car-07", now), make_key()), now))
    offer = offer_token(fleet, "car-07", now)
    assert listed(fleet) == set()
    new = certificate(enrol(fleet, application(offer, make_key()), now))
    assert listed(fleet) == {old.serial_number}
    assert fleet.register.get("car-07").current.serial == f"{new.serial_number:x}"


def test_no_token_and_no_unit_key_stands_in_the_fleets_register(fleet, now):
    offer = offer_token(fleet, "car-07", now)
    enrol(fleet, application(offer, make_key()), now)
    kept = (fleet.folder / "units" / "car-07.json").read_text()
    assert offer.token not in kept
    assert hash_of(offer.token) in kept
    assert "PRIVATE" not in kept


@pytest.mark.parametrize(
    "request_", ["", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", "\udcff?"]
)
def test_what_is_no_request_is_refused(fleet, now, request_):
    offer = offer_token(fleet, "car-07", now)
    with pytest.raises(EnrolmentRefused, match="is no certificate request"):
        enrol(fleet, Application(offer.token, request_.encode("utf-8", "replace").decode()), now)


def test_renewal_keeps_the_key_waits_until_it_is_due_and_repeats_its_answer(fleet, now):
    offer, key = offer_token(fleet, "car-07", now), make_key()
    first = certificate(enrol(fleet, application(offer, key), now))
    asks = Application("", make_request(key, offer.unit).decode())
    assert certificate(renew(fleet, asks, first, now + 30 * DAY)) == first
    late = now + 300 * DAY
    assert state(fleet, late) == "due"
    second = certificate(renew(fleet, asks, first, late))
    assert second.not_valid_after_utc == late + 365 * DAY
    assert second.public_key() == first.public_key()
    assert certificate(renew(fleet, asks, first, late + DAY)) == second  # its answer was lost
    assert listed(fleet) == set()


def test_renewal_is_for_the_key_and_unit_that_were_shown(fleet, now):
    key = make_key()
    shown = certificate(enrol(fleet, application(offer_token(fleet, "car-07", now), key), now))
    with pytest.raises(EnrolmentRefused, match="a new key needs a new token"):
        renew(fleet, Application("", make_request(make_key(), "cannes/car-07").decode()), shown, now)
    with pytest.raises(EnrolmentRefused, match="is for cannes/car-07, not for cannes/car-08"):
        renew(fleet, Application("", make_request(key, "cannes/car-08").decode()), shown, now)
    authority = fleet.authority(now)
    other = authority.issue("cannes/car-07", key.public_key(), "client", now, days=9)
    with pytest.raises(EnrolmentRefused, match="was not given to cannes/car-07 by this fleet"):
        renew(fleet, Application("", make_request(key, "cannes/car-07").decode()), other, now)


def test_a_revoked_unit_gets_nothing_any_more(fleet, now):
    offer, key = offer_token(fleet, "car-07", now), make_key()
    shown = certificate(enrol(fleet, application(offer, key), now))
    assert revoke(fleet, "car-07", now, "stolen") == 1
    assert listed(fleet) == {shown.serial_number}
    assert state(fleet, now) == "revoked"
    with pytest.raises(EnrolmentRefused, match=r"was revoked on .*: stolen"):
        renew(fleet, Application("", make_request(key, offer.unit).decode()), shown, now)
    with pytest.raises(EnrolmentRefused, match="not one of"):
        enrol(fleet, application(offer, key), now)
    assert revoke(fleet, "car-07", now, "again") == 0
    assert fleet.register.get("car-07").issued[0].reason == "stolen"
    with pytest.raises(EnrolmentRefused, match="has no unit car-99"):
        revoke(fleet, "car-99", now, "")


class Cut(BaseException):
    """The power goes."""


@pytest.mark.parametrize("after", [False, True], ids=["before the write", "after the write"])
@pytest.mark.parametrize("number", [0, 1])
def test_a_cut_at_any_write_leaves_a_fleet_that_goes_on(fleet, now, monkeypatch, number, after):
    """The first write is the register's, the second the revocation list's."""
    old = certificate(enrol(fleet, application(offer_token(fleet, "car-07", now), make_key()), now))
    offer, key = offer_token(fleet, "car-07", now), make_key()
    writes = iter(range(100))

    def cut(write):
        def written(*args):
            if next(writes) != number:
                return write(*args)
            if after:
                write(*args)
            raise Cut

        return written

    with monkeypatch.context() as patched:
        patched.setattr(register, "write_durably", cut(register.write_durably))
        patched.setattr(fleets, "write_durably", cut(fleets.write_durably))
        with pytest.raises(Cut):
            enrol(fleet, application(offer, key), now)
    again = Fleet(fleet.folder)
    answer = enrol(again, application(offer, key), now)
    again.publish_revoked(now)  # as the desk does at its start
    assert listed(again) == {old.serial_number}
    assert [each.serial for each in again.register.get("car-07").issued if each.revoked_at is None] == [
        f"{certificate(answer).serial_number:x}"
    ]
    with pytest.raises(EnrolmentRefused, match="by another box"):
        enrol(again, application(offer, make_key()), now)


def test_a_damaged_record_is_named_and_not_taken_for_a_new_unit(fleet, now):
    offer = offer_token(fleet, "car-07", now)
    file = fleet.folder / "units" / "car-07.json"
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(RegisterTorn, match=r"car-07\.json is damaged"):
        enrol(fleet, application(offer, make_key()), now)
    with pytest.raises(RegisterTorn):
        offer_token(fleet, "car-07", now)


KEYS = st.sampled_from(["token", "request", "x"])
DOCUMENTS = st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner))


@given(st.binary(max_size=300) | DOCUMENTS.map(lambda value: json.dumps(value).encode()))
def test_what_comes_over_the_network_is_an_application_or_refused(content):
    try:
        paper = read_paper(Application, content, "it")
    except PaperRefused:
        return
    assert isinstance(paper.token, str)
    assert isinstance(paper.request, str)


def test_what_is_nested_too_deep_or_too_long_is_refused():
    for content in (b"[" * 30_000, b'{"token": "' + b"a" * 40_000 + b'", "request": ""}', b'{"token": 1, "request": ""}'):
        with pytest.raises(PaperRefused):
            read_paper(Application, content, "it")


def test_a_standing_says_what_to_do(fleet, now):
    offer = offer_token(fleet, "car-07", now)
    assert "make a new card" in standing_of(fleet.register.get("car-07"), now + 20 * DAY).words
    assert state(fleet, now + 20 * DAY) == "expired"
    enrol(fleet, application(offer, make_key()), now)
    assert state(fleet, now + 400 * DAY) == "expired"
    record = fleet.register.get("car-07")
    assert standing_of(replace(record, token=None, issued=()), now).state == "revoked"


def test_an_offer_is_read_as_it_was_written(fleet, now):
    offer = offer_token(fleet, "car-07", now)
    assert read_paper(Offer, written(offer), "it") == offer
    assert offer.without_token().token == ""
    assert len(offer.token) >= 22, "fewer than 128 bits"
    assert offer_token(fleet, "car-07", now).token != offer.token
