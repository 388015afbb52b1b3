"""What the receiver stores: the same in a SQLite file and in a database of PostgreSQL."""

import json
import sqlite3
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.failure import DatabaseFailed, DatabaseRefused
from sync.receiver.databases import open_atlas, open_store
from sync.receiver.reading import Arrived, Refused, read

TEXT = st.text(max_size=8) | st.sampled_from(
    ["\0", "\ud800", "'; DROP TABLE event; --", "%s", "?", "\\", "\N{PILE OF POO}", "\t\n"]
)
NUMBER = st.integers() | st.floats() | st.sampled_from([2**63, -(2**63) - 1, 10**400, 1e308, -0.0, 5e-324, True])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
TIME = st.sampled_from(
    ["2026-03-04T05:06:07Z", "0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999999999Z", "2026-02-30T00:00:00Z"]
)


def keep(store, *received):
    return store.keep([reading for reading in map(read, received) if reading is not None])


def test_each_event_is_stored_once_and_what_is_refused_is_noted(store, database, car_07):
    batch = [
        car_07.finding(1),
        car_07.finding(2),
        car_07.finding(2),
        car_07.event("rumour", {}),
        car_07.event("rumour", {}, id="r"),
    ]
    batch += [car_07.event("rumour", {}, id="r")]
    first = keep(store, *batch)
    assert (first.stored, first.duplicates, first.refused) == (2, 1, 3)
    again = keep(store, *batch, car_07.finding(3))
    assert (again.stored, again.duplicates, again.refused) == (1, 3, 3)
    assert database.ask("SELECT source, reason FROM refused WHERE id = 'r'") == [
        ("/ronde/cannes/car-07", "this backend stores no such stream")
    ]
    assert database.ask("SELECT count(*) FROM event") == [(3,)]
    assert database.ask("SELECT count(*), max(latitude_deg), max(score), min(heading_deg) FROM finding") == [
        (3, 43.5512345, 0.81, 12.5)
    ]


def test_the_numbers_of_events_grow_in_the_order_of_arrival(store, database, car_07):
    for first in (1, 4, 7):
        keep(store, car_07.finding(1), *(car_07.finding(n) for n in range(first, first + 3)))
    ids = [id_ for (id_,) in database.ask("SELECT finding_id FROM finding ORDER BY seq")]
    assert ids == [f"0123abcd-1-f{n}" for n in range(1, 10)]
    assert database.ask("SELECT count(*) FROM finding JOIN event USING (seq, source, id)") == [(9,)]


def test_what_is_stored_is_what_was_sent(store, database, car_07):
    received = car_07.finding(1)
    keep(store, received)
    ((data,),) = database.ask("SELECT data FROM event")
    assert (json.loads(data) if isinstance(data, str) else data) == json.loads(received.payload)["data"]


def test_a_track_and_grades_become_rows_with_their_lines(store, database, car_07):
    line = [[7.01, 43.55], [7.02, 43.56, 12.0], [7.005, 43.57]]
    gap = {"odometer_m": 5.0, "length_m": 9.1, "reason": "no_fix"}
    begun = {"from": "2026-03-04T05:06:07Z"}
    good = {"from_m": 0.0, "to_m": 20.0, "grade": 2.5, "coverage": 0.9, "reasons": {}}
    keep(store, car_07.track(line, length_m=412.5, frames=103, gaps=[gap], **begun))
    keep(store, car_07.grade((line[:2], good), (line[1:], {"to_m": 40.0})))
    assert database.ask("SELECT round_id, length_m, frames, west_deg, south_deg, east_deg, north_deg FROM track") == [
        ("0123abcd-1", 412.5, 103, 7.005, 43.55, 7.02, 43.57)
    ]
    assert database.ask("SELECT n, grade, to_m FROM grade ORDER BY n") == [(0, 2.5, 20.0), (1, None, 40.0)]


def test_an_event_that_goes_takes_along_what_it_told(store, database, car_07):
    keep(store, car_07.finding(1), car_07.finding(2), car_07.evidence("0123abcd-1-f1"))
    with_keys = "PRAGMA foreign_keys = ON" if database.kind == "sqlite" else "SELECT 1"
    if database.kind == "sqlite":
        with closing(sqlite3.connect(database.file)) as db, db:
            db.execute(with_keys)
            db.execute("DELETE FROM event WHERE id LIKE '%-1'")
    else:
        database.ask("DELETE FROM event WHERE id LIKE '%-1'")
    assert database.ask("SELECT finding_id FROM finding") == [("0123abcd-1-f2",)]


