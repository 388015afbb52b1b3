"""Rounds joined into things: the same in a SQLite file and in PostgreSQL, whenever and however often events come."""

import random
import threading
from contextlib import closing
from datetime import datetime, timedelta, timezone
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.earth import offset
from sync.failure import DatabaseFailed
from sync.receiver import join_store
from sync.receiver.databases import open_atlas, open_store
from sync.receiver.joiner import AGAIN_S, QUIET_S, Joiner, Outcome, join_round
from sync.receiver.joins import open_joins
from sync.receiver.judging import open_judge
from sync.receiver.reading import read
from sync.receiver.thing_tables import FILL_ROUND

ORIGIN = (43.55, 7.01)
SPEED_MPS = 10.0
STREET = {
    "hole": ("pothole", 60.0, 1.0, 0.3),
    "cover": ("manhole", 95.0, -1.0, 0.4),
    "crack": ("crack_transverse", 130.0, 0.5, 0.5),
    "sign": ("sign_stop", 160.0, 4.0, None),
    "net": ("crack_alligator", 210.0, -0.5, 2.0),
    "drain": ("drain", 250.0, 2.0, 0.2),
    "patch": ("patch", 290.0, 0.0, 1.2),
}
"""A straight street to the east: label, metres along it and left of it, area."""


class Car:
    """Drives the street and tells what it finds, as a unit does; `off_m` is what its receiver is wrong by, east and north."""

    def __init__(self, speech, day, unit="car-07", off_m=(0.0, 0.0)):
        self.speech = speech(unit=unit, round_id=f"{unit}-{day}", said=1000 * day)
        self.began_at = datetime(2026, 3, day, 8, tzinfo=timezone.utc)
        self.off_m = off_m
        self.n = 0

    def at(self, along_m):
        return (self.began_at + timedelta(seconds=along_m / SPEED_MPS)).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"

    def place(self, along_m, left_m):
        latitude_deg, longitude_deg = offset(*ORIGIN, along_m + self.off_m[0], left_m + self.off_m[1])
        return longitude_deg, latitude_deg

    def finds(self, *names, street=STREET, **more):
        events = []
        for name in names:
            label, along_m, left_m, area_m2 = street[name]
            self.n += 1
            place, time = self.place(along_m, left_m), self.at(along_m)
            event = {"label": label, "area_m2": area_m2, "severity": None, "camera": {"heading_deg": 90.0}, **more}
            events.append(self.speech.finding(self.n, place=place, time=time, **event))
        return events

    def tracks(self, from_m=0.0, to_m=400.0, **more):
        line = [self.place(from_m + (to_m - from_m) * share / 20.0, 0.0) for share in range(21)]
        told = {"from": self.at(from_m), "to": self.at(to_m), "length_m": to_m - from_m, "gaps": [], **more}
        return [self.speech.track([list(each) for each in line], **told)]

    def round(self, *names, **more):
        return [*self.finds(*names, **more), *self.tracks()]


@pytest.fixture
def joins(store, database):
    """Stores what arrives and joins all that is due, as if it were long ago that it came."""
    hours = iter(range(1, 10_000))
    joiner = Joiner(lambda: open_joins(database.url), now=lambda: datetime.now(timezone.utc) + timedelta(hours=next(hours)))

    def joined(*events):
        keep(store, events)
        outcomes = [joiner.step()]
        while outcomes[-1] is Outcome.JOINED:
            outcomes.append(joiner.step())
        assert outcomes[-1] is Outcome.IDLE
        return len(outcomes) - 1

    yield joined
    joiner.close()


def keep(store, events):
    return store.keep([reading for reading in map(read, events) if reading is not None])


def states(atlas, **asked):
    return {thing.label: thing.state for thing in atlas.things(**asked)}


def told(atlas):
    """All that is known, but for numbers: these follow the order in which rounds were joined."""
    return [
        (thing.id, thing.label, thing.state, thing.rounds, thing.missed, [(v.round_id, v.state) for v in atlas.history(thing)])
        for thing in sorted(atlas.things(), key=lambda each: each.id)
    ]


