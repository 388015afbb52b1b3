"""The desk over real HTTPS, and boxes that apply there."""

import datetime as dt
import http.client
import io
import json
import socket
import ssl
import threading
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial

import pytest
from cryptography import x509

from provisioning import identity as identities
from provisioning.authority import make_authority
from provisioning.certificate import certificate_pem, fingerprint, make_key, make_request
from provisioning.desk import DeskClosed, DeskRefused, apply, apply_again
from provisioning.desk_service import DeskFailed, serve
from provisioning.enrolment import enrol, offer_token, revoke
from provisioning.first_boot import Outcome, enrol_here
from provisioning.gate import MOST_ADDRESSES, MOST_REFUSALS, MOST_REQUESTS, WINDOW_S, Gate
from provisioning.identity import IdentityRefused, renew_identity
from provisioning.log import set_up
from provisioning.offer import MOST_BYTES, Application, written
from provisioning.unit_files import ANSWER, APPLICATION, UnitFiles, files_of, write_unit_files

DAY = dt.timedelta(days=1)


@pytest.fixture
def card(fleet, now):
    """A unit's files, as they lie on its card."""
    files = files_of(fleet, "car-07")
    write_unit_files(files, offer_token(fleet, "car-07", now), fleet.plan.broker_url, None)
    return files


def renewed(identity, now, **options):
    ask = partial(_ask, identity)
    return renew_identity(identity, ask, now, **options)


def _ask(identity, application):
    return apply_again(identity.kept_offer(), application, identity.certificate_file, identity.folder / "unit.key")


@pytest.mark.usefixtures("desk")
def test_a_box_is_enrolled_once_and_renews_by_itself(card, box, now, fleet):
    identity = box("one")
    outcome, words = enrol_here(identity, card, now)
    assert (outcome, "enrolled as cannes/car-07" in words) == (Outcome.ENROLLED, True)
    first = identity.certificate()
    assert enrol_here(identity, card, now)[0] is Outcome.WAS_ENROLLED
    modes = {file.name: file.stat().st_mode & 0o777 for file in identity.folder.iterdir()}
    assert modes == {
        "unit.key": 0o640,
        "unit.pem": 0o644,
        "ca.pem": 0o644,
        "command.pem": 0o644,
        "enrolment.json": 0o644,
    }
    assert card.offer().token not in (identity.folder / "enrolment.json").read_text()
    assert renewed(identity, now) is None
    assert renewed(identity, now + 300 * DAY) == first, "the desk's clock says that it is not due"
    with pytest.raises(IdentityRefused, match="too late to renew"):
        renewed(identity, now + 400 * DAY)
    revoke(fleet, "car-07", now, "stolen")
    with pytest.raises(DeskRefused, match="was revoked on"):
        renewed(identity, now, always=True)
    assert identity.certificate() == first


@pytest.mark.usefixtures("desk")
def test_the_same_card_in_a_second_box_is_refused(card, box, now):
    enrol_here(box("one"), card, now)
    twin = box("two")
    with pytest.raises(DeskRefused, match="by another box"):
        enrol_here(twin, card, now)
    assert twin.certificate() is None


def test_without_a_network_the_card_carries_the_request_and_the_answer(card, box, now, fleet):
    identity = box("one")
    outcome, words = enrol_here(identity, card, now)
    assert outcome is Outcome.WAITING
    assert "is not reached" in words
    request = (card.folder / APPLICATION).read_bytes()
    assert enrol_here(identity, card, now)[0] is Outcome.WAITING
    assert (card.folder / APPLICATION).read_bytes() == request, "it is not written at each try"
    assert b"PRIVATE" not in request
    application = Application(**json.loads(request))
    (card.folder / ANSWER).write_bytes(b"{torn")
    assert enrol_here(identity, card, now)[0] is Outcome.WAITING
    (card.folder / ANSWER).write_bytes(written(enrol(fleet, application, now)))
    assert enrol_here(identity, card, now) == (Outcome.ENROLLED, "enrolled as cannes/car-07, by the card")
    # Its answer fits no other box.
    twin = box("two")
    assert enrol_here(twin, card, now)[0] is Outcome.WAITING
    assert twin.certificate() is None


