"""What a round had in view: beside the path, from a side from which it was seen before, with photos on the way to it."""

import numpy as np
import pytest

from sync.receiver.fate import sector
from sync.receiver.passing import Passed, Path, Piece

EAST, WEST = sector(90.0), sector(270.0)


def piece(from_m, to_m, began_s=0.0, gaps=(), north_m=0.0):
    east = np.linspace(from_m, to_m, round(abs(to_m - from_m) / 10.0) + 1)
    took_s = abs(to_m - from_m) / 10.0
    return Piece(np.stack((east, np.full_like(east, north_m)), 1), began_s, began_s + took_s, abs(to_m - from_m), gaps)


def test_what_lies_beside_the_path_was_in_view_when_the_car_passed():
    path = Path([piece(0, 200)])
    assert path.passed(100.0, 3.0, EAST) == Passed(pytest.approx(10.0), None)
    assert path.passed(100.0, -6.5, EAST).reason is None
    assert path.passed(100.0, 9.0, EAST) is None
    assert path.passed(250.0, 0.0, EAST) is None
    assert path.passed(100.0, 0.0, 0).reason is None  # nobody said from where it was seen


def test_from_the_other_side_it_was_not():
    path = Path([piece(0, 200)])
    assert path.passed(100.0, 3.0, WEST).reason == "other_way"
    assert path.passed(100.0, 3.0, sector(45.0)).reason is None
    assert path.passed(100.0, 3.0, sector(0.0)).reason == "other_way"
    assert path.passed(100.0, 3.0, WEST | EAST).reason is None


def test_both_ways_count_where_both_were_driven():
    path = Path([piece(0, 200), piece(200, 0, 60.0, north_m=3.0)])
    assert path.passed(100.0, 3.0, WEST) == Passed(pytest.approx(70.0), None)
    assert path.passed(100.0, 3.0, EAST) == Passed(pytest.approx(10.0), None)


def test_where_the_round_begins_nothing_showed_what_lies_there():
    path = Path([piece(0, 200)])
    assert path.passed(5.0, 0.0, EAST).reason == "no_photo"
    assert path.passed(13.0, 0.0, EAST).reason is None


def test_pieces_that_follow_each_other_are_one_path_and_others_are_not():
    whole = Path([piece(0, 100), piece(100, 200, 10.0)])
    assert whole.passed(103.0, 0.0, EAST).reason is None
    for second in (piece(100, 200, 40.0), piece(105, 205, 10.0)):
        assert Path([piece(0, 100), second]).passed(107.0, 0.0, EAST).reason == "no_photo"


@pytest.mark.parametrize(
    ("gap", "at_m", "reason"),
    [
        ((80.0, 30.0), 110.0, "no_photo"),
        ((80.0, 30.0), 104.0, "no_photo"),
        ((80.0, 30.0), 80.0, None),
        ((80.0, 30.0), 125.0, None),
        ((95.0, 8.0), 105.0, None),
    ],
)
def test_a_gap_hides_what_its_photos_would_have_shown(gap, at_m, reason):
    assert Path([piece(0, 200, gaps=[gap])]).passed(at_m, 0.0, EAST).reason == reason
    second = Path([piece(-300, 0), piece(0, 200, 30.0, gaps=[(gap[0] + 300.0, gap[1])])])
    assert second.passed(at_m, 0.0, EAST).reason == reason


def test_a_gap_of_which_nobody_knows_where_it_lies_hides_the_whole_piece():
    lost = Path([piece(0, 100), piece(100, 300, 60.0, gaps=[(180.0, 30.0)])])  # a piece between them has not come
    assert lost.passed(280.0, 0.0, EAST).reason == "no_photo"
    elsewhere = Path([piece(0, 200, gaps=[(900.0, 30.0)])])
    assert elsewhere.passed(100.0, 0.0, EAST).reason == "no_photo"


def test_pictures_that_could_not_be_judged_show_nothing():
    path = Path([piece(0, 200)], [np.array([(80.0, 1.0), (120.0, 1.0)])])
    assert path.passed(100.0, 0.0, EAST).reason == "not_usable"
    assert path.passed(150.0, 0.0, EAST).reason is None


def test_no_track_shows_nothing():
    assert Path([]).passed(0.0, 0.0, EAST) is None
    standing = Piece(np.zeros((2, 2)), 0.0, 60.0, 0.0)
    assert Path([standing]).passed(0.0, 0.0, EAST) is None
