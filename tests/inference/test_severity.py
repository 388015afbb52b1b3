"""How bad a thing is by its size."""

import pytest

from inference.severity import severity_of


@pytest.mark.parametrize(
    ("label", "width_m", "length_m", "severity"),
    [
        ("pothole", 0.15, 0.2, 1),
        ("pothole", 0.3, 0.4, 2),
        ("pothole", 0.6, 0.5, 3),
        ("crack_alligator", 0.8, 1.0, 1),
        ("crack_alligator", 1.5, 3.0, 3),
        ("crack_transverse", 3.0, 0.4, 2),
        ("crack_longitudinal", 0.5, 7.0, 3),
        ("manhole_open", 0.7, 0.7, 3),
        ("manhole", 0.7, 0.7, None),
        ("patch", 2.0, 3.0, None),
        ("sign_stop", 0.7, 0.7, None),
    ],
)
def test_a_thing_is_as_bad_as_it_is_large(label, width_m, length_m, severity):
    assert severity_of(label, width_m, length_m) == severity


def test_a_larger_hole_is_never_less_severe():
    grades = [severity_of("pothole", side / 100, side / 100) for side in range(5, 120)]
    assert grades == sorted(grades)
