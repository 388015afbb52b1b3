"""The grade of a stretch: right at its anchors, monotone in damage, and none where too little was seen."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.grade import NO_FRAME, Damage, View, cells_of, grade_of, iqrn_like, pci_like, stretches_of
from inference.labels import LABELS
from inference.scale import ANCHORED, FAMILIES, FAMILY_OF, Scale

SCALE = Scale()
ALL_SEEN = (View(-10.0, 200.0),)
LABEL_OF = {"net": "crack_alligator", "line": "crack_longitudinal", "patch": "patch", "pothole": "pothole"}


def grade(damages, views=ALL_SEEN, length_m=100.0, scale=SCALE):
    return grade_of(cells_of(0.0, length_m, damages, views, scale), scale)


def of_extent(family, share, length_m=100.0):
    """Damage of one family with this extent on a stretch: per cent, or metres per 100 m2."""
    area_m2 = length_m * SCALE.lane_m
    if family == "line":
        metres = share / 100 * area_m2
        lines = int(metres // length_m) + 1
        return [Damage("crack_longitudinal", 0.0, metres / lines, -0.01, 0.01) for _ in range(lines)]
    across_m = share / 100 * SCALE.lane_m / SCALE.shares[family]
    return [Damage(LABEL_OF[family], 0.0, length_m, -across_m / 2, across_m / 2)]


def test_a_road_without_damage_is_very_good():
    found = grade([Damage("manhole", 3.0, 3.7, -0.3, 0.3), Damage("sign_stop", 9.0, 9.0, 3.0, 3.6)])
    assert (found.grade, found.low, found.high) == (1.0, 1.0, 1.0)
    assert (found.coverage, found.cells, found.reasons) == (1.0, 25, {})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_each_anchor_is_met(family, number):
    found = grade(of_extent(family, SCALE.anchors[family][number]))
    assert found.grade == pytest.approx(ANCHORED[number], abs=0.01)


def test_the_worst_family_leads_and_the_second_adds_a_quarter_of_its_excess():
    both = grade([*of_extent("net", 15.0), *of_extent("patch", 2.0)])
    assert both.grade == pytest.approx(3.5 + 0.25 * 0.5, abs=0.01)
    three = grade([*of_extent("net", 15.0), *of_extent("patch", 2.0), *of_extent("pothole", 0.1)])
    assert three.grade == pytest.approx(both.grade)
    assert grade([*of_extent("net", 60.0), *of_extent("pothole", 30.0)]).grade == 5.0


def test_damage_counts_as_far_as_it_lies_in_the_lane_and_the_stretch():
    half_outside = grade([Damage("patch", 0.0, 100.0, SCALE.lane_m / 2 - 0.5, SCALE.lane_m / 2 + 0.5)])
    inside = grade([Damage("patch", 0.0, 100.0, 0.0, 0.5)])
    assert half_outside.grade == pytest.approx(inside.grade)
    assert grade([Damage("pothole", -5.0, -1.0, -0.5, 0.5), Damage("pothole", 50.0, 51.0, 2.0, 3.0)]).grade == 1.0


def test_a_crack_across_counts_by_its_width_and_one_of_no_width_by_its_length():
    across = grade([Damage("crack_transverse", 10.0 * n, 10.0 * n + 0.1, -1.5, 1.5) for n in range(10)])
    along = grade([Damage("crack_longitudinal", 20.0, 50.0, 0.0, 0.0)])
    assert across.grade == pytest.approx(along.grade)
    assert across.grade > 1.5


def test_below_the_least_coverage_there_is_no_grade_and_the_reasons_are_counted():
    found = grade([], [View(0.0, 40.0), View(40.0, 80.0, ("wet", "dark"))])
    assert (found.grade, found.low, found.high) == (None, None, None)
    assert (found.coverage, found.cells, found.reasons) == (pytest.approx(0.4), 10, {"wet": 10, NO_FRAME: 5})
    assert grade([], [View(0.0, 60.0)]).grade == 1.0
    seen_again = grade([], [View(0.0, 60.0, ("glare",)), View(0.0, 60.0)])
    assert seen_again.coverage == pytest.approx(0.6)


def test_what_is_seen_and_damaged_in_few_cells_is_less_sure():
    one = grade([Damage("pothole", 50.0, 52.0, -1.0, 1.0)])
    spread = grade([Damage("pothole", 4.0 * n, 4.0 * n + 0.32, -0.25, 0.25) for n in range(25)])
    assert one.high - one.low > 3 * (spread.high - spread.low)
    assert one.low <= one.grade <= one.high
    assert grade([Damage("pothole", 50.0, 52.0, -1.0, 1.0)]) == one


def damages():
    place = st.floats(0, 100, allow_nan=False)
    across = st.floats(-4, 4, allow_nan=False)
    size = st.floats(0, 30, allow_nan=False)
    labels = st.sampled_from([label.name for label in LABELS])
    return st.lists(
        st.builds(
            lambda label, at, along, left, wide: Damage(label, at, at + along, left, left + wide / 10),
            labels,
            place,
            size,
            across,
            size,
        ),
        max_size=8,
    )


@given(damages(), damages(), st.floats(1.0, 3.0))
def test_more_damage_never_makes_a_better_grade(first, more, larger):
    before = grade(first).grade
    assert 1.0 <= before <= 5.0
    assert grade(first + more).grade >= before - 1e-9
    grown = [replace(each, from_m=each.from_m - larger, to_m=each.to_m + larger) for each in first]
    assert grade([each for each in grown if FAMILY_OF.get(each.label) != "line"]).grade >= (
        grade([each for each in first if FAMILY_OF.get(each.label) != "line"]).grade - 1e-9
    )


@given(st.floats(0, 1000), st.floats(0.1, 700), st.sampled_from([20.0, 100.0]), st.lists(st.floats(0, 2000), max_size=4))
def test_stretches_are_the_road_without_gap_or_overlap_cut_where_streets_change(from_m, length_m, most_m, cuts_m):
    pieces = stretches_of(from_m, from_m + length_m, most_m, cuts_m)
    assert pieces[0][0] == from_m
    assert pieces[-1][1] == from_m + length_m
    assert all(a[1] == b[0] for a, b in pairwise(pieces))
    assert all(end_m - begin_m <= most_m + 1e-3 for begin_m, end_m in pieces)
    assert {cut_m for cut_m in cuts_m if from_m < cut_m < from_m + length_m} <= {end_m for _, end_m in pieces}


def test_other_scales():
    assert (iqrn_like(1.0), iqrn_like(3.0), iqrn_like(5.0)) == (20.0, 10.0, 0.0)
    assert (pci_like(1.0), pci_like(5.0)) == (100.0, 0.0)


def test_a_town_has_its_own_scale():
    strict = replace(SCALE, anchors={**SCALE.anchors, "pothole": (0.1, 1.0, 2.0)})
    damage = [Damage("pothole", 50.0, 52.0, -1.0, 1.0)]
    assert grade(damage, scale=strict).grade > grade(damage).grade
