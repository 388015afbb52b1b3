"""What the receiver reads, stores and says; its life with a real broker is in test_delivery."""

import json
import sqlite3
import threading
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.settings import Unit
from sync.broker import Lost, Received
from sync.database import DatabaseRefused
from sync.event import payload
from sync.receiver import ReceiverRefused, run_receiver
from sync.receiver.databases import database_file
from sync.receiver.reading import LARGEST_BYTES, Arrived, Presence, Reading, Refused, Sender, read
from sync.receiver.receiver import MOST_IDS, Receiver, Step, acknowledgements
from sync.receiver.sqlite import SqliteStore

UNIT = Unit("cannes", "car-07")
SENDER = Sender("cannes", "car-07")
TOPIC = "ronde/v1/cannes/car-07/finding"
EVIDENCE = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/ronde/cannes/car-07",
    "type": "ronde.evidence.v1",
    "time": "2026-03-04T05:06:07.890Z",
}


@pytest.fixture
def store(tmp_path):
    opened = SqliteStore(tmp_path / "town.db")
    yield opened
    opened.close()


@pytest.fixture
def finding(finding_event):
    return lambda n=1: json.loads(payload(finding_event(UNIT, n), n))


def message(document, topic=TOPIC):
    return Received(topic, document if isinstance(document, bytes) else json.dumps(document).encode(), 1)


def changed(document, path, value):
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return document


def test_a_finding_is_read(finding):
    reading = read(message(finding()))
    assert isinstance(reading, Arrived)
    assert (reading.sender, reading.type, reading.id) == (SENDER, "ronde.finding.v1", finding()["id"])
    assert json.loads(reading.data) == finding()["data"]


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        (("source",), "/ronde/cannes/car-08", "the source is not the unit whose topic this is"),
        (("type",), "ronde.track.v1", "the type is not the one of this stream"),
        (("specversion",), "0.3", "specversion is not 1.0"),
        (("time",), "yesterday", "time is missing or not of its form"),
        (("data",), [], "data is no object"),
        (("data", "type"), "Point", "data is no GeoJSON feature"),
        (("data", "properties"), None, "data is no GeoJSON feature"),
        (("data", "geometry", "type"), "LineString", "the geometry is no Point"),
        (("data", "geometry", "coordinates"), [7.0], "a position is not on earth"),
        (("data", "geometry", "coordinates"), [7.0, 95.0], "a position is not on earth"),
        (("data", "geometry", "coordinates"), ["7", 43], "a position is not on earth"),
        (("data", "geometry", "coordinates"), [True, 43], "a position is not on earth"),
        (("data", "properties", "deep"), [[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]], "nested deeper than 16 levels"),
    ],
)
def test_what_is_wrong_with_an_event_is_said_with_its_id(finding, path, value, reason):
    reading = read(message(changed(finding(), path, value)))
    assert isinstance(reading, Refused)
    assert reason in reading.reason
    assert reading.sender == SENDER
    assert reading.id == finding()["id"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the event is no JSON"),
        (b"\xff\xfe\x00", "the event is no JSON"),
        (b"[" * 100_000, "the event is no JSON"),
        (b'{"id": NaN}', "the event is no JSON"),
        (b"[1]", "the event is no JSON object"),
        (b'{"id": "\\ud800"}', "the event holds a text with half a character, or with a NUL"),
        (b'{"id": 7}', "id is missing or not of its form"),
        (b" " * (LARGEST_BYTES + 1), f"the event is larger than {LARGEST_BYTES} bytes"),
    ],
)
def test_rubbish_is_refused_with_a_reason(content, reason):
    assert read(message(content)) == Refused(SENDER, "", reason)


def test_topics_of_nobody_and_of_ourselves(finding):
    assert read(message(finding(), "ronde/v1/CANNES/car-07/finding")) == Refused(
        None, "", "the topic is not ronde/v1/<fleet>/<unit>/<stream>"
    )
    assert read(message(b"{}", "ronde/v1/cannes/car-07/ack")) is None
    assert read(message(b"{}", "ronde/v1/cannes/car-07/command")) is None
    refused = read(message(finding(), "ronde/v1/cannes/car-07/rumour"))
    assert isinstance(refused, Refused)
    assert refused.reason == "this backend stores no such stream"


def test_a_state_is_read_and_a_false_one_refused():
    good = {"state": "lost", "boot": "b" * 32, "software": "0.1.0"}
    topic = "ronde/v1/cannes/car-07/state"
    assert read(message(good, topic)) == Presence(SENDER, "lost", "b" * 32, "0.1.0")
    for wrong in ({**good, "state": "asleep"}, {**good, "boot": 7}, {"state": "online"}):
        assert isinstance(read(message(wrong, topic)), Refused)


