"""What the driver marks is told once, with the frames of the last ten seconds and the note, whatever happens to the capture."""

import json
from contextlib import closing

import pytest

from provisioning.settings import Backend
from sync.album import Album
from sync.database import open_database
from sync.hazard import AHEAD_M, WINDOW_S
from sync.request import add_note, put_request

BACKENDS = (Backend("roads", "mqtt://127.0.0.1:1", None, None, None, streams=("finding", "evidence")),)
SPEED_MPS = 20.0


def ask(state, kind, note=None):
    with closing(open_database(state / "ronde.db")) as db:
        return put_request(db, kind, note)


@pytest.fixture
def hazards(query):
    return lambda state: query(state, "SELECT id, note, frames, uncertainty_m FROM finding WHERE label = 'hazard' ORDER BY id")


@pytest.fixture
def frames(query):
    return lambda state: query(state, "SELECT id, shutter_boot_s, longitude_deg FROM frame WHERE latitude_deg IS NOT NULL")


def events(query, state):
    rows = query(state, "SELECT payload FROM outbox WHERE stream = 'finding' ORDER BY seq")
    return [json.loads(payload) for (payload,) in rows]


def test_a_hazard_is_the_frames_of_the_last_ten_seconds_with_its_note(tmp_path, driving, query, until, frames, hazards, validate):
    open_database(tmp_path / "ronde.db").close()
    with driving(tmp_path, BACKENDS):
        until(lambda: len(frames(tmp_path)) >= 5)
        pressed = ask(tmp_path, "hazard", "  arbre <b>couché</b>\n sur la voie ")
        until(lambda: hazards(tmp_path))
        ((finding_id, note, count, unsure_m),) = hazards(tmp_path)
        assert note == "arbre <b>couché</b> sur la voie"
        assert finding_id.endswith("-f1000000")
        within = [id_ for id_, at_s, _ in frames(tmp_path) if pressed.made_boot_s - WINDOW_S < at_s <= pressed.made_boot_s]
        assert count >= 5
        assert abs(count - len(within)) <= 1, "the last frame may be decided a moment later"
        until(lambda: len(frames(tmp_path)) >= count + 10)
    (event,) = events(query, tmp_path)
    validate("event", event)
    told = event["data"]["properties"]
    assert (told["label"], told["note"], told["model"], told["finding_id"]) == ("hazard", note, None, finding_id)
    span_m = 4.0 * (count - 1)
    assert span_m / 2 <= unsure_m - AHEAD_M <= span_m + 10.0
    first, last, taken = query(tmp_path, "SELECT first_frame_id, last_frame_id, best_frame_id FROM finding")[0]
    assert first == within[0]
    assert last == taken
    assert query(tmp_path, 'SELECT frame_id, "left", "top" FROM evidence') == [(last, 0.0, 0.0)]
    assert query(tmp_path, "SELECT count(*) FROM request WHERE taken_at IS NULL") == [(0,)]


def test_a_hazard_that_nobody_took_is_there_at_the_next_start(tmp_path, driving, query, until, frames, hazards):
    """A kill right after the press leaves the row: nothing else of it is needed."""
    open_database(tmp_path / "ronde.db").close()
    with driving(tmp_path):
        until(lambda: len(frames(tmp_path)) >= 3)
    ask(tmp_path, "hazard", "trou")
    assert hazards(tmp_path) == []
    with driving(tmp_path, BACKENDS):
        until(lambda: hazards(tmp_path))
    ((finding_id, note, count, _),) = hazards(tmp_path)
    assert (note, count > 1) == ("trou", True)
    assert finding_id.split("-f")[0] == query(tmp_path, "SELECT id FROM round ORDER BY rowid LIMIT 1")[0][0]
    assert len(events(query, tmp_path)) == 1


