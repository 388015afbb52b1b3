"""Pieces of track: together they are the whole road, none longer than it must be."""

import itertools
from datetime import datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from device.earth import offset
from device.fix import Fix
from device.spacing import Gap
from sync.track import PIECE_M, PIECE_S, Tracker

START = datetime(2026, 5, 4, 9, tzinfo=timezone.utc)


def fix(boot_s, north_m):
    return Fix(*offset(43.55, 7.01, 0.0, north_m), 3.0, 10.0, 0.0, START + timedelta(seconds=boot_s), boot_s)


def drive(speeds):
    """One fix a second at these speeds; the pieces, and the road's length."""
    tracker, pieces, odometer_m = Tracker(4.0), [], 0.0
    for second, speed_mps in enumerate([0.0, *speeds]):
        odometer_m += speed_mps
        tracker.frame(odometer_m, filled=False, standing=speed_mps == 0.0)
        pieces.append(tracker.fix(fix(float(second), odometer_m), odometer_m, 0.0))
    pieces.append(tracker.end(odometer_m))
    return [piece for piece in pieces if piece is not None], odometer_m


@given(st.lists(st.sampled_from([0.0, 0.0, 5.0, 14.0, 36.0]), max_size=300))
def test_the_pieces_join_to_the_whole_road(speeds):
    pieces, length_m = drive(speeds)
    assert sum(piece.end_m - piece.start_m for piece in pieces) == length_m
    assert [piece.n for piece in pieces] == list(range(len(pieces)))
    assert all(a.end_m == b.start_m and a.points[-1] == b.points[0] for a, b in itertools.pairwise(pieces))
    for piece in pieces:
        assert piece.end_m > piece.start_m
        assert len(piece.points) >= 2
        assert piece.end_m - piece.start_m < PIECE_M + 36.0
        assert (piece.ended_at - piece.started_at).total_seconds() <= PIECE_S


def test_a_car_that_stands_makes_no_piece():
    assert drive([0.0] * 200) == ([], 0.0)


def test_a_piece_carries_its_gaps_and_its_filled_metres():
    tracker = Tracker(4.0)
    tracker.fix(fix(0.0, 0.0), 0.0, 0.0)
    tracker.gap(Gap(1.0, 12.0, "no_fix"))
    tracker.fix(fix(10.0, 100.0), 100.0, 100.0)
    piece = tracker.end(100.0)
    assert (piece.gaps, piece.filled_m) == ((Gap(1.0, 12.0, "no_fix"),), 100.0)
    assert tracker.end(100.0) is None


@given(st.lists(st.sampled_from([0.0, 5.0, 14.0, 36.0]), min_size=1, max_size=200))
def test_the_pieces_together_have_each_distance_between_frames_once(speeds):
    pieces, _ = drive([*speeds, 36.0])
    histograms = [piece.spacing["histogram_m"] for piece in pieces]
    assert sum(sum(histogram.values()) for histogram in histograms) == len(speeds) + 1
    assert sum(piece.frames for piece in pieces) == len(speeds) + 2
    assert sum(piece.spacing["standing_frames"] for piece in pieces) == 1 + speeds.count(0.0)
    assert max(piece.spacing["longest_m"] for piece in pieces) == 36.0


def test_road_before_the_first_fix_is_no_track():
    tracker = Tracker(4.0)
    tracker.begin(80.0)
    tracker.fix(fix(0.0, 0.0), 80.0, 0.0)
    tracker.stood(7.0)
    tracker.fix(fix(9.0, 90.0), 170.0, 0.0)
    piece = tracker.end(170.0)
    assert (piece.start_m, piece.end_m, piece.spacing["standing_s"]) == (80.0, 170.0, 7.0)
