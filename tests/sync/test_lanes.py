import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioning.settings import Backend, Unit
from sync.database import open_database, transaction
from sync.lanes import LATELY, LIVE_OF, TURN, Lanes
from sync.outbox import Outbox

UNIT = Unit("cannes", "car-07")
ROADS = Backend("roads", "mqtt://127.0.0.1:1883", None, None, None, ("finding", "track", "health", "evidence", "alert"))


@pytest.fixture
def db(tmp_path):
    opened = open_database(tmp_path / "ronde.db")
    opened.conn.execute("PRAGMA synchronous = OFF")
    yield opened
    opened.close()


@pytest.fixture
def put(db, finding_event):
    def put_rows(count, stream="finding"):
        with transaction(db):
            return [
                seq
                for n in range(count)
                for seq in Outbox(db).put(replace(finding_event(UNIT, n), stream=stream, id=str(n)), (ROADS,))
            ]

    return put_rows


def drain(db, lanes, room, steps):
    """Takes so many batches and confirms each at once."""
    taken = []
    for _ in range(steps):
        chosen = [parcel.seq for parcel in lanes.choose(room, ())]
        with transaction(db):
            Outbox(db).confirm(chosen)
        taken += chosen
    return taken


def test_without_a_backlog_everything_goes_in_order(db, put):
    lanes = Lanes(Outbox(db), "roads", time.monotonic)
    lanes.begin()
    seqs = put(30)
    assert drain(db, lanes, 7, 5) == seqs


def test_what_happens_now_and_the_backlog_share_the_places(db, put):
    lanes = Lanes(Outbox(db), "roads", time.monotonic)
    old = put(1000)
    lanes.begin()
    new = put(150)
    taken = drain(db, lanes, 1, 160)
    assert [seq for seq in taken if seq > old[-1]] == new[:120]
    assert len([seq for seq in taken if seq <= old[-1]]) == 160 * (TURN - LIVE_OF) // TURN
    assert taken[:4] == [new[0], new[1], new[2], old[0]]


def test_neither_lane_leaves_a_place_empty(db, put):
    lanes = Lanes(Outbox(db), "roads", time.monotonic)
    old = put(50)
    lanes.begin()
    new = put(2)
    taken = drain(db, lanes, 20, 3)
    assert sorted(taken) == old + new
    assert max(taken.index(seq) for seq in new) < 20


def test_a_backlog_that_fits_goes_first(db, put):
    lanes = Lanes(Outbox(db), "roads", time.monotonic)
    old = put(3)
    lanes.begin()
    new = put(3)
    assert drain(db, lanes, 20, 1) == old + new


def test_an_alert_of_either_lane_goes_before_everything(db, put):
    lanes = Lanes(Outbox(db), "roads", time.monotonic)
    put(100)
    [old] = put(1, "alert")
    lanes.begin()
    put(100)
    [new] = put(1, "alert")
    assert sorted(drain(db, lanes, 2, 1)) == [old, new]


def test_live_rows_that_lag_become_a_backlog_and_what_is_newer_goes_before_them(db, put):
    lanes = Lanes(Outbox(db), "roads", time.monotonic)
    lanes.begin()
    put(LATELY + 50)
    assert drain(db, lanes, 2, 1) == [1, 2]
    new = put(3)
    assert drain(db, lanes, 4, 1) == [*new, 3]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    old=st.lists(st.sampled_from(["finding", "track", "health", "evidence"]), max_size=30),
    new=st.lists(st.sampled_from(["finding", "track", "health", "evidence"]), max_size=30),
    room=st.integers(1, 20),
)
def test_each_lane_keeps_the_order_of_every_stream_and_everything_goes_once(db, put, old, new, room):
    db.conn.execute("DELETE FROM outbox")
    lanes = Lanes(Outbox(db), "roads", time.monotonic)
    before = [seq for stream in old for seq in put(1, stream)]
    lanes.begin()
    after = [seq for stream in new for seq in put(1, stream)]
    streams = dict(zip([*before, *after], [*old, *new], strict=True))
    taken = drain(db, lanes, room, len(streams) + 1)
    assert sorted(taken) == sorted(streams)
    for lane in (before, after):
        for stream in set(streams.values()):
            of_stream = [seq for seq in taken if seq in lane and streams[seq] == stream]
            assert of_stream == sorted(of_stream)