def test_a_hazard_waits_for_its_note_and_the_end_of_the_round_tells_it(tmp_path, driving, until, frames, hazards, query):
    open_database(tmp_path / "ronde.db").close()
    with driving(tmp_path, BACKENDS):
        until(lambda: len(frames(tmp_path)) >= 3)
        pressed = ask(tmp_path, "hazard")
        seen = len(frames(tmp_path))
        until(lambda: len(frames(tmp_path)) >= seen + 12)
        assert hazards(tmp_path) == []
        with closing(open_database(tmp_path / "ronde.db")) as db:
            assert add_note(db, pressed.id, "verre")
    assert [row[1] for row in hazards(tmp_path)] == ["verre"]
    with closing(open_database(tmp_path / "ronde.db")) as db:
        assert not add_note(db, pressed.id, "zu spät"), "it has been told"
    assert len(events(query, tmp_path)) == 1


def test_a_hazard_of_a_pause_tells_no_place(tmp_path, driving, query, until, frames, hazards):
    open_database(tmp_path / "ronde.db").close()
    with driving(tmp_path, BACKENDS):
        until(lambda: len(frames(tmp_path)) >= 3)
        ask(tmp_path, "pause")
        until(lambda: query(tmp_path, "SELECT state FROM condition") == [("paused",)])
        ask(tmp_path, "hazard", "privé")
        ask(tmp_path, "resume")
        until(lambda: query(tmp_path, "SELECT count(*) FROM request WHERE taken_at IS NULL") == [(0,)])
    assert hazards(tmp_path) == []
    assert events(query, tmp_path) == []


def test_each_hazard_has_a_number_of_its_own(tmp_path, driving, until, frames, hazards, query):
    open_database(tmp_path / "ronde.db").close()
    with driving(tmp_path, BACKENDS):
        until(lambda: len(frames(tmp_path)) >= 3)
        ask(tmp_path, "hazard", "un")
        until(lambda: len(hazards(tmp_path)) == 1)
        ask(tmp_path, "pause")
        ask(tmp_path, "resume")
        ask(tmp_path, "hazard", "deux")
    ids = [row[0] for row in hazards(tmp_path)]
    assert len(set(ids)) == len(ids) == 2
    assert len({event["id"] for event in events(query, tmp_path)}) == 2


def test_presses_in_a_row_are_one_and_the_last_pause_is_never_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr("sync.request.KEPT_ROWS", 3)
    monkeypatch.setattr("sync.request.ONE_PRESS_S", 60.0)
    with closing(open_database(tmp_path / "ronde.db")) as db:
        first = [put_request(db, "hazard", note).id for note in (None, None, "trou", None)]
        assert len(set(first)) == 1
        assert db.conn.execute("SELECT note FROM request").fetchall() == [("trou",)]
        paused = {put_request(db, "pause").id for _ in range(100)}
        assert len(paused) == 1
        monkeypatch.setattr("sync.request.ONE_PRESS_S", 0.0)
        db.conn.execute("UPDATE request SET taken_at = made_at")
        for _ in range(10):
            put_request(db, "hazard")
            db.conn.execute("UPDATE request SET taken_at = made_at")
        kinds = [kind for (kind,) in db.conn.execute("SELECT kind FROM request ORDER BY id")]
        assert kinds[0] == "pause"
        assert len(kinds) == 5


def test_the_photos_of_a_hazard_stay_although_they_are_confirmed(tmp_path, driving, until, frames, hazards):
    open_database(tmp_path / "ronde.db").close()
    with driving(tmp_path):
        until(lambda: len(frames(tmp_path)) >= 3)
        ask(tmp_path, "hazard", "trou")
        until(lambda: hazards(tmp_path))
        until(lambda: len(frames(tmp_path)) >= 6)
    with closing(open_database(tmp_path / "ronde.db")) as db:
        first, last = db.conn.execute("SELECT first_frame_id, last_frame_id FROM finding").fetchone()
        db.conn.execute("UPDATE finding SET unconfirmed = 0")
        (others,) = db.conn.execute("SELECT count(*) FROM frame WHERE id NOT BETWEEN ? AND ?", [first, last]).fetchone()
        may_go = {photo.frame_id for photo in Album(db, tmp_path).confirmed(1000)}
    assert len(may_go) == others >= 1
    assert not {each for each in may_go if first <= each <= last}
