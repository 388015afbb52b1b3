"""Which way the car points, from the courses that it drives. Pure.

Doppler speed is never negative: a car that backs out of a parking place has a course, and it points to the rear. A car cannot
turn round on the spot, so a course that flips within a few metres is the reverse gear. The car, and the camera in it, then point
the other way than it drives.
"""

from dataclasses import dataclass

from device.earth import turn_deg
from device.positions import COURSE_HOLDS_BELOW_MPS

FLIP_DEG = 120.0
FLIP_M = 8.0
"""A course that turns by so much on so little road: the smallest half circle of a car is 16 m long."""

REVERSE_LIMIT_MPS = 4.0
"""Nobody in a town backs faster; a faster car drives forwards, whatever was thought before."""


@dataclass(frozen=True, slots=True)
class Heading:
    """`heading_deg` is where the car points, None while unknown. `reversing`: it drives the other way.

    `certain` once the car was seen at a speed of which only the forward gears are capable. `stale_m` is the road since a course
    was last measured.
    """

    heading_deg: float | None = None
    reversing: bool = False
    certain: bool = False
    stale_m: float = 0.0

    @property
    def way_deg(self) -> float | None:
        """The direction of travel."""
        if self.heading_deg is None or not self.reversing:
            return self.heading_deg
        return (self.heading_deg + 180.0) % 360.0

    def after(self, course_deg: float | None, speed_mps: float, driven_m: float, *, lost: bool) -> "Heading":
        """The heading at the next fix: its course and speed, the metres driven to it, and whether there was no fix for long.

        Below `COURSE_HOLDS_BELOW_MPS` a course is noise. Across a loss a car can have turned round. Before anything is certain, a
        flip is taken for the end of backing out: that is how most rounds begin.
        """
        stale_m = self.stale_m + driven_m
        if course_deg is None or speed_mps < COURSE_HOLDS_BELOW_MPS:
            return Heading(self.heading_deg, self.reversing, self.certain, stale_m)
        forward = speed_mps > REVERSE_LIMIT_MPS
        reversing = self.reversing and not (forward or lost)
        if self.way_deg is not None and not (forward or lost) and self.certain:
            flipped = abs(turn_deg(course_deg - self.way_deg)) > FLIP_DEG and stale_m <= FLIP_M
            reversing = reversing != flipped
        return Heading((course_deg + 180.0) % 360.0 if reversing else course_deg, reversing, self.certain or forward)
