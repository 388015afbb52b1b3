"""Batches: what they hold, when they are used, that nothing depends on them, and what a receiver makes of a false one."""

import json
import tracemalloc
import zlib
from contextlib import contextmanager
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.settings import Backend, Unit
from sync.batch import CONTENT_TYPE, DEFLATE, LARGEST_BYTES, MOST_EVENTS, REFUSED_S, batch_of, packed
from sync.broker import NO_SUBSCRIBERS, SUCCESS, Lost, Puback, Received
from sync.database import open_database, transaction
from sync.delivery import deliver_once
from sync.event import payload
from sync.faults.proxy import Line, Proxy
from sync.flight import PROBE
from sync.outbox import Outbox, Parcel
from sync.pace import LEAST_BYTES, MOST_BYTES, SLOW_S, Pace
from sync.publisher import AGAIN_S, Publisher
from sync.receiver.batches import read_all
from sync.receiver.reading import Arrived, Refused
from sync.sending import LINGER_S

UNIT = Unit("cannes", "car-07")
ROADS = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None, ("finding", "alert", "health", "evidence"))
TOPIC = "ronde/v1/cannes/car-07/batch"


class Costly:
    """A link that costs money; `wait` is whether the budget is used up."""

    def __init__(self, *, metered=True, wait=False):
        self._metered, self.wait, self.spent = metered, wait, 0

    def metered(self):
        return self._metered

    def pictures_wait(self):
        return self.wait

    def spend(self, bytes_):
        self.spent += bytes_


class Wire:
    """A broker that keeps the messages it is given."""

    receive_maximum, largest_packet = 65535, 1_000_000

    def __init__(self):
        self.messages, self.waiting = [], []

    def publish(self, message):
        self.messages.append(message)
        return len(self.messages)

    def take(self, _patience_s):
        taken, self.waiting = self.waiting, []
        return taken

    def close(self):
        pass

    def accept(self, _mids):
        raise AssertionError

    def carried(self):
        """The ids in each message; a picture's is in its properties."""
        return [ids_of(each) for each in self.messages]


def ids_of(message):
    if message.content_type == CONTENT_TYPE:
        return [event["id"] for event in json.loads(zlib.decompress(message.payload))]
    return [message.properties["id"]] if message.properties else [json.loads(message.payload)["id"]]


def ack(*ids):
    return Received("ronde/v1/cannes/car-07/ack", json.dumps({"acked": list(ids), "refused": []}).encode(), 1)


class Bench:
    """A publisher with a clock and a link of the test's."""

    def __init__(self, db, finding_event, spending=None, backend=ROADS):
        self.outbox, self.finding_event, self.now_s, self.brokers, self.db = Outbox(db), finding_event, 1000.0, [], db
        self.spending = spending or Costly()
        self.publisher = Publisher(db, UNIT, backend, self.knock, clock=lambda: self.now_s, spending=self.spending)

    def knock(self):
        self.brokers.append(Wire())
        return self.brokers[-1]

    @property
    def wire(self):
        return self.brokers[-1]

    def put(self, first, count, stream="finding"):
        with transaction(self.db):
            for n in range(first, first + count):
                event = replace(self.finding_event(UNIT, n), stream=stream, id=f"{stream}-{n}")
                self.outbox.put(replace(event, picture=b"\xff\xd8" + bytes(900)) if stream == "evidence" else event, (ROADS,))

    def step(self, *outcomes, after_s=0.0):
        self.now_s += after_s
        if self.brokers:
            self.wire.waiting += outcomes
        return self.publisher.step()


@pytest.fixture
def make_bench(tmp_path, finding_event):
    db = open_database(tmp_path / "ronde.db")
    db.conn.execute("PRAGMA synchronous = OFF")
    yield lambda *args, **options: Bench(db, finding_event, *args, **options)
    db.close()


