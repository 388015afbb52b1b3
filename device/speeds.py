"""A simulated drive's speed at every moment, and what follows from it alone. Pure."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEP_S = 0.01
"""The truth is tabulated so finely; at 3 m/s2 the error between two entries is 0.04 mm."""

STANDS_BELOW_MPS = 0.01


class Speeds:
    """The half of a drive that needs no road: `speeds_mps` and `odometers_m` hold one entry each `STEP_S` since its start."""

    __slots__ = ()

    speeds_mps: Floats
    odometers_m: Floats

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return (len(self.speeds_mps) - 1) * STEP_S

    @property
    def standing_s(self) -> float:
        """How long it stands still in all."""
        return float(np.count_nonzero(self.speeds_mps < STANDS_BELOW_MPS)) * STEP_S

    def odometer_m(self, at_s: float) -> float:
        """Metres driven."""
        return value_at(self.odometers_m, at_s)

    def speed_mps(self, at_s: float) -> float:
        """Speed along the road."""
        return value_at(self.speeds_mps, at_s)


def odometers_of(speeds_mps: Floats) -> Floats:
    """Metres driven at each entry."""
    return summed((speeds_mps[1:] + speeds_mps[:-1]) / 2.0 * STEP_S)


def summed(values: Floats) -> Floats:
    """The sums of the first 0, 1, 2, ... values."""
    return np.concatenate([[0.0], np.cumsum(values)])


def value_at(values: Floats, at_s: float) -> float:
    """The value of a table at a moment; straight between two entries, the first before it and the last behind it."""
    # np.interp looks at the whole table; neighbours in an even table are found by their number.
    number = min(max(at_s / STEP_S, 0.0), len(values) - 1.000001)
    index = int(number)
    share = number - index
    return float(values[index] * (1.0 - share) + values[index + 1] * share)
