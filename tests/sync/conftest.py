"""A real mosquitto with its own certificates, a unit and a receiver: what the tests of delivery share."""

import datetime as dt
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

import sync.faults.ground
from device.frame import Place
from inference.finding import Finding
from provisioning.settings import Backend, Settings, Unit
from sync.broker import Received, Session, address
from sync.database import open_database, transaction
from sync.delivery import run_sync
from sync.event import Event, event_id, finding_data
from sync.faults.authority import Authority
from sync.faults.ground import Disk, TooLate, ground
from sync.faults.mosquitto import Mosquitto
from sync.faults.need import EXT4, LOOP, MOSQUITTO, ROOT
from sync.faults.town import rows
from sync.mqtt import PahoBroker
from sync.outbox import Outbox
from sync.receiver import run_receiver

ROUND = "0123abcd-1"
NOW = dt.datetime(2026, 3, 4, 5, 6, 7, 890000, tzinfo=dt.timezone.utc)
DEADLINE_S = 120.0


def until(condition: Callable[[], bool], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Waits for a condition of another process, which has no event to wait on."""
    sync.faults.ground.until(condition, what, deadline_s)


@pytest.fixture
def mosquitto() -> Iterator[Mosquitto]:
    if (missing := MOSQUITTO.missing()) is not None:
        pytest.skip(missing)
    with ground() as place:
        yield Mosquitto(place, logged=True)


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


@pytest.fixture
def car(mosquitto: Mosquitto, tmp_path: Path) -> Car:
    return make_car(mosquitto, tmp_path / "state", "cannes", "car-07")


def make_car(broker: Mosquitto, state: Path, fleet: str, name: str, **options) -> Car:
    state.mkdir()
    certificate, key = broker.authority.issue(f"{fleet}/{name}", name)
    backend = Backend("roads", broker.url, broker.authority.ca, certificate, key, **options)
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
            "ca": self.broker.authority.ca,
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
        return self.broker.log.read_text().count("Sending SUBACK to ronde-receiver")

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
        where = address(broker.url, broker.authority.ca, certificate, key)
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


@contextmanager
def serving(settings: Settings, **options: object) -> Iterator[None]:
    """`run_sync` in a thread, ended with the block; an error in it is raised."""
    stop, errors = threading.Event(), []

    def serve() -> None:
        try:
            run_sync(settings, stop, **options)
        except BaseException as error:  # noqa: BLE001 - raised again below
            errors.append(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    assert not errors, errors


@pytest.fixture(name="serving")
def _serving() -> Callable[..., AbstractContextManager[None]]:
    return serving


@pytest.fixture
def own_disk() -> Iterator[Disk]:
    """A disk of 24 MB with a file system of its own."""
    for need in (EXT4, ROOT, LOOP):
        if (missing := need.missing()) is not None:
            pytest.skip(missing)
    with ground() as place:
        try:
            disk = Disk(place, "disk", 24)
        except TooLate as error:
            pytest.skip(str(error))
        yield disk


@pytest.fixture
def fill() -> Callable[[Path], None]:
    """Takes every block that is left, into a file `foreign` in a folder."""

    def fill(folder: Path) -> None:
        with (folder / "foreign").open("ab", buffering=0) as out:
            for size in (1024 * 1024, 65536, 4096):
                with suppress(OSError):
                    while True:
                        out.write(b"x" * size)

    return fill
