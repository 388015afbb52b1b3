"""What a map asks of a receiver's database: the same answers from SQLite and from PostgreSQL."""

import threading

import pytest

from sync.failure import DatabaseFailed
from sync.receiver.databases import open_atlas
from sync.receiver.reading import read
from sync.receiver.seen import Box
from sync.receiver.things import MOST_STRETCHES

CANNES = Box(7.0, 43.5, 7.1, 43.6)


def keep(store, *received):
    store.keep([reading for reading in map(read, received) if reading is not None])


def ids(findings):
    return [each.finding_id.rpartition("-f")[2] for each in findings]


def test_findings_are_chosen_by_place_label_round_and_age(store, atlas, car_07, speech):
    other = speech(unit="car-08", round_id="89abcdef-2")
    keep(
        store,
        car_07.finding(1, place=(7.0, 43.5)),
        car_07.finding(2, place=(7.05, 43.55), label="manhole"),
        car_07.finding(3, place=(7.1000001, 43.55)),
        car_07.finding(4, place=(7.05, 43.49)),
        other.finding(5, place=(7.1, 43.6), time="2026-03-05T00:00:00.000Z"),
        other.finding(6, place=(-7.05, 43.55), label="drain"),
    )
    assert ids(atlas.findings()) == list("123456")
    assert ids(atlas.findings(box=CANNES)) == list("125")
    assert ids(atlas.findings(labels=["manhole", "drain"])) == list("26")
    assert ids(atlas.findings(rounds=["89abcdef-2"], box=CANNES)) == ["5"]
    assert ids(atlas.findings(since="2026-03-04T12:00:00Z")) == ["5"]
    assert ids(atlas.findings(box=CANNES, labels=["pothole"], rounds=["0123abcd-1"], since="2026-03-04T05:06:07Z")) == ["1"]
    assert ids(atlas.findings(labels=["' OR 1=1 --"])) == []
    (first, *_) = atlas.findings()
    assert (first.source, first.label, first.score, first.uncertainty_m, first.frames) == (car_07.source, "pothole", 0.81, 2.4, 3)
    assert (first.longitude_deg, first.latitude_deg, first.heading_deg, first.area_m2) == (7.0, 43.5, 12.5, None)
    assert (first.time, first.seen_at) == ("2026-03-04T05:06:07.890Z", "2026-03-04T05:06:07.890Z")
    assert atlas.finding(first.seq) == first
    assert atlas.finding(10**9) is None


def test_a_hazard_has_the_drivers_note_and_nothing_else_has_one(store, atlas, car_07):
    keep(
        store,
        car_07.finding(1, label="hazard", note="<b>trou</b>", model=None),
        car_07.finding(2, label="hazard", note=None),
        car_07.finding(3, label="hazard", note={"html": "<b>"}),
        car_07.finding(4, label="hazard", note="two\nlines"),
        car_07.finding(5, label="pothole", note="no driver says so"),
    )
    assert [each.note for each in atlas.findings()] == ["<b>trou</b>", None, None, None, None]


def test_pages_follow_each_other_without_a_gap(store, atlas, car_07):
    keep(store, *(car_07.finding(n, place=(7.0 + n / 1000, 43.5)) for n in range(25)))
    for box in (None, CANNES):
        seen, after = [], 0
        while page := atlas.findings(box=box, limit=7, after=after):
            seen += ids(page)
            after = page[-1].seq
        assert seen == [str(n) for n in range(25)]


def test_what_nobody_can_ask_is_said(atlas):
    for wrong in ({"limit": 0}, {"since": "yesterday"}, {"since": "2026-02-30T00:00:00Z"}, {"labels": ["x"] * 201}):
        with pytest.raises(ValueError, match=next(iter(wrong))[:5]):
            atlas.findings(**wrong)
    for corners in ((7.1, 43.5, 7.0, 43.6), (7.0, 43.6, 7.1, 43.5), (float("nan"), 0, 1, 1), (-200, 0, 1, 1)):
        with pytest.raises(ValueError, match="no box"):
            Box(*corners)


def test_tracks_and_grades_are_found_by_the_rectangle_around_them(store, atlas, car_07):
    line = [[7.0, 43.5], [7.2, 43.7, 30.0]]
    gap = {"odometer_m": 5.0, "length_m": 9.1, "reason": "no_fix"}
    keep(store, car_07.track(line, length_m=412.5, frames=103, filled_m=9.1, gaps=[gap], to="2026-03-04T05:06:07Z"))
    graded = {"grade": 2.5, "low": 2.0, "reasons": {"wet": 3, "dark": "some"}}
    keep(store, car_07.grade((line, graded), ([[0, 0], [1, 1]], {"grade": 1})))
    for box, here in ((CANNES, 1), (Box(7.1, 43.4, 7.3, 43.55), 1), (Box(7.3, 43.5, 7.4, 43.6), 0), (None, 1)):
        assert len(atlas.tracks(box=box)) == here
    (track,) = atlas.tracks(box=CANNES, rounds=["0123abcd-1"], since="2026-03-04T05:06:07Z")
    assert (track.length_m, track.frames, track.filled_m, track.gaps) == (412.5, 103, 9.1, [gap])
    assert (track.began_at, track.ended_at, track.line) == (None, "2026-03-04T05:06:07.000Z", [(7.0, 43.5), (7.2, 43.7)])
    assert [(each.n, each.grade, each.reasons) for each in atlas.grades(box=CANNES)] == [(0, 2.5, {"wet": 3})]
    assert [(each.n, each.grade, each.low) for each in atlas.grades()] == [(0, 2.5, 2.0), (1, 1, None)]