def test_the_unit_is_shown_with_its_latest_health_and_connection(store, database, car_07):
    for time, frames in (("2026-03-04T05:06:07.890Z", 7), ("2026-03-04T05:07:07.890Z", 9), ("2026-03-04T05:05:07.890Z", 5)):
        keep(store, car_07.health(time, state="recording", frames=frames, temperature_c="hot", reasons=["no_fix"]))
    keep(store, car_07.state("online"), car_07.state("lost"))
    shown = "SELECT source, connection, health_state, health_frames, health_temperature_c FROM unit"
    assert database.ask(shown) == [("/ronde/cannes/car-07", "lost", "recording", 9, None)]
    keep(
        store,
        car_07.health("2026-03-04T05:08:00.000Z", state="waiting"),
        car_07.health("2026-03-04T05:07:59.000Z", state="fault"),
    )
    assert database.ask("SELECT health_state, health_frames, connection FROM unit") == [("waiting", None, "lost")]
    assert database.ask("SELECT count(*) FROM health") == [(1,)]


def test_a_round_counts_what_is_new_in_it(store, database, car_07, speech):
    other = speech(unit="car-08")
    for _ in range(2):
        keep(store, car_07.finding(1, time="2026-03-04T05:06:07.000Z"), car_07.finding(2, time="2026-03-04T05:00:00.000Z"))
        keep(store, other.finding(1), car_07.finding(3, round_id=None))
    keep(store, car_07.track([[7.0, 43.0], [7.1, 43.0]], length_m=100.5), car_07.track([[7.0, 43.0], [7.1, 43.0]], length_m=50))
    assert database.ask("SELECT source, round_id, findings, length_m FROM round ORDER BY source") == [
        ("/ronde/cannes/car-07", "0123abcd-1", 2, 150.5),
        ("/ronde/cannes/car-08", "0123abcd-1", 1, 0.0),
    ]


def test_a_picture_is_kept_byte_for_byte(store, atlas, car_07):
    picture = b"\xff\xd8" + bytes(range(256)) * 500
    keep(store, car_07.evidence("0123abcd-1-f1", picture), car_07.evidence(None))
    assert atlas.photo("0123abcd-1-f1") == picture
    assert atlas.photo("0123abcd-1-f2") is None


def test_what_is_typed_wrong_is_refused_with_its_id(car_07):
    for change, reason in (
        ({"label": None}, "label is not a text"),
        ({"label": "x" * 201}, "label is not a text"),
        ({"finding_id": 7}, "finding_id is not a text"),
        ({"score": "high"}, "score is not a number from 0 to 1"),
        ({"score": 1.5}, "score is not a number from 0 to 1"),
        ({"frames": -1}, "frames is not a whole number"),
        ({"frames": 2**60}, "frames is not a whole number"),
        ({"uncertainty_m": True}, "uncertainty_m is not a number"),
        ({"seen_at": "2026-02-30T00:00:00Z"}, "seen_at is not a time in UTC"),
    ):
        document = json.loads(car_07.finding(1).payload)
        document["data"]["properties"] |= change
        reading = read(car_07.event("finding", document["data"], id="f-1"))
        assert isinstance(reading, Refused), change
        assert (reading.id, reason in reading.reason) == ("f-1", True), reading


@pytest.fixture(scope="module")
def lasting_stores(lasting_postgres, tmp_path_factory):
    """A store of each kind, which many examples share; nothing of them has to survive a power cut."""
    file = tmp_path_factory.mktemp("lasting") / "town.db"
    sqlite, postgres = open_store(f"sqlite:///{file}"), open_store(lasting_postgres.url)
    sqlite._db.conn.execute("PRAGMA synchronous = OFF")
    with postgres._server.connected() as connection:
        connection.execute("SET synchronous_commit = off")
    atlases = [open_atlas(f"sqlite:///{file}"), open_atlas(lasting_postgres.url)]
    yield list(zip((sqlite, postgres), atlases, strict=True))
    for each in (sqlite, postgres, *atlases):
        each.close()


DATA = st.dictionaries(st.sampled_from(["reasons", "outbox", "state", "frames", "uptime_s"]) | TEXT, JSON, max_size=4)
PROPERTIES = st.dictionaries(
    st.sampled_from(["finding_id", "label", "score", "seen_at", "frames", "round_id", "gaps", "from", "reasons"]), JSON | TIME
)
PLACE = st.tuples(st.floats(-181, 181), st.floats(-91, 91)).map(list)


