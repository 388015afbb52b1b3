"""`ronde receive` with a real broker and real databases: alone, several that share the work, and a server that goes away."""

import json
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from sync.broker import Message, Puback, Session, address
from sync.failure import DatabaseRefused
from sync.mqtt import PahoBroker
from sync.receiver import ReceiverRefused, run_receiver, service
from sync.receiver.databases import database_file


def test_addresses(tmp_path):
    assert str(database_file("sqlite:///town.db")) == "town.db"
    assert str(database_file("sqlite:////var/lib/town.db")) == "/var/lib/town.db"
    db_url = f"sqlite:///{tmp_path / 'town.db'}"
    for url, options, sentence in (
        ("mqtt://mqtt.example.org", {}, "is not encrypted"),
        ("mqtts://mqtt.example.org", {}, "needs a CA, a certificate and its key"),
        ("mqtt://127.0.0.1", {"ca": tmp_path}, "which is for loopback"),
        ("http://127.0.0.1", {}, "is no broker's address"),
        ("mqtt://127.0.0.1", {"share": "a/b"}, "share a/b: letters, digits"),
        ("mqtt://127.0.0.1", {"share": ""}, "share : letters, digits"),
    ):
        with pytest.raises(ReceiverRefused, match=sentence):
            run_receiver(url, db_url=db_url, stop=threading.Event(), **options)
    with pytest.raises(DatabaseRefused, match="there is no folder"):
        run_receiver("mqtt://127.0.0.1", db_url=f"sqlite:///{tmp_path}/nowhere/town.db", stop=threading.Event())


@dataclass
class Reception:
    """Receivers of one broker and one database, each in a thread."""

    broker: object
    database: object
    papers: dict = field(default_factory=dict)

    def __post_init__(self):
        certificate, key = self.broker.authority.issue("receiver", "receiver")
        self.papers = {"ca": self.broker.authority.ca, "cert": certificate, "key": key}

    @contextmanager
    def open(self, name="one", **options):
        stop, listening = threading.Event(), threading.Event()
        failures = []

        def serve():
            try:
                run_receiver(
                    self.broker.url,
                    db_url=self.database.url,
                    stop=stop,
                    name=name,
                    listening=listening.set,
                    **self.papers,
                    **options,
                )
            except BaseException as error:  # noqa: BLE001 - shown below
                failures.append(error)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            assert listening.wait(60), failures
            yield
        finally:
            stop.set()
            thread.join()
        assert not failures, failures

    def stored(self) -> int:
        return self.database.ask("SELECT count(*) FROM event")[0][0]


@pytest.fixture
def reception(mosquitto, database):
    return Reception(mosquitto, database)


class Wheels:
    """A unit on the road, as far as the broker sees it."""

    def __init__(self, broker, speech):
        certificate, key = broker.authority.issue(f"{speech.fleet}/{speech.unit}", speech.unit)
        where = address(broker.url, broker.authority.ca, certificate, key)
        session = Session(f"{speech.fleet}.{speech.unit}", (speech.topic("ack"),), 60)
        self.broker, self.speech = PahoBroker(where, session), speech
        self.acked: Counter = Counter()
        self.by_message: list[int] = []

    def send(self, *received):
        for each in received:
            self.broker.publish(Message(each.topic, each.payload))

    def look(self):
        for outcome in self.broker.take(0.0):
            if not isinstance(outcome, Puback):
                told = json.loads(outcome.payload)
                self.by_message.append(len(told["acked"]))
                self.acked.update(told["acked"] + [each["id"] for each in told["refused"]])
        return self.acked


@pytest.fixture
def wheels(mosquitto, speech):
    made = []

    def make(unit="car-07"):
        made.append(Wheels(mosquitto, speech(unit=unit)))
        return made[-1]

    yield make
    for each in made:
        each.broker.close()


