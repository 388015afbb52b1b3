"""A real mosquitto with its own certificates, a unit and a receiver: what the tests of delivery share."""

import datetime as dt
import ipaddress
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from device.frame import Place
from inference.finding import Finding
from provisioning.settings import Backend, Settings, Unit
from sync.broker import Received, Session, address
from sync.database import open_database, transaction
from sync.event import Event, event_id, finding_data
from sync.mqtt import PahoBroker
from sync.outbox import Outbox
from sync.receiver import run_receiver

ROUND = "0123abcd-1"
NOW = dt.datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=dt.timezone.utc)
DEADLINE_S = 120.0

# Started by root, mosquitto gives its rights up where it is not told `user root`, and cannot read these files.
CONFIGURATION = """\
user root
listener {port} 127.0.0.1
cafile {folder}/ca.pem
certfile {folder}/server.pem
keyfile {folder}/server.key
require_certificate true
use_identity_as_username true
allow_anonymous false
acl_file {folder}/access
log_dest file {folder}/mosquitto.log
log_type all
{more}
"""

PATTERNS = """\
pattern write ronde/v1/%u/state
pattern write ronde/v1/%u/birth
pattern write ronde/v1/%u/finding
pattern write ronde/v1/%u/grade
pattern write ronde/v1/%u/track
pattern write ronde/v1/%u/evidence
pattern write ronde/v1/%u/alert
pattern write ronde/v1/%u/health
pattern write ronde/v1/%u/batch
pattern read ronde/v1/%u/ack
pattern read ronde/v1/%u/command
user receiver
topic read ronde/v1/+/+/+
topic write ronde/v1/+/+/ack
topic write ronde/v1/+/+/command
"""


def until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Waits for a condition of another process, which has no event to wait on."""
    end = time.monotonic() + deadline_s
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"not within {deadline_s:g} s: {what}"
        pause.wait(0.02)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {name}")])
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        made = self._builder(self.subject, self.key.public_key()).add_extension(constraints, critical=True)
        self.certificate = made.sign(self.key, hashes.SHA256())
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(
        self, common_name: str, file: str, *, days: tuple[float, float] = (-1, 30), host: str = "127.0.0.1"
    ) -> tuple[Path, Path]:
        """A certificate and its key; valid from and to so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        try:
            alternative = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            alternative = x509.DNSName(host)
        made = (
            self._builder(name, key.public_key(), days)
            .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
            .sign(self.key, hashes.SHA256())
        )
        certificate, private = self.folder / f"{file}.pem", self.folder / f"{file}.key"
        certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        private.write_bytes(
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        return certificate, private

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePublicKey, days: tuple[float, float] = (-1, 30)
    ) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + dt.timedelta(days=days[0]))
            .not_valid_after(now + dt.timedelta(days=days[1]))
        )


