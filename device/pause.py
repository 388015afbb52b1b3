"""A loss of fix in which the car stood for a while: the picture says when. Pure."""

from dataclasses import dataclass, field, replace
from datetime import timedelta

from device.frame import Place
from device.odometer import Stretch

LEAST_MOVING_S = 0.5
"""The picture of a car that has got anywhere moved at least so long; otherwise the picture is wrong, not the fixes."""

Still = tuple[float, float]
"""From when to when the picture did not move, on the boot clock."""


@dataclass(frozen=True, slots=True)
class Paused(Stretch):
    """The road between two fixes, driven only while the picture moved.

    It is a stretch without the stills, and each moment is looked up there. Where no still was seen, nothing is different: a stop
    that the picture did not show is still within the radius.
    """

    stills: tuple[Still, ...] = ()
    _driven: Stretch = field(init=False)

    def __post_init__(self) -> None:
        end = replace(self.end, fix=replace(self.end.fix, boot_s=self._driving_s(self.end.fix.boot_s)))
        object.__setattr__(self, "_driven", Stretch(self.start, end, self.lost))

    def odometer_at(self, boot_s: float) -> float:
        """The odometer in metres at a moment inside."""
        return self._driven.odometer_at(self._driving_s(boot_s))

    def place_at(self, boot_s: float) -> Place:
        """The place at a moment inside, with the accuracy that it has."""
        place = self._driven.place_at(self._driving_s(boot_s))
        stood = any(from_s < boot_s <= to_s for from_s, to_s in self.stills)
        return replace(
            place,
            taken_at=self.start.fix.taken_at + timedelta(seconds=boot_s - self.start.fix.boot_s),
            speed_mps=0.0 if stood else place.speed_mps,
        )

    def _driving_s(self, boot_s: float) -> float:
        """The moment, had the car never stood."""
        return boot_s - sum(max(0.0, min(boot_s, to_s) - from_s) for from_s, to_s in self.stills)


def paused(stretch: Stretch, stills: tuple[Still, ...]) -> Stretch:
    """The stretch with the stills that lie in it; as it is where there are none, or where they leave no time to drive."""
    begin_s, end_s = stretch.start.fix.boot_s, stretch.end.fix.boot_s
    inside = [(max(from_s, begin_s), min(to_s, end_s)) for from_s, to_s in stills if from_s < end_s and to_s > begin_s]
    stood_s = sum(to_s - from_s for from_s, to_s in inside)
    if not inside or stretch.seconds - stood_s < LEAST_MOVING_S:
        return stretch
    return Paused(stretch.start, stretch.end, stretch.lost, tuple(inside))