@settings(max_examples=80, deadline=None)
@given(
    stream=st.sampled_from(["finding", "track", "grade", "health", "birth", "alert"]),
    properties=PROPERTIES,
    data=DATA,
    places=st.lists(PLACE, min_size=1, max_size=3),
    time=TIME,
    subject=JSON,
)
def test_whatever_is_taken_can_be_stored_and_shown(lasting_stores, speech, stream, properties, data, places, time, subject):
    car = speech(round_id="0123abcd-9")
    if stream in ("finding", "alert"):
        data |= {"type": "Feature", "geometry": {"type": "Point", "coordinates": places[0]}}
        data["properties"] = {"finding_id": "f", "label": "pothole", **properties}
    elif stream in ("track", "grade"):
        feature = {"type": "Feature", "geometry": {"type": "LineString", "coordinates": places}, "properties": properties}
        data |= feature if stream == "track" else {"type": "FeatureCollection", "features": [feature, feature]}
    reading = read(car.event(stream, data, time=time, subject=subject, id=f"{stream}-{abs(hash(str(data)))}"))
    assert isinstance(reading, Arrived | Refused)
    answers = []
    for store, atlas in lasting_stores:
        before = atlas.newest()
        kept = store.keep([reading])
        changes = atlas.changes(before)
        answers.append((kept, [*changes.findings, *changes.tracks, *changes.grades], atlas.units()))
    assert [len(told) for _, told, _ in answers] == [len(answers[0][1])] * 2
    assert answers[0][0] == answers[1][0]


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path, car_07):
    file = tmp_path / "town.db"
    finding = json.loads(car_07.finding(1).payload)
    rows = [
        (
            "/ronde/cannes/car-07",
            "f-1",
            "ronde.finding.v1",
            finding["time"],
            "2026-03-04T05:06:09.000Z",
            json.dumps(finding["data"]),
        ),
        (
            "/ronde/cannes/car-07",
            "h-1",
            "ronde.health.v1",
            "2026-03-04T05:06:08.000Z",
            "2026-03-04T05:06:10.000Z",
            '{"frames": 7}',
        ),
        ("/ronde/cannes/car-07", "f-2", "ronde.finding.v1", finding["time"], "2026-03-04T05:06:11.000Z", '{"type": "Feature"}'),
    ]
    with closing(sqlite3.connect(file)) as db, db:
        db.executescript(FIRST_VERSION)
        db.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)", rows)
    open_store(f"sqlite:///{file}").close()
    open_store(f"sqlite:///{file}").close()
    with closing(open_atlas(f"sqlite:///{file}")) as atlas:
        assert [(each.finding_id, each.label, each.heading_deg) for each in atlas.findings()] == [
            ("0123abcd-1-f1", "pothole", 12.5)
        ]
        (unit,) = atlas.units()
        assert (unit.connection, unit.frames, unit.heard_at) == ("lost", 7, "2026-03-04T05:06:12.000Z")
        assert [(each.round_id, each.findings) for each in atlas.rounds()] == [("0123abcd-1", 1)]
        assert atlas.newest() == 3


FIRST_VERSION = """
CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set TEXT, name TEXT, applied_at TEXT);
CREATE UNIQUE INDEX idx__sqlite_migrations_migration_set_name ON _sqlite_migrations (migration_set, name);
INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES
    ('ronde-receiver', 'm001_events', '2026-01-01'), ('ronde-receiver', 'm002_views', '2026-01-01');
CREATE TABLE event (source TEXT NOT NULL, id TEXT NOT NULL, type TEXT NOT NULL, time TEXT NOT NULL, received_at TEXT NOT NULL,
    data NOT NULL, PRIMARY KEY (source, id));
CREATE INDEX event_by_type ON event (type, source, time);
CREATE TABLE refused (source TEXT NOT NULL, id TEXT NOT NULL, reason TEXT NOT NULL, received_at TEXT NOT NULL,
    PRIMARY KEY (source, id, reason));
CREATE TABLE presence (source TEXT PRIMARY KEY, state TEXT NOT NULL, boot TEXT NOT NULL, software TEXT NOT NULL,
    received_at TEXT NOT NULL);
INSERT INTO presence VALUES ('/ronde/cannes/car-07', 'lost', 'b', '0.1.0', '2026-03-04T05:06:12.000Z');
CREATE VIEW finding AS SELECT source, id FROM event WHERE type = 'ronde.finding.v1';
CREATE VIEW unit AS SELECT source FROM presence;
"""


def test_while_somebody_else_writes_nothing_is_stored_and_the_next_time_it_is(store, database, car_07):
    with database.busy(store), pytest.raises(DatabaseFailed, match="does not let go of it"):
        keep(store, car_07.finding(1))
    assert database.ask("SELECT count(*) FROM event") == [(0,)]
    assert keep(store, car_07.finding(1)).stored == 1


@pytest.mark.parametrize("url", ["mysql://x", "sqlite:///", "town.db", "postgres:town", "mysql://user:secret@host/x"])
def test_what_is_no_address_of_a_database_is_refused_without_its_password(url):
    for opened in (open_store, open_atlas):
        with pytest.raises(DatabaseRefused, match="it is sqlite:///FILE or postgresql://") as told:
            opened(url)
        assert "secret" not in str(told.value)