def test_what_two_rounds_find_in_one_place_is_one_thing_although_the_receiver_is_off(joins, atlas, speech):
    assert joins(*Car(speech, 1).round(*STREET)) == 1
    assert set(states(atlas).values()) == {"new"}
    assert joins(*Car(speech, 2, unit="car-08", off_m=(2.5, -3.0)).round(*STREET)) == 1
    things = atlas.things()
    assert len(things) == len(STREET)
    assert {thing.state for thing in things} == {"seen_again"}
    hole = next(thing for thing in things if thing.label == "pothole")
    assert (hole.rounds, hole.first_seen_at[:10], hole.last_seen_at[:10]) == (2, "2026-03-01", "2026-03-02")
    assert hole.uncertainty_m < 2.4
    first, second = atlas.history(hole)
    assert (first.state, first.finding_id, second.state, second.source) == (
        "new",
        "car-07-1-f1",
        "seen_again",
        "/ronde/cannes/car-08",
    )
    assert atlas.thing(hole.id) == hole
    assert atlas.thing("' OR 1=1 --") is None


def test_each_state_and_each_round_has_its_say(joins, atlas, speech):
    joins(*Car(speech, 1).round(*STREET))
    mended = {**STREET, "repair": ("patch", 60.5, 1.0, 0.6)}
    second = Car(speech, 2)
    joins(
        *second.finds("cover", "sign", "drain", "patch", "repair", street=mended),
        *second.finds("net", area_m2=3.5),
        *second.tracks(),
    )
    hole = next(thing for thing in atlas.things() if thing.label == "pothole")
    repair = next(thing for thing in atlas.things() if thing.label == "patch" and thing.state == "new")
    assert hole.state == "repaired"
    assert atlas.history(hole)[-1].patch == repair.id
    net = next(thing for thing in atlas.things() if thing.label == "crack_alligator")
    assert (net.state, net.area_m2) == ("worse", 3.5)
    crack = next(thing for thing in atlas.things() if thing.label == "crack_transverse")
    assert (crack.state, crack.missed) == ("new", 1), "one round that saw six of seven is no proof"
    assert states(atlas, round_id="car-07-2", states=["not_seen"]) == {"crack_transverse": "new"}
    assert {t.in_round for t in atlas.things(round_id="car-07-2", labels=["drain"])} == {"seen_again"}
    for day in (3, 4, 5):
        joins(*Car(speech, day).round("cover", "sign", "drain", "patch", "net"))
    assert atlas.thing(crack.id).state == "gone"
    assert atlas.thing(hole.id).state == "repaired"
    joins(*Car(speech, 6).round("crack"))
    assert (atlas.thing(crack.id).state, atlas.thing(crack.id).missed) == ("seen_again", 0)


def test_what_a_driver_marks_is_no_thing_of_the_road(joins, atlas, speech):
    car = Car(speech, 1)
    marked = car.finds("hole", street={"hole": ("hazard", 60.0, 1.0, None)}, note="un trou")
    joins(*marked, *car.round("hole"))
    joins(*Car(speech, 2).round())
    assert [thing.label for thing in atlas.things()] == ["pothole"]
    assert [(each.label, each.note) for each in atlas.findings(labels=["hazard"])] == [("hazard", "un trou")]


def test_a_repair_is_seen_where_nothing_else_of_its_kind_is(joins, atlas, speech):
    joins(*Car(speech, 1).round("hole", "sign"))
    mended = {**STREET, "repair": ("patch", 60.5, 1.0, 0.6)}
    joins(*Car(speech, 2).finds("sign", "repair", street=mended))  # no track has come either: the patch was seen
    assert states(atlas) == {"pothole": "repaired", "sign_stop": "seen_again", "patch": "new"}


