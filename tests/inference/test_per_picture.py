"""Fire and smoke, picture by picture."""

import numpy as np
import pytest

from inference.per_picture import Telling, best_telling, telling
from inference.scoring import Picture


def picture(truths, *scores):
    boxes = np.tile(np.array([[0.0, 0.0, 9.0, 9.0]]), (truths, 1))
    return Picture(boxes, np.zeros(truths, bool), np.zeros((len(scores), 4)), np.array(scores, np.float64))


def test_a_picture_counts_once_by_its_best_box_wherever_that_lies():
    assert telling([picture(3, 0.4, 0.8), picture(1), picture(0, 0.3), picture(0)]) == Telling((0.8, 0.0), (0.3, 0.0))


def test_recall_and_alarms_come_with_their_pictures_and_intervals():
    told = Telling((0.8, 0.6, 0.1, 0.0), (0.3, 0.7)).as_json(0.5)
    assert told["recall"] == {"share": 0.5, "interval_95": [0.15, 0.85], "pictures": 4}
    assert told["alarms"]["share"] == 0.5
    assert told["alarms"]["pictures"] == 2
    assert Telling((), (0.1,)).as_json(0.5).keys() == {"alarms"}


def test_the_threshold_is_quiet_before_it_is_good():
    burning = Telling((0.9, 0.8, 0.7, 0.4, 0.3), (0.2,))
    lamps = Telling((), (0.6,) * 3 + (0.0,) * 97)
    assert best_telling([burning], 0.01) == pytest.approx(0.3)
    assert best_telling([burning, lamps], 0.01) == pytest.approx(0.7)  # three alarms in a hundred are two too many
    assert best_telling([burning, lamps], 0.05) == pytest.approx(0.3)


def test_a_small_set_may_have_one_alarm():
    assert best_telling([Telling((0.9, 0.5), (0.6, 0.1))], 0.01) == pytest.approx(0.5)
    assert best_telling([Telling((0.9, 0.5), (0.6, 0.6))], 0.01) == pytest.approx(0.9)


def test_what_is_never_told_rightly_is_never_told():
    assert best_telling([Telling((0.0, 0.0), (0.9,))], 0.01) == 1.0
    loud = [Telling((0.4,), (0.9,) * 10)]
    assert best_telling(loud, 0.01) == pytest.approx(0.4)  # never quiet: the best there is, and the report says how loud
