"""`ronde bench grade` on one town, and what it and `ronde bench quality` refuse and miss."""

import pytest

from sync import bench_grade, bench_quality
from sync.bench_findings import BenchRefused


def test_grades_of_perfect_boxes_are_near_those_of_the_truth():
    result = bench_grade.bench_grade(1, purpose="tests")
    coarse, fine = result["100_m"], result["20_m"]
    assert coarse["graded"] == coarse["stretches"] > 15
    assert coarse["within"] >= 0.9
    assert fine["graded"] > 4 * coarse["graded"]
    assert coarse["true_to"] > coarse["true_from"] >= 1.0
    assert "within 0.5 of the truth" in bench_grade.in_words(result)


def test_what_a_bench_cannot_do_is_refused_and_what_it_misses_is_said():
    with pytest.raises(BenchRefused, match="at least one is needed"):
        bench_grade.bench_grade(0)
    with pytest.raises(BenchRefused, match="more than 20 photos"):
        bench_quality.bench_quality(1, photos=20)
    result = {"reasons": {"wet": 0.96, "dark": 0.94}, "fair": {"false": 0.03}, "glance_and_gate_ms": 2.0}
    assert [goal for goal, met in bench_quality.goals_of(result).items() if not met] == [
        "dark: >= 95% recognised",
        "fair weather: <= 2% false",
    ]