def test_gone_needs_the_path_and_never_only_that_nothing_was_found(joins, atlas, speech):
    joins(*Car(speech, 1).round(*STREET))
    for day in range(2, 12):
        joins(*Car(speech, day).finds("patch"))  # no track has come
    assert states(atlas)["pothole"] == "new"
    back = Car(speech, 12)
    joins(*back.finds("patch"), *back.tracks(400.0, 0.0))
    hole = next(thing for thing in atlas.things() if thing.label == "pothole")
    assert [(visit.state, visit.reason) for visit in atlas.history(hole)] == [("new", None), ("out_of_view", "other_way")]
    blind = Car(speech, 13)
    joins(*blind.finds("patch"), *blind.tracks(gaps=[{"odometer_m": 30.0, "length_m": 60.0, "reason": "no_frame"}]))
    assert [visit.reason for visit in atlas.history(hole)] == [None, "other_way", "no_photo"]
    wet = Car(speech, 14)
    line = [list(wet.place(along_m, 0.0)) for along_m in (50.0, 60.0, 70.0)]
    stretch = {"round_id": "car-07-14", "from_m": 50.0, "to_m": 70.0, "grade": None, "reasons": {"wet": 5}}
    joins(*wet.finds("patch"), *wet.tracks(), wet.speech.grade((line, stretch)))
    assert atlas.history(hole)[-1].reason == "not_usable"
    assert atlas.thing(hole.id).missed == 0


def test_rounds_and_events_in_any_order_twice_and_in_parts_end_as_in_order(database, joins, atlas, speech):
    rounds = [
        Car(speech, 1).round(*STREET),
        Car(speech, 2, off_m=(1.5, 1.0)).round("hole", "cover", "sign", "drain", "patch", "net"),
        Car(speech, 3, off_m=(-2.0, 2.0)).round(*STREET),
    ]
    joins(*rounds[0])
    joins(*rounds[1])
    joins(*rounds[2])
    in_order = told(atlas)
    assert len(in_order) == len(STREET)
    before = database.ask("SELECT * FROM thing_history ORDER BY thing, round_id, n")
    joins(*rounds[1], *rounds[0])  # all of it again
    assert database.ask("SELECT * FROM thing_history ORDER BY thing, round_id, n") == before
    for table in ("thing_history", "thing", "finding", "track", "event", "round"):
        database.ask(f"DELETE FROM {table}")
    chance = random.Random(4)
    parts = [event for events in rounds[1:] for event in chance.sample(events, len(events))]
    joins(*rounds[0])
    for first in range(0, len(parts), 3):
        joins(*parts[first : first + 3])
    assert told(atlas) == in_order


def test_a_round_that_comes_late_is_put_where_it_belongs(joins, atlas, speech):
    joins(*Car(speech, 2).round(*STREET))
    joins(*Car(speech, 4).round(*STREET))
    joins(*Car(speech, 1, off_m=(2.0, 1.0)).round(*STREET))
    joins(*Car(speech, 3, off_m=(-1.0, 1.0)).round("cover", "sign", "drain", "patch", "net", "crack"))
    hole = next(thing for thing in atlas.things() if thing.label == "pothole")
    assert [visit.state for visit in atlas.history(hole)] == ["new", "seen_again", "not_seen", "seen_again"]
    assert (hole.first_seen_at[:10], hole.rounds, hole.state) == ("2026-03-01", 3, "seen_again")


def test_a_finding_that_comes_late_takes_back_that_it_was_not_seen(joins, atlas, speech):
    joins(*Car(speech, 1).round(*STREET))
    car = Car(speech, 2)
    joins(*car.round(*(name for name in STREET if name != "hole")))
    hole = next(thing for thing in atlas.things() if thing.label == "pothole")
    assert atlas.history(hole)[-1].state == "not_seen"
    joins(*car.finds("hole"))
    assert [visit.state for visit in atlas.history(hole)] == ["new", "seen_again"]
    assert (atlas.thing(hole.id).missed, len(atlas.things())) == (0, len(STREET))


