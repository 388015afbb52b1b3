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
    assert outbox.next_seqs("roads", 9) == [1, 2]
    assert outbox.next_seqs("desk", 9) == [3]


def test_each_row_carries_its_own_number_in_a_valid_event(db, finding_event, validate):
    put(db, finding_event(UNIT, 1), ROADS, replace(DESK, streams=("finding",)))
    for backend, seq in (("roads", 1), ("desk", 2)):
        [parcel] = Outbox(db).parcels(Outbox(db).next_seqs(backend, 9))
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
    assert outbox.confirm([1]) == [1]
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
        assert outbox.refuse(1, "too far") == [1]
        assert outbox.refuse(1, "too far") == []
        assert outbox.refuse(99, "too far") == []
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
    skip=st.sets(st.integers(1, 25)),
    between=st.tuples(st.integers(0, 25), st.integers(0, 30)),
)
def test_the_next_rows_are_the_most_urgent_then_the_oldest(db, finding_event, streams, limit, skip, between):
    above, upto = between
    empty(db)
    with transaction(db):
        for n, stream in enumerate(streams, 1):
            Outbox(db).put(replace(finding_event(UNIT, n), stream=stream, id=str(n)), (ROADS,))
    wanted = [(PRIORITY[stream], n) for n, stream in enumerate(streams, 1) if n not in skip and above < n <= upto]
    found = Outbox(db).next_seqs("roads", limit, skip, above=above, upto=upto)
    assert found == [n for _, n in sorted(wanted)[:limit]]
    assert [parcel.seq for parcel in Outbox(db).parcels(found)] == found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acks=st.lists(st.lists(st.integers(0, 25), max_size=6), max_size=8))
def test_confirming_is_idempotent_and_touches_nothing_else(db, finding_event, acks):
    empty(db)
    outbox = Outbox(db)
    desk = replace(DESK, streams=("finding",))
    with transaction(db):
        for n in range(1, 11):
            outbox.put(replace(finding_event(UNIT, n), id=str(n)), (ROADS, desk))  # odd numbers are the roads department's
    left = set(range(1, 21))
    for seqs in acks:
        gone = outbox.confirm(seqs)
        assert sorted(gone) == sorted(left & set(seqs))
        left -= set(seqs)
        assert set(outbox.next_seqs("roads", 99)) == {seq for seq in left if seq % 2}
        assert set(outbox.next_seqs("desk", 99)) == {seq for seq in left if not seq % 2}


def test_what_was_marked_as_sent_is_found_by_its_id(db, finding_event):
    outbox = Outbox(db)
    desk = replace(DESK, streams=("finding",))
    put(db, finding_event(UNIT, 1), ROADS, desk)
    put(db, finding_event(UNIT, 2), ROADS, desk)
    ids = [finding_event(UNIT, n).id for n in (1, 2)]
    assert outbox.sent("roads", ids) == []
    outbox.mark_sent([1, 2, 4], "2026-03-04T05:06:07.890Z")
    assert outbox.sent("roads", [*ids, "unknown"]) == [1]
    assert outbox.sent("desk", ids) == [2, 4]


def test_a_finding_is_unconfirmed_until_each_of_its_backends_has_it(db, finding_event):
    outbox = Outbox(db)
    event = finding_event(UNIT, 1)
    db.conn.execute("INSERT INTO round (id, software, models, settings) VALUES ('0123abcd-1', '', '{}', '{}')")
    with transaction(db):
        db.conn.execute(
            "INSERT INTO finding (id, round_id, label, score, latitude_deg, longitude_deg, uncertainty_m, frames, best_frame_id) "
            "VALUES (?, '0123abcd-1', 'pothole', 0.5, 43, 7, 2, 1, 'x')",
            [event.subject],
        )
        outbox.put(event, (ROADS, replace(DESK, streams=("finding",))))

    def unconfirmed():
        return db.conn.execute("SELECT unconfirmed FROM finding").fetchone()[0]

    assert unconfirmed() == 2
    assert outbox.confirm([1]) == [1]
    assert outbox.confirm([1]) == []
    assert unconfirmed() == 1
    with transaction(db):
        outbox.refuse(2, "no")
    assert unconfirmed() == 0


class Spy:
    """A database that notes what is asked of it."""

    def __init__(self, db):
        self.db, self.asked = db, []
        self.conn = self

    @property
    def in_transaction(self):
        return self.db.conn.in_transaction

    def execute(self, sql, values=()):
        self.asked.append((sql, list(values)))
        return self.db.conn.execute(sql, values)

    def executemany(self, sql, rows):
        rows = list(rows)
        self.asked.append((sql, rows[0] if rows else ["x"]))
        return self.db.conn.executemany(sql, rows)


def test_no_query_of_the_delivery_reads_more_rows_where_more_wait(db, finding_event):
    """By SQLite's own plans: a scan is allowed over the ids that were handed in, and where rows are counted."""
    spy = Spy(db)
    outbox = Outbox(spy)
    with transaction(db):
        outbox.put(finding_event(UNIT, 1), (ROADS,))
        outbox.next_seqs("roads", 20, {1, 2}, above=3, upto=9)
        outbox.parcels([1])
        outbox.newest()
        outbox.sent("roads", ["a", "b"])
        outbox.mark_sent([1], "now")
        outbox.count_try(1)
        outbox.waits("roads")
        outbox.size()
        outbox.size("roads")
        outbox.refuse(1, "no")
    plans = []
    for sql, values in spy.asked:
        steps = [row[3] for row in db.conn.execute(f"EXPLAIN QUERY PLAN {sql}", values)]
        plans += [(step, sql) for step in steps if step.startswith("SCAN") and "json_each" not in step]
    allowed = ("sqlite_sequence", "SELECT count(*) FROM outbox")
    assert [each for each in plans if not any(word in " ".join(each) for word in allowed)] == []
    assert len(spy.asked) > 20


def empty(db):
    """As new, without the cost of a new file."""
    db.conn.execute("PRAGMA synchronous = OFF")
    db.conn.execute("DELETE FROM outbox")
    db.conn.execute("DELETE FROM sqlite_sequence")
