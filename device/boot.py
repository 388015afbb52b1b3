"""The boot clock: every duration and every order in ronde is measured on it, never on wall time."""

import time
from pathlib import Path

APART_S = 1e-4

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def now_s() -> float:
    """Seconds since boot, suspend included; never jumps when the wall clock is set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def from_monotonic_s(monotonic_s: float) -> float:
    """A moment of CLOCK_MONOTONIC (which stands still in suspend) on the boot clock, in seconds.

    The boot clock is read between two readings of the other one, again where the thread was put aside between them: the shift is
    then right to `APART_S`.
    """
    while True:
        before_s, boot_s, after_s = time.clock_gettime(time.CLOCK_MONOTONIC), now_s(), time.clock_gettime(time.CLOCK_MONOTONIC)
        if after_s - before_s < APART_S:
            return monotonic_s + boot_s - (before_s + after_s) / 2.0


def boot_id() -> str:
    """The kernel's id of this boot: 32 hex digits without dashes."""
    return BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")
