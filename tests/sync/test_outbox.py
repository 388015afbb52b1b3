import json
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioning.settings import Backend, Unit
from sync.database import open_database, transaction
from sync.event import event_id
from sync.outbox import PRIORITY, Outbox

UNIT = Unit("cannes", "car-07")
ROADS = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None, ("finding", "track", "health", "evidence"))
DESK = Backend("desk", "mqtt://localhost:1884", None, None, None, ("alert", "health"))


@pytest.fixture
def db(tmp_path):
    opened = open_database(tmp_path / "ronde.db")
    yield opened
    opened.close()


def fail_after(_written):
    raise ZeroDivisionError


def put(db, event, *backends):
    with transaction(db):
        return Outbox(db).put(event, backends or (ROADS, DESK))


def test_an_event_goes_to_the_backends_that_list_its_stream_and_to_no_other(db, finding_event):
    outbox = Outbox(db)
    assert put(db, finding_event(UNIT, 1)) == [1]
    health = replace(finding_event(UNIT, 2), stream="health", id="h")
    assert put(db, health) == [2, 3]
    assert put(db, replace(health, stream="grade", id="g")) == []
    assert [parcel.seq for parcel in outbox.next_parcels("roads", 9)] == [1, 2]
    assert [parcel.seq for parcel in outbox.next_parcels("desk", 9)] == [3]


def test_each_row_carries_its_own_number_in_a_valid_event(db, finding_event, validate):
    put(db, finding_event(UNIT, 1), ROADS, replace(DESK, streams=("finding",)))
    for backend, seq in (("roads", 1), ("desk", 2)):
        [parcel] = Outbox(db).next_parcels(backend, 9)
        document = json.loads(parcel.payload)
        validate("event", document)
        assert document["sequence"] == f"{seq:012d}"
        assert parcel.topic == "ronde/v1/cannes/car-07/finding"
        assert parcel.id == document["id"] == event_id(UNIT, "finding", "0123abcd-1", 1)


def test_an_event_is_put_only_with_what_it_tells(db, finding_event):
    with pytest.raises(RuntimeError, match="inside a transaction"):
        Outbox(db).put(finding_event(UNIT, 1), (ROADS,))
    with pytest.raises(ZeroDivisionError), transaction(db):
        fail_after(Outbox(db).put(finding_event(UNIT, 1), (ROADS,)))
    assert Outbox(db).size().rows == 0


def test_a_number_is_never_used_twice(db, finding_event):
    outbox = Outbox(db)
    assert put(db, finding_event(UNIT, 1)) == [1]
    assert outbox.acknowledge("roads", [finding_event(UNIT, 1).id]) == [1]
    assert put(db, finding_event(UNIT, 2)) == [2]
    outbox.continue_above(5000)
    assert put(db, finding_event(UNIT, 3)) == [5001]
    outbox.continue_above(10)
    assert put(db, finding_event(UNIT, 4)) == [5002]


def test_numbers_continue_above_those_of_a_database_that_was_set_aside(db, finding_event):
    Outbox(db).continue_above(41)
    assert put(db, finding_event(UNIT, 1)) == [42]


def test_a_refused_event_is_kept_with_its_reason(db, finding_event):
    outbox = Outbox(db)
    event = finding_event(UNIT, 1)
    put(db, event, ROADS, replace(DESK, streams=("finding",)))
    with transaction(db):
        assert outbox.refuse("roads", event.id, "too far") == [1]
        assert outbox.refuse("roads", "unknown", "too far") == []
    assert outbox.size("roads").rows == 0
    assert outbox.size("desk").rows == 1
    assert outbox.refused() == 1
    [(reason, payload)] = db.conn.execute("SELECT reason, payload FROM refused")
    assert (reason, json.loads(payload)["id"]) == ("too far", event.id)


def test_marks_tries_and_sizes(db, finding_event):
    outbox = Outbox(db)
    for n in (1, 2, 3):
        put(db, finding_event(UNIT, n))
    assert outbox.mark_sent([2, 3, 99], "2026-03-04T05:06:07.890Z") == 2
    assert [row[0] for row in db.conn.execute("SELECT sent_at FROM outbox ORDER BY seq")] == [
        None,
        *["2026-03-04T05:06:07.890Z"] * 2,
    ]
    assert [outbox.count_try(2), outbox.count_try(2), outbox.count_try(99)] == [1, 2, 0]
    assert outbox.parcels([3, 2, 99])[1].tries == 2
    assert (outbox.size("roads").rows, outbox.size("desk").rows, outbox.size().rows) == (3, 0, 3)
    assert outbox.size("desk").oldest_at is None
    assert outbox.size().oldest_at is not None
    assert (outbox.waits("roads"), outbox.waits("desk"), outbox.newest()) == (True, False, 3)


STREAMS = ("finding", "track", "health", "evidence")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    streams=st.lists(st.sampled_from(STREAMS), max_size=25),
    limit=st.integers(1, 30),
    known=st.tuples(st.sets(st.integers(1, 25)), st.integers(0, 25)),
)
def test_the_next_parcels_are_the_most_urgent_then_the_oldest(db, finding_event, streams, limit, known):
    skip, above = known
    empty(db)
    with transaction(db):
        for n, stream in enumerate(streams, 1):
            Outbox(db).put(replace(finding_event(UNIT, n), stream=stream, id=str(n)), (ROADS,))
    expected = sorted((PRIORITY[stream], n) for n, stream in enumerate(streams, 1) if n not in skip and n > above)[:limit]
    found = Outbox(db).next_parcels("roads", limit, skip, above)
    assert [(PRIORITY[parcel.stream], parcel.seq) for parcel in found] == expected


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acks=st.lists(st.lists(st.integers(0, 15), max_size=6), max_size=8))
def test_acknowledging_is_idempotent_and_touches_nothing_else(db, finding_event, acks):
    empty(db)
    outbox = Outbox(db)
    desk = replace(DESK, streams=("finding",))
    with transaction(db):
        for n in range(1, 11):
            outbox.put(replace(finding_event(UNIT, n), id=str(n)), (ROADS, desk))
    left = set(range(1, 11))
    for ids in acks:
        gone = outbox.acknowledge("roads", [str(id_) for id_ in ids])
        assert len(gone) == len(left & set(ids))
        left -= set(ids)
        assert {int(parcel.id) for parcel in outbox.next_parcels("roads", 99)} == left
    assert outbox.size("desk").rows == 10


def empty(db):
    """As new, without the cost of a new file."""
    db.conn.execute("PRAGMA synchronous = OFF")
    db.conn.execute("DELETE FROM outbox")
    db.conn.execute("DELETE FROM sqlite_sequence")