def test_the_stretches_of_an_event_stay_together(store, atlas, car_07):
    stretch = ([[7, 43], [7, 44]], {"grade": 1})
    for count in (MOST_STRETCHES - 100, 200, 300):
        keep(store, car_07.grade(*[stretch] * count))
    first = atlas.grades(limit=1)
    assert len(first) == MOST_STRETCHES - 100
    assert len(atlas.grades(after=first[-1].seq, limit=1)) == 500


def test_changes_tell_each_event_once(store, atlas, car_07):
    keep(store, car_07.finding(1))
    start = atlas.newest()
    assert atlas.changes(start).seq == start
    keep(store, car_07.finding(2), car_07.health("2026-03-04T05:06:07Z"), car_07.track([[7, 43], [7, 44]]))
    keep(store, car_07.finding(2), car_07.evidence("0123abcd-1-f2"), car_07.grade(([[7, 43], [7, 44]], {})))
    findings, tracks, photos, grades, after = [], 0, [], 0, start
    while (changes := atlas.changes(after, limit=2)).seq != after:
        findings += ids(changes.findings)
        tracks, grades = tracks + len(changes.tracks), grades + len(changes.grades)
        photos += changes.photos
        after = changes.seq
    assert (findings, tracks, photos, grades) == (["2"], 1, [(car_07.source, "0123abcd-1-f2")], 1)
    assert after == atlas.newest()


def test_a_photo_is_the_latest_of_its_finding_and_of_its_unit(store, atlas, car_07, speech):
    other = speech(unit="car-08")
    keep(store, car_07.finding(1), car_07.finding(2), other.finding(1))
    keep(store, *(car_07.evidence("0123abcd-1-f1", b"\xff\xd8" + each) for each in (b"old", b"new")))
    keep(store, other.evidence("0123abcd-1-f1", b"\xff\xd8other"))
    assert atlas.photo("0123abcd-1-f1", car_07.source) == b"\xff\xd8new"
    assert atlas.photo("0123abcd-1-f1", other.source) == b"\xff\xd8other"
    assert atlas.photo("0123abcd-1-f2") is None
    assert [each.photo for each in atlas.findings()] == [True, False, True]


def test_units_and_rounds(store, atlas, car_07, speech):
    other = speech(unit="car-01", round_id="89abcdef-2")
    keep(store, car_07.state("online"), other.finding(1, time="2026-03-05T00:00:00.000Z"), car_07.finding(1))
    keep(store, car_07.health("2026-03-04T06:00:00Z", state="waiting", reasons=["no_fix"], outbox={"rows": 3, "oldest_s": 1.5}))
    silent, speaking = atlas.units()
    assert (silent.name, silent.connection, silent.state, silent.reasons) == ("car-01", None, None, [])
    assert (speaking.fleet, speaking.name, speaking.connection, speaking.software) == ("cannes", "car-07", "online", "0.1.0")
    assert (speaking.state, speaking.reasons, speaking.outbox_rows, speaking.outbox_oldest_s) == ("waiting", ["no_fix"], 3, 1.5)
    assert speaking.health_at == "2026-03-04T06:00:00.000Z"
    assert speaking.heard_at >= silent.heard_at
    assert [(each.round_id, each.findings) for each in atlas.rounds()] == [("89abcdef-2", 1), ("0123abcd-1", 1)]


def test_an_atlas_that_is_open_before_its_receiver_waits_for_it(database, car_07):
    atlas = open_atlas(database.url)
    with pytest.raises(DatabaseFailed):
        atlas.findings()
    from sync.receiver.databases import open_store

    store = open_store(database.url)
    keep(store, car_07.finding(1))
    assert ids(atlas.findings()) == ["1"]
    store.close()
    atlas.close()


def test_several_threads_may_ask_while_the_receiver_writes(store, atlas, car_07):
    answers, failures, written = [], [], threading.Event()

    def ask():
        try:
            while not written.is_set():
                answers.append(len(atlas.findings(box=CANNES)))
        except Exception as error:  # noqa: BLE001 - shown below
            failures.append(error)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for n in range(20):
        keep(store, car_07.finding(n))
    written.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert answers
    assert len(atlas.findings(box=CANNES)) == 20