def test_a_picture_is_read_in_binary_mode():
    topic = "ronde/v1/cannes/car-07/evidence"
    good = Received(topic, b"\xff\xd8 a drawn picture", 1, EVIDENCE, "image/jpeg")
    reading = read(good)
    assert isinstance(reading, Arrived)
    assert (reading.id, reading.data) == ("e-1", b"\xff\xd8 a drawn picture")
    for wrong in (
        replace(good, payload=b"GIF89a"),
        replace(good, content_type="text/html"),
        replace(good, properties={**EVIDENCE, "source": "/ronde/cannes/car-08"}),
        replace(good, properties={}),
    ):
        assert isinstance(read(wrong), Refused)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "data", "type", "geometry", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(
    stream=st.sampled_from(["finding", "track", "grade", "health", "birth", "state", "evidence", "alert", "batch"]),
    content=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()),
    kept=st.dictionaries(st.sampled_from(["id", "source", "type", "time", "specversion", "data"]), JSON),
)
def test_whatever_arrives_is_read_without_an_exception(stream, content, kept):
    topic = f"ronde/v1/cannes/car-07/{stream}"
    assert isinstance(read(message(content, topic)), Reading)
    half_right = {**EVIDENCE, "type": f"ronde.{stream}.v1", **kept}
    assert isinstance(read(message(half_right, topic)), Reading)


@given(data=st.dictionaries(st.text(max_size=6), JSON, max_size=4), n=st.integers(0, 10**9))
def test_whatever_is_stored_can_be_shown(shown, data, n):
    readings = [
        read(
            message(
                {**EVIDENCE, "id": f"{stream}-{n}", "type": f"ronde.{stream}.v1", "data": data},
                f"ronde/v1/cannes/car-07/{stream}",
            )
        )
        for stream in ("health", "birth")
    ]
    shown.keep([reading for reading in readings if reading is not None])
    for view in ("finding", "track", "grade", "unit"):
        shown._db.conn.execute(f"SELECT * FROM {view}").fetchall()


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    opened = SqliteStore(tmp_path_factory.mktemp("shown") / "town.db")
    opened._db.conn.execute("PRAGMA synchronous = OFF")
    yield opened
    opened.close()


def test_each_event_is_stored_once_and_what_is_refused_is_noted(store, finding):
    batch = [read(message(finding(n))) for n in (1, 2, 2)] + [read(message(b"{")), read(message(b"{"))]
    first = store.keep(batch)
    assert (first.stored, first.duplicates, first.refused) == (2, 1, 2)
    again = store.keep(batch)
    assert (again.stored, again.duplicates) == (0, 3)
    assert list(store._db.conn.execute("SELECT source, id, reason FROM refused")) == [
        ("/ronde/cannes/car-07", "", "the event is no JSON")
    ]
    assert store._db.conn.execute("SELECT count(*), max(latitude_deg), max(score) FROM finding").fetchone() == (
        2,
        43.5512345,
        0.81,
    )


def test_the_unit_is_shown_with_its_latest_health(store):
    for time, frames in (("2026-03-04T05:06:07.890Z", 7), ("2026-03-04T05:07:07.890Z", 9), ("2026-03-04T05:05:07.890Z", 5)):
        event = {
            **EVIDENCE,
            "id": time,
            "type": "ronde.health.v1",
            "time": time,
            "data": {"state": "recording", "frames": frames},
        }
        store.keep([read(message(event, "ronde/v1/cannes/car-07/health"))])
    store.keep([Presence(SENDER, "online", "b", "0.1.0"), Presence(SENDER, "lost", "b", "0.1.0")])
    row = store._db.conn.execute("SELECT source, connection, health_at, health_state, health_frames FROM unit").fetchall()
    assert row == [("/ronde/cannes/car-07", "lost", "2026-03-04T05:07:07.890Z", "recording", 9)]


def test_acknowledgements_are_valid_split_and_for_their_unit_alone(finding, validate):
    many = [replace(read(message(finding())), id=str(n)) for n in range(2 * MOST_IDS + 1)]
    other = replace(many[0], sender=Sender("nice", "car-01"))
    told = list(
        acknowledgements([*many, other, Refused(SENDER, "bad", "why"), Refused(SENDER, "", "why"), Refused(None, "x", "why")])
    )
    documents = [json.loads(each.payload) for each in told]
    for document in documents:
        validate("ack", document)
        assert len(document["acked"]) + len(document["refused"]) <= MOST_IDS
    assert [each.topic for each in told] == ["ronde/v1/cannes/car-07/ack"] * 3 + ["ronde/v1/nice/car-01/ack"]
    assert sum(len(document["acked"]) for document in documents) == 2 * MOST_IDS + 2
    assert documents[2]["refused"] == [{"id": "bad", "reason": "why"}]


