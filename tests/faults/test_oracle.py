"""The oracle sees what is lost, what comes twice, what nobody committed, and each wrong photo: else no row means a thing."""

import hashlib
import sqlite3

import pytest
from PIL import Image

from provisioning.settings import Backend, Unit
from sync.database import open_database, transaction
from sync.faults.clocks import lanes_of
from sync.faults.io_errors import Call, calls_of, told_in_spite
from sync.faults.journal import Journal, audit_backend, audit_unit, photo_problem
from sync.faults.links import most_in_a_minute
from sync.faults.row import Tally
from sync.faults.writer import bare_event
from sync.outbox import Outbox

UNIT = Unit("faults", "car-01")


class Town:
    """What the backend holds, said by the test."""

    def __init__(self, *ids, twice=()):
        self.ids, self.pairs = list(ids), list(twice)

    def stored(self):
        return self.ids

    def things(self):
        return self.pairs


@pytest.fixture
def unit(tmp_path):
    unit = Unit("faults", "car-01", tmp_path)
    open_database(tmp_path / "ronde.db").close()
    return unit


def journal_of(*lines):
    journal = Journal()
    for line in lines:
        journal.line(line)
    return journal


def test_what_was_committed_and_is_not_at_the_backend_is_lost(unit):
    tally = Tally()
    audit_backend(journal_of("ready", "try f1", "kept f1 - - a,b"), unit, Town("a"), tally)
    assert (tally.committed, tally.lost, tally.twice, tally.wrong) == (2, 1, 0, [])


def test_what_the_backend_has_and_nobody_committed_is_wrong(unit):
    tally = Tally()
    audit_backend(journal_of("kept f1 - - a"), unit, Town("a", "z"), tally)
    assert tally.lost == 0
    assert tally.wrong == ["the backend has 1 events that nobody committed"]


def test_a_commit_in_hand_may_have_been_made_without_being_told(unit):
    tally = Tally()
    audit_backend(journal_of("kept f1 - - a", "try f2 b,c"), unit, Town("a", "b", "c"), tally)
    assert not tally.wrong


def test_a_thing_under_two_events_and_an_event_in_two_rows_are_twice(unit):
    tally = Tally()
    audit_backend(journal_of("kept f1 - - a"), unit, Town("a", "a", twice=[("f1", 2)]), tally)
    assert tally.twice == 2


def test_an_id_that_is_given_twice_is_seen(unit):
    tally = Tally()
    audit_backend(journal_of("kept f1 - - a", "kept f2 - - a"), unit, Town("a"), tally)
    assert "an id that was given before" in tally.wrong[0]


def test_a_frame_without_its_row_is_lost(unit):
    tally = Tally()
    audit_unit(journal_of("kept f1 frames/1.jpg abc a"), unit.state, tally)
    assert tally.lost == 1
    assert "have no row" in tally.wrong[0]


def test_a_damaged_database_is_wrong(unit):
    db = sqlite3.connect(unit.state / "ronde.db")
    db.execute("PRAGMA journal_mode = DELETE")
    db.close()
    content = bytearray((unit.state / "ronde.db").read_bytes())
    content[4096 : 4096 + 400] = b"\xff" * 400
    (unit.state / "ronde.db").write_bytes(content)
    tally = Tally()
    try:
        audit_unit(Journal(), unit.state, tally)
    except sqlite3.DatabaseError:
        return
    assert "integrity_check" in tally.wrong[0]


def test_each_thing_that_can_be_wrong_with_a_photo(tmp_path):
    photo = tmp_path / "1.jpg"
    assert "No such file" in photo_problem(photo, "")
    Image.new("RGB", (8, 8)).save(photo)
    sha256 = hashlib.sha256(photo.read_bytes()).hexdigest()
    assert photo_problem(photo, sha256) is None
    assert "sha256 differs" in photo_problem(photo, "0" * 64)
    photo.write_bytes(photo.read_bytes()[:-40])
    assert "sha256 differs" in photo_problem(photo, sha256)
    assert "does not open" in photo_problem(photo, hashlib.sha256(photo.read_bytes()).hexdigest())


def test_the_writers_events_are_those_that_the_outbox_takes(unit):
    db = open_database(unit.state / "ronde.db")
    event = bare_event(unit, "00000000-1", 7)
    with transaction(db):
        Outbox(db).put(event, (Backend("roads", "mqtt://127.0.0.1", None, None, None),))
    assert db.conn.execute("SELECT id, stream FROM outbox").fetchall() == [(event.id, "finding")]
    db.close()


@pytest.mark.parametrize(
    ("numbers", "lanes"), [([], 0), ([0, 1, 2], 1), ([5, 0, 6, 1], 2), ([3, 2, 1], 3), ([0, 5, 1, 6, 2, 7], 2)]
)
def test_an_order_is_a_mixture_of_so_many_lanes(numbers, lanes):
    assert lanes_of(numbers) == lanes


def said(text):
    return Call("write", 1, "", text, injected=False)


def failing(path, name="fsync"):
    return Call(name, 1, path, "", injected=True)


@pytest.mark.parametrize(
    ("calls", "wrong"),
    [
        ([said("try 1"), failing("/frames/1.jpg.part"), said("kept 1")], True),
        ([said("try 1"), failing("/ronde.db-wal", "fdatasync"), said("kept 1")], True),
        ([said("try 1"), failing("/frames/1.jpg.part"), said("failed 1"), said("try 2"), said("kept 2")], False),
        ([said("try 1"), failing("/ronde.db"), said("kept 1")], False),
    ],
)
def test_a_frame_told_after_a_failed_call_is_seen(calls, wrong):
    assert told_in_spite(calls) is wrong


def test_strace_lines_are_read(tmp_path):
    log = tmp_path / "log"
    state = tmp_path / "state"
    log.write_text(
        f"12 fsync(5<{state}/frames/1.jpg.part>) = -1 EIO (Input/output error) (INJECTED)\n"
        '12 write(1<pipe:[77]>, "kept 1 a b c\\n", 13) = 13\n'
        '12 write(2<pipe:[78]>, "noise", 5) = 5\n'
        f'12 rename("{state}/a", "{state}/b") = 0\n'
        "12 +++ exited with 0 +++\n"
    )
    first, told, renamed = calls_of(log, state)
    assert (first.name, first.path, first.injected) == ("fsync", "/frames/1.jpg.part", True)
    assert told.said.startswith("kept 1")
    assert (renamed.name, renamed.path, renamed.injected) == ("rename", "/a", False)


def test_connects_are_counted_in_the_worst_minute():
    assert most_in_a_minute([]) == 0
    assert most_in_a_minute([0.0, 30.0, 59.0, 61.0, 130.0]) == 3