class Mosquitto:
    """A real broker with mutual TLS and the access list of the contract, on a port that stays the same."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.authority.issue("localhost", "server")
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "access").write_text(PATTERNS)
        self.configure()

    @property
    def url(self) -> str:
        return f"mqtts://127.0.0.1:{self.port}"

    def configure(self, more: str = "") -> None:
        (self.folder / "mosquitto.conf").write_text(CONFIGURATION.format(port=self.port, folder=self.folder, more=more))

    def start(self) -> None:
        with (self.folder / "stderr").open("ab") as stderr:
            self.process = subprocess.Popen(["mosquitto", "-c", str(self.folder / "mosquitto.conf")], stderr=stderr)
        until(self._answers, f"mosquitto answers: {(self.folder / 'stderr').read_text()}")

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "stderr").read_text()
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None


@pytest.fixture
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed")
    folder = tmp_path_factory.mktemp("broker")
    broker = Mosquitto(folder)
    broker.start()
    yield broker
    broker.kill()


@dataclass
class Car:
    """A unit with a database, and a backend that it delivers to."""

    settings: Settings
    broker: Mosquitto

    @property
    def unit(self) -> Unit:
        return self.settings.unit

    @property
    def backend(self) -> Backend:
        return self.settings.backends[0]

    @property
    def file(self) -> Path:
        return self.unit.state / "ronde.db"

    def put(self, first: int, count: int) -> list[str]:
        """So many findings into the outbox; their event ids."""
        db = open_database(self.file)
        with transaction(db):
            made = [finding_event(self.unit, n) for n in range(first, first + count)]
            for event in made:
                Outbox(db).put(event, self.settings.backends)
        db.close()
        return [event.id for event in made]

    def waiting(self) -> list[str]:
        return [id_ for (id_,) in rows(self.file, "SELECT id FROM outbox ORDER BY seq")]


def finding_event(unit: Unit, n: int, label: str = "pothole") -> Event:
    finding = Finding(
        id=f"{ROUND}-f{n}",
        round_id=ROUND,
        label=label,
        score=0.81,
        latitude_deg=43.5512345,
        longitude_deg=7.0123456,
        uncertainty_m=2.4,
        frames=3,
        best_frame_id=f"{ROUND}-{n:06d}",
        seen_at=NOW,
        model="ab" * 32,
    )
    camera = Place(43.5512, 7.0123, 2.0, 359.96, 11.0, 100.0, "between_fixes", NOW, "gnss")
    return Event(unit, "finding", event_id(unit, "finding", ROUND, n), NOW, finding_data(finding, camera, "cd" * 32), finding.id)


def rows(file: Path, sql: str) -> list[tuple]:
    """What a read-only look at a database shows; nothing where it does not exist yet."""
    if not file.exists():
        return []
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)
    try:
        return db.execute(sql).fetchall()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return []
        raise
    finally:
        db.close()


@pytest.fixture
def car(mosquitto: Mosquitto, tmp_path: Path) -> Car:
    return make_car(mosquitto, tmp_path / "state", "cannes", "car-07")


def make_car(broker: Mosquitto, state: Path, fleet: str, name: str, **options) -> Car:
    state.mkdir()
    certificate, key = broker.authority.issue(f"{fleet}/{name}", name)
    backend = Backend("roads", broker.url, broker.authority.file, certificate, key, **options)
    return Car(Settings(Unit(fleet, name, state), backends=(backend,)), broker)


class Town:
    """A receiver in a thread, and what it has stored."""

    def __init__(self, broker: Mosquitto, file: Path) -> None:
        self.broker = broker
        self.file = file
        self.certificate, self.key = broker.authority.issue("receiver", "receiver")

    def options(self) -> dict:
        return {
            "db_url": f"sqlite:///{self.file}",
            "ca": self.broker.authority.file,
            "cert": self.certificate,
            "key": self.key,
        }

    @contextmanager
    def open(self) -> Iterator[None]:
        stop = threading.Event()
        failures: list[BaseException] = []

        def serve() -> None:
            try:
                run_receiver(self.broker.url, stop=stop, **self.options())
            except BaseException as error:  # noqa: BLE001 - shown by the test
                failures.append(error)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            until(self.subscribed, "the receiver has subscribed")
            yield
        finally:
            stop.set()
            thread.join()
        assert not failures, failures

    def subscribed(self, times: int = 1) -> bool:
        """Whether the receiver has subscribed so often, each time anew when it connects."""
        return self.subscriptions() >= times

    def subscriptions(self) -> int:
        """How often the receiver has subscribed."""
        return (self.broker.folder / "mosquitto.log").read_text().count("Sending SUBACK to ronde-receiver")

    def findings(self) -> list[str]:
        return [id_ for (id_,) in rows(self.file, "SELECT id FROM event WHERE type = 'ronde.finding.v1'")]

    def events(self) -> list[dict]:
        return [json.loads(data) for (data,) in rows(self.file, "SELECT data FROM event")]


@pytest.fixture
def town(mosquitto: Mosquitto, tmp_path: Path) -> Town:
    return Town(mosquitto, tmp_path / "town.db")


class Observer:
    """Sees every message of the broker, as the receiver's identity."""

    def __init__(self, broker: Mosquitto) -> None:
        certificate, key = broker.authority.issue("receiver", "observer")
        where = address(broker.url, broker.authority.file, certificate, key)
        self.broker = PahoBroker(where, Session("observer", ("ronde/v1/+/+/+",), 0))
        self.seen: list[Received] = []

    def look(self) -> list[Received]:
        """All messages so far."""
        self.seen += [each for each in self.broker.take(0) if isinstance(each, Received)]
        return self.seen

    def on(self, stream: str) -> list[dict]:
        return [json.loads(each.payload) for each in self.look() if each.topic.endswith("/" + stream)]


@pytest.fixture
def observer(mosquitto: Mosquitto) -> Iterator[Observer]:
    made = Observer(mosquitto)
    yield made
    made.broker.close()


@pytest.fixture(name="until")
def _until() -> Callable[..., None]:
    return until


@pytest.fixture(name="rows")
def _rows() -> Callable[[Path, str], list[tuple]]:
    return rows


@pytest.fixture(name="finding_event")
def _finding_event() -> Callable[..., Event]:
    return finding_event


@pytest.fixture(name="make_car")
def _make_car() -> Callable[..., Car]:
    return make_car


@pytest.fixture(name="authority")
def _authority() -> type[Authority]:
    return Authority


@pytest.fixture
def make_observer(mosquitto: Mosquitto) -> Iterator[Callable[[], Observer]]:
    made: list[Observer] = []

    def make() -> Observer:
        made.append(Observer(mosquitto))
        return made[-1]

    yield make
    for each in made:
        each.broker.close()
