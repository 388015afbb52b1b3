"""The bench of a fleet at a small scale: real mosquitto, real receivers, and a receiver that is killed."""

import shutil

import pytest

from sync.bench_fleet import Place, Scale, bench_fleet, in_words, wrongs
from sync.bench_outbox import BenchRefused
from sync.simulated_fleet import Tally

SMALL = Scale(units=8, steady_s=2, events=40, again_s=3.0)


@pytest.fixture(autouse=True)
def needed():
    if shutil.which("mosquitto") is None:
        pytest.skip("mosquitto is not installed")


def measured(name):
    try:
        result = bench_fleet(SMALL, [name])
    except BenchRefused as error:
        if "PostgreSQL is not installed" in str(error):
            pytest.skip(str(error))
        raise
    assert result["wrong"] == []
    assert name in in_words(result)
    return result["cases"][name]


def test_one_receiver_on_sqlite():
    row = measured("sqlite, 1 receiver")
    assert row["stored"] == SMALL.units * (2 + SMALL.steady_s + SMALL.events)
    assert 0 < row["lag_median_ms"] <= row["lag_p95_ms"] <= row["lag_longest_ms"]
    assert row["events_per_s"] > 0


def test_a_receiver_that_is_killed_loses_nothing():
    row = measured("postgresql, 2, one killed")
    assert row["stored"] == SMALL.units * (2 + SMALL.events)


def test_what_is_lost_comes_twice_or_is_refused_is_said():
    sent = {"a", "b", "c"}
    good = Tally(acked=set(sent))
    assert list(wrongs(sent, good, Place("", lambda _sql: 3))) == []
    bad = Tally(acked={"a"}, refused=["b: no point"])
    told = list(wrongs(sent, bad, Place("", lambda sql: 4 if "FROM event" in sql else 3)))
    assert told == [
        "2 events were never acknowledged",
        "1 events were refused, the first b: no point",
        "4 events are stored, 3 were sent",
    ]