def test_a_street_that_is_driven_twice_in_one_round_holds_each_thing_once(joins, atlas, speech):
    car = Car(speech, 1)
    first = car.round(*STREET)
    car.began_at += timedelta(minutes=20)
    car.off_m = (2.0, -2.0)
    joins(*first, *car.finds(*STREET), *car.tracks())
    assert len(atlas.things()) == len(STREET)
    assert {(thing.state, thing.rounds) for thing in atlas.things()} == {("new", 1)}


def test_what_was_rejected_stays_so_and_is_not_told_as_new(joins, atlas, speech, database):
    joins(*Car(speech, 1).round(*STREET))
    hole = next(thing for thing in atlas.things() if thing.label == "pothole")
    with closing(open_judge(database.url)) as judge:
        judge.say(hole.id, "rejected", by="a.martin", note="a shadow")
    for day in (2, 3):
        joins(*Car(speech, day).round(*STREET))
    again = atlas.thing(hole.id)
    assert (again.judgement, again.judged_by, again.rounds) == ("rejected", "a.martin", 3)
    assert len(atlas.things()) == len(STREET)
    for day in range(4, 9):
        joins(*Car(speech, day).round(*(name for name in STREET if name != "hole")))
    assert atlas.thing(hole.id).missed == 0


def test_a_round_is_joined_when_it_is_silent_and_while_it_goes_on_every_ten_minutes(store, database, atlas, speech):
    car = Car(speech, 1)
    keep(store, car.finds("hole"))
    at = datetime.now(timezone.utc)
    times = iter([0.0, QUIET_S + 2.0, QUIET_S + 3.0, QUIET_S + 4.0, AGAIN_S + QUIET_S + 5.0])
    with closing(Joiner(lambda: open_joins(database.url), now=lambda: at + timedelta(seconds=next(times)))) as joiner:
        assert joiner.step() is Outcome.IDLE
        assert joiner.step() is Outcome.JOINED
        keep(store, car.finds("sign"))
        database.ask("UPDATE round SET heard_at = '2099-01-01T00:00:00.000Z'")  # it goes on
        assert [joiner.step(), joiner.step()] == [Outcome.IDLE, Outcome.IDLE]
        assert joiner.step() is Outcome.JOINED
    assert len(atlas.things()) == 2


def test_a_join_that_is_cut_off_has_written_nothing_and_is_done_again(store, database, atlas, speech, monkeypatch):
    keep(store, Car(speech, 1).round(*STREET))
    with closing(open_joins(database.url)) as opened:
        due = opened.due("2099-01-01T00:00:00.000Z", "2099-01-01T00:00:00.000Z")
        write = opened._many

        def cut_off(sql, rows):
            if sql is join_store.JOINED:
                raise KeyboardInterrupt
            return write(sql, rows)

        monkeypatch.setattr(opened, "_many", cut_off)
        with pytest.raises(KeyboardInterrupt):
            join_round(opened, due, "2026-03-01T09:00:00.000Z")
        assert atlas.things() == []
        monkeypatch.undo()
        assert join_round(opened, due, "2026-03-01T09:00:00.000Z") == len(STREET)
    assert len(atlas.things()) == len(STREET)
    assert database.ask("SELECT version FROM joining") == [(1,)]


def test_two_receivers_do_not_join_over_each_other(store, database, atlas, speech, monkeypatch):
    keep(store, Car(speech, 1).round(*STREET))
    later = {"now": lambda: datetime.now(timezone.utc) + timedelta(hours=1)}
    first, second = (Joiner(lambda: open_joins(database.url), **later) for _ in range(2))
    read_first = join_store.JoinStore.read

    def overtaken(self, due):
        around = read_first(self, due)
        monkeypatch.setattr(join_store.JoinStore, "read", read_first)
        assert second.step() is Outcome.JOINED
        return around

    monkeypatch.setattr(join_store.JoinStore, "read", overtaken)
    with closing(first), closing(second):
        assert first.step() is Outcome.OVERTAKEN
        assert first.step() is Outcome.IDLE
    assert len(atlas.things()) == len(STREET)


