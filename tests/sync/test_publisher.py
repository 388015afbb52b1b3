"""The publisher against a scripted broker and a clock that the test moves."""

import json
import logging
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from threading import Event as Signal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from provisioning.settings import Backend, Unit
from sync.broker import NO_SUBSCRIBERS, SUCCESS, Lost, Puback, Received
from sync.database import open_database, transaction
from sync.failure import DatabaseDamaged
from sync.flight import PROBE, WINDOW
from sync.hold import inode_of, mark_damaged
from sync.ledger import BATCH as LEDGER_BATCH
from sync.ledger import LATE_S, TRIES
from sync.outbox import Outbox
from sync.publisher import AGAIN_S, Publisher, Step
from sync.refusal import BrokerRefused
from sync.silence import SILENCE_S

UNIT = Unit("cannes", "car-07")
ROADS = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None, ("finding", "alert", "health"))


class ScriptedBroker:
    """Says what the test tells it to; `published` are the events of every message handed over, by its mid."""

    def __init__(self, receive_maximum=65535, largest_packet=1_000_000):
        self.receive_maximum = receive_maximum
        self.largest_packet = largest_packet
        self.published = {}
        self.waiting = []
        self.closed = False

    def publish(self, message):
        mid = len(self.published) + 1
        events = json.loads(zlib.decompress(message.payload)) if message.properties else [json.loads(message.payload)]
        self.published[mid] = events
        return mid

    def take(self, _patience_s):
        taken, self.waiting = self.waiting, []
        return taken

    def accept(self, _mids):
        raise AssertionError("a publisher accepts nothing")

    def close(self):
        self.closed = True

    def say(self, *outcomes):
        self.waiting += outcomes

    def ids(self):
        return [event["id"] for events in self.published.values() for event in events]


def ack(*ids, refused=()):
    said = {"acked": list(ids), "refused": [{"id": id_, "reason": reason} for id_, reason in refused]}
    return Received("ronde/v1/cannes/car-07/ack", json.dumps(said).encode(), 1)


class Bench:
    """A publisher, its outbox, its clock, and the broker that the next connection gets."""

    def __init__(self, db, finding_event, backend=ROADS):
        self.db = db
        self.outbox = Outbox(db)
        self.finding_event = finding_event
        self.now_s = 1000.0
        self.brokers = []
        self.door = ScriptedBroker
        self.publisher = Publisher(db, UNIT, backend, self.knock, clock=lambda: self.now_s)

    def knock(self):
        self.brokers.append(self.door())
        return self.brokers[-1]

    @property
    def broker(self):
        return self.brokers[-1]

    def put(self, first, count, stream="finding"):
        with transaction(self.db):
            for n in range(first, first + count):
                self.outbox.put(replace(self.finding_event(UNIT, n), stream=stream, id=f"{stream}-{n}"), (ROADS,))

    def step(self, *outcomes):
        if outcomes:
            self.broker.say(*outcomes)
        return self.publisher.step()


@pytest.fixture
def bench(tmp_path, finding_event):
    db = open_database(tmp_path / "ronde.db")
    yield Bench(db, finding_event)
    db.close()


def test_at_most_twenty_are_on_their_way_and_none_twice(bench):
    bench.put(1, 50)
    assert bench.step() is Step.CONNECTED
    for _ in range(5):
        bench.step()
    assert bench.broker.ids() == [f"finding-{n}" for n in range(1, 21)]
    bench.step(Puback(1, SUCCESS, ""), Puback(2, SUCCESS, ""), ack("finding-1"))
    assert bench.broker.ids()[20:] == ["finding-21", "finding-22"]


def test_a_broker_that_takes_few_gets_few(bench):
    bench.door = lambda: ScriptedBroker(receive_maximum=5)
    bench.put(1, 50)
    bench.step()
    assert len(bench.broker.published) == 3  # and the greeting's two
    bench.step(Puback(901, SUCCESS, ""), Puback(902, SUCCESS, ""))
    assert len(bench.broker.published) == 5  # the greeting is answered
    bench.step(Puback(903, SUCCESS, ""))
    assert len(bench.broker.published) == 5


def test_answers_are_booked_together_while_there_is_more_to_send(bench):
    bench.put(1, 2 * LEDGER_BATCH)
    bench.step()
    booked = []
    for n in range(LEDGER_BATCH + 1):
        bench.step(Puback(n + 1, SUCCESS, ""), ack(f"finding-{n + 1}"))
        booked.append(2 * LEDGER_BATCH - bench.outbox.size().rows)
    assert set(booked) == {0, LEDGER_BATCH}  # one transaction for all of them
    bench.now_s += LATE_S + 0.01
    bench.step()
    assert bench.outbox.size().rows == LEDGER_BATCH - 1  # and the last one does not wait for ever
    for n in range(LEDGER_BATCH + 1, 2 * LEDGER_BATCH):
        bench.step(Puback(n + 1, SUCCESS, ""), ack(f"finding-{n + 1}"))
    assert bench.outbox.size().rows == 0
    assert sorted(bench.broker.ids()) == sorted({f"finding-{n}" for n in range(1, 2 * LEDGER_BATCH + 1)})


