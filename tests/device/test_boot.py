"""The boot clock goes on, and moments of the other clock are found on it."""

import time

from device.boot import boot_id, from_monotonic_s, now_s


def test_never_runs_backwards():
    readings = [now_s() for _ in range(1000)]
    assert readings == sorted(readings)


def test_a_moment_of_the_monotonic_clock_lies_between_two_readings_of_the_boot_clock():
    before_s = now_s()
    moment_s = time.clock_gettime(time.CLOCK_MONOTONIC)
    after_s = now_s()
    assert before_s - 2e-4 <= from_monotonic_s(moment_s) <= after_s + 2e-4


def test_the_boot_has_an_id_of_32_hex_digits():
    assert len(boot_id()) == 32
    int(boot_id(), 16)
