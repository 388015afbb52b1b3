"""What the receiver reads of what arrives."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.settings import Unit
from sync.broker import Received
from sync.event import payload
from sync.receiver.reading import LARGEST_BYTES, Arrived, Presence, Reading, Refused, Sender, read

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


def test_an_event_that_is_too_large_is_refused_by_its_id(finding):
    large = finding()
    large["data"]["properties"]["id"] = "not this one"
    large["data"]["properties"]["text"] = "x" * LARGEST_BYTES
    content = json.dumps(large, sort_keys=True, separators=(",", ":")).encode()
    assert read(message(content)) == Refused(SENDER, large["id"], f"the event is larger than {LARGEST_BYTES} bytes")