def test_urgent_streams_go_first_and_what_is_new_takes_turns_with_the_backlog(bench):
    bench.put(1, 300, "finding")
    bench.put(1, 1, "health")
    bench.put(1, 1, "alert")
    bench.step()
    assert bench.broker.ids()[:3] == ["alert-1", "finding-1", "finding-2"]
    bench.put(301, 100, "finding")
    sent = 20
    for _ in range(8):
        bench.step(Puback(sent - 19, SUCCESS, ""))
        sent += 1
    later = bench.broker.ids()[20:]
    assert [id_ for id_ in later if int(id_[8:]) > 300] == [f"finding-{n}" for n in range(301, 307)]
    assert [id_ for id_ in later if int(id_[8:]) <= 300] == ["finding-20", "finding-21"]


def test_a_row_leaves_by_its_backends_ack_alone(bench):
    bench.put(1, 2)
    bench.step()
    assert bench.step(Puback(1, SUCCESS, ""), Puback(2, SUCCESS, "")) is Step.IDLE
    assert bench.outbox.size().rows == 2
    assert bench.step(ack("finding-2", "unknown")) is Step.CONFIRMED
    assert [parcel.id for parcel in bench.outbox.parcels(bench.outbox.next_seqs("roads", 9))] == ["finding-1"]


def test_an_ack_before_its_puback_leaves_nothing_behind(bench):
    bench.put(1, 1)
    bench.step()
    assert bench.step(ack("finding-1")) is Step.CONFIRMED
    bench.step(Puback(1, SUCCESS, ""))
    bench.now_s += AGAIN_S + 1
    bench.step()
    assert len(bench.broker.published) == 1
    assert bench.outbox.size().rows == 0


def test_without_an_ack_an_event_is_published_again_after_thirty_seconds(bench):
    bench.put(1, 1)
    bench.step()
    bench.step(Puback(1, SUCCESS, ""))
    bench.now_s += AGAIN_S - 0.1
    assert bench.step() is Step.IDLE
    bench.now_s += 0.2
    assert bench.step() is Step.SENT
    assert bench.broker.ids() == ["finding-1", "finding-1"]
    [(sent_at,)] = bench.db.conn.execute("SELECT sent_at FROM outbox")
    assert sent_at is not None


def test_after_a_reconnect_all_that_is_not_confirmed_is_published_at_once(bench):
    bench.put(1, 3)
    bench.step()
    bench.step(Puback(1, SUCCESS, ""), ack("finding-2"), Lost("the line broke"))
    bench.now_s += 1
    assert bench.step() is Step.CONNECTED
    assert bench.broker.ids() == ["finding-1", "finding-3"]


def test_a_backend_that_is_away_costs_little_and_nothing_is_lost(bench):
    bench.put(1, 2 * WINDOW)
    bench.step()
    answered = 0

    def answer_all():
        nonlocal answered
        while answered < len(bench.broker.published):
            answered += 1
            bench.broker.say(Puback(answered, SUCCESS, ""))
            bench.step()

    answer_all()
    assert len(bench.broker.published) == WINDOW
    for round_ in range(1, 4):
        bench.now_s += AGAIN_S + 1
        bench.step()
        answer_all()
        assert len(bench.broker.published) == WINDOW + round_ * PROBE
    bench.step(ack(bench.broker.ids()[-1]))
    answer_all()
    assert len(bench.broker.published) > WINDOW + 4 * PROBE
    assert bench.outbox.size().rows == 2 * WINDOW - 1


def test_nobody_behind_the_broker_is_asked_again_soon_and_then_seldom(bench):
    bench.put(1, 1)
    bench.step()
    asked = [bench.now_s]
    for _ in range(200):
        bench.step(Puback(len(bench.broker.published), NO_SUBSCRIBERS, ""))
        before = len(bench.broker.published)
        bench.now_s += 1
        bench.step()
        if len(bench.broker.published) > before:
            asked.append(bench.now_s)
    waits = [later - earlier for earlier, later in pairwise(asked)]
    assert waits[:5] == [1, 2, 4, 8, 16]
    assert set(waits[5:]) == {30}
    assert bench.outbox.size().rows == 1