def test_on_a_costly_link_events_wait_for_company_and_an_alert_for_nobody(make_bench):
    bench = make_bench()
    bench.put(1, 3)
    bench.step()
    assert bench.wire.messages == []
    bench.put(4, 2)
    bench.step(after_s=LINGER_S + 0.1)
    [message] = bench.wire.messages
    assert (message.topic, message.content_type, message.properties) == (TOPIC, CONTENT_TYPE, DEFLATE)
    assert ids_of(message) == [f"finding-{n}" for n in range(1, 6)]
    bench.put(6, 1)
    bench.put(1, 1, "alert")
    bench.step()
    assert bench.wire.carried()[1] == ["alert-1"]
    assert bench.wire.messages[1].topic.endswith("/alert")
    assert bench.spending.spent > sum(len(each.payload) for each in bench.wire.messages)


def test_a_batch_has_fifty_events_and_each_is_confirmed_by_itself(make_bench):
    bench = make_bench()
    bench.put(1, 120)
    bench.step()
    assert [len(each) for each in bench.wire.carried()] == [50, 50, 20]
    bench.step(Puback(1, SUCCESS, ""), ack("finding-3", "finding-120"))
    bench.step(after_s=1.0)
    left = {id_ for (id_,) in bench.db.conn.execute("SELECT id FROM outbox")}
    assert left == {f"finding-{n}" for n in range(1, 120)} - {"finding-3"}


def test_a_fast_free_link_knows_no_batches_and_a_slow_one_does(make_bench):
    bench = make_bench(Costly(metered=False))
    bench.put(1, 400)
    bench.step()
    assert [len(each) for each in bench.wire.carried()] == [1] * 20
    for mid in range(1, 21):
        bench.step(Puback(mid, SUCCESS, ""), after_s=0.001 if mid > 1 else SLOW_S + 0.1)
    assert max(len(each) for each in bench.wire.carried()) > 1


@pytest.mark.parametrize("code", [NO_SUBSCRIBERS, 0x87, 0x95])
def test_where_nobody_takes_batches_events_go_one_by_one_at_once_and_none_is_blamed(make_bench, code):
    bench = make_bench()
    bench.put(1, 5)
    bench.step()
    bench.step(after_s=LINGER_S + 0.1)
    bench.step(Puback(1, code, "no"))
    assert bench.wire.carried()[1:] == [[f"finding-{n}"] for n in range(1, 6)]
    bench.step(ack(*(f"finding-{n}" for n in range(1, 6))), after_s=1.0)
    bench.step(after_s=1.0)
    assert (bench.outbox.size().rows, bench.outbox.refused()) == (0, 0)


def test_a_backend_that_does_not_understand_a_batch_gets_the_events_alone_and_no_batch_for_an_hour(make_bench):
    bench = make_bench()
    bench.put(1, 5)
    bench.step()
    bench.step(after_s=LINGER_S + 0.1)
    bench.step(Puback(1, SUCCESS, ""))
    bench.step(after_s=AGAIN_S + 1.0)
    assert bench.wire.carried()[1:] == [[f"finding-{n}"] for n in range(1, 6)]
    bench.step(*(Puback(mid, SUCCESS, "") for mid in range(2, 7)), ack(*(f"finding-{n}" for n in range(1, 6))))
    bench.put(6, 3)
    bench.step(after_s=1.0)
    assert bench.wire.carried()[6:] == [[f"finding-{n}"] for n in range(6, 9)]
    bench.step(*(Puback(mid, SUCCESS, "") for mid in range(7, 10)), ack(*(f"finding-{n}" for n in range(6, 9))))
    bench.step(after_s=REFUSED_S)
    bench.put(9, 3)
    bench.step(after_s=1.0)
    bench.step(after_s=LINGER_S + 0.1)
    assert bench.wire.carried()[-1] == [f"finding-{n}" for n in range(9, 12)]


