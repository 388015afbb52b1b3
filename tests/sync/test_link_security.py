"""What the link to the broker promises: no weak TLS, no switch to weaken it, no secret and no place in a log."""

import io
import logging
import re
import socket
import ssl
import threading
from contextlib import closing
from pathlib import Path

import pytest

from provisioning.log import set_up
from sync.broker import Session, address
from sync.delivery import deliver_once
from sync.mqtt import PahoBroker
from sync.refusal import BrokerRefused
from sync.tls import context

PROJECT = Path(__file__).parents[2]
WEAKENING = re.compile(
    r"CERT_NONE|CERT_OPTIONAL|check_hostname\s*=|tls_insecure_set|_create_unverified_context|verify_mode\s*=|verify\s*=\s*False"
    r"|PROTOCOL_TLSv1|PROTOCOL_SSL|OP_LEGACY_SERVER_CONNECT|set_ciphers|SECLEVEL"
)


FREE = {
    # The desk's server asks for a certificate; who enrols has none yet. Whose it is, it looks at itself.
    "provisioning/desk_service.py: context.verify_mode = ssl.CERT_OPTIONAL",
}


def test_nothing_in_the_code_weakens_tls():
    files = [file for package in ("device", "inference", "provisioning", "sync") for file in (PROJECT / package).rglob("*.py")]
    assert len(files) > 50
    weak = {
        f"{file.relative_to(PROJECT)}: {line.partition('#')[0].strip()}"
        for file in files
        for line in file.read_text("utf-8").splitlines()
        if WEAKENING.search(line)
    }
    # The programme of faults plays the brokers that must be refused.
    assert {each for each in weak if not each.startswith("sync/faults/")} - FREE == set()


def test_a_context_checks_everything_and_speaks_nothing_old(authority, tmp_path):
    ours = authority(tmp_path)
    cert, key = ours.issue("cannes/car-07", "unit")
    made = context(ours.ca, cert, key)
    assert made.verify_mode is ssl.CERT_REQUIRED
    assert made.check_hostname
    assert not made.hostname_checks_common_name
    assert made.minimum_version is ssl.TLSVersion.TLSv1_2
    assert len(made.get_ca_certs()) == 1  # nobody of the system's


class OldBroker:
    """Speaks one version of TLS with a certificate that is in order, and notes each byte that comes inside of it."""

    def __init__(self, authority, version):
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(*authority.issue("127.0.0.1", "old"))
        made.set_ciphers("ALL:@SECLEVEL=0")
        made.minimum_version = made.maximum_version = version
        self.context, self.application = made, b""
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        connection, _ = self.listener.accept()
        connection.settimeout(5)
        with closing(connection):
            try:
                with self.context.wrap_socket(connection, server_side=True) as inside:
                    self.application += inside.recv(1000)
            except OSError:
                return

    def close(self):
        self.thread.join()
        self.listener.close()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_an_old_tls_is_refused_before_a_byte_is_said(authority, tmp_path, version):
    ours = authority(tmp_path)
    old = OldBroker(ours, version)
    cert, key = ours.issue("cannes/car-07", "unit")
    where = address(f"mqtts://127.0.0.1:{old.listener.getsockname()[1]}", ours.ca, cert, key)
    with pytest.raises(BrokerRefused, match="no TLS with the broker"):
        PahoBroker(where, Session("cannes.car-07", (), 0))
    old.close()
    assert old.application == b""


def test_a_plain_port_gets_no_byte_of_ours(authority, tmp_path):
    ours = authority(tmp_path)
    cert, key = ours.issue("cannes/car-07", "unit")
    heard = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            connection, _ = listener.accept()
            with closing(connection):
                connection.settimeout(5)
                heard.append(connection.recv(5000))
                connection.sendall(b"\x20\x03\x00\x00\x00")  # what a plain broker would answer

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(BrokerRefused):
            PahoBroker(
                address(f"mqtts://127.0.0.1:{listener.getsockname()[1]}", ours.ca, cert, key), Session("cannes.car-07", (), 0)
            )
        thread.join()
    assert heard[0][0] == 0x16  # a TLS hello
    assert b"MQTT" not in heard[0]
    assert b"car-07" not in heard[0]


def test_no_secret_and_no_place_is_in_a_log(car, town, mosquitto):
    """Everything that a delivery says at every level: to a broker that lets it in, to one that does not, and of refusals."""
    said = io.StringIO()
    root = logging.getLogger()
    before = root.level, logging.getLogger("ronde").level
    set_up("debug", said)
    try:
        car.put(1, 20)
        with town.open():
            assert deliver_once(car.settings).done
        car.put(21, 5)
        car.broker.authority.issue("cannes/car-07", "car-07", days=(-2, -1))
        assert not deliver_once(car.settings, give_up_s=0.5).done
        mosquitto.kill()
        assert not deliver_once(car.settings, give_up_s=0.5).done
    finally:
        for handler in [each for each in root.handlers if type(each).__name__ == "_Lines"]:
            root.removeHandler(handler)
            handler.close()
        root.setLevel(before[0])
        logging.getLogger("ronde").setLevel(before[1])
    text = said.getvalue()
    assert "broker_connected" in text
    assert "broker_refused" in text
    for secret in (*car.backend.key.read_text().splitlines()[1:-1], "PRIVATE KEY", "43.55", "7.0123", "coordinates"):
        assert secret not in text
