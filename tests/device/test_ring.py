"""The ring holds seconds, not hours, and never two frames of one moment."""

import numpy as np

from device.frame import Exposure
from device.planes import BYTES_PER_PIXEL
from device.ring import Ring


def exposure(boot_s):
    return Exposure(boot_s, lambda: np.zeros((1, 1, 3), np.uint8))


def filled(ring, times):
    for boot_s in times:
        ring.push(exposure(boot_s))
    return [each.shutter_boot_s for each in ring.until(1e9)]


def test_holds_the_last_seconds():
    ring = Ring(longest_s=2.0)
    assert filled(ring, range(10)) == [7, 8, 9]
    assert ring.overrun == 7
    assert ring.read == 10


def test_holds_no_more_bytes_than_a_unit_has():
    ring = Ring.for_camera(1456, 1088)
    held = len(filled(ring, [k / 30 for k in range(200)]))
    assert held * 1456 * 1088 * BYTES_PER_PIXEL <= 200_000_000
    assert held / 30 > 2.5  # one missing fix of a 1 Hz receiver, with its latency and jitter


def test_an_exposure_out_of_order_is_dropped_and_counted():
    ring = Ring()
    assert filled(ring, [1.0, 2.0, 1.5, 2.0, 3.0]) == [1.0, 2.0, 3.0]
    assert ring.overrun == 2


def test_what_was_decided_on_goes_and_the_newest_moment_is_remembered():
    ring = Ring()
    filled(ring, [1.0, 2.0, 3.0])
    ring.drop_until(3.0)
    assert ring.until(1e9) == []
    assert ring.newest_s == 3.0


def test_what_was_taken_after_a_moment_goes_and_nothing_else():
    ring = Ring()
    filled(ring, [1.0, 2.0, 3.0])
    ring.drop_after(2.0)
    assert [exposure.shutter_boot_s for exposure in ring.until(1e9)] == [1.0, 2.0]


def test_one_exposure_can_be_removed():
    ring = Ring()
    filled(ring, [1.0, 2.0, 3.0])
    ring.remove(ring.until(2.5)[1])
    assert [each.shutter_boot_s for each in ring.until(1e9)] == [1.0, 3.0]
