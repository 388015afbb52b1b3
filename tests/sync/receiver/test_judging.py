"""What people say of things: kept with who and when, in a SQLite file and in PostgreSQL."""

from contextlib import closing
from datetime import datetime, timedelta, timezone

import pytest

from sync.failure import DatabaseFailed, DatabaseRefused
from sync.receiver.joiner import Joiner, Outcome
from sync.receiver.joins import open_joins
from sync.receiver.judging import NoSuchThing, open_judge
from sync.receiver.reading import read


@pytest.fixture
def judge(database):
    with closing(open_judge(database.url)) as opened:
        yield opened


@pytest.fixture
def thing(store, database, atlas, car_07):
    store.keep([read(car_07.finding(1))])
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    with closing(Joiner(lambda: open_joins(database.url), now=lambda: later)) as joiner:
        assert joiner.step() is Outcome.JOINED
    (known,) = atlas.things()
    return known


def test_what_was_said_is_kept_with_who_and_when_and_the_last_word_counts(judge, atlas, thing):
    assert (thing.judgement, thing.judged_by) == (None, None)
    first = judge.say(thing.id, "confirmed", by="a.martin")
    last = judge.say(thing.id, "rejected", by="b.blanc", note="a shadow")
    known = atlas.thing(thing.id)
    assert (known.judgement, known.judged_by, known.note, known.judged_at) == ("rejected", "b.blanc", "a shadow", last.at)
    assert atlas.judgements(known) == [first, last]
    judge.say(thing.id, None, by="a.martin")
    assert atlas.thing(thing.id).judgement is None
    assert [each.judgement for each in atlas.judgements(known)] == ["confirmed", "rejected", None]


def test_things_are_chosen_by_what_was_said_of_them(judge, atlas, thing):
    assert len(atlas.things(judgements=["none"])) == 1
    assert atlas.things(judgements=["confirmed", "rejected"]) == []
    judge.say(thing.id, "rejected", by="a.martin")
    assert atlas.things(judgements=["none", "confirmed"]) == []
    assert len(atlas.things(judgements=["rejected"])) == len(atlas.things(judgements=["none", "rejected"])) == 1


@pytest.mark.usefixtures("thing")
def test_of_what_nobody_knows_nothing_is_said(judge):
    for id_ in ("0" * 16, "", "' OR 1=1 --"):
        with pytest.raises(NoSuchThing, match="there is no thing"):
            judge.say(id_, "rejected", by="a.martin")


def test_a_database_that_cannot_be_written_is_said(database, judge, thing):
    if database.kind == "sqlite":
        database.file.unlink()
    else:
        database.ask("ALTER TABLE judgement RENAME TO elsewhere")
    with pytest.raises(DatabaseFailed):
        judge.say(thing.id, "rejected", by="a.martin")


def test_no_address_is_no_judge(tmp_path):
    with pytest.raises(DatabaseRefused):
        open_judge("mysql://town")
    with closing(open_judge(f"sqlite:///{tmp_path / 'none.db'}")) as judge, pytest.raises(DatabaseFailed, match="not there yet"):
        judge.say("0" * 16, "rejected", by="a.martin")