def test_a_box_takes_nothing_but_what_its_card_promised(card, box, now, fleet):
    identity, offer = box("one"), card.offer()
    good = enrol(fleet, identity.application(offer), now)
    key, other = identity.key(), make_authority("cannes", ("127.0.0.1",), now)
    theirs = other.issue("cannes/car-07", key.public_key(), "client", now, days=9)
    for wrong, why in (
        (replace(good, ca=certificate_pem(other.certificate).decode()), "of another authority"),
        (replace(good, certificate=certificate_pem(theirs).decode()), "not signed by the fleet's authority"),
        (replace(good, certificate="none"), "is no certificate"),
        (_issued(fleet, good, "cannes/car-08", key, now), "is for cannes/car-08, not for cannes/car-07"),
        (_issued(fleet, good, "cannes/car-07", make_key(), now), "for another key"),
        (_issued(fleet, good, "cannes/car-07", key, now - 40 * DAY), "ran out on"),
    ):
        with pytest.raises(IdentityRefused, match=why):
            identity.take(wrong, offer, now)
    assert identity.certificate() is None
    assert fingerprint(identity.take(good, offer, now))


def _issued(fleet, answer, unit, key, at):
    made = fleet.authority(at + 41 * DAY if at < fleet.authority(at + 41 * DAY).certificate.not_valid_before_utc else at)
    return replace(answer, certificate=certificate_pem(made.issue(unit, key.public_key(), "client", at, days=9)).decode())


class Cut(BaseException):
    """The power goes."""


WRITES = ["unit.key", "enrolment.json", "ca.pem", "command.pem", "unit.pem"]


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("at", WRITES)
def test_a_cut_at_any_write_of_the_first_boot_leaves_a_box_that_goes_on(card, box, now, monkeypatch, at):
    write, asked = identities.write_durably, []

    def cut(file, *args):
        asked.append(file.name)
        if file.name == at:
            raise Cut
        write(file, *args)

    identity = box("one")
    with monkeypatch.context() as patched:
        patched.setattr(identities, "write_durably", cut)
        with pytest.raises(Cut):
            enrol_here(identity, card, now)
    assert asked == WRITES[: WRITES.index(at) + 1]
    assert enrol_here(identity, card, now)[0] is Outcome.ENROLLED
    assert enrol_here(identity, card, now)[0] is Outcome.WAS_ENROLLED


@pytest.mark.usefixtures("desk")
def test_a_desk_that_is_not_the_fleets_gets_no_token(card, now, fleet):
    offer = card.offer()
    other = make_authority("cannes", ("127.0.0.1",), now)
    false = replace(offer, ca=certificate_pem(other.certificate).decode())
    with pytest.raises(DeskClosed, match="is not the fleet's desk"):
        apply(false, Application(offer.token, make_request(make_key(), offer.unit).decode()))
    named = replace(offer, url=offer.url.replace("127.0.0.1", "localhost"))
    with pytest.raises(DeskClosed, match="is not the fleet's desk"):
        apply(named, Application(offer.token, make_request(make_key(), offer.unit).decode()))
    assert fleet.register.get("car-07").token.burnt_at is None


@pytest.mark.usefixtures("desk")
def test_a_unit_that_shows_no_certificate_renews_nothing(card, fleet):
    offer, key = card.offer(), make_key()
    status, content = post(fleet, "/v1/renew", written(Application("", make_request(key, offer.unit).decode())))
    assert (status, content) == (403, b"no certificate was shown; it is renewed by showing it\n")


