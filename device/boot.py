"""The boot clock: every duration and every order in ronde is measured on it, never on wall time."""

import time
from pathlib import Path

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def now_s() -> float:
    """Seconds since boot, suspend included; never jumps when the wall clock is set."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def from_monotonic_s(monotonic_s: float) -> float:
    """A moment of CLOCK_MONOTONIC (which stands still in suspend) on the boot clock, in seconds."""
    return monotonic_s + now_s() - time.clock_gettime(time.CLOCK_MONOTONIC)


def boot_id() -> str:
    """The kernel's id of this boot: 32 hex digits without dashes."""
    return BOOT_ID.read_text(encoding="ascii").strip().replace("-", "")