def test_events_of_batches_that_went_down_with_their_connections_go_alone(make_bench):
    bench = make_bench()
    bench.put(1, 6)
    for _ in range(2):
        bench.step(after_s=121)
        bench.step(after_s=LINGER_S + 0.1)
        assert [len(each) for each in bench.wire.carried()] == [6]
        bench.step(Lost("the line broke"))
    bench.step(after_s=121)
    bench.step(after_s=LINGER_S + 0.1)
    assert [len(each) for each in bench.wire.carried()] == [1] * 6  # and none is suspected: all go side by side


def test_pictures_wait_for_the_budget_and_nothing_else_does(make_bench):
    bench = make_bench(Costly(wait=True))
    bench.put(1, 2, "evidence")
    bench.put(1, 60)
    bench.step()
    bench.step(after_s=LINGER_S + 0.1)
    sent = [id_ for ids in bench.wire.carried() for id_ in ids]
    assert sorted(sent) == sorted(f"finding-{n}" for n in range(1, 61))
    bench.step(*(Puback(mid, SUCCESS, "") for mid in (1, 2)), ack(*sent))
    bench.step(after_s=1.0)
    assert not bench.publisher.waits()
    assert bench.outbox.waits("roads")
    bench.spending.wait = False
    assert bench.publisher.waits()
    bench.step(after_s=1.0)
    assert sorted(bench.wire.carried()[-2:]) == [["evidence-1"], ["evidence-2"]]


def test_an_alert_goes_though_the_backend_has_confirmed_nothing_for_long(make_bench):
    bench = make_bench(Costly(metered=False))
    bench.put(1, 900)
    bench.step()
    answered = 0
    while answered < len(bench.wire.messages):
        answered += 1
        bench.step(Puback(answered, SUCCESS, ""))
    bench.step(after_s=AGAIN_S + 1.0)
    for mid in range(answered + 1, answered + PROBE + 1):
        bench.step(Puback(mid, SUCCESS, ""))
    before = len(bench.wire.messages)
    bench.step()
    assert len(bench.wire.messages) == before  # the window is full
    bench.put(1, 1, "alert")
    bench.step()
    assert bench.wire.carried()[before:] == [["alert-1"]]


def test_a_backend_without_acknowledgements_gets_no_batches(make_bench):
    bench = make_bench(backend=replace(ROADS, confirm="broker"))
    bench.put(1, 5)
    bench.step()
    assert [len(each) for each in bench.wire.carried()] == [1] * 5


def test_less_is_sent_ahead_where_answers_take_long_and_more_again_when_they_do_not():
    now_s = [0.0]
    pace = Pace(lambda: now_s[0])
    for mid in range(200):
        pace.sent(mid)
        now_s[0] += 3.0
        pace.answered(mid)
    assert (pace.window_bytes, pace.slow) == (LEAST_BYTES, True)
    for mid in range(200):
        pace.sent(mid)
        now_s[0] += 0.01
        pace.answered(mid)
    assert (pace.window_bytes, pace.slow) == (MOST_BYTES, False)


sizes = st.lists(st.tuples(st.sampled_from(["finding", "alert", "health"]), st.integers(2, 40_000)), max_size=120)


@settings(max_examples=40, deadline=None)
@given(sizes, st.sets(st.integers(0, 119)), st.sampled_from([1, 2]))
def test_packets_hold_every_parcel_once_and_no_batch_is_larger_than_allowed(parcels, single, least):
    made = [
        Parcel(seq, str(seq), stream, f"ronde/v1/cannes/car-07/{stream}", b'"' + b"x" * size + b'"', 0)
        for seq, (stream, size) in enumerate(parcels)
    ]
    packets = list(packed(UNIT, made, single, least=least))
    assert sorted(each.seq for packet in packets for each in packet.parcels) == list(range(len(parcels)))
    for packet in packets:
        assert packet.size >= len(packet.message.payload)
        if packet.batched:
            assert least <= len(packet.parcels) <= MOST_EVENTS
            assert len(zlib.decompress(packet.message.payload)) <= LARGEST_BYTES
            assert not {each.seq for each in packet.parcels} & single
            assert "alert" not in {each.stream for each in packet.parcels}


