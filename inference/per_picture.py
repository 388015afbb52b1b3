"""Fire and smoke are judged per picture: whether there is any, not where its edges are (smoke has none).

A picture counts as an alarm when its best box of a label reaches the threshold.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from inference.scoring import Picture, interval_95


class Telling(NamedTuple):
    """Of one label: the best score in each picture that shows it, and in each that does not. 0 where nothing was found."""

    showing: tuple[float, ...]
    without: tuple[float, ...]

    def as_json(self, threshold: float) -> dict[str, Any]:
        """Recall among the pictures that show it and the share of alarms among the others, with Wilson's 95 % intervals."""
        document: dict[str, Any] = {}
        for name, scores in (("recall", self.showing), ("alarms", self.without)):
            if scores:
                reached = sum(score >= threshold for score in scores)
                low, high = interval_95(reached, len(scores))
                share = round(reached / len(scores), 4)
                document[name] = {"share": share, "interval_95": [round(low, 4), round(high, 4)], "pictures": len(scores)}
        return document


def telling(pictures: Sequence[Picture]) -> Telling:
    """What the boxes of one label say of each picture."""
    showing: list[float] = []
    without: list[float] = []
    for picture in pictures:
        best = float(picture.scores.max(initial=0.0))
        (showing if len(picture.truth) else without).append(best)
    return Telling(tuple(showing), tuple(without))


def best_telling(sets: Sequence[Telling], most_alarms: float) -> float:
    """The threshold with the best F1 over the pictures of all sets; 1 where nothing is ever told rightly.

    Asked are only thresholds at which no set has more than a share of `most_alarms` of its pictures without the label as an
    alarm, where there is one at which anything is found. A set too small to tell that share from none may have one alarm.
    """
    right = sorted((score for each in sets for score in each.showing if score > 0), reverse=True)
    wrong = [score for each in sets for score in each.without]
    whole = sum(len(each.showing) for each in sets)
    quiet = [threshold for threshold in right if all(_is_quiet(each, threshold, most_alarms) for each in sets)]
    best, best_f1 = 1.0, 0.0
    for threshold in quiet or right:
        told = sum(score >= threshold for score in right)
        f1 = 2 * told / (told + sum(score >= threshold for score in wrong) + whole)
        if f1 > best_f1:
            best, best_f1 = threshold, f1
    return best


def _is_quiet(telling_of: Telling, threshold: float, most_alarms: float) -> bool:
    allowed = max(1, int(most_alarms * len(telling_of.without)))
    return sum(score >= threshold for score in telling_of.without) <= allowed