def test_events_are_stored_once_and_acknowledged(reception, wheels, until):
    with reception.open():
        car = wheels()
        car.send(*(car.speech.finding(n) for n in range(50)), car.speech.finding(7), car.speech.event("batch", {}, id="b-1"))
        until(lambda: len(car.look()) == 51 and car.look()["car-07-0123abcd-1-7"] == 2, "all are acked, one of them twice")
        assert reception.stored() == 50
        assert reception.database.ask("SELECT count(*) FROM finding") == [(50,)]


def test_what_comes_without_qos_1_ends_no_connection(reception, wheels, mosquitto, until):
    with reception.open():
        car = wheels()
        car.broker._client.publish(car.speech.topic("finding"), car.speech.finding(1).payload, qos=0)
        car.send(car.speech.finding(2))
        until(lambda: len(car.look()) == 2, "both are acked")
        log = (mosquitto.folder / "mosquitto.log").read_text()
        assert log.count("New client connected from") == log.count("as one (") + log.count("as cannes.car-07 (")
        assert "protocol error" not in log.lower()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_two_receivers_share_the_work_and_each_event_is_stored_once(reception, wheels, database, mosquitto, until):
    with reception.open("one", share="town"), reception.open("two", share="town"):
        log = mosquitto.folder / "mosquitto.log"
        until(lambda: log.read_text().count("SUBACK to one") and log.read_text().count("SUBACK to two"), "both have subscribed")
        cars = [wheels(f"car-{n}") for n in range(3)]
        for n in range(100):
            for car in cars:
                car.send(car.speech.finding(n))
        until(lambda: all(len(car.look()) == 100 for car in cars), "all are acked")
        told = log.read_text()
        shares = [told.count(f"Sending PUBLISH to {name} (d0, q1, r0, m") for name in ("one", "two")]
        assert sum(shares) == 300, "each event goes to one of them"
        assert min(shares) > 100
        assert database.ask("SELECT count(*) FROM event") == [(300,)]
        assert database.ask("SELECT sum(findings) FROM round") == [(300,)]
        assert "ack" not in "".join(
            line for line in told.splitlines() if "Sending PUBLISH to one" in line or "PUBLISH to two" in line
        )


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_who_is_connected_is_known_to_receivers_that_share_and_came_later(reception, wheels, database, until):
    car = wheels()
    car.broker.publish(Message(car.speech.topic("state"), car.speech.state("online").payload, retain=True))
    until(lambda: car.broker.take(0.1), "the broker has it")
    with reception.open(share="town"):
        until(lambda: database.ask("SELECT source, connection FROM unit") == [(car.speech.source, "online")], "it is shown")


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_server_that_stops_and_comes_back_loses_nothing(reception, wheels, cluster, until, caplog):
    with reception.open():
        car = wheels()
        car.send(*(car.speech.finding(n) for n in range(20)))
        until(lambda: len(car.look()) == 20, "the first are acked")
        cluster.stop()
        try:
            car.send(*(car.speech.finding(n) for n in range(20, 40)))
            until(lambda: any("database_failed" in each.getMessage() for each in caplog.records), "the receiver has noticed")
            assert len(car.look()) == 20, "nothing is acked that is not stored"
        finally:
            cluster.start()
        until(lambda: len(car.look()) == 40, "the others are acked")
    assert reception.stored() == 40


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_receiver_waits_for_a_server_that_is_not_there_yet(reception, wheels, cluster, until):
    cluster.stop()
    starting = threading.Timer(1.0, cluster.start)
    starting.start()
    with reception.open():
        starting.join()
        car = wheels()
        car.send(car.speech.finding(1))
        until(lambda: len(car.look()) == 1, "it is acked")


def test_a_bug_in_joining_ends_the_receiver_and_is_raised_where_it_runs(tmp_path, monkeypatch):
    stop = threading.Event()

    def broken(_url):
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr(service, "open_joins", broken)
    with pytest.raises(ZeroDivisionError, match="a bug"), service.joining(f"sqlite:///{tmp_path / 'town.db'}", stop):
        assert stop.wait(10.0), "whoever receives is told to stop"