def test_an_event_that_fails_for_its_own_sake_is_set_aside_after_five_tries(bench):
    bench.put(1, 1)
    bench.step()
    for attempt in range(1, TRIES + 1):
        assert bench.outbox.size().rows == 1, attempt
        bench.step(Puback(len(bench.broker.published), 0x87, "Not authorized"))
        bench.now_s += AGAIN_S + 1
        bench.step()
    assert len(bench.broker.published) == TRIES
    assert bench.outbox.size().rows == 0
    [(id_, reason)] = bench.db.conn.execute("SELECT id, reason FROM refused")
    assert (id_, reason) == ("finding-1", "the broker answered: Not authorized (5 times)")


def test_a_brokers_own_trouble_is_never_an_events_fault(bench):
    bench.put(1, 1)
    bench.step()
    for _ in range(3 * TRIES):
        bench.step(Puback(len(bench.broker.published), 0x97, "Quota exceeded"))
        bench.now_s += AGAIN_S + 1
        bench.step()
    assert bench.outbox.size().rows == 1
    assert "Quota exceeded" in bench.publisher.reason


def test_a_lost_line_is_never_an_events_fault(bench):
    bench.put(1, 3)
    for _ in range(3 * TRIES):
        bench.now_s += 121
        bench.step()
        bench.step(Lost("the line broke"))
    assert bench.outbox.size().rows == 3
    bench.now_s += 121
    bench.step()
    for _ in range(9):
        bench.step(*(Puback(mid, SUCCESS, "") for mid in bench.broker.published), ack(*bench.broker.ids()))
    assert bench.outbox.size().rows == 0


def test_a_broker_that_says_nothing_is_left(bench):
    bench.put(1, 1)
    bench.step()
    bench.now_s += SILENCE_S - 1
    assert bench.step() is Step.IDLE
    bench.now_s += 2
    assert bench.step() is Step.LOST
    assert bench.broker.closed
    assert "no answer for 31 s" in bench.publisher.reason
    bench.now_s += 121
    assert bench.step() is Step.CONNECTED
    assert bench.broker.ids() == ["finding-1"]


def test_silence_is_nothing_where_nothing_is_on_its_way(bench):
    bench.step()
    bench.now_s += 1000
    assert bench.step() is Step.IDLE


def test_a_refusal_rests_longer_each_time_until_something_is_confirmed(bench):
    def refuse():
        raise BrokerRefused("the door is shut")

    open_door, bench.door = bench.door, refuse
    rests = []
    for _ in range(12):
        started_s = bench.now_s
        while bench.step() is not Step.REFUSED:
            bench.now_s += 0.05
        rests.append(bench.now_s - started_s)
    assert bench.publisher.reason == "the door is shut"
    assert sum(rests[6:]) > sum(rests[:6])
    assert max(rests) <= 121
    bench.door = open_door
    bench.now_s += 121
    bench.put(1, 1)
    assert bench.step() is Step.CONNECTED
    assert bench.step(ack("finding-1")) is Step.CONFIRMED


def test_the_log_names_no_place(bench, caplog):
    caplog.set_level(logging.DEBUG)
    bench.put(1, 3)
    bench.step()
    bench.step(Puback(1, 0x87, "Not authorized"), ack("finding-2"), Lost("gone"))
    assert caplog.records
    assert not any("43.5" in str(record.__dict__) or "7.01" in str(record.__dict__) for record in caplog.records)


@contextmanager
def locked(bench):
    """Another process holds the write lock and does not let go."""
    bench.db.conn.execute("PRAGMA busy_timeout = 0")
    other = open_database(bench.db.file)
    other.conn.execute("BEGIN IMMEDIATE")
    yield
    other.conn.execute("ROLLBACK")
    other.close()


def test_a_locked_database_is_an_outcome_and_nothing_that_was_said_is_forgotten(bench):
    bench.put(1, 3)
    bench.step()
    with locked(bench):
        said = ack("finding-1", refused=[("finding-2", "no such street")])
        assert bench.step(*(Puback(mid, SUCCESS, "") for mid in (1, 2, 3)), said) is Step.FAILED
        assert "does not let go" in bench.publisher.reason
        assert bench.publisher.alarms() == {"database_locked"}
        assert bench.publisher.rest_s() > 0
        assert bench.step() is Step.RESTED
        for _ in range(6):
            bench.now_s += 31
            assert bench.step() is Step.FAILED
        assert bench.outbox.size().rows == 3
    bench.now_s += 31
    assert bench.step() is Step.CONFIRMED
    assert bench.publisher.alarms() == frozenset()
    assert [parcel.id for parcel in bench.outbox.parcels(bench.outbox.next_seqs("roads", 9))] == ["finding-3"]
    assert bench.outbox.refused() == 1
    assert not bench.broker.closed


def test_a_connection_that_ends_while_the_database_fails_is_made_again(bench):
    bench.put(1, 3)
    bench.step()
    with locked(bench):
        assert bench.step(ack("finding-1"), Lost("the line broke")) is Step.FAILED
        assert not bench.publisher.connected
    bench.now_s += 31
    assert bench.step() is Step.CONNECTED
    assert bench.broker.ids() == ["finding-2", "finding-3"]


