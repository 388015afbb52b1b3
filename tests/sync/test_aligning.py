"""A round beside what is known: pairs are right although the receiver is wrong by metres that change along the drive."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sync.receiver.aligning import Drift, Known, Seen, align

LABELS = ("pothole", "patch", "crack_longitudinal", "manhole", "sign_stop")
SPEED_MPS = 8.0


def wandering(times_s, rng, sigma_m=2.0, correlation_s=60.0):
    """The receiver's error at each moment (n, 2)."""
    error = np.zeros((len(times_s), 2))
    error[0] = rng.normal(0, sigma_m, 2)
    for n, keep in enumerate(np.exp(-np.diff(times_s) / correlation_s), 1):
        error[n] = keep * error[n - 1] + rng.normal(0, sigma_m * np.sqrt(1 - keep**2), 2)
    return error


class Street:
    """Things along a road that two rounds pass: most are in both, some are gone, some new."""

    def __init__(self, seed, gap_m, apart_m=0.0, unsure_m=0.4):
        rng = np.random.default_rng(seed)
        along, last = [], dict.fromkeys(LABELS, -1e9)
        self.labels = []
        for at_m in np.cumsum(rng.exponential(gap_m, 400)):
            label = str(rng.choice(LABELS))
            if at_m - last[label] >= apart_m:
                along.append(at_m)
                self.labels.append(label)
                last[label] = at_m
        number = len(along)
        times_s = np.array(along) / SPEED_MPS
        truth = np.stack([along, rng.uniform(-3, 3, number)], 1)
        self.fate = rng.choice(["stays", "new", "gone"], number, p=[0.8, 0.1, 0.1])
        self.first = [n for n in range(number) if self.fate[n] != "new"]
        self.second = [n for n in range(number) if self.fate[n] != "gone"]
        places = [truth + wandering(times_s, rng) + rng.normal(0, unsure_m, (number, 2)) for _ in range(2)]
        self.known = [Known(self.labels[n], *places[0][n], unsure_m) for n in self.first]
        self.seen = [Seen(self.labels[n], times_s[n], *places[1][n], unsure_m) for n in self.second]

    def named_right(self, known_of):
        """The share of things whose fate is told right."""
        told = {self.second[row]: column for row, column in enumerate(known_of)}
        found = {column for column in known_of if column is not None}
        right = [
            (n not in told and self.first.index(n) not in found)
            if self.fate[n] == "gone"
            else told[n] == (None if self.fate[n] == "new" else self.first.index(n))
            for n in range(len(self.fate))
        ]
        return np.mean(right)

    def nearest(self, within_m=6.0):
        """The naive way: the nearest of the same label, each once."""
        apart = np.full((len(self.seen), len(self.known)), np.inf)
        for row, each in enumerate(self.seen):
            for column, thing in enumerate(self.known):
                if each.label == thing.label:
                    apart[row, column] = np.hypot(each.east_m - thing.east_m, each.north_m - thing.north_m)
        known_of, taken = [None] * len(self.seen), set()
        for row, column in zip(*np.unravel_index(np.argsort(apart, axis=None), apart.shape), strict=True):
            if apart[row, column] > within_m:
                break
            if known_of[row] is None and column not in taken:
                known_of[row] = int(column)
                taken.add(column)
        return known_of


@pytest.mark.parametrize(("gap_m", "apart_m", "at_least"), [(6.0, 15.0, 0.98), (6.0, 0.0, 0.93), (3.0, 0.0, 0.90)])
def test_new_gone_and_staying_things_are_named_right_and_more_often_than_by_the_nearest(gap_m, apart_m, at_least):
    streets = [Street(seed, gap_m, apart_m) for seed in range(3)]
    right = [street.named_right(align(street.seen, street.known, {}).known_of) for street in streets]
    naive = [street.named_right(street.nearest()) for street in streets]
    assert np.mean(right) >= at_least
    assert np.mean(right) > np.mean(naive) + 0.05


def test_the_shift_is_found_and_its_sigma_is_true():
    street = Street(5, 6.0, 15.0, unsure_m=0.0)
    moved = [replace(each, east_m=each.east_m + 4.0, north_m=each.north_m - 3.0) for each in street.known]
    seen = [replace(thing_as_seen, at_s=float(n)) for n, thing_as_seen in enumerate(street.seen)]
    still = [Seen(each.label, float(n), each.east_m, each.north_m, 0.05) for n, each in enumerate(street.known)]
    found = align(still, moved, {})
    assert found.known_of == tuple(range(len(moved)))
    assert np.abs(found.east_m - 4.0).max() < 0.3
    assert np.abs(found.north_m + 3.0).max() < 0.3
    assert found.unsure_m.max() < 0.5
    alone = align(seen, [], {})
    assert set(alone.known_of) == {None}
    assert alone.unsure_m == pytest.approx(np.full(len(seen), Drift().sigma_m))


def test_labels_that_may_be_one_thing_are_paired_and_others_never():
    known = [Known("crack_alligator", 0.0, 0.0, 0.3), Known("manhole", 0.2, 0.0, 0.3)]
    seen = [Seen("crack_longitudinal", 0.0, 0.5, 0.0, 0.3)]
    assert align(seen, known, {}).known_of == (None,)
    assert align(seen, known, {"crack_longitudinal": frozenset({"crack_alligator"})}).known_of == (0,)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.permutations(range(12)))
def test_the_order_in_which_findings_are_given_changes_nothing(seed, order):
    street = Street(seed, 10.0)
    seen, known = street.seen[:12], street.known[:14]
    there = align(seen, known, {}).known_of
    again = align([seen[n] for n in order], known, {}).known_of
    assert [again[order.index(n)] for n in range(12)] == list(there)
    taken = [column for column in there if column is not None]
    assert len(taken) == len(set(taken))
    assert all(known[column].label == seen[row].label for row, column in enumerate(there) if column is not None)