def test_a_database_that_fails_is_waited_for():
    def fails():
        raise DatabaseFailed("disk_full", "the disk is full")

    joiner = Joiner(fails, clock=lambda: 5.0)
    assert [joiner.step(), joiner.step()] == [Outcome.FAILED, Outcome.RESTED]
    stop = threading.Event()
    stop.set()
    joiner.run(stop)


def test_tables_of_the_version_before_are_brought_up_to_date_and_their_rounds_joined(database, speech):
    with closing(open_store(database.url)) as store:
        keep(store, Car(speech, 1).round(*STREET))
    database.ask("UPDATE round SET last_seq = 0, joined_seq = 0, heard_at = NULL")
    database.ask(FILL_ROUND)
    later = {"now": lambda: datetime.now(timezone.utc) + timedelta(days=400)}
    with closing(Joiner(lambda: open_joins(database.url), **later)) as joiner, closing(open_atlas(database.url)) as atlas:
        assert joiner.step() is Outcome.JOINED
        assert len(atlas.things()) == len(STREET)


STRANGE = st.sampled_from([None, 0.0, -1.0, 1e-300, 1e300, -1e300, 5.0])
PLACES = st.sampled_from([(180.0, 90.0), (-180.0, -90.0), (0.0, 0.0), (7.01, 43.55), (7.01, 43.55), (179.9999, 0.0)])
MOMENTS = st.sampled_from(["0001-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z", "2026-03-01T08:00:00.000Z"])


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_whatever_a_unit_says_the_joiner_goes_on(tmp_path, speech, data):
    with TemporaryDirectory(dir=tmp_path) as folder:
        url = f"sqlite:///{folder}/town.db"
        car, told = speech(round_id="r1"), []
        for n in range(1, 7):
            label = data.draw(st.sampled_from(["pothole", "patch", "=1", "unheard of"]))
            more = {name: data.draw(STRANGE) for name in ("uncertainty_m", "area_m2")}
            camera = {"heading_deg": data.draw(STRANGE)}
            time = data.draw(MOMENTS)
            told.append(car.finding(n, place=data.draw(PLACES), label=label, time=time, camera=camera, severity=None, **more))
        line = [list(data.draw(PLACES)) for _ in range(3)]
        gaps = [{"odometer_m": data.draw(STRANGE), "length_m": data.draw(STRANGE)}, 5, {}]
        told.append(
            car.track(line, length_m=data.draw(STRANGE), gaps=gaps, **{"from": data.draw(MOMENTS), "to": data.draw(MOMENTS)})
        )
        told.append(car.grade((line, {"round_id": "r1", "from_m": 0.0, "to_m": 20.0, "grade": None})))
        later = datetime.now(timezone.utc) + timedelta(hours=1)
        with closing(open_store(url)) as store, closing(Joiner(lambda: open_joins(url), now=lambda: later)) as joiner:
            assert keep(store, told).stored == 8
            assert joiner.step() is Outcome.JOINED
            assert keep(store, [speech(round_id="r1").finding(9)]).stored == 1
            assert joiner.step() is Outcome.JOINED
            assert joiner.step() is Outcome.IDLE


def test_a_unit_that_tells_one_place_over_and_over_costs_no_more_than_another(tmp_path, speech):
    url, car = f"sqlite:///{tmp_path / 'town.db'}", speech(round_id="r1")
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    with closing(open_store(url)) as store, closing(Joiner(lambda: open_joins(url), now=lambda: later)) as joiner:
        for round_id in ("r1", "r2"):
            car.round_id = round_id
            keep(store, [car.finding(n) for n in range(1, 1501)])
            assert joiner.step() is Outcome.JOINED
    assert joiner.findings == 3000