def test_a_full_disk_is_an_outcome(bench):
    bench.put(1, 1)
    bench.step()
    poison = ack(refused=[("finding-1", "x")])
    bench.db.conn.execute("UPDATE outbox SET payload = zeroblob(200000)")  # moving it needs room
    bench.db.conn.execute("PRAGMA max_page_count = 1")
    assert bench.step(Puback(1, SUCCESS, ""), poison) is Step.FAILED
    assert bench.publisher.alarms() == {"disk_full"}
    bench.db.conn.execute("PRAGMA max_page_count = 1000000")
    bench.now_s += 31
    assert bench.step() is Step.IDLE
    assert bench.outbox.refused() == 1


def test_a_damaged_database_ends_the_step_and_the_connection_with_it(bench):
    bench.put(1, 1)
    bench.step()
    mark_damaged(bench.db.file, inode_of(bench.db.file))
    bench.broker.say(ack("finding-1"))
    with pytest.raises(DatabaseDamaged, match="another process has found it so"):
        bench.publisher.run(Signal())
    assert bench.broker.closed


class Delivery(RuleBasedStateMachine):
    """Anything may happen in any order: what leaves the outbox is what the backend had stored, and nothing else."""

    bench: Bench

    def __init__(self):
        super().__init__()
        self.bench = Bench(self.shared.db, self.shared.finding_event)
        self.shared.db.conn.execute("DELETE FROM outbox")
        self.put_ids, self.stored, self.answered, self.n = set(), set(), set(), 0

    @property
    def connected(self):
        return self.bench.publisher.connected

    @rule(count=st.integers(1, 30))
    def put(self, count):
        self.bench.put(self.n, count)
        self.put_ids |= {f"finding-{n}" for n in range(self.n, self.n + count)}
        self.n += count

    @rule(seconds=st.sampled_from([0.0, 0.4, 2.0, 31.0, 130.0]))
    def step(self, seconds):
        self.bench.now_s += seconds
        if self.bench.publisher.step() is Step.CONNECTED:
            self.answered = set()

    @precondition(lambda self: self.connected)
    @rule(share=st.integers(1, 20), code=st.sampled_from([SUCCESS, SUCCESS, SUCCESS, NO_SUBSCRIBERS, 0x97]))
    def broker_answers(self, share, code):
        due = [mid for mid in self.bench.broker.published if mid not in self.answered][:share]
        self.answered |= set(due)
        self.bench.broker.say(*(Puback(mid, code, "") for mid in due))

    @precondition(lambda self: self.connected)
    @rule(share=st.integers(1, 40), told=st.booleans())
    def backend_stores(self, share, told):
        ids = [id_ for id_ in dict.fromkeys(self.bench.broker.ids()) if id_ not in self.stored][:share]
        self.stored |= set(ids)
        if told:
            self.bench.broker.say(ack(*ids))

    @precondition(lambda self: self.connected)
    @rule()
    def backend_repeats(self):
        self.bench.broker.say(ack(*(set(self.bench.broker.ids()) & self.stored), "unknown"))

    @precondition(lambda self: self.connected)
    @rule(blamed=st.booleans())
    def line_breaks(self, blamed):
        self.bench.broker.say(Lost("broken", blamed and len(self.bench.broker.published) > 1))

    @rule()
    def restart(self):
        self.bench.publisher.close()
        self.bench.publisher = Publisher(self.bench.db, UNIT, ROADS, self.bench.knock, clock=lambda: self.bench.now_s)

    @invariant()
    def nothing_is_lost(self):
        left = {id_ for (id_,) in self.bench.db.conn.execute("SELECT id FROM outbox UNION SELECT id FROM refused")}
        assert self.put_ids - left <= self.stored
        if self.connected:
            on_their_way = [events for mid, events in self.bench.broker.published.items() if mid not in self.answered]
            unanswered = Counter(event["id"] for events in on_their_way for event in events)
            assert all(times == 1 for times in unanswered.values())
            assert len(on_their_way) <= 20

    def teardown(self):
        """Left alone with a good line, everything arrives."""
        for _ in range(400):
            self.bench.now_s += 35
            if self.bench.publisher.step() is Step.CONNECTED:
                self.answered = set()
            if self.connected:
                self.broker_answers(20, SUCCESS)
                self.bench.broker.say(ack(*self.bench.broker.ids()))
        assert self.bench.outbox.size().rows == 0


def test_whatever_happens_nothing_is_lost(bench):
    bench.db.conn.execute("PRAGMA synchronous = OFF")  # hundreds of drives; durability is tested elsewhere
    machine = type("Machine", (Delivery,), {"shared": bench}).TestCase
    machine.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
    machine("runTest").runTest()
