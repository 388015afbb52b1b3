"""How bad a finding is, by its size alone: 1 slight, 2 medium, 3 severe. Pure.

Depth and the width of a crack are not seen from a car; what needs them is not told. Each boundary names its source.
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

POTHOLE_M: Final = (0.20, 0.45)
"""Mean diameter. ASTM D6433, table of potholes: 100 to 200, 200 to 450 and 450 to 750 mm are low, medium and high in its middle
row (25 to 50 mm deep)."""

ALLIGATOR_M2: Final = (1.0, 4.0)
"""Area. Our own: a spot; the wheel track of one cell; more than a cell of 4 m. Manuals (ASTM D6433, LTPP) judge the pieces, which
are too small to be seen, and count the area as extent."""

CRACK_M: Final = (2.0, 5.0)
"""Length. Our own: manuals judge the width, which is too small to be seen, and count the length as extent."""

SEVERE: Final = 3
OPEN: Final = SEVERE
"""A manhole without its cover is a hole that a wheel falls into."""


def severity_of(label: str, width_m: float, length_m: float) -> int | None:
    """The severity of a thing of this size on the road; None for what is no damage."""
    judge = JUDGES.get(label)
    return None if judge is None else judge(width_m, length_m)


def _grade(value: float, bounds: tuple[float, float]) -> int:
    return 1 + sum(value > bound for bound in bounds)


JUDGES: Final[Mapping[str, Callable[[float, float], int]]] = MappingProxyType(
    {
        "pothole": lambda width_m, length_m: _grade(math.sqrt(width_m * length_m), POTHOLE_M),
        "crack_alligator": lambda width_m, length_m: _grade(width_m * length_m, ALLIGATOR_M2),
        "crack_longitudinal": lambda width_m, length_m: _grade(max(width_m, length_m), CRACK_M),
        "crack_transverse": lambda width_m, length_m: _grade(max(width_m, length_m), CRACK_M),
        "manhole_open": lambda _width_m, _length_m: OPEN,
    }
)
