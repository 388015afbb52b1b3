"""The satellites' time on the boot clock."""

import random

import pytest

from device.satclock import WINDOW_S, SatelliteClock

EPOCH_S = 1_780_000_000.0
BOOTED_S = EPOCH_S - 5000.0


def run(clock, seconds, latency_s, *, step_s=1.0, start_s=0.0, boot_runs=1.0):
    """Reports a second apart; gives how far each one's moment on the boot clock is from the truth."""
    errors = []
    at_s = start_s
    while at_s < start_s + seconds:
        truth_s = EPOCH_S + at_s - BOOTED_S + at_s * (boot_runs - 1.0)
        arrival_s = truth_s + latency_s(at_s)
        errors.append(clock.boot_s(EPOCH_S + at_s, arrival_s) - truth_s)
        clock.observe(EPOCH_S + at_s, arrival_s)
        at_s += step_s
    return errors


def test_jitter_of_the_receiver_does_not_move_moments():
    draw = random.Random(1)
    errors = run(SatelliteClock(), 600, lambda _: 0.15 + draw.uniform(0, 0.4))
    settled = errors[60:]
    assert max(settled) - min(settled) < 0.02
    assert min(errors) >= 0.15 - 1e-6


def test_a_moment_is_never_later_than_its_arrival():
    draw = random.Random(2)
    clock = SatelliteClock()
    for second in range(300):
        arrival_s = 5000.0 + second + draw.uniform(0, 1.5)
        assert clock.boot_s(EPOCH_S + second, arrival_s) <= arrival_s
        clock.observe(EPOCH_S + second, arrival_s)


@pytest.mark.parametrize("boot_runs", [1 - 50e-6, 1 + 50e-6])
def test_a_boot_clock_that_drifts_is_followed(boot_runs):
    errors = run(SatelliteClock(), 7200, lambda _: 0.2, boot_runs=boot_runs)
    assert all(abs(error - 0.2) <= 50e-6 * WINDOW_S + 1e-5 for error in errors)


def test_a_burst_of_late_reports_is_no_step():
    clock = SatelliteClock()
    run(clock, 60, lambda _: 0.2)
    errors = run(clock, 4, lambda _: 1.5, start_s=60)
    errors += run(clock, 60, lambda _: 0.2, start_s=64)
    assert max(errors) - min(errors) < 0.001


def test_a_leap_second_is_believed_after_seconds_and_not_after_minutes():
    clock = SatelliteClock()
    run(clock, 120, lambda _: 0.2)
    # The satellites' time counts one second twice: from then on everything seems a second later.
    errors = run(clock, 30, lambda _: 1.2, start_s=120)
    assert errors[-1] == pytest.approx(1.2, abs=0.001)
    assert sum(error < 1.0 for error in errors) <= 15


def test_forgetting_starts_anew():
    clock = SatelliteClock()
    run(clock, 30, lambda _: 0.2)
    assert clock.late_s(EPOCH_S + 30, EPOCH_S + 30 - BOOTED_S + 3.2) == pytest.approx(3.0)
    clock.reset()
    assert clock.late_s(EPOCH_S + 30, EPOCH_S + 30 - BOOTED_S + 3.2) == 0.0
