"""What is said of a receiver's troubles, and for how long."""

import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.refusal import BLIND_S, RECENT_S, Reason, Refusals


def told(*events):
    """A record of (second, reason or None where it was accepted)."""
    refusals = Refusals()
    for at_s, reason in sorted(events, key=lambda event: event[0]):
        if reason is None:
            refusals.accepted(at_s)
        else:
            refusals.refused(reason, at_s)
    return refusals


def every_second(reason, seconds, offset_s=0.0):
    return [(second + offset_s, reason) for second in seconds]


def test_a_good_receiver_has_no_trouble_and_neither_has_a_silent_one():
    assert told(*every_second(None, range(60))).troubles(59.5) == ()
    assert told(*every_second(None, range(60))).troubles(500.0) == ()
    assert Refusals().troubles(5.0) == ()


@pytest.mark.parametrize("reason", ["no_mode", "position_zero", "time_not_newer", "time_after_service", "eph_over_limit"])
def test_while_nothing_is_accepted_every_reason_of_the_last_seconds_counts(reason):
    refusals = told(*every_second(None, range(10)), *every_second(reason, range(10, 20)))
    assert refusals.troubles(19.5) == (reason,)
    assert refusals.troubles(19.5 + RECENT_S) == ()
    assert refusals.counts == {reason: 10}


def test_one_refused_report_is_no_trouble_and_the_first_is_one_before_any_is_accepted():
    assert told(*every_second(None, range(10)), (10, "too_fast"), *every_second(None, range(11, 14))).troubles(11.5) == ()
    assert told((0, "no_mode")).troubles(0.5) == ("no_mode",)


def test_it_ends_with_the_first_accepted_report():
    blind = [*every_second(None, range(10)), *every_second("no_mode", range(10, 20))]
    assert told(*blind).troubles(20.1) == ("no_mode",)
    # Half of what came lately was refused; a few seconds on it is over.
    assert told(*blind, *every_second(None, range(20, 24))).troubles(23.5) == ()


@pytest.mark.parametrize("reason", ["second_device", "too_fast", "out_of_range", "position_frozen"])
def test_what_goes_on_beside_accepted_reports_is_trouble(reason):
    assert told(*every_second(None, range(60)), *every_second(reason, range(60), 0.5)).troubles(59.9) == (reason,)


@pytest.mark.parametrize("reason", ["time_not_newer", "no_speed"])
def test_reports_said_twice_or_before_they_are_whole_are_no_trouble(reason):
    twice = [*every_second(reason, range(60), 0.2), *every_second(reason, range(60), 0.4)]
    assert told(*every_second(None, range(60)), *twice).troubles(59.9) == ()


def test_the_commonest_comes_first():
    events = [*every_second("no_mode", range(10)), *every_second("eph_over_limit", range(7, 10), 0.5)]
    assert told(*events).troubles(10.0) == ("no_mode", "eph_over_limit")


REASONS = st.sampled_from([None, "no_mode", "second_device", "time_not_newer", "too_fast"])


@given(st.lists(st.tuples(st.floats(0.0, 2.0), REASONS), max_size=200), st.floats(0.0, 30.0))
def test_whatever_the_stream_only_recent_reasons_are_told_and_each_once(steps, later_s):
    now_s, events = 100.0, []
    for wait_s, reason in steps:
        now_s += wait_s
        events.append((now_s, reason))
    refusals = told(*events)
    now_s += later_s
    found = refusals.troubles(now_s)
    recent = {reason for at_s, reason in events if at_s > now_s - RECENT_S} - {None}
    assert set(found) <= recent
    assert len(set(found)) == len(found)
    accepted = [at_s for at_s, reason in events if reason is None]
    if not accepted or now_s - accepted[-1] > BLIND_S:
        assert set(found) == recent
    assert sum(refusals.counts.values()) == len(events) - len(accepted)


def test_an_endless_flood_is_remembered_within_bounds():
    refusals = told(*[(n / 1000.0, "no_mode") for n in range(20_000)])
    assert len(refusals._recent) <= 1000
    assert refusals.troubles(20.0) == ("no_mode",)


def test_each_reason_has_its_line_on_the_page():
    page = (Path(__file__).parents[2] / "docs" / "receiver.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE) == list(get_args(Reason))