class Wire:
    """A broker that notes in which order things are done."""

    largest_packet = receive_maximum = 10**6

    def __init__(self, store, outcomes):
        self.store, self.outcomes, self.done = store, outcomes, []

    def take(self, _patience_s):
        taken, self.outcomes = self.outcomes, []
        return taken

    def count(self):
        return self.store._db.conn.execute("SELECT count(*) FROM event").fetchone()[0]

    def publish(self, message):
        self.done.append(("ack", len(json.loads(message.payload)["acked"]), self.count()))
        return 1

    def accept(self, mids):
        self.done.append(("accept", list(mids), self.count()))

    def close(self):
        self.done.append(("close",))


def test_the_broker_and_the_unit_are_answered_after_the_commit(store, finding):
    arrived = [replace(message(finding(n)), mid=n) for n in (1, 2, 3)]
    wire = Wire(store, [*arrived, replace(message(b"{"), mid=9), Lost("gone")])
    receiver = Receiver(store, lambda: wire)
    assert receiver.step() is Step.CONNECTED
    assert receiver.step() is Step.LOST
    assert wire.done == [("accept", [1, 2, 3, 9], 3), ("ack", 3, 3), ("close",)]
    assert (receiver.stored, receiver.duplicates, receiver.refused) == (3, 0, 1)


def test_an_event_that_is_too_large_is_refused_by_its_id(finding):
    large = finding()
    large["data"]["properties"]["id"] = "not this one"
    large["data"]["properties"]["text"] = "x" * LARGEST_BYTES
    content = json.dumps(large, sort_keys=True, separators=(",", ":")).encode()
    assert read(message(content)) == Refused(SENDER, large["id"], f"the event is larger than {LARGEST_BYTES} bytes")


def test_what_cannot_be_stored_waits_unanswered_and_is_stored_later(store, finding):
    now_s = [0.0]
    wire = Wire(store, [replace(message(finding(n)), mid=n) for n in (1, 2)])
    receiver = Receiver(store, lambda: wire, clock=lambda: now_s[0])
    receiver.step()
    store._db.conn.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(store.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert receiver.step() is Step.FAILED
    assert receiver.step() is Step.RESTED
    assert wire.done == []
    wire.outcomes = [replace(message(finding(3)), mid=3)]
    now_s[0] += 31
    assert receiver.step() is Step.FAILED
    other.execute("ROLLBACK")
    now_s[0] += 31
    assert receiver.step() is Step.KEPT
    assert wire.done == [("accept", [1, 2, 3], 3), ("ack", 3, 3)]
    other.close()


def test_what_was_not_stored_before_the_connection_ended_is_left_to_the_broker(store, finding):
    now_s = [0.0]
    wire = Wire(store, [replace(message(finding(1)), mid=1), Lost("gone")])
    receiver = Receiver(store, lambda: wire, clock=lambda: now_s[0])
    receiver.step()
    store._db.conn.execute("PRAGMA busy_timeout = 0")
    other = sqlite3.connect(store.file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert receiver.step() is Step.LOST
    other.execute("ROLLBACK")
    other.close()
    now_s[0] += 200
    assert receiver.step() is Step.CONNECTED
    wire.outcomes = [replace(message(finding(1)), mid=7)]
    assert receiver.step() is Step.KEPT
    assert ("accept", [7], 1) in wire.done


def test_addresses(tmp_path):
    assert str(database_file("sqlite:///town.db")) == "town.db"
    assert str(database_file("sqlite:////var/lib/town.db")) == "/var/lib/town.db"
    for url, sentence in {
        "mysql://x": "it is sqlite:///FILE",
        "sqlite:///": "it is sqlite:///FILE",
    }.items():
        with pytest.raises(DatabaseRefused, match=sentence):
            database_file(url)
    db_url = f"sqlite:///{tmp_path / 'town.db'}"
    for url, options, sentence in (
        ("mqtt://mqtt.example.org", {}, "is not encrypted"),
        ("mqtts://mqtt.example.org", {}, "needs a CA, a certificate and its key"),
        ("mqtt://127.0.0.1", {"ca": tmp_path}, "which is for loopback"),
        ("http://127.0.0.1", {}, "is no broker's address"),
    ):
        with pytest.raises(ReceiverRefused, match=sentence):
            run_receiver(url, db_url=db_url, stop=threading.Event(), **options)