def batch(finding_event, count=3):
    events = [json.loads(payload(finding_event(UNIT, n), n)) for n in range(1, count + 1)]
    return Received(TOPIC, zlib.compress(json.dumps(events).encode()), 1, DEFLATE, CONTENT_TYPE), events


def test_a_receiver_reads_each_event_of_a_batch_as_if_it_had_come_alone(finding_event):
    received, events = batch(finding_event)
    readings = read_all(received)
    assert [each.id for each in readings] == [each["id"] for each in events]
    assert {each.type for each in readings} == {"ronde.finding.v1"}
    parcels = [Parcel(n, each["id"], "finding", "", json.dumps(each).encode(), 0) for n, each in enumerate(events)]
    message = batch_of(UNIT, parcels).message
    again = read_all(Received(message.topic, message.payload, 1, message.properties, message.content_type))
    assert again == readings


def test_what_is_wrong_with_one_event_is_said_of_that_one(finding_event):
    received, events = batch(finding_event)
    events[1]["source"] = "/ronde/cannes/car-08"
    events[2]["data"]["geometry"]["coordinates"] = [200, 43]
    events += [
        {"id": "6", "type": "ronde.evidence.v1"},
        7,
        {"type": "ronde.birth.v1"},
        {"data": "\ud800", **events[0], "id": "9"},
    ]
    readings = read_all(replace(received, payload=zlib.compress(json.dumps(events).encode())))
    assert [type(each) for each in readings] == [Arrived, *[Refused] * 5, Arrived]
    assert [each.id for each in readings[1:4]] == [events[1]["id"], events[2]["id"], "6"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no deflate",
        zlib.compress(b"[]"),
        zlib.compress(b"{}"),
        zlib.compress(b"[1,"),
        zlib.compress(b"[NaN]"),
        zlib.compress(b"[" + b"[" * 30_000),
        zlib.compress(json.dumps([{}] * (MOST_EVENTS + 1)).encode()),
        zlib.compress(b"[" + b" " * LARGEST_BYTES + b"1]"),
        zlib.compress(b"[1]") + b"more",
        zlib.compress(b"[1]")[:-3],
    ],
)
def test_what_is_no_batch_is_refused_in_one_sentence(content):
    [reading] = read_all(Received(TOPIC, content, 1, DEFLATE, CONTENT_TYPE))
    assert isinstance(reading, Refused)
    assert (reading.id, reading.sender.unit) == ("", "car-07")


def test_a_batch_says_what_it_is_or_is_refused(finding_event):
    received, _ = batch(finding_event)
    for wrong in (replace(received, content_type="application/json"), replace(received, properties={})):
        assert [type(each) for each in read_all(wrong)] == [Refused]


def test_a_bomb_is_never_inflated():
    bomb = zlib.compress(b"[" + bytes(40_000_000))
    assert len(bomb) < LARGEST_BYTES
    tracemalloc.start()
    [reading] = read_all(Received(TOPIC, bomb, 1, DEFLATE, CONTENT_TYPE))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reading.reason == f"the batch is larger than {LARGEST_BYTES} bytes"
    assert most < 4 * LARGEST_BYTES


@contextmanager
def behind(car, line):
    """The car's broker behind a line."""
    proxy = Proxy(car.broker.port, line)
    backend = replace(car.backend, url=f"mqtts://127.0.0.1:{proxy.port}")
    yield replace(car.settings, backends=(backend,))
    proxy.close()


def test_a_slow_line_is_emptied_in_batches_and_each_event_is_stored_once(car, town, observer):
    ids = car.put(1, 400)
    with town.open(), behind(car, Line(delay_s=0.15)) as slow:
        delivered = deliver_once(slow)
        assert delivered.done, delivered
    assert sorted(town.findings()) == sorted(ids)
    streams = [each.topic.rsplit("/", 1)[1] for each in observer.look()]
    assert streams.count("batch") >= 3
    assert streams.count("finding") < 200
