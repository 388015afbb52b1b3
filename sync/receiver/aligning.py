"""Which finding of a round is which known thing. Pure.

A receiver is wrong by the same few metres for neighbours, and by other metres an hour later. So a round lies beside what is known
by a shift that varies slowly along the drive. Shift and pairs are estimated together: pairs that leave no doubt say what the
shift is there, the shift then decides the pairs that do.

The shift is an Ornstein-Uhlenbeck process on each axis; given the pairs it is a Kalman filter and a Rauch-Tung-Striebel smoother
(Rauch, Tung and Striebel 1965). Given the shift, each pair has a probability, and everything is in at most one pair (Sinkhorn's
alternating normalisation). Both are repeated, as in expectation maximisation.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.intp]

TURNS, BALANCES = 12, 6
"""Repetitions of both steps, at most; and of the normalisation in each."""

MOST_NEAR = 40
"""Things that one finding is compared with: the nearest ones. A street has three."""

SETTLED_M = 0.01
"""A shift that moves less in a turn has settled."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How a round may lie beside what is known.

    `sigma_m` per axis: two receivers of 2 m each. `correlation_s`: for how long their error stays. `new_per_m2`: how many things
    that were not known lie on a square metre of what a round shows; `missed` is how many known ones a round misses, as a share.
    """

    sigma_m: float = 2.8
    correlation_s: float = 60.0
    new_per_m2: float = 0.002
    missed: float = 0.1


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding of a round. `unsure_m` is one sigma per axis of its own, without the receiver's share; metres east and north."""

    label: str
    at_s: float
    east_m: float
    north_m: float
    unsure_m: float


@dataclass(frozen=True, slots=True)
class Known:
    """A thing that is known already."""

    label: str
    east_m: float
    north_m: float
    unsure_m: float


@dataclass(frozen=True, slots=True)
class Aligned:
    """`known_of[i]` is the number of the known thing that finding i is, or None for a new one.

    `east_m`, `north_m`: what has to be added to finding i to lie on what is known; `unsure_m`: one sigma per axis of that.
    """

    known_of: tuple[int | None, ...]
    east_m: Floats
    north_m: Floats
    unsure_m: Floats


