"""What becomes of a thing, visit by visit: states, place, and that the order in which visits come to be known changes nothing."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.receiver.fate import begin, go_on, sector, whole
from sync.receiver.visits import Visited, memory_json, memory_of

SEEN = Visited(
    "/ronde/cannes/car-07",
    "r1",
    1,
    "2026-03-01T08:00:00.000Z",
    label="pothole",
    score=0.8,
    latitude_deg=43.55,
    longitude_deg=7.01,
    uncertainty_m=5.0,
    aligned_latitude_deg=43.55,
    aligned_longitude_deg=7.01,
    heading_deg=90.0,
    area_m2=0.2,
    severity=2,
)


def seen(day, n=None, **changes):
    return replace(SEEN, round_id=f"r{day}", n=n or day, at=f"2026-03-{day:02d}T08:00:00.000Z", **changes)


def unseen(day, miss=0.02, **changes):
    return Visited(SEEN.source, f"r{day}", 0, f"2026-03-{day:02d}T08:00:00.000Z", miss=miss, **changes)


def states(*visits):
    fate, told = whole(visits)
    return fate, [state for _, state in told]


def test_a_thing_is_new_then_seen_again_and_its_radius_shrinks_but_not_to_nothing():
    fate, told = states(seen(1), seen(2), seen(3))
    assert told == ["new", "seen_again", "seen_again"]
    assert (fate.rounds, fate.missed, fate.state_at) == (3, 0, "2026-03-02T08:00:00.000Z")
    many, _ = states(*(seen(day) for day in range(1, 29)))
    assert 5.0 > fate.uncertainty_m > many.uncertainty_m > 2.5  # a quarter of the variance is the street's own


def test_a_place_is_the_mean_of_what_was_told_and_counts_the_surer_more():
    fate, _ = states(seen(1, uncertainty_m=2.0), seen(2, latitude_deg=43.5501, uncertainty_m=4.0))
    assert fate.latitude_deg == pytest.approx(43.55002, abs=1e-7)
    assert fate.aligned_latitude_deg == pytest.approx(43.55)


def test_twice_in_one_round_is_one_round_and_still_new():
    fate, told = states(seen(1), replace(seen(1, n=9), at="2026-03-01T08:20:00.000Z", area_m2=0.9))
    assert (told, fate.rounds) == (["new", "new"], 1)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"area_m2": 0.45}, "worse"),
        ({"area_m2": 0.28}, "seen_again"),
        ({"area_m2": 0.02}, "seen_again"),
        ({"area_m2": None, "severity": 3}, "seen_again"),
        ({"area_m2": 0.21, "severity": 3}, "seen_again"),
        ({"area_m2": 0.26, "severity": 3}, "worse"),
    ],
)
def test_worse_is_more_than_the_noise_of_sizes(changes, state):
    assert states(seen(1), seen(2, **changes))[1][-1] == state


def test_a_worse_label_is_worse_and_becomes_the_things_label_when_it_stays():
    crack = {"label": "crack_longitudinal", "area_m2": None, "severity": None}
    net = {**crack, "label": "crack_alligator"}
    fate, told = states(seen(1, **crack), seen(2, **crack), seen(3, **net))
    assert (told[-1], fate.label) == ("worse", "crack_alligator")
    assert states(seen(1, **net), seen(2, **crack))[1][-1] == "seen_again"


def test_worse_is_said_once():
    assert states(seen(1), seen(2, area_m2=0.5), seen(3, area_m2=0.5))[1] == ["new", "worse", "seen_again"]


def test_gone_is_said_when_it_is_unlikely_that_all_missed_it():
    fate, told = states(seen(1), unseen(2, 0.4), unseen(3, 0.4), unseen(4, 0.2), unseen(5, 0.9))
    assert told == ["new", "not_seen", "not_seen", "gone", "gone"]
    assert (fate.state, fate.state_at, fate.missed) == ("gone", "2026-03-04T08:00:00.000Z", 4)
    assert states(seen(1), unseen(2, 0.02))[1] == ["new", "gone"]
    fate, told = states(seen(1), unseen(2, 0.1), seen(3), unseen(4, 0.1))
    assert (told[-1], fate.state, fate.missed) == ("not_seen", "seen_again", 1)


def test_out_of_view_says_nothing_however_often():
    fate, told = states(seen(1), *(unseen(day, 0.01, reason="other_way") for day in range(2, 9)))
    assert set(told[1:]) == {"out_of_view"}
    assert (fate.state, fate.missed, fate.visited_at) == ("new", 0, SEEN.at)


def test_a_patch_where_it_was_is_a_repair_and_it_may_come_again():
    fate, told = states(seen(1), unseen(2, 0.5, patch="ab12"), unseen(3, 0.01), seen(4))
    assert told == ["new", "repaired", "repaired", "seen_again"]
    assert fate.state == "seen_again"


def test_across_the_180th_meridian_the_mean_lies_between():
    fate, _ = states(seen(1, longitude_deg=179.99999), seen(2, longitude_deg=-179.99999))
    assert abs(abs(fate.longitude_deg) - 180.0) < 1e-5


@pytest.mark.parametrize(("heading_deg", "bit"), [(None, 0), (0.0, 1), (22.0, 1), (359.0, 1), (90.0, 4), (-45.0, 128)])
def test_a_heading_is_an_eighth_of_the_compass(heading_deg, bit):
    assert sector(heading_deg) == bit


VISITS = st.lists(
    st.builds(
        lambda kind, area, miss, label: {"seen": kind, "area_m2": area, "miss": miss, "label": label},
        st.booleans(),
        st.floats(0.01, 4.0),
        st.floats(0.01, 1.0),
        st.sampled_from(["pothole", "crack_alligator"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60)
@given(VISITS, st.randoms())
def test_visits_in_any_order_give_the_thing_that_they_give_one_by_one(drawn, chance):
    visits = [
        seen(day, area_m2=each["area_m2"], label=each["label"]) if each["seen"] or day == 1 else unseen(day, each["miss"])
        for day, each in enumerate(drawn, 1)
    ]
    fate, state = begin(visits[0])
    told = [state]
    for visit in visits[1:]:
        fate = replace(fate, memory=memory_of(memory_json(fate.memory)))  # as it is kept between rounds
        fate, state = go_on(fate, visit)
        told.append(state)
    shuffled = list(visits)
    chance.shuffle(shuffled)
    again, in_order = whole(shuffled)
    assert again == fate
    assert [(visit.at, state) for visit, state in in_order] == [(v.at, s) for v, s in zip(visits, told, strict=True)]


def test_who_came_by_before_it_was_first_seen_says_nothing():
    fate, told = states(unseen(1), seen(2))
    assert told == ["not_seen", "new"]
    assert (fate.missed, fate.first_seen_at) == (0, "2026-03-02T08:00:00.000Z")
    assert whole([unseen(1)]) == (None, [(unseen(1), "not_seen")])
