"""In which order the receiver stores and answers; its life with a real broker is in test_service and in test_delivery."""

import json
from dataclasses import replace

from sync.broker import Lost
from sync.receiver.reading import Refused, Sender, read
from sync.receiver.receiver import MOST_IDS, MOST_WAITING, Receiver, Step, acknowledgements

SENDER = Sender("cannes", "car-07")


def test_acknowledgements_are_valid_split_and_for_their_unit_alone(car_07, validate):
    many = [replace(read(car_07.finding(1)), id=str(n)) for n in range(2 * MOST_IDS + 1)]
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

    def __init__(self, database, outcomes):
        self.database, self.outcomes, self.done = database, outcomes, []

    def take(self, _patience_s):
        taken, self.outcomes = self.outcomes, []
        return taken

    def count(self):
        return self.database.ask("SELECT count(*) FROM event")[0][0]

    def publish(self, message):
        self.done.append(("ack", len(json.loads(message.payload)["acked"]), self.count()))
        return 1

    def accept(self, mids):
        self.done.append(("accept", list(mids), self.count()))

    def close(self):
        self.done.append(("close",))


def test_the_broker_and_the_unit_are_answered_after_the_commit(store, database, car_07):
    arrived = [replace(car_07.finding(n), mid=n) for n in (1, 2, 3)]
    wire = Wire(database, [*arrived, replace(car_07.event("rumour", {}), mid=9), Lost("gone")])
    receiver = Receiver(store, lambda: wire)
    assert receiver.step() is Step.CONNECTED
    assert receiver.step() is Step.LOST
    assert wire.done == [("accept", [1, 2, 3, 9], 3), ("ack", 3, 3), ("close",)]
    assert (receiver.stored, receiver.duplicates, receiver.refused) == (3, 0, 1)


def test_what_cannot_be_stored_waits_unanswered_and_is_stored_later(store, database, car_07):
    now_s = [0.0]
    wire = Wire(database, [replace(car_07.finding(n), mid=n) for n in (1, 2)])
    receiver = Receiver(store, lambda: wire, clock=lambda: now_s[0])
    receiver.step()
    with database.busy(store):
        assert receiver.step() is Step.FAILED
        assert receiver.step() is Step.RESTED
        assert wire.done == []
        wire.outcomes = [replace(car_07.finding(3), mid=3)]
        now_s[0] += 31
        if database.kind == "sqlite":
            assert receiver.step() is Step.FAILED
    now_s[0] += 31
    assert receiver.step() is Step.KEPT
    assert wire.done == [("accept", [1, 2, 3], 3), ("ack", 3, 3)]


def test_what_was_not_stored_before_the_connection_ended_is_left_to_the_broker(store, database, car_07):
    now_s = [0.0]
    wire = Wire(database, [replace(car_07.finding(1), mid=1), Lost("gone")])
    receiver = Receiver(store, lambda: wire, clock=lambda: now_s[0])
    receiver.step()
    with database.busy(store):
        assert receiver.step() is Step.LOST
    now_s[0] += 200
    assert receiver.step() is Step.CONNECTED
    wire.outcomes = [replace(car_07.finding(1), mid=7)]
    assert receiver.step() is Step.KEPT
    assert ("accept", [7], 1) in wire.done


def test_while_the_database_fails_no_more_than_so_much_waits_and_a_lost_connection_is_noticed(store, database, car_07):
    now_s = [0.0]
    wire = Wire(database, [replace(car_07.finding(1), mid=1)])
    receiver = Receiver(store, lambda: wire, clock=lambda: now_s[0])
    receiver.step()
    careless = [replace(car_07.finding(n), mid=0) for n in range(2, 3 * MOST_WAITING)]
    with database.busy(store):
        assert receiver.step() is Step.FAILED
        wire.outcomes = [*careless, replace(car_07.finding(0), mid=2)]
        assert receiver.step() is Step.RESTED
    assert receiver.dropped == 2 * MOST_WAITING - 1
    now_s[0] += 31
    assert receiver.step() is Step.KEPT
    assert receiver.stored == MOST_WAITING + 1
    assert wire.done[0] == ("accept", [1, 2], MOST_WAITING + 1), "what came without QoS 1 is not answered"
    with database.busy(store):
        wire.outcomes = [replace(car_07.finding(7000), mid=1)]
        assert receiver.step() is Step.FAILED
        wire.outcomes = [Lost("gone")]
        assert receiver.step() is Step.LOST