def align(
    seen: Sequence[Seen], known: Sequence[Known], alike: Mapping[str, frozenset[str]], drift: Drift | None = None
) -> Aligned:
    """Pairs findings of one round with known things. `alike` says which labels may be one thing; each is alike to itself."""
    drift = drift or Drift()
    order = np.argsort([each.at_s for each in seen], kind="stable")
    shift = np.zeros((len(seen), 2))
    variance = np.full(len(seen), drift.sigma_m**2)
    pairs = _candidates(seen, known, alike, drift)
    weights = np.zeros(len(pairs.rows))
    if len(seen) and len(known):
        times = np.array([seen[i].at_s for i in order])
        for _ in range(TURNS):
            weights = _weights(pairs, shift, variance, drift)
            measured, noise = _measured(pairs, weights)
            before, shift = shift, np.empty_like(shift)
            shift[order], variance[order] = _smooth(times, measured[order], noise[order], drift)
            if np.abs(shift - before).max() < SETTLED_M:
                break
    return Aligned(_chosen(pairs, weights), shift[:, 0], shift[:, 1], np.sqrt(variance))


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Findings (`rows`, of `seen`) and things (`columns`, of `known`) that may be one.

    `apart` says how far apart they are (n, 2), `own` is the variance of their own.
    """

    seen: int
    known: int
    rows: Numbers
    columns: Numbers
    apart: Floats
    own: Floats


def _candidates(seen: Sequence[Seen], known: Sequence[Known], alike: Mapping[str, frozenset[str]], drift: Drift) -> _Pairs:
    """Pairs of labels that are alike, within what three sigmas of the shift allow."""
    if not seen or not known:
        return _Pairs(len(seen), len(known), np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros((0, 2)), np.zeros(0))
    at = np.array([(each.east_m, each.north_m) for each in seen])
    places = np.array([(each.east_m, each.north_m) for each in known])
    by_east = np.argsort(places[:, 0], kind="stable")
    easts = places[by_east, 0]
    rows, columns = [], []
    for row, each in enumerate(seen):
        reach_m = 3.0 * np.sqrt(2.0) * drift.sigma_m + 3.0 * each.unsure_m
        near = by_east[np.searchsorted(easts, each.east_m - reach_m) : np.searchsorted(easts, each.east_m + reach_m, "right")]
        apart = np.hypot(*(places[near] - at[row]).T)
        within = apart <= reach_m
        near = near[within][np.argsort(apart[within], kind="stable")]
        wanted = alike.get(each.label, frozenset()) | {each.label}
        found = list(islice((column for column in near if known[column].label in wanted), MOST_NEAR))
        rows += [row] * len(found)
        columns += found
    pairs = np.array(rows, np.intp), np.array(columns, np.intp)
    own = np.array([seen[row].unsure_m ** 2 + known[column].unsure_m ** 2 for row, column in zip(*pairs, strict=True)])
    return _Pairs(len(seen), len(known), *pairs, places[pairs[1]] - at[pairs[0]], own)


def _weights(pairs: _Pairs, shift: Floats, variance: Floats, drift: Drift) -> Floats:
    """The probability of each pair, with everything in at most one."""
    spread = variance[pairs.rows] + pairs.own
    off = ((pairs.apart - shift[pairs.rows]) ** 2).sum(1)
    weights: Floats = np.exp(-off / (2.0 * spread)) / (2.0 * np.pi * spread)
    for _ in range(BALANCES):
        weights = weights / (drift.new_per_m2 + np.bincount(pairs.rows, weights, pairs.seen))[pairs.rows]
        weights = weights / np.maximum(1.0, drift.missed + np.bincount(pairs.columns, weights, pairs.known))[pairs.columns]
    return weights


def _measured(pairs: _Pairs, weights: Floats) -> tuple[Floats, Floats]:
    """What each finding says of the shift where it is (n, 2), and its variance: infinite where it has no pair."""
    total = np.bincount(pairs.rows, weights, pairs.seen)
    safe = np.maximum(total, 1e-12)
    mean = np.stack([np.bincount(pairs.rows, weights * pairs.apart[:, axis], pairs.seen) / safe for axis in (0, 1)], axis=1)
    scatter = ((pairs.apart - mean[pairs.rows]) ** 2).sum(1) / 2.0 + pairs.own
    noise = np.bincount(pairs.rows, weights * scatter, pairs.seen) / safe
    return mean, np.where(total > 1e-6, noise / np.maximum(total, 1e-6), np.inf)


def _smooth(times_s: Floats, measured: Floats, noise: Floats, drift: Drift) -> tuple[Floats, Floats]:
    """The shift at each moment (n, 2) and its variance, from what was measured at all of them. Moments rise."""
    number, prior = len(times_s), drift.sigma_m**2
    keeps = np.exp(-np.diff(times_s) / drift.correlation_s).tolist()
    said, unsure = measured.tolist(), noise.tolist()  # numbers of Python: an array for each of so many steps is slower
    means: list[tuple[float, float]] = []
    variances: list[float] = []
    before: list[tuple[float, float, float]] = []
    for n in range(number):
        east_m, north_m, variance = 0.0, 0.0, prior
        if n:
            keep = keeps[n - 1]
            east_m, north_m = keep * means[-1][0], keep * means[-1][1]
            variance = keep * keep * variances[-1] + (1.0 - keep * keep) * prior
        before.append((east_m, north_m, variance))
        gain = variance / (variance + unsure[n])
        means.append((east_m + gain * (said[n][0] - east_m), north_m + gain * (said[n][1] - north_m)))
        variances.append((1.0 - gain) * variance)
    for n in range(number - 2, -1, -1):
        east_m, north_m, variance = before[n + 1]
        back = variances[n] * keeps[n] / variance
        mean, after = means[n], means[n + 1]
        means[n] = mean[0] + back * (after[0] - east_m), mean[1] + back * (after[1] - north_m)
        variances[n] += back * back * (variances[n + 1] - variance)
    return np.array(means), np.array(variances)


def _chosen(pairs: _Pairs, weights: Floats) -> tuple[int | None, ...]:
    """The surest pairs first, each finding and thing once, none that is less likely than not."""
    known_of: list[int | None] = [None] * pairs.seen
    taken = np.zeros(pairs.known, bool)
    for number in np.argsort(-weights, kind="stable"):
        if weights[number] < 0.5:
            break
        row, column = int(pairs.rows[number]), int(pairs.columns[number])
        if known_of[row] is None and not taken[column]:
            known_of[row], taken[column] = column, True
    return tuple(known_of)
