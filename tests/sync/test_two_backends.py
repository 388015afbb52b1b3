"""Two backends, each with its own broker: whatever becomes of one, the other gets its events as soon as if it were alone."""

import threading
from contextlib import contextmanager
from dataclasses import replace

import pytest

from provisioning.settings import Backend, Settings, Unit
from sync.broker import Message, Received, Session, address
from sync.database import open_database, transaction
from sync.event import compact
from sync.faults.ground import ground
from sync.faults.links import LINES, NO_NAME
from sync.faults.mosquitto import Mosquitto
from sync.faults.need import MOSQUITTO
from sync.faults.proxy import Line, Proxy
from sync.mqtt import PahoBroker
from sync.outbox import Outbox
from sync.receiver.reading import read

EVENTS = 40
LATE_S = 5.0
"""Far above what forty events take on loopback, far below any rest or time limit of the other backend."""
BOTH = ("finding", "alert")
BROKEN = {**LINES, "expired": Line(), "no name": Line(), "never answers an event": Line()}


class Desk:
    """A broker of its own with a backend behind it that stores in memory and acknowledges."""

    def __init__(self, place, name):
        self.broker = Mosquitto(place, name=f"{name}-broker")
        paper = self.broker.authority.issue("receiver", "receiver")
        where = address(self.broker.url, self.broker.authority.ca, paper.cert, paper.key)
        self._session = PahoBroker(where, Session("receiver", ("ronde/v1/+/+/finding", "ronde/v1/+/+/alert"), 0))
        self._over = threading.Event()
        self.stored = []
        self.deaf = False
        self._came = threading.Condition()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self):
        while not self._over.is_set():
            got = [read(each) for each in self._session.take(0.05) if isinstance(each, Received)]
            if not got or self.deaf:
                continue
            with self._came:
                self.stored += [each.id for each in got]
                self._came.notify_all()
            by_topic = {}
            for each in got:
                by_topic.setdefault(each.sender.ack_topic, []).append(each.id)
            for topic, ids in by_topic.items():
                self._session.publish(Message(topic, compact({"acked": ids, "refused": []})))

    def has(self, ids, within_s):
        with self._came:
            return self._came.wait_for(lambda: set(ids) <= set(self.stored), within_s)

    def close(self):
        self._over.set()
        self._thread.join()
        self._session.close()

    def backend(self, name, unit, port=None, **options):
        paper = self.broker.authority.issue(f"{unit.fleet}/{unit.name}", unit.name)
        url = f"mqtts://127.0.0.1:{port or self.broker.port}"
        return Backend(name, url, self.broker.authority.ca, paper.cert, paper.key, BOTH, **options)


@pytest.fixture(scope="module")
def desks():
    if (missing := MOSQUITTO.missing()) is not None:
        pytest.skip(missing)
    with ground() as place:
        both = Desk(place, "roads"), Desk(place, "desk")
        yield both
        for each in both:
            each.close()


@contextmanager
def broken(desk, unit, how):
    """The desk as the unit's second backend, with what is wrong with it; yields a way to make it good."""
    proxy = Proxy(desk.broker.port, BROKEN[how])
    backend = desk.backend("desk", unit, proxy.port)
    if how == "expired":
        paper = desk.broker.authority.issue(f"{unit.fleet}/{unit.name}", "expired", days=(-2, -1))
        backend = replace(backend, cert=paper.cert, key=paper.key)
    if how == "no name":
        backend = replace(backend, url=NO_NAME)
    desk.deaf = how == "never answers an event"
    yield backend
    desk.deaf = False
    proxy.close()


def put(settings, finding_event, first, count, stream="finding"):
    db = open_database(settings.unit.state / "ronde.db")
    with transaction(db):
        made = [finding_event(settings.unit, n) for n in range(first, first + count)]
        for event in made:
            Outbox(db).put(replace(event, stream=stream), settings.backends)
    db.close()
    return [event.id for event in made]


@pytest.mark.parametrize("how", BROKEN)
def test_the_other_backend_gets_everything_at_once_and_nothing_is_lost(how, desks, make_settings, finding_event, serving):
    roads, desk = desks
    settings = make_settings(how)
    with broken(desk, settings.unit, how) as second:
        settings = replace(settings, backends=(second, roads.backend("roads", settings.unit)))
        first = put(settings, finding_event, 1, EVENTS)
        with serving(settings):
            assert roads.has(first, LATE_S), "what waited"
            live = put(settings, finding_event, EVENTS + 1, EVENTS)
            assert roads.has(live, LATE_S), "what came meanwhile"
    db = open_database(settings.unit.state / "ronde.db")
    left = [id_ for (id_,) in db.conn.execute("SELECT id FROM outbox WHERE backend = 'desk'")]
    db.close()
    assert set(left) | set(desk.stored) >= set(first + live)


@pytest.fixture
def make_settings(tmp_path):
    def make(how):
        name = "car-" + "".join(letter for letter in how.lower() if letter.isalnum())[:20]
        state = tmp_path / "state"
        state.mkdir()
        return Settings(Unit("cannes", name, state))

    return make
