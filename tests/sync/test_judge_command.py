"""`ronde judge`: a person's word from the command line."""

import json
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from provisioning.settings import Unit
from sync.command import DONE, OUR_FAULT, WRONG_USE, main
from sync.map.sample import fill, rounds_of, utc
from sync.receiver.databases import open_atlas, open_store
from sync.receiver.joiner import Joiner, Outcome
from sync.receiver.joins import open_joins


@pytest.fixture
def url(tmp_path):
    address = f"sqlite:///{tmp_path / 'town.db'}"
    with closing(open_store(address)) as store:
        fill(store, rounds_of(Unit("cannes", "car-07", Path("/nowhere")), 3, began_at=utc("2026-05-04T07:00:00")))
    later = datetime.now(timezone.utc) + timedelta(hours=1)
    with closing(Joiner(lambda: open_joins(address), now=lambda: later)) as joiner:
        assert joiner.step() is Outcome.JOINED
    return address


def test_a_word_is_kept_and_taken_back(url, capsys):
    with closing(open_atlas(url)) as atlas:
        thing = atlas.things()[0].id
        assert main(["judge", thing, "rejected", "--db", url, "--by", "a.martin", "--note", "a shadow", "--json"]) == DONE
        told = json.loads(capsys.readouterr().out)
        known = atlas.thing(thing)
        assert (known.judgement, known.judged_by, known.note, known.judged_at) == (
            "rejected",
            "a.martin",
            "a shadow",
            told["at"],
        )
        assert main(["judge", thing, "none", "--db", url, "--by", "a.martin"]) == DONE
        assert capsys.readouterr().out == f"{thing}: nothing is said of it any more\n"
        assert atlas.thing(thing).judgement is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["0" * 16, "rejected", "--by", "a"], "there is no thing"),
        (["0" * 16, "rejected", "--by", " "], "--by is a text"),
        (["0" * 16, "rejected", "--by", "a", "--note", "x" * 501], "--note is a text"),
    ],
)
def test_what_cannot_be_kept_is_said(url, capsys, given, sentence):
    assert main(["judge", *given, "--db", url]) == WRONG_USE
    assert sentence in capsys.readouterr().err


def test_no_database_is_said(tmp_path, capsys):
    assert main(["judge", "0" * 16, "rejected", "--by", "a", "--db", f"sqlite:///{tmp_path}/none.db"]) == OUR_FAULT
    assert "is not there yet" in capsys.readouterr().err