def post(fleet, path, body, **headers):
    context = ssl.create_default_context(cadata=fleet.ca_pem.decode())
    with closing(http.client.HTTPSConnection("127.0.0.1", fleet.plan.enrolment_port, timeout=20, context=context)) as line:
        line.request("POST", path, body, headers)
        answer = line.getresponse()
        return answer.status, answer.read()


@pytest.mark.usefixtures("desk")
def test_the_desk_answers_nonsense_with_a_reason_and_goes_on(card, box, now, fleet):
    told = io.StringIO()
    set_up("debug", told)
    try:
        assert post(fleet, "/v1/enrol", b"x" * 50)[0] == 403
        assert post(fleet, "/v1/enrol", b"", **{"Content-Length": str(MOST_BYTES + 1)}) == (
            403,
            b"the application has no length, or more than 32768 bytes\n",
        )
        assert post(fleet, "/elsewhere", written(Application(card.offer().token, "")))[0] == 403
        with socket.create_connection(("127.0.0.1", fleet.plan.enrolment_port)) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
            plain.settimeout(20)
            with suppress(ConnectionResetError):
                while plain.recv(1000):
                    pass
        enrol_here(box("one"), card, now)
    finally:
        set_up()
    assert {"application_refused", "connection_failed", "certificate_given"} <= {
        json.loads(line[3:])["event"] for line in told.getvalue().splitlines()
    }
    assert card.offer().token not in told.getvalue()
    assert "PRIVATE" not in told.getvalue()


@pytest.mark.usefixtures("desk")
def test_who_is_refused_too_often_waits(card, box, now, fleet):
    for _ in range(MOST_REFUSALS):
        assert post(fleet, "/v1/enrol", b"{}")[0] == 403
    assert post(fleet, "/v1/enrol", b"{}")[0] == 429
    outcome, words = enrol_here(box("one"), card, now)
    assert outcome is Outcome.WAITING
    assert "429" in words


@pytest.mark.usefixtures("desk")
def test_the_revocation_list_can_be_fetched(card, box, now, fleet):
    identity = box("one")
    enrol_here(identity, card, now)
    revoke(fleet, "car-07", now, "stolen")
    context = ssl.create_default_context(cadata=fleet.ca_pem.decode())
    with closing(http.client.HTTPSConnection("127.0.0.1", fleet.plan.enrolment_port, timeout=20, context=context)) as line:
        line.request("GET", "/v1/crl.pem")
        listed = x509.load_pem_x509_crl(line.getresponse().read())
    assert [each.serial_number for each in listed] == [identity.certificate().serial_number]


def test_a_port_that_is_taken_is_named(fleet):
    with socket.create_server(("127.0.0.1", fleet.plan.enrolment_port)), pytest.raises(DeskFailed, match="cannot be opened"):
        serve(fleet, ("127.0.0.1", fleet.plan.enrolment_port), threading.Event())


def test_a_card_folder_without_an_offer_is_refused(tmp_path, box, now):
    with pytest.raises(Exception, match=r"offer\.json cannot be read"):
        enrol_here(box("one"), UnitFiles(tmp_path), now)


def test_the_gate_counts_refusals_by_address_and_requests_of_all():
    time = [0.0]
    gate = Gate(lambda: time[0])
    for _ in range(MOST_REFUSALS):
        assert gate.wait_s("a") == 0.0
        gate.was_refused("a")
    assert gate.wait_s("a") == WINDOW_S
    assert gate.wait_s("b") == 0.0
    time[0] = WINDOW_S
    assert gate.wait_s("a") == 0.0
    gate.was_refused("a")
    assert gate.wait_s("a") == 0.0
    for _ in range(MOST_REQUESTS):
        gate.wait_s("c")
    assert gate.wait_s("b") > 0.0
    time[0] += WINDOW_S
    assert gate.wait_s("b") == 0.0


def test_the_gate_remembers_a_bounded_number_of_addresses():
    gate = Gate(lambda: 0.0)
    for number in range(3 * MOST_ADDRESSES):
        gate.was_refused(str(number))
    assert len(gate._refused) == MOST_ADDRESSES
