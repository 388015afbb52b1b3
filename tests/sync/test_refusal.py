import socket
import ssl
from datetime import datetime, timedelta, timezone

import pytest

from sync.answer import answer_of
from sync.refusal import BrokerRefused, broken, out_of_date, refused
from sync.tls import context, validity


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ConnectionRefusedError(111, "x"), "nothing answers at the broker's address b:1: connection refused"),
        (TimeoutError("timed out"), "the broker b:1 does not answer"),
        (
            socket.gaierror(-2, "Name or service not known"),
            "the broker b:1 is not found: its name does not resolve (Name or service not known)",
        ),
        (OSError(101, "Network is unreachable"), "the broker b:1 cannot be reached: Network is unreachable"),
        (OSError(), "the broker b:1 cannot be reached: OSError"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "no TLS with the broker b:1: wrong version number"),
        (
            ssl.SSLError(1, "[SSL: TLSV1_ALERT_UNKNOWN_CA] x"),
            "the broker b:1 refused our certificate: it is not signed by the broker's CA",
        ),
    ],
)
def test_each_failure_has_its_sentence(error, sentence):
    assert str(refused("b:1", error)) == sentence


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("failed to receive on socket: [SSL: SSLV3_ALERT_CERTIFICATE_EXPIRED] sslv3 alert", "it has expired"),
        ("[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert", "it wants one and got none"),
        ("[SSL: SSLV3_ALERT_BAD_CERTIFICATE] x", "it is not accepted"),
        ("[Errno 104] Connection reset by peer", "closed the connection before it let us in"),
    ],
)
def test_alerts_after_the_handshake_are_understood(text, end):
    assert str(broken("b:1", text)).endswith(end)


def test_the_dates_of_a_certificate_are_read(authority, tmp_path):
    made, now = authority(tmp_path), datetime.now(timezone.utc)
    for days, word in (((-2, -1), "has expired"), ((1, 2), "is not yet valid"), ((-1, 1), None), ((-1, 365 * 40), None)):
        certificate, _ = made.issue("cannes/car-07", "unit", days=days)
        begins, ends = validity(certificate)
        assert abs(begins - now - timedelta(days=days[0])) < timedelta(minutes=5)
        assert abs(ends - now - timedelta(days=days[1])) < timedelta(minutes=5)
        reason = out_of_date((begins, ends), now)
        assert reason is None if word is None else word in reason
    (tmp_path / "none.pem").write_text("no certificate")
    assert validity(tmp_path / "none.pem") is None
    assert validity(tmp_path / "missing.pem") is None
    assert out_of_date(None, now) is None


def test_tls_is_never_weak(authority, tmp_path):
    made = authority(tmp_path)
    certificate, key = made.issue("cannes/car-07", "unit")
    made_context = context(made.ca, certificate, key)
    assert made_context.check_hostname
    assert made_context.verify_mode == ssl.CERT_REQUIRED
    assert made_context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert len(made_context.get_ca_certs()) == 1
    _, other_key = made.issue("cannes/car-08", "other")
    with pytest.raises(BrokerRefused, match="is not usable"):
        context(made.ca, certificate, other_key)
    with pytest.raises(BrokerRefused, match=r"the broker's CA .* cannot be read: No such file"):
        context(tmp_path / "none.pem", certificate, key)


def test_answers_are_read_as_far_as_they_are_some():
    answer = answer_of(b'{"acked": ["a"], "refused": [{"id": "b", "reason": "' + b"r" * 900 + b'"}], "later": 1}')
    assert answer.acked == ["a"]
    assert [(id_, len(reason)) for id_, reason in answer.refused] == [("b", 500)]
    assert answer_of(b"{}").acked == []
    for rubbish in (b"", b"null", b'{"acked": {}}', b'{"refused": [{"id": 1, "reason": ""}]}', b"\x80", b"[" * 10**5):
        assert answer_of(rubbish) is None
