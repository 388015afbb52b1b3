"""What simulated drives say about the spacing, against the truth. Pure: rounds in, numbers out."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from device.earth import distance_m
from device.simulated import Truth
from device.simulated_round import Photo, Round
from device.spacing import TOLERANCE_M
from device.speeds import STANDS_BELOW_MPS

STEP_SLACK_M = 0.3
"""Beyond half the road between two frames, which nothing can be better than."""

MOUTH_M = 5.0
"""A fix at a tunnel's mouth is good, and its time is right to the receiver's latency: some metres inside belong to it."""


@dataclass(frozen=True, slots=True)
class Gap:
    """True road between two neighbouring photos, and how much of it one frame period is at the later one."""

    length_m: float
    step_m: float
    seed: int
    at_s: float


def gaps_of(driven: Round, taken_s: Sequence[float], seed: int) -> list[Gap]:
    """The gaps between photos taken at these moments."""
    truth = driven.truth
    return [
        Gap(truth.odometer_m(later) - truth.odometer_m(earlier), truth.speed_mps(later) / driven.fps, seed, later)
        for earlier, later in pairwise(taken_s)
    ]


def measure(rounds: Mapping[int, Round], spacing_m: float) -> dict[str, Any]:
    """The numbers of one case, over all its rounds (by seed). None where there is nothing to count."""
    gaps = [gap for seed, driven in rounds.items() for gap in gaps_of(driven, [photo.at_s for photo in driven.photos], seed)]
    naive = [gap for seed, driven in rounds.items() for gap in gaps_of(driven, driven.naive_s, seed)]
    by_seed = {seed: _share([_right(gap, spacing_m) for gap in gaps if gap.seed == seed]) for seed in rounds}
    worst = min(((share, seed) for seed, share in by_seed.items() if share is not None), default=(None, None))
    longest = max(gaps, key=lambda gap: gap.length_m, default=None)
    photos = sum(len(driven.photos) for driven in rounds.values())
    filled = sum(photo.place.position_source == "filled" for driven in rounds.values() for photo in driven.photos)
    return {
        "photos": photos,
        "share_within": _rounded(_share([_right(gap, spacing_m) for gap in gaps])),
        "gaps_beyond_step": sum(not _right_for_step(gap, spacing_m) for gap in gaps),
        "worst_seed": worst[1],
        "worst_seed_share": _rounded(worst[0]),
        "mean_m": _rounded(sum(gap.length_m for gap in gaps) / len(gaps) if gaps else None),
        "longest": _rounded_all(asdict(longest)) if longest else None,
        "standing_per_minute": _rounded(_standing_per_minute(list(rounds.values()))),
        "filled_share": _rounded(filled / photos if photos else None),
        "unplaced": sum(len(driven.unplaced) for driven in rounds.values()),
        "missed": _summed([driven.missed for driven in rounds.values()]),
        "rejected": _summed([driven.rejected for driven in rounds.values()]),
        "naive_share_within": _rounded(_share([_right(gap, spacing_m) for gap in naive])),
        "naive_mean_m": _rounded(sum(gap.length_m for gap in naive) / len(naive) if naive else None),
        "tunnels": _tunnels(list(rounds.values()), spacing_m),
    }


def _tunnels(rounds: Sequence[Round], spacing_m: float) -> dict[str, Any] | None:
    """What became of the road in tunnels; None where there are none.

    `marks_share` is the photos taken there by the marks that fit in; `error_m` how far a stated place is from the true one.
    """
    pieces = [(driven, piece) for driven in rounds for piece in driven.truth.tunnels_m]
    if not pieces:
        return None
    inside = [(driven, photo) for driven in rounds for photo in driven.photos if driven.truth.in_tunnel(photo.at_s)]
    marks = sum((to_m - from_m) / spacing_m for _, (from_m, to_m) in pieces)
    errors_m = [place_error_m(driven.truth, photo) for driven, photo in inside]
    held = [error_m <= photo.place.accuracy_m for error_m, (_, photo) in zip(errors_m, inside, strict=True)]
    deep = [photo for driven, photo in inside if _deep_in_tunnel(driven.truth, photo.at_s)]
    return {
        "tunnels": len(pieces),
        "photos": len(inside),
        "marks_share": _rounded(len(inside) / marks),
        "longest_gap_m": _rounded(max(_longest_inside(driven, piece) for driven, piece in pieces)),
        "error_m": _rounded(max(errors_m, default=None)),
        "error_share": _rounded(max(errors_m) / min(to_m - from_m for _, (from_m, to_m) in pieces) if errors_m else None),
        "in_radius": _rounded(_share(held)),
        "called_good": sum(photo.place.position_source == "between_fixes" for photo in deep),
        "in_order": all(
            earlier.at_s < later.at_s and earlier.place.odometer_m < later.place.odometer_m
            for driven in rounds
            for earlier, later in pairwise(driven.photos)
        ),
    }


def _deep_in_tunnel(truth: Truth, at_s: float) -> bool:
    """Whether the car is in a tunnel farther from its mouths than a fix there can be off in time."""
    odometer_m = truth.odometer_m(at_s)
    return any(from_m + MOUTH_M < odometer_m < to_m - MOUTH_M for from_m, to_m in truth.tunnels_m)


def place_error_m(truth: Truth, photo: Photo) -> float:
    """How far the stated place is from the true one."""
    return distance_m(*truth.place_deg(photo.at_s), photo.place.latitude_deg, photo.place.longitude_deg)


def _longest_inside(driven: Round, piece: tuple[float, float]) -> float:
    """The longest true road without a photo that touches a tunnel."""
    readings_m = [driven.truth.odometer_m(photo.at_s) for photo in driven.photos]
    touching = [later - earlier for earlier, later in pairwise(readings_m) if later > piece[0] and earlier < piece[1]]
    return max(touching, default=piece[1] - piece[0])


def _standing_per_minute(rounds: Sequence[Round]) -> float | None:
    minutes = sum(driven.truth.standing_s for driven in rounds) / 60.0
    photos = sum(driven.truth.speed_mps(photo.at_s) < STANDS_BELOW_MPS for driven in rounds for photo in driven.photos)
    return photos / minutes if minutes else None


def _right(gap: Gap, spacing_m: float) -> bool:
    return abs(gap.length_m - spacing_m) <= TOLERANCE_M


def _right_for_step(gap: Gap, spacing_m: float) -> bool:
    return abs(gap.length_m - spacing_m) <= gap.step_m / 2.0 + STEP_SLACK_M


def _share(right: Sequence[bool]) -> float | None:
    return sum(right) / len(right) if right else None


def _summed(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    names = sorted({name for each in counts for name in each})
    return {name: sum(each.get(name, 0) for each in counts) for name in names}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _rounded_all(values: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 2) for name, value in values.items()}
